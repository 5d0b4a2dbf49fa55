//! Isotope's own elements in diskimage-builder's format, in builds of the tests' tiny operating system: what they promise is in the tree.
//!
//! No packages, no network, no upstream; as root.

use isotope_sys::command::Tool;
use isotope_tests::{isotope, put, root, scratch};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { dir: scratch("host-dib-elements") };
        symlink(isotope(), site.path("disk-image-create")).unwrap();
        for dir in ["elements", "records", "images", "cache"] {
            std::fs::create_dir(site.path(dir)).unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, path: &str, mode: u32, text: &str) -> &Self {
        put(&self.path("elements").join(path), mode, text);
        self
    }

    /// `disk-image-create -n -t tar -o image tiny-os ELEMENT…`
    fn build(&self, elements: &str, env: &[(&str, &str)]) -> Output {
        self.make("tar", elements, env)
    }

    #[expect(clippy::disallowed_methods, reason = "the subject under test, with an environment of its own")]
    fn make(&self, format: &str, elements: &str, env: &[(&str, &str)]) -> Output {
        let path = format!("{}:{}", self.path("elements").display(), root().join("tests/dib/elements").display());
        let mut command = Command::new(self.path("disk-image-create"));
        command.args(["-n", "-t", format, "-o", "image", "tiny-os"]).args(elements.split_whitespace());
        command.current_dir(self.dir.path()).env_remove("ISOTOPE_DATA_DIR").env("ELEMENTS_PATH", path);
        command.env("ISOTOPE_CACHE_DIR", self.path("cache")).env("DIB_IMAGE_CACHE", self.path("images"));
        command.env("DIB_PROBE_DIR", self.path("records")).env("DIB_TEST_VICTIM", self.path("victim"));
        command.envs(env.iter().copied()).output().unwrap()
    }

    /// As [`Site::build`], and it succeeds; gives what it printed.
    fn built(&self, elements: &str, env: &[(&str, &str)]) -> String {
        let output = self.build(elements, env);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{told}");
        told
    }

    /// A file of the image.
    #[expect(clippy::disallowed_methods, reason = "tar reads the image")]
    fn read(&self, path: &str) -> String {
        let mut command = Command::new("tar");
        let output = command
            .arg("-xOf")
            .arg(self.path("image.tar"))
            .args(["--wildcards", "--no-anchored", path])
            .output()
            .unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The paths in the image, without `./`.
    #[expect(clippy::disallowed_methods, reason = "tar reads the image")]
    fn paths(&self) -> Vec<String> {
        let output = Command::new("tar").arg("-tf").arg(self.path("image.tar")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.trim_start_matches("./").to_owned()).collect()
    }

    fn record(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("records").join(name)).unwrap()
    }
}

