//! Elements in diskimage-builder's format on the command line: `isotope check`, `isotope elements`, and the programs by name.

use isotope_tests::{isotope, isotope_command, put, scratch};
use std::path::PathBuf;
use std::process::{Command, Output};

/// A directory of elements, and links to the binary by the names of diskimage-builder's programs.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: scratch("dib") };
        world
            .file("elements/os/element-provides", 0o644, "operating-system\n")
            .file("elements/os/README.rst", 0o644, "==\nos\n==\nAn operating system.\n")
            .file("elements/app/element-deps", 0o644, "os\n")
            .file("elements/app/README.rst", 0o644, "===\napp\n===\nAn application.\n")
            .file("elements/app/install.d/50-app", 0o755, "#!/bin/bash\nset -eu\n")
            .file("elements/app/package-installs.yaml", 0o644, "curl:\n  phase: pre-install.d\n");
        std::fs::create_dir_all(world.path("cache")).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, path: &str, mode: u32, text: &str) -> &Self {
        put(&self.path(path), mode, text);
        self
    }

    fn isotope(&self, args: &[&str]) -> Output {
        let mut command = isotope_command(&self.path("cache"));
        command.arg("--elements-path").arg(self.path("elements")).args(args).output().unwrap()
    }

    /// One of diskimage-builder's programs.
    #[expect(clippy::disallowed_methods, reason = "the subject under test, with an environment of its own")]
    fn program(&self, name: &str) -> Command {
        let link = self.path(name);
        if !link.exists() {
            std::os::unix::fs::symlink(isotope(), &link).unwrap();
        }
        let mut command = Command::new(link);
        command.current_dir(self.dir.path()).env("ELEMENTS_PATH", self.path("elements"));
        command
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_good_element_is_checked_alone_and_with_its_neighbours() {
    let world = World::new();
    for path in ["elements/app", "elements"] {
        let output = world.isotope(&["check", world.path(path).to_str().unwrap()]);
        assert_eq!(text(&output.stdout), "nothing to complain about\n", "{}", text(&output.stderr));
        assert!(output.status.success());
    }
}

#[test]
fn faults_are_told_as_text_and_as_json() {
    let world = World::new();
    world.file("elements/app/install.d/60-app.sh", 0o755, "#!/bin/bash\n");
    world.file("elements/app/install.d/70-broken", 0o755, "#!/bin/bash\necho\nif true; then\n");
    world.file("elements/app/environment.d/10-app", 0o644, "export X=$DIB_NOT_SET\n");
    world.file("elements/app/element-deps", 0o644, "os\nnowhere\n");
    let path = world.path("elements/app");
    let output = world.isotope(&["check", path.to_str().unwrap()]);
    let told = text(&output.stdout);
    for part in [
        "warning: `60-app.sh` is never run",
        "error: bash cannot read this: syntax error",
        "70-broken:",
        "warning: `DIB_NOT_SET` may be unset",
        "environment.d/10-app:1:11",
        "error: Element 'nowhere' not found",
        "element-deps:2:1",
        "2 errors",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(output.status.code(), Some(1));
    let output = world.isotope(&["--json", "check", path.to_str().unwrap()]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let missing = found.as_array().unwrap().iter().find(|one| one["message"] == "Element 'nowhere' not found").unwrap();
    assert_eq!((missing["severity"].as_str(), missing["line"].as_u64()), (Some("error"), Some(2)));
}

#[test]
fn warnings_fail_where_they_are_asked_to() {
    let world = World::new();
    world.file("elements/app/install.d/60-app.sh", 0o755, "#!/bin/bash\n");
    let path = world.path("elements");
    assert!(world.isotope(&["check", path.to_str().unwrap()]).status.success());
    assert_eq!(world.isotope(&["check", "--strict", path.to_str().unwrap()]).status.code(), Some(1));
}

#[test]
fn they_are_listed_and_shown() {
    let world = World::new();
    let listed = text(&world.isotope(&["elements", "list"]).stdout);
    assert!(
        listed.lines().any(|line| line.starts_with("app ") && line.ends_with("An application. (diskimage-builder)")),
        "{listed}"
    );
    let shown = text(&world.isotope(&["elements", "show", "app"]).stdout);
    for part in [
        "app: An application.",
        "requires      os",
        "pre-install   package curl",
        "install       runs install.d/50-app",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    let shown = world.isotope(&["--json", "elements", "show", "os"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["format"], "diskimage-builder");
    assert_eq!(shown["provides"], serde_json::json!(["operating-system"]));
}

#[test]
fn they_hide_no_element_of_ours() {
    let world = World::new();
    world.file("elements/vm/README.rst", 0o644, "Theirs.\n").file("elements/vm/element-deps", 0o644, "");
    let listed = text(&world.isotope(&["elements", "list"]).stdout);
    let lines: Vec<&str> = listed.lines().filter(|line| line.starts_with("vm ")).collect();
    assert_eq!(lines.len(), 2, "{listed}");
    let shown = text(&world.isotope(&["--json", "elements", "show", "vm"]).stdout);
    assert!(!shown.contains("Theirs."), "{shown}");
}

#[test]
fn element_info_by_its_name() {
    let world = World::new();
    let output = world.program("element-info").arg("app").output().unwrap();
    assert_eq!(text(&output.stdout), "os app\n", "{}", text(&output.stderr));
    let output = world.program("element-info").args(["-e", "app"]).output().unwrap();
    assert!(text(&output.stdout).starts_with("export IMAGE_ELEMENT='os app'\nexport IMAGE_ELEMENT_YAML='app: "));
    for (args, path, part) in [
        (&["nowhere"][..], "elements", "Element 'nowhere' not found"),
        (&["app", "operating-system"], "elements", "operating-system : already provided by ['os']"),
        (&["app"], "no-directory", "no-directory' is not a directory"),
    ] {
        let output = world.program("element-info").args(args).env("ELEMENTS_PATH", world.path(path)).output().unwrap();
        let told = text(&output.stderr);
        assert!(told.contains(part) && output.stdout.is_empty(), "{told}");
        assert_eq!(output.status.code(), Some(1));
    }
    let output = world.program("element-info").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn dib_run_parts_by_its_name() {
    let world = World::new();
    world.file("hooks/environment.d/10-x", 0o644, "export A=\"$GIVEN too\"\n");
    world.file("hooks/x.d/10-x", 0o755, "#!/bin/sh\necho \"$A $0\"; cat; [ -z \"${TZ-}\" ]\n");
    world.file("hooks/x.d/20-fails", 0o755, "#!/bin/sh\nexit 42\n").file("hooks/x.d/30.sh", 0o755, "");
    let output = world.program("dib-run-parts").args(["--list", "hooks/x.d"]).output().unwrap();
    assert_eq!(text(&output.stdout), "hooks/x.d/10-x\nhooks/x.d/20-fails\n");
    let output =
        world.program("dib-run-parts").arg("hooks/x.d").env("GIVEN", "given").env_remove("TZ").output().unwrap();
    assert_eq!(text(&output.stdout), "given too hooks/x.d/10-x\n", "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("dib-run-parts 10-x completed"));
    assert_eq!(output.status.code(), Some(42));
}
