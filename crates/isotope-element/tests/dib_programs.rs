//! diskimage-builder's orders and outputs against the programs that define them: `sort`, bash. The crate itself starts nothing.

use isotope_element::dib::run_parts::{self, NameFilter, by_number, candidates};
use isotope_element::dib::side::SideFile;
use isotope_element::dib::{DibElement, ElementSet};
use proptest::prelude::*;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[expect(clippy::disallowed_methods, reason = "the oracle")]
fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("LC_ALL", "C").env_remove("DIB_DEBUG_TRACE").env_remove("RUN_PARTS_REGEX");
    command
}

fn sort(lines: &str) -> String {
    let mut child =
        program("sort").arg("-n").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sort can be started");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn the_order_is_that_of_sort(names in proptest::collection::vec("[-. ]?[0-9]{0,4}[.]?[0-9a-zA-Z_.-]{1,4}", 1..12)) {
        let mut ours: Vec<&str> = names.iter().map(String::as_str).collect();
        let theirs = sort(&(names.join("\n") + "\n"));
        ours.sort_by(|a, b| by_number(a, b));
        prop_assert_eq!(ours, theirs.lines().collect::<Vec<_>>());
    }
}

#[test]
fn bash_reads_any_path_again() {
    let dirs = ["/e/a b", "/e/it's", "/e/$HOME", "/e/`x`", "/e/\"q\"", "/e/back\\slash", "/e/*"];
    let element = |(number, dir): (usize, &&str)| DibElement {
        name: format!("e{number}"),
        dir: dir.into(),
        listed: dir.into(),
        depends: Vec::new(),
        provides: Vec::new(),
        side: SideFile::default(),
    };
    let set = ElementSet { elements: dirs.iter().enumerate().map(element).collect(), ..ElementSet::default() };
    let script = format!(
        "{}\neval declare -A a=($(get_image_element_array))\nfor name in $IMAGE_ELEMENT; do echo \"${{a[$name]}}\"; done",
        set.env()
    );
    let output = program("bash").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().collect::<Vec<_>>(), dirs);
}

/// A directory of hooks beside an environment.d.
struct Hooks(tempfile::TempDir);

