//! Elements of diskimage-builder's in a recipe, beside Isotope's own: one tree, one disk, one cache. No packages, no network; as root.

use isotope_sys::command::Tool;
use isotope_tests::{isotope_command, leaks, put, root, scratch};
use std::path::PathBuf;
use std::process::{Command, Output};

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { dir: scratch("beside") };
        for dir in ["elements", "cache"] {
            std::fs::create_dir(site.path(dir)).unwrap();
        }
        // A dependency that is an element of Isotope's, one that is a helper of its other format, and one that the engine is itself.
        site.file("app/element-deps", 0o644, "tiny-disk\ninstall-static\npackage-installs\n")
            .file("app/static/etc/app.conf", 0o644, "static\n")
            .file("app/bin/app-tool", 0o755, "#!/bin/sh\necho tool\n")
            .file("app/environment.d/10-app", 0o644, "export APP_WORD=${APP_WORD:-none}\n")
            .hook("app/root.d/50-app", "[ -d \"$TARGET_ROOT/etc\" ]; echo root >>\"$TARGET_ROOT/trace\"")
            .hook("app/extra-data.d/50-app", "echo from the host >\"$TMP_MOUNT_PATH/tmp/handed-over\"")
            .hook("app/pre-install.d/50-app", "echo pre-install >>/trace; echo $RANDOM$RANDOM >/once")
            .hook(
                "app/install.d/50-app",
                "cat /tmp/handed-over >>/trace; app-tool >>/trace; command -v install-packages\n\
                 echo \"$DISTRO_NAME $DIB_RELEASE $DIB_TINY_HOSTNAME $APP_WORD $DIB_DEFAULT_INSTALLTYPE $DIB_ROOT_LABEL\" >>/trace\n\
                 [ -z \"${CALLERS_OWN:-}\" ]",
            )
            .hook("app/finalise.d/50-app", "echo finalise >>/trace; ls /boot/efi; cat /etc/fstab")
            .hook("app/cleanup.d/50-app", "echo cleanup >>\"$TARGET_ROOT/trace\"");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, path: &str, mode: u32, text: &str) -> &Self {
        put(&self.path("elements").join(path), mode, text);
        self
    }

    fn hook(&self, path: &str, commands: &str) -> &Self {
        self.file(path, 0o755, &format!("#!/bin/bash\nset -eu -o pipefail\n{commands}\n"))
    }

    /// `isotope build` of a recipe with tiny-bash and the app.
    fn build(&self) -> Output {
        self.isotope(&["build", "both.toml", "-t", "raw,tar"])
    }

    /// `isotope` with that recipe in the working directory.
    fn isotope(&self, args: &[&str]) -> Output {
        let recipe = format!(
            "name = \"both\"\nelements = [\"tiny-bash\", \"app\"]\n[environment]\nAPP_WORD = \"word\"\nDIB_IMAGE_CACHE = \"{}\"\n",
            self.path("cache/images").display()
        );
        std::fs::write(self.path("both.toml"), recipe).unwrap();
        let mut command = isotope_command(&self.path("cache"));
        command.arg("--elements-path").arg(self.path("elements")).args(args).current_dir(self.dir.path());
        command.env("CALLERS_OWN", "1").env_remove("APP_WORD").output().unwrap()
    }

    #[track_caller]
    fn built(&self) -> String {
        let output = self.build();
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{told}");
        told
    }

    /// A file of the image.
    #[expect(clippy::disallowed_methods, reason = "tar reads the image")]
    fn read(&self, path: &str) -> String {
        let output = Command::new("tar").arg("-xaOf").arg(self.path("both.tar.zst")).arg(path).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

const TRACE: &str = "root\npre-install\nfrom the host\ntool\ntiny 1 tiny word source root\nfinalise\ncleanup\n";

#[test]
fn host_beside_hooks_of_both_formats_make_one_image() {
    let site = Site::new();
    site.built();
    assert_eq!(site.read("trace"), TRACE);
    assert_eq!(site.read("etc/app.conf"), "static\n");
    let manifest = std::fs::read_to_string(site.path("both.manifest.json")).unwrap();
    assert!(manifest.contains("\"tiny-disk\"") && manifest.contains("\"install-static\""), "{manifest}");

    // Nothing changed: nothing is done. A hook changed: only from there on.
    let again = site.built();
    assert!(again.contains("nothing has changed"), "{again}");
    let once = site.read("once");
    site.hook("app/finalise.d/50-app", "echo finalise again >>/trace");
    site.built();
    assert_eq!(site.read("trace"), TRACE.replace("finalise", "finalise again"));
    site.hook("app/install.d/60-more", "echo more >>/trace");
    site.built();
    assert_eq!(site.read("trace"), TRACE.replace("finalise", "more\nfinalise again"));
    assert_eq!(site.read("once"), once, "pre-install.d was run again");
    site.file("app/environment.d/10-app", 0o644, "export APP_WORD=another\n");
    site.built();
    assert_ne!(site.read("once"), once, "environment.d is every phase's");
    assert_eq!(leaks::mounts(site.dir.path()), [""; 0]);
    assert_eq!(leaks::loops(site.dir.path()), [""; 0]);
}

#[test]
fn host_beside_a_side_file_says_what_layers_may_do() {
    let site = Site::new();
    site.hook("app/install.d/50-app", "echo $RANDOM$RANDOM >/each").file("app/notes", 0o644, "for people\n").file(
        "app/isotope.toml",
        0o644,
        "reads = [\"static/*\", \"bin/*\"]\n[[hooks]]\nname = \"install.d/50-app\"\ncache = false\n",
    );
    site.built();
    let (once, each) = (site.read("once"), site.read("each"));
    let told = site.built();
    assert!(told.contains("its element says `cache = false` of a hook"), "{told}");
    assert_eq!(site.read("once"), once);
    assert_ne!(site.read("each"), each, "the hook was not run again");

    // Nothing reads the notes; something reads what is static. A day is not over.
    site.file(
        "app/isotope.toml",
        0o644,
        "reads = [\"static/*\", \"bin/*\"]\n[[hooks]]\nname = \"install.d/50-app\"\nmax_age = \"365 d\"\n",
    );
    site.built();
    let each = site.read("each");
    site.file("app/notes", 0o644, "for other people\n");
    site.built();
    assert_eq!((site.read("once"), site.read("each")), (once.clone(), each));
    site.file("app/static/etc/app.conf", 0o644, "changed\n");
    site.built();
    assert_ne!(site.read("once"), once, "a file that is read has changed");
    assert_eq!(site.read("etc/app.conf"), "changed\n");

    site.file("app/isotope.toml", 0o644, "[[hooks]]\nname = \"install.d/50-ap\"\ncache = false\n");
    let output = site.build();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("no hook of this element") && told.contains("isotope.toml"), "{told}");
}