#[test]
fn host_dib_elements_of_ours_keep_their_promises() {
    let site = Site::new();
    site.file("app/element-deps", 0o644, "svc-map\ninstall-static\ninstall-types\ndib-init-system\nsysctl\nmodprobe\nelement-manifest\n")
        .file("app/svc-map", 0o644, "web:\n  debian: apache2\n  default: www\n")
        .file("app/static/etc/app/conf", 0o640, "static\n")
        .file("app/static/lib/app/data", 0o644, "in /usr/lib\n")
        .file("app/static/etc/app/conf~", 0o644, "an editor's\n")
        .file("app/bin/app-tool", 0o644, "#!/bin/sh\necho tool\n")
        .file("app/modprobe.d/app.conf", 0o644, "options x y=1\n")
        .file("app/init-scripts/systemd/app.service", 0o600, "[Service]\n")
        .file("app/install.d/app-source-install/50-how", 0o755, "#!/bin/sh\necho source >>/how\n")
        .file("app/install.d/app-package-install/50-how", 0o755, "#!/bin/sh\necho package >>/how\n")
        .file("app/install.d/90-app", 0o755, "#!/bin/bash\nset -eu\nsvc-map web >/svc\nsysctl-set-value net.ipv4.ip_forward 1\napp-tool\ndib-init-system >/init\n");
    let env = [
        ("DIB_INSTALLTYPE_app", "package"),
        ("DIB_MODPROBE_BLACKLIST", "floppy pcspkr"),
        ("DIB_SOME_PASSWORD", "geheim17"),
    ];
    let told = site.built("app", &env);
    for (path, expected) in [
        ("svc", "www\n"),
        ("etc/app/conf", "static\n"),
        ("usr/lib/app/data", "in /usr/lib\n"),
        ("etc/modprobe.d/app.conf", "options x y=1\n"),
        ("etc/modprobe.d/blacklist.conf", "blacklist floppy\nblacklist pcspkr\n"),
        ("etc/sysctl.d/net.ipv4.ip_forward.conf", "net.ipv4.ip_forward = 1\n"),
        ("usr/lib/systemd/system/app.service", "[Service]\n"),
        ("how", "package\n"),
        ("init", "systemd\n"),
        ("usr/local/bin/app-tool", "#!/bin/sh\necho tool\n"),
    ] {
        assert_eq!(site.read(path), expected, "{path}");
    }
    let paths = site.paths();
    assert!(!paths.iter().any(|path| path.ends_with("conf~") || path.starts_with("lib/")), "{paths:?}");

    // Records: in the image and beside it, without secrets.
    let records = site.path("image.d/dib-manifests");
    let elements = std::fs::read_to_string(records.join("dib-element-manifest")).unwrap();
    assert!(elements.starts_with("app\n") && elements.ends_with("tiny-os\n"), "{elements}");
    let environment = std::fs::read_to_string(records.join("dib_environment")).unwrap();
    assert!(environment.contains("DIB_MODPROBE_BLACKLIST=") && !environment.contains("geheim17"), "{environment}");
    assert!(std::fs::read_to_string(records.join("dib_arguments")).unwrap().contains("-t tar"));
    assert!(!told.contains("geheim17"), "{told}");
}

#[test]
fn host_dib_elements_probes_find_what_the_contract_says() {
    let site = Site::new();
    site.built("probe ordered keeps-dotfiles leaves-mounts leaves-a-daemon", &[("DIB_TEST_SECONDS", "98701")]);
    assert_eq!(site.read("ordered"), "Zz-nonum\na-nonum\n9-a\n010-lead\n10-a\n10-b\n100-c\n");
    assert_eq!(site.read(".hidden-top"), "hidden\n");
    for phase in ["root", "extra-data", "post-root", "block-device", "pre-finalise", "cleanup"] {
        let facts = site.record(&format!("{phase}.facts"));
        let cwd = format!("cwd={}", site.dir.path().canonicalize().unwrap().display());
        assert!(facts.starts_with("where=host\n") && facts.contains(&cwd), "{phase}: {facts}");
        let environment = site.record(&format!("{phase}.env"));
        let has_root = environment.lines().any(|line| line.starts_with("TARGET_ROOT="));
        assert_eq!(has_root, ["root", "cleanup"].contains(&phase), "{phase}: {environment}");
        assert!(site.record(&format!("{phase}.functions")).contains("get_image_element_array"), "{phase}");
    }
    for phase in ["pre-install", "install", "post-install", "finalise"] {
        let facts = site.record(&format!("{phase}.facts"));
        assert!(facts.starts_with("where=target\ncwd=/\narguments=0\n"), "{phase}: {facts}");
        assert!(site.record(&format!("{phase}.mounts")).contains("/sys sysfs ro"), "{phase}");
        let environment = site.record(&format!("{phase}.env"));
        assert!(environment.contains("\nPROBE_ENVIRONMENT_FILES=5-probe 50-probe with.dot"), "{phase}: {environment}");
        assert!(environment.contains("\nHOME=/root\n") && !environment.contains("\nTMPDIR="), "{phase}: {environment}");
    }
    // Nothing is left on the host.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&site.dir.path().display().to_string()) && !mounts.contains(" - tmpfs left "), "{mounts}");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    assert!(!lines.any(|line| line.contains("98701")), "the daemon is still there");
}

