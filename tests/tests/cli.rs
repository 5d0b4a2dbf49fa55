//! The command line on bad input: everything wrong is told at once, with file and line, the exit code says its class, and nothing
//! is created.

use isotope_tests::{isotope_command, leaks, put, root, scratch};
use std::path::Path;
use std::process::Output;

/// A scratch world: a directory of elements, an output directory, a cache.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = scratch("cli");
        for name in ["elements", "out", "cache"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn element(&self, name: &str, manifest: &str) -> &Self {
        let dir = self.path("elements").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("element.toml"), manifest).unwrap();
        std::fs::write(dir.join("README.md"), "test\n").unwrap();
        self
    }

    fn hook(&self, element: &str, path: &str, mode: u32) -> &Self {
        put(&self.path("elements").join(element).join(path), mode, "#!/bin/sh\n");
        self
    }

    fn run(&self, args: &[&str]) -> Output {
        isotope_command(&self.path("cache"))
            .arg("--elements-path")
            .arg(self.path("elements"))
            .args(args)
            .current_dir(self.path("out"))
            .output()
            .unwrap()
    }

    /// Runs `isotope ARGS`, which must fail with `code`, say all of `words`, and create nothing.
    #[track_caller]
    fn refuses(&self, args: &[&str], code: i32, words: &[&str]) {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "isotope {args:?} printed:\n{text}");
        for word in words {
            assert!(text.contains(word), "isotope {args:?} does not say `{word}`:\n{text}");
        }
        assert_eq!(leaks::files(&self.path("out")), Vec::<String>::new(), "isotope {args:?} created files");
    }
}

const OS: &str = "summary = \"os\"\nprovides = [\"operating-system\"]\n[distro]\nname = \"x\"\nfamily = \"debian\"\nrelease = \"1\"\n";

#[test]
fn unknown_keys_and_wrong_types_are_told_all_at_once_with_their_lines() {
    let world = World::new();
    world.element("a", "summary = \"a\"\nrequire = [\"b\"]\n[vars.n]\ntype = \"integer\"\n");
    world.element("b", "summary = 3\n");
    world.refuses(
        &["build", "a"],
        3,
        &["a/element.toml:2", "require", "requires", "a/element.toml:4", "integer", "b/element.toml:1"],
    );
}

#[test]
fn an_undeclared_variable_in_a_template_is_an_error_also_inside_if() {
    let world = World::new();
    world.element("a", "summary = \"a\"\n[vars.color]\ntype = \"string\"\ndefault = \"red\"\n[[templates]]\nsource = \"t.hbs\"\ndest = \"/t\"\n");
    std::fs::write(world.path("elements/a/t.hbs"), "one\n{{#if colour}}x{{/if}}\n").unwrap();
    world.refuses(&["build", "a"], 3, &["t.hbs:2", "colour", "color"]);
}

#[test]
fn missing_elements_name_the_nearest() {
    let world = World::new();
    world.refuses(&["build", "debian-minimum"], 3, &["debian-minimum", "debian-minimal"]);
}

#[test]
fn cycles_are_named_in_full() {
    let world = World::new();
    for (name, next) in [("a", "b"), ("b", "c"), ("c", "a")] {
        world.element(name, &format!("summary = \"{name}\"\nrequires = [\"{next}\"]\n"));
    }
    world.refuses(&["build", "a"], 3, &["a → b → c → a", "a/element.toml:2"]);
}

#[test]
fn unknown_formats_are_refused_before_anything_is_built() {
    let world = World::new();
    world.refuses(&["build", "tiny-os", "tiny-disk", "-t", "qcow3"], 2, &["qcow3", "qcow2"]);
}

#[test]
fn unknown_variables_and_bad_values_are_refused() {
    let world = World::new();
    world.refuses(&["build", "debian-cloud", "--set", "debian-minimal.relaese=trixie"], 3, &["relaese", "release"]);
    world.refuses(
        &["build", "debian-cloud", "--set", "debian-minimal.release=sarge"],
        3,
        &["sarge", "trixie", "bookworm"],
    );
    world.refuses(&["build", "debian-cloud", "--set", "release"], 2, &["element.variable=value"]);
}

fn disk(partitions: &str) -> String {
    format!("summary = \"disk\"\n[layout]\ntable = \"gpt\"\nsize = \"100 MiB\"\n{partitions}")
}