#[test]
fn host_beside_a_failing_hook_is_named_and_what_does_not_fit_is_refused() {
    let site = Site::new();
    site.hook("app/install.d/50-app", "echo the last words; exit 7");
    let output = site.build();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("the last words"), "{told}");
    assert!(told.contains("install.d/50-app") && told.contains("app"), "{told}");
    assert_eq!(leaks::mounts(site.dir.path()), [""; 0]);

    site.file("app/block-device-default.yaml", 0o644, "- local_loop: {name: image0}\n");
    site.hook("app/block-device.d/10-x", "true");
    let output = site.build();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    for words in ["has block devices", "makes block devices", "block-device.d/10-x"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

/// What a command says, and whether it succeeded.
fn told(output: &Output) -> (String, bool) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout) + &text(&output.stderr), output.status.success())
}

#[test]
fn host_beside_sources_are_what_a_lock_says() {
    let site = Site::new();
    let ours = |path: &str| std::fs::read_to_string(root().join("elements-dib").join(path)).unwrap();
    let (repo, data) = (site.path("repo"), site.path("data"));
    // Without what these elements install: the tree has no package manager.
    site.file("app/bin/cache-url", 0o755, &ours("cache-url/bin/cache-url"))
        .file("app/extra-data.d/98-sources", 0o755, &ours("source-repositories/extra-data.d/98-source-repositories"))
        .file("app/environment.d/20-app", 0o644, "export DIB_MANIFEST_IMAGE_DIR=/etc\n")
        .file(
            "app/source-repository-app",
            0o644,
            &format!(
                "app git /opt/app file://{} main\ndata file /opt/data file://{}\n",
                repo.display(),
                data.display()
            ),
        );
    let version = |text: &str| {
        std::fs::create_dir_all(&repo).unwrap();
        std::fs::write(repo.join("file"), text).unwrap();
        for args in ["init -q -b main", "add -A", "-c user.name=a -c user.email=a@b commit -q -m x"] {
            Tool::new("git").arg("-C").arg(&repo).args(args.split(' ')).run().unwrap();
        }
    };
    version("one");
    std::fs::write(&data, "data").unwrap();
    let (text, locked) = told(&site.isotope(&["lock", "both.toml"]));
    assert!(locked && text.contains("2 sources"), "{text}");

    // The world has moved on; the lock has not.
    version("two");
    let (text, built) = told(&site.isotope(&["build", "both.toml", "-t", "tar", "--locked"]));
    assert!(built, "{text}");
    assert_eq!((site.read("opt/app/file"), site.read("opt/data")), ("one".to_owned(), "data".to_owned()));
    version("three");
    let (text, current) = told(&site.isotope(&["lock", "both.toml", "--check"]));
    assert!(!current && text.contains("~ git app main"), "{text}");
    let (text, updated) = told(&site.isotope(&["lock", "both.toml", "--update", "app"]));
    assert!(updated && text.contains("~ git app main"), "{text}");
    let (text, built) = told(&site.isotope(&["build", "both.toml", "-t", "tar", "--locked", "--offline"]));
    assert!(!built && text.contains("98-sources"), "three was never fetched: {text}");
    let (text, built) = told(&site.isotope(&["build", "both.toml", "-t", "tar", "--locked"]));
    assert!(built, "{text}");
    assert_eq!(site.read("opt/app/file"), "three");
    let (text, built) = told(&site.isotope(&["build", "both.toml", "-t", "tar", "--locked", "--offline", "--refresh"]));
    assert!(built, "all of it is in the cache: {text}");

    std::fs::write(&data, "other").unwrap();
    let (text, built) = told(&site.isotope(&["build", "both.toml", "-t", "tar", "--locked", "--refresh"]));
    assert!(built, "the file that was locked is in the cache: {text}");
    std::fs::remove_dir_all(site.path("cache/images")).unwrap();
    let (text, built) = told(&site.isotope(&["build", "both.toml", "-t", "tar", "--locked", "--refresh"]));
    assert!(!built && text.contains("is not what was locked"), "{text}");
    std::fs::remove_file(site.path("both.lock")).unwrap();
    std::fs::write(site.path("both.lock"), "format = 1\nname = \"both\"\n").unwrap();
    let (text, built) = told(&site.isotope(&["build", "both.toml", "-t", "tar", "--locked"]));
    assert!(!built && text.contains("the lock has no app of element app"), "{text}");
}