#[test]
fn host_dib_elements_that_fail_or_lead_out() {
    let site = Site::new();
    for (phase, code) in [("root", "3"), ("extra-data", "4"), ("install", "5"), ("finalise", "6"), ("cleanup", "7")] {
        let output = site.build("fails", &[("DIB_TEST_PHASE", phase), ("DIB_TEST_CODE", code)]);
        assert_eq!(output.status.code(), Some(code.parse().unwrap()), "{phase}");
        assert!(!site.path("image.tar").exists(), "{phase}");
    }
    std::fs::write(site.path("victim"), "as it was\n").unwrap();
    site.build("links-out", &[]);
    assert_eq!(std::fs::read_to_string(site.path("victim")).unwrap(), "as it was\n");
}

#[test]
fn host_dib_elements_unchanged_in_layers_give_the_image_back_with_what_is_beside_it() {
    let site = Site::new();
    let hook = |text: &str| {
        let text = format!("#!/bin/bash\nset -eu\necho run >>\"$DIB_PROBE_DIR/runs\"\n{text}\n");
        site.file("app/cleanup.d/50-app", 0o755, &text);
    };
    site.file("app/element-deps", 0o644, "element-manifest\n");
    hook("echo $RANDOM$RANDOM >\"$IMAGE_NAME.vmlinuz\"");
    let layers = [("ISOTOPE_LAYERS", "1")];
    site.built("app", &layers);
    let read = |name: &str| std::fs::read(site.path(name)).unwrap();
    let made = ["image.tar", "image.vmlinuz", "image.d/dib-manifests/dib-element-manifest"];
    let first = made.map(read);
    let told = site.built("app", &layers);
    assert!(told.contains("nothing has changed, and the outputs are what they were"), "{told}");
    assert_eq!(site.record("runs"), "run\n");

    for name in made {
        std::fs::remove_file(site.path(name)).unwrap();
    }
    std::fs::write(site.path("image.tar"), "somebody's own").unwrap();
    let told = site.built("app", &layers);
    assert!(told.contains("nothing has changed: the outputs are copied"), "{told}");
    assert!(told.contains("Old image found. Renaming it"), "{told}");
    assert!(first == made.map(read));
    assert_eq!(site.record("runs"), "run\n");

    // What is asked for every time, and what has changed, is done.
    site.built("app", &[]);
    assert_eq!(site.record("runs"), "run\n".repeat(2));
    hook("echo other >\"$TARGET_ROOT/other\"");
    site.built("app", &layers);
    assert_eq!((site.record("runs"), site.read("other")), ("run\n".repeat(3), "other\n".to_owned()));
    site.built("app", &[("ISOTOPE_LAYERS", "1"), ("break", "after-cleanup"), ("break_cmd", "true")]);
    assert_eq!(site.record("runs"), "run\n".repeat(4), "who wants a shell behind a hook wants it run");
}