#[test]
fn layouts_that_cannot_be_are_refused_with_file_and_line() {
    let world = World::new();
    world.element("os", OS);
    let twice = disk(
        "[[layout.partitions]]\nname = \"a\"\nkind = \"root\"\nsize = \"rest\"\nfilesystem = { type = \"ext4\", label = \"x\", mount = \"/\" }\n\
         [[layout.partitions]]\nname = \"b\"\nkind = \"linux\"\nsize = \"10 MiB\"\nfilesystem = { type = \"ext4\", label = \"x\", mount = \"/srv\" }\n",
    );
    world.element("twice", &twice);
    world.refuses(&["build", "os", "twice"], 3, &["twice/element.toml:", "label", "`x`"]);
    let large = disk(
        "[[layout.partitions]]\nname = \"a\"\nkind = \"root\"\nsize = \"200 MiB\"\nfilesystem = { type = \"ext4\", mount = \"/\" }\n",
    );
    world.element("large", &large);
    world.refuses(&["build", "os", "large"], 3, &["large/element.toml:", "200 MiB"]);
    let bare =
        disk("[[layout.partitions]]\nname = \"a\"\nkind = \"root\"\nsize = \"rest\"\nfilesystem = { mount = \"/\" }\n");
    world.element("bare", &bare);
    world.refuses(&["build", "os", "bare"], 3, &["bare/element.toml:", "type"]);
}

#[test]
fn a_hook_that_is_not_executable_is_named_with_its_remedy() {
    let world = World::new();
    world.element("os", OS).hook("os", "install.d/10-x", 0o644);
    world.refuses(&["build", "os", "-t", "tar"], 3, &["install.d/10-x", "chmod +x"]);
}