impl Hooks {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, path: &str, mode: u32, text: &str) -> &Self {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = program("bash");
        command.args(["-c", run_parts::SCRIPT, "dib-run-parts"]).args(args).current_dir(self.0.path());
        command.envs(env.iter().copied()).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_script_takes_the_files_that_the_library_takes() {
    let hooks = Hooks::new();
    for name in
        ["100-c", "50-probe", "10-b", "10-a", "010-lead", "9-a", "a-nonum", "Zz-nonum", "-5", "x.sh", "a b", ".d"]
    {
        hooks.file(&format!("install.d/{name}"), 0o755, "#!/bin/sh\n");
    }
    hooks.file("install.d/20-plain", 0o644, "").file("install.d/dir/x", 0o755, "");
    std::os::unix::fs::symlink("nowhere", hooks.0.path().join("install.d/30-gone")).unwrap();
    std::os::unix::fs::symlink("10-a", hooks.0.path().join("install.d/40-link")).unwrap();
    for regex in [None, Some("^[a-z.]+$"), Some("[0-9]"), Some("")] {
        let filter = NameFilter::new(regex).unwrap();
        let listing = run_parts::scripts(candidates(&hooks.0.path().join("install.d")).unwrap(), &filter);
        let ours: Vec<String> = listing.scripts.iter().map(|file| format!("install.d/{}", file.name)).collect();
        let env: Vec<(&str, &str)> = regex.iter().map(|regex| ("RUN_PARTS_REGEX", *regex)).collect();
        let output = hooks.run(&["--list", "install.d"], &env);
        assert_eq!(text(&output.stdout).lines().collect::<Vec<_>>(), ours, "{regex:?}");
    }
}

#[test]
fn a_directory_runs_with_its_environment() {
    let hooks = Hooks::new();
    hooks.file("environment.d/10-a", 0o644, "export A=1\nlocal unseen=x\n");
    hooks.file("environment.d/100-c.bash", 0o644, "C=not-exported\n").file(
        "environment.d/20-b",
        0o755,
        "export B=\"$A two\"\n",
    );
    hooks.file(
        "install.d/20-second",
        0o755,
        "#!/bin/bash\necho \"$0 $# $A $B ${C-none} $PWD ${LEAK-none}\"\nexport LEAK=1\n",
    );
    hooks.file("install.d/3-first", 0o755, "#!/bin/bash\nexport LEAK=1\n").file("install.d/40-x.sh", 0o755, "");
    let output = hooks.run(&["install.d"], &[("DIB_DEBUG_TRACE", "1")]);
    let dir = hooks.0.path().canonicalize().unwrap();
    assert_eq!(text(&output.stdout), format!("install.d/20-second 0 1 1 two none {} none\n", dir.display()));
    let told = text(&output.stderr);
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("dib-run-parts")).collect();
    let seconds = regex::Regex::new(r"[0-9]+\.[0-9]{3}$").unwrap();
    let lines: Vec<String> = lines.iter().map(|line| seconds.replace(line, "0.000").into_owned()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    dib-run-parts Ignoring non-conforming filenames: 40-x.sh
    dib-run-parts Sourcing environment file install.d/../environment.d/10-a
    dib-run-parts Sourcing environment file install.d/../environment.d/100-c.bash
    dib-run-parts Sourcing environment file install.d/../environment.d/20-b
    dib-run-parts Running install.d/3-first
    dib-run-parts 3-first completed
    dib-run-parts Running install.d/20-second
    dib-run-parts 20-second completed
    dib-run-parts ----------------------- PROFILING -----------------------
    dib-run-parts 
    dib-run-parts Target: install.d
    dib-run-parts 
    dib-run-parts Script                                     Seconds
    dib-run-parts ---------------------------------------  ----------
    dib-run-parts 
    dib-run-parts 20-second                                     0.000
    dib-run-parts 3-first                                       0.000
    dib-run-parts 
    dib-run-parts --------------------- END PROFILING ---------------------
    ");
    assert!(told.contains("++ export A=1\n") && told.contains("+ set +o xtrace\n"), "{told}");
}

#[test]
fn failures_end_the_phase_with_their_status() {
    let temporary = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(temporary.path()).unwrap().count();
    let tmpdir = [("TMPDIR", temporary.path().to_str().unwrap())];
    let hooks = Hooks::new();
    hooks.file("x.d/10-fails", 0o755, "#!/bin/sh\nexit 7\n").file("x.d/20-never", 0o755, "#!/bin/sh\necho never\n");
    let output = hooks.run(&["x.d"], &tmpdir);
    assert_eq!((output.status.code(), text(&output.stdout), left()), (Some(7), String::new(), 0));
    assert!(!text(&output.stderr).contains("PROFILING"));
    hooks.file("environment.d/10-x", 0o644, "echo $DIB_NEVER\n");
    let output = hooks.run(&["x.d"], &tmpdir);
    assert_eq!((output.status.code(), left()), (Some(1), 0));
    assert!(text(&output.stderr).contains("DIB_NEVER: unbound variable"));
    for args in [&[][..], &["nowhere"], &["--list"]] {
        let output = hooks.run(args, &[]);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(text(&output.stderr).contains("Usage: dib-run-parts [OPTION] scripts_directory"));
    }
}

#[test]
fn an_environment_that_ends_the_shell_runs_nothing() {
    let hooks = Hooks::new();
    hooks.file("environment.d/10-x", 0o644, "return 0\n").file("x.d/10-x", 0o755, "#!/bin/sh\necho ran\n");
    assert_eq!(text(&hooks.run(&["x.d/"], &[]).stdout), "ran\n");
    hooks.file("environment.d/10-x", 0o644, "exit 3\n");
    assert_eq!(hooks.run(&["x.d/"], &[]).status.code(), Some(3));
}

#[test]
fn the_script_is_good_bash() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dib/dib-run-parts.bash");
    let output = program("bash").arg("-n").arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}