#[test]
fn host_dib_elements_layers_begin_with_what_hooks_have_bound_of_the_image_cache() {
    let site = Site::new();
    let hook = |path: &str, text: &str| {
        site.file(&format!("app/{path}"), 0o755, &format!("#!/bin/bash\nset -eu\n{text}\n"));
    };
    let bind = "mkdir -p \"$DIB_IMAGE_CACHE/app/debs\" \"$TARGET_ROOT/var/cache/app\"\n\
                sudo mount --bind \"$DIB_IMAGE_CACHE/app/debs\" \"$TARGET_ROOT/var/cache/app\"";
    hook("root.d/50-bind", bind);
    hook("install.d/50-app", "echo run >>/var/cache/app/runs");
    hook("post-install.d/50-app", "wc -l </var/cache/app/runs >/seen");
    hook(
        "cleanup.d/50-unbind",
        "sudo umount \"$TARGET_ROOT/var/cache/app\" || test ! -e \"$TARGET_ROOT/var/cache/app/runs\"",
    );
    let layers = [("ISOTOPE_LAYERS", "1")];
    let runs = || std::fs::read_to_string(site.path("images/app/debs/runs")).unwrap().lines().count();
    let told = site.built("app", &layers);
    assert!(!told.contains("no layer ends here"), "{told}");
    assert_eq!((runs(), site.read("seen").trim()), (1, "1"));

    // What was bound is there behind the layer, and not in the image.
    hook("post-install.d/50-app", "cat /var/cache/app/runs >/seen");
    site.built("app", &layers);
    assert_eq!((runs(), site.read("seen")), (1, "run\n".to_owned()));
    assert!(!site.paths().iter().any(|path| path.ends_with("var/cache/app/runs")));
    // Nor is the command line an input of hooks that do not name it.
    let told = site.built("app app", &layers);
    assert_eq!(runs(), 1, "{told}");
    hook("install.d/50-app", "echo run >>/var/cache/app/runs; echo \"$DIB_ARGS\" >/arguments");
    site.built("app app", &layers);
    site.built("app", &layers);
    assert_eq!(runs(), 3);
    assert!(!site.read("arguments").contains("app app"));

    // Another directory of the host does not come back: no layer ends while it is there.
    std::fs::create_dir(site.path("elsewhere")).unwrap();
    hook("root.d/50-bind", &bind.replace("$DIB_IMAGE_CACHE/app/debs", &site.path("elsewhere").display().to_string()));
    let told = site.built("app", &layers);
    assert!(told.contains("no layer ends here: hooks have mounted something in the tree"), "{told}");
}

#[test]
fn host_dib_elements_a_disk_begins_as_the_one_before() {
    let site = Site::new();
    let hook = |path: &str, text: &str| {
        site.file(&format!("app/{path}"), 0o755, &format!("#!/bin/bash\nset -eu\n{text}\n"));
    };
    let make = |layers: &str| {
        let output = site.make("raw", "app", &[("ISOTOPE_LAYERS", layers)]);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{told}");
        Tool::new("e2fsck").arg("-fn").arg(site.path("image.raw")).run().unwrap();
        told
    };
    // Every name with its mode, owner, size and content.
    let files = || {
        let dir = site.path("files");
        std::fs::remove_dir_all(&dir).ok();
        std::fs::create_dir(&dir).unwrap();
        let dump = format!("rdump / {}", dir.display());
        Tool::new("debugfs").args(["-R", &dump]).arg(site.path("image.raw")).run().unwrap();
        let list =
            "find . -printf '%p %y %m %U:%G %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum";
        Tool::new("sh").args(["-c", list]).current_dir(&dir).run().unwrap().text()
    };
    let earlier = "names may differ: copied";
    hook("install.d/50-app", "mkdir /app; echo old >/app/goes; head -c 60000000 /dev/zero | tr '\\0' x >/app/stays");
    hook("finalise.d/50-app", "echo one >/app/late");
    let told = make("1");
    assert!(!told.contains(earlier), "{told}");

    // Only what is done on the disk is done again.
    hook("finalise.d/50-app", "echo two >/app/late");
    let told = make("1");
    assert!(told.contains(earlier), "{told}");
    let found = files();
    make("");
    assert_eq!(found, files(), "another disk than one made at once");

    // A layer that is another one, of another size.
    hook(
        "post-install.d/50-app",
        "rm /app/goes; head -c 300000 /dev/zero >/app/new; chmod 700 /app; ln -s stays /app/link",
    );
    let told = make("1");
    assert!(told.contains(earlier), "{told}");
    let found = files();
    make("");
    assert_eq!(found, files(), "another disk than one made at once");

    // A kept disk that is damaged is not used.
    let disks = std::fs::read_dir(site.path("cache/disks")).unwrap().flatten();
    for disk in disks {
        let raw = std::fs::File::options().write(true).open(disk.path().join("disk.raw")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&raw, b"damage", 5 << 20).unwrap();
    }
    hook("finalise.d/50-app", "echo three >/app/late");
    let told = make("1");
    assert!(told.contains("the disk is made anew") && told.contains("damaged"), "{told}");
    assert!(files().contains("./app/late"));
}