#[test]
fn json_errors_are_json() {
    let world = World::new();
    let output = world.run(&["--json", "build", "no-such-thing"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(value["error"]["class"], "configuration");
}

/// The clock of a build is SOURCE_DATE_EPOCH; with the same one, the same recipe gives the same plan at any time.
#[test]
fn every_shipped_recipe_makes_a_plan_that_does_not_depend_on_the_time_of_day() {
    let world = World::new();
    for entry in std::fs::read_dir(root().join("recipes")).unwrap().flatten() {
        let recipe = entry.path();
        let plan = || {
            let mut command = isotope_command(&world.path("cache"));
            command.args(["plan", "--json"]).arg(&recipe).env("SOURCE_DATE_EPOCH", "1700000000");
            // What fedora-atomic has no default for; a plan looks at neither.
            command
                .env("FEDORA_ATOMIC_TREE_URL", "http://127.0.0.1/repo")
                .env("FEDORA_ATOMIC_GPG_KEYS", "/etc/hostname");
            let output = command.current_dir(world.path("out")).output().unwrap();
            assert!(output.status.success(), "{}: {}", recipe.display(), String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
        };
        let first = plan();
        assert_eq!(first, plan());
        assert_eq!(first["source_date_epoch"], 1_700_000_000);
        assert!(first["steps"].as_array().unwrap().len() > 3);
    }
}

#[test]
fn secrets_are_in_no_plan() {
    let world = World::new();
    let output =
        world.run(&["plan", "--json", "debian-minimal", "devuser", "-t", "tar", "--set", "devuser.password=hunter2"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"));
}

#[test]
fn the_drawing_is_svg_and_names_every_element() {
    let world = World::new();
    let svg = world.path("plan.svg");
    let output = world.run(&["plan", "debian-cloud", "--svg", &svg.display().to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&svg).unwrap();
    assert!(text.starts_with("<svg") || text.starts_with("<?xml"));
    for element in ["debian-minimal", "vm", "bootloader", "growroot", "cloud-init", "openssh-server"] {
        assert!(text.contains(element), "{element} is not in the drawing");
    }
}

#[test]
fn exit_codes_are_in_the_help() {
    let world = World::new();
    let output = world.run(&["--help"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("Exit codes"));
}

/// A tiny image from beginning to end, and what is beside it.
#[test]
fn host_a_tiny_image_is_built_inspected_and_compared() {
    let world = World::new();
    let build = |name: &str| {
        let output = isotope_command(&world.path("cache"))
            .args([
                "build",
                "tiny-os",
                "tiny-disk",
                "-o",
                name,
                "-t",
                "qcow2,raw,tar,squashfs,vmdk,vhd,vhdx,vdi",
                "--timings",
                "--output-dir",
            ])
            .arg(world.path("out"))
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        told
    };
    let told = build("tiny");
    assert!(told.contains("wall s  CPU s") && told.contains("tiny.timings.html"), "{told}");
    let timeline = std::fs::read_to_string(world.path("out/tiny.timings.html")).unwrap();
    assert!(timeline.contains("copying the tree") && timeline.contains("writing outputs"), "{timeline}");
    let files = leaks::files(&world.path("out"));
    for extension in ["qcow2", "raw", "tar.zst", "squashfs", "vmdk", "vhd", "vhdx", "vdi"] {
        assert!(files.contains(&format!("tiny.{extension}")), "no tiny.{extension} among {files:?}");
    }
    for extension in ["qcow2", "vmdk", "vhdx", "vdi"] {
        oracle(&["qemu-img", "check"], &world.path("out").join(format!("tiny.{extension}")));
    }
    for (format, extension) in [("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vhdx", "vhdx"), ("vdi", "vdi")] {
        oracle(
            &["qemu-img", "compare", "-F", format, &world.path("out").join("tiny.raw").display().to_string()],
            &world.path("out").join(format!("tiny.{extension}")),
        );
    }
    oracle(&["sgdisk", "-v"], &world.path("out/tiny.raw"));
    let inspected = world.run(&["--json", "inspect", &world.path("out/tiny.qcow2").display().to_string()]);
    assert!(inspected.status.success(), "{}", String::from_utf8_lossy(&inspected.stderr));
    let value: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(value["partitions"].as_array().unwrap().len(), 2);
}

#[track_caller]
fn oracle(words: &[&str], file: &Path) {
    #[expect(clippy::disallowed_methods, reason = "the oracle")]
    let mut command = std::process::Command::new(words[0]);
    let output = command.args(&words[1..]).arg(file).output().unwrap();
    assert!(output.status.success(), "{words:?} {}: {}", file.display(), String::from_utf8_lossy(&output.stdout));
}

/// A failing hook: its name, element, exit status, last output, the log, the way to a shell; and nothing is left.
#[test]
fn host_a_failing_hook_says_everything_and_leaves_nothing() {
    let world = World::new();
    world.element("bad", "summary = \"bad\"\n").hook("bad", "post-install.d/99-boom", 0o755);
    std::fs::write(
        world.path("elements/bad/post-install.d/99-boom"),
        "#!/bin/sh\necho the cause of it all\nsleep 100 &\nexit 7\n",
    )
    .unwrap();
    world.refuses(
        &["build", "tiny-os", "tiny-disk", "bad"],
        6,
        &["99-boom", "bad", "7", "the cause of it all", ".log", "--on-error=shell"],
    );
    assert_eq!(leaks::loops(world.dir.path()), Vec::<String>::new());
    assert_eq!(leaks::mounts(world.dir.path()), Vec::<String>::new());
}

/// A tree whose /etc/fstab, /etc/resolv.conf, /boot and /tmp lead to the host: nothing outside it is written.
#[test]
fn host_a_hostile_tree_writes_nothing_outside() {
    let world = World::new();
    let bait = world.path("bait");
    std::fs::create_dir(&bait).unwrap();
    for name in ["fstab", "resolv.conf", "machine-id"] {
        std::fs::write(bait.join(name), "untouched\n").unwrap();
    }
    std::fs::create_dir(bait.join("dir")).unwrap();
    world.element("hostile", "summary = \"hostile\"\n[[files]]\nsource = \"files\"\ndest = \"/tmp\"\n");
    std::fs::create_dir_all(world.path("elements/hostile/files")).unwrap();
    std::fs::write(world.path("elements/hostile/files/planted"), "x").unwrap();
    world.hook("hostile", "root.d/50-links", 0o755);
    std::fs::write(
        world.path("elements/hostile/root.d/50-links"),
        format!(
            "#!/bin/sh\nset -e\ncd \"$TARGET_ROOT\"\nfor f in fstab resolv.conf machine-id; do ln -sf {0}/$f etc/$f; done\n\
             rm -rf boot tmp var/log\nln -s {0}/dir boot\nln -s {0}/dir tmp\nln -s {0}/dir var/log\n",
            bait.display()
        ),
    )
    .unwrap();
    let output = isotope_command(&world.path("cache"))
        .arg("--elements-path")
        .arg(world.path("elements"))
        .args(["build", "tiny-os", "tiny-disk", "hostile", "-t", "raw", "--output-dir"])
        .arg(world.path("out"))
        .output()
        .unwrap();
    // Whether such a tree makes an image or an error does not matter here; what it did to the host does.
    assert!(output.status.code().is_some(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["fstab", "resolv.conf", "machine-id"] {
        assert_eq!(
            std::fs::read_to_string(bait.join(name)).unwrap(),
            "untouched\n",
            "{name} was written through a link"
        );
    }
    assert_eq!(leaks::files(&bait.join("dir")), Vec::<String>::new(), "something was written through a link");
    assert_eq!(leaks::mounts(world.dir.path()), Vec::<String>::new());
}

/// A full disk while exporting: said, and nothing is left under the final name.
#[test]
fn host_a_full_disk_leaves_no_half_image() {
    let world = World::new();
    let small = world.path("small");
    std::fs::create_dir(&small).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a small disk for the test")]
    let mut mount = std::process::Command::new("mount");
    assert!(mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&small).status().unwrap().success());
    let output = isotope_command(&world.path("cache"))
        .args(["build", "tiny-os", "tiny-disk", "-t", "qcow2", "--output-dir"])
        .arg(&small)
        .output()
        .unwrap();
    let left = leaks::files(&small);
    #[expect(clippy::disallowed_methods, reason = "the end of the small disk")]
    let mut umount = std::process::Command::new("umount");
    assert!(umount.arg(&small).status().unwrap().success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("space"), "{text}");
    assert_eq!(left, Vec::<String>::new());
}
