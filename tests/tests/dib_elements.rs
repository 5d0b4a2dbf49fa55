//! Isotope's own elements in diskimage-builder's format: each is whole, resolves with none of upstream's tree, and passes `isotope check`.

use isotope_tests::{isotope, isotope_command, root, scratch};
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The elements of a directory of the project.
fn elements(part: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(part)).unwrap().flatten();
    entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// One of diskimage-builder's programs, in a directory of its own.
#[expect(clippy::disallowed_methods, reason = "the subject under test, with an environment of its own")]
fn program(dir: &Path, name: &str) -> Command {
    let link = dir.join(name);
    if !link.exists() {
        symlink(isotope(), &link).unwrap();
    }
    let mut command = Command::new(link);
    command.current_dir(dir).env("ELEMENTS_PATH", root().join("elements-dib")).env_remove("ISOTOPE_DATA_DIR");
    command
}

/// A script of an element, with programs of ours on its PATH.
#[expect(clippy::disallowed_methods, reason = "the subject under test, with an environment of its own")]
fn script(dir: &Path, path: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let path_of = |element: &str| root().join("elements-dib").join(element).join("bin").display().to_string();
    let search = format!("{}:{}:{}", path_of("pkg-map"), path_of("package-installs"), std::env::var("PATH").unwrap());
    let mut command = Command::new(root().join("elements-dib").join(path));
    command.args(args).current_dir(dir).env_clear().env("PATH", search).envs(env.iter().copied());
    command.output().unwrap()
}

fn is_shell(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|text| text.starts_with(b"#!/bin/bash") || text.starts_with(b"#!/bin/sh"))
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn every_element_has_a_readme_and_hooks_that_run() {
    let mut wrong = Vec::new();
    for part in ["elements-dib", "tests/dib/elements"] {
        for name in elements(part) {
            let dir = root().join(part).join(&name);
            let readme = std::fs::read_to_string(dir.join("README.rst")).unwrap_or_default();
            let bar = "=".repeat(name.len());
            if !readme.starts_with(&format!("{bar}\n{name}\n{bar}\n\n")) {
                wrong.push(format!("{part}/{name}/README.rst does not begin with the element's name as a title"));
            }
            let mut all = Vec::new();
            files(&dir, &mut all);
            for path in all {
                let executable = path.metadata().unwrap().permissions().mode() & 0o111 != 0;
                let parent = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
                let hook = parent.ends_with(".d") && path.parent().unwrap().parent() == Some(&dir);
                let data = ["environment.d", "init.d", "binary-deps.d", "udev.d"].contains(&parent.as_str());
                if hook && !data && is_shell(&path) != executable && part == "elements-dib" {
                    wrong.push(format!("{} is not both executable and a script", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_element_passes_isotope_check() {
    let dir = scratch("dib-elements");
    for part in ["elements-dib", "tests/dib/elements"] {
        let output = isotope_command(&dir.path().join("cache")).arg("check").arg(root().join(part)).output().unwrap();
        let told = text(&output.stdout);
        // `ordered` has a hook that does not run and one with a dot: that is what it is for.
        let warnings = told.lines().filter(|line| line.starts_with("warning:")).count();
        assert_eq!(warnings, if part == "elements-dib" { 0 } else { 2 }, "{told}");
        assert!(output.status.success(), "{told}{}", text(&output.stderr));
    }
}

/// With an operating system, a disk layout where one is needed, and nothing of upstream's tree.
#[test]
fn every_element_resolves_with_ours_alone() {
    let dir = scratch("dib-elements");
    for name in elements("elements-dib") {
        let mut names = vec![name.as_str()];
        if !["debian-minimal", "debian"].contains(&name.as_str()) {
            names.push("debian-minimal");
        }
        if name == "vm" {
            names.push("block-device-mbr");
        }
        let output = program(dir.path(), "element-info").args(&names).output().unwrap();
        assert!(output.status.success(), "{names:?}: {}", text(&output.stderr));
        let resolved: Vec<String> = text(&output.stdout).split_whitespace().map(str::to_owned).collect();
        assert!(resolved.contains(&name), "{names:?}: {resolved:?}");
        for needed in ["package-installs", "pkg-map", "install-bin", "manifests", "dpkg", "debootstrap"] {
            assert!(resolved.iter().any(|element| element == needed), "{names:?} without {needed}: {resolved:?}");
        }
    }
}

#[test]
fn packages_are_squashed_and_given_to_install_packages() {
    let dir = scratch("dib-elements");
    let path = |name: &str| dir.path().join(name);
    for (file, content) in [
        ("elements/app/package-installs.yaml", "web:\nold:\n  uninstall: true\nonly:\n  when: DIB_X != 1\nplain:\n"),
        (
            "elements/app/pkg-map",
            r#"{"default": {"web": "nginx nginx-common", "only": ""}, "family": {"debian": {"web": "apache2"}}}"#,
        ),
        ("elements/lib/package-installs.json", r#"{"tool": {"phase": "pre-install.d"}, "apache2": null}"#),
    ] {
        std::fs::create_dir_all(path(file).parent().unwrap()).unwrap();
        std::fs::write(path(file), content).unwrap();
    }
    let squash = |dib_x: &str| {
        let mut command = program(dir.path(), "package-installs-squash");
        command.args(["--elements=lib app", "--path=elements", "out.json"]).env("DIB_X", dib_x);
        command.output().unwrap()
    };
    let output = squash("0");
    assert!(output.status.success(), "{}", text(&output.stderr));

    // pkg-map finds the maps of elements in the target; here there is none, and each name stands for itself.
    let plan = |args: &[&str]| {
        let output = script(dir.path(), "package-installs/bin/package-installs-v2", args, &[("DISTRO_NAME", "debian")]);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    assert_eq!(plan(&["--phase", "pre-install.d", "--noop", "out.json"]), "install-packages tool\n");
    assert_eq!(plan(&["--phase=install.d", "-n", "out.json"]), "install-packages apache2 web only plain\n");
    assert_eq!(plan(&["--phase", "install.d", "--uninstall", "-n", "out.json"]), "install-packages -e old\n");
    assert_eq!(plan(&["--phase", "post-install.d", "-n", "out.json"]), "");

    // Isotope's answer where diskimage-builder raises.
    std::fs::write(path("elements/app/package-installs.yaml"), "web:\n  when: DIB_NOT_SET = 1\n").unwrap();
    let output = squash("0");
    assert!(!output.status.success() && text(&output.stderr).contains("The variable <DIB_NOT_SET> is not set"));
}

#[test]
fn names_of_packages_are_mapped_without_python() {
    let dir = scratch("dib-elements");
    let map = dir.path().join("map");
    let content = "{\n \"release\": {\"debian\": {\"trixie\": {\"web\": \"r\"}}, \"centos\": {\"9\": {\"web\": \"c9\"}}},\n \
                   \"distro\": {\"debian\": {\"web\": \"d\\u002d1  d2\"}},\n \"family\": {\"debian\": {\"web\": \"f\", \"fam\": \"ff\"}},\n \
                   \"default\": {\"web\": \"x\", \"none\": \"\", \"fam\": \"x\"}\n}\n";
    std::fs::write(&map, content).unwrap();
    let run = |args: &[&str]| {
        let mut all = vec!["--pkg-map", map.to_str().unwrap()];
        all.extend(args);
        let output =
            script(dir.path(), "pkg-map/bin/pkg-map", &all, &[("DISTRO_NAME", "debian"), ("DIB_RELEASE", "bookworm")]);
        (output.status.code().unwrap(), text(&output.stdout))
    };
    for (args, code, expected) in [
        (&["web"][..], 0, "d-1\nd2\n"),
        (&["--release", "trixie", "web"], 0, "r\n"),
        (&["--distro=ubuntu", "web", "fam"], 0, "f\nff\n"),
        (&["--distro", "fedora", "web"], 0, "x\n"),
        (&["--distro", "centos", "--release", "9-stream", "web"], 0, "c9\n"),
        (&["none"], 0, ""),
        (&["unknown", "web"], 1, "d-1\nd2\n"),
        (&["--missing-ok", "unknown", "none"], 0, "unknown\n"),
        (&["--prefix", "-", "fam"], 0, "-ff\n"),
    ] {
        assert_eq!(run(args), (code, expected.to_owned()), "{args:?}");
    }
    let output = script(dir.path(), "pkg-map/bin/pkg-map", &["--element", "none-such", "--distro", "debian", "a"], &[]);
    assert_eq!(output.status.code(), Some(2));
    for broken in ["{\"a\": 1,}", "{'a': 1}", "[1 2]", "{", "{} {}", "", "{\"default\": [}"] {
        std::fs::write(&map, broken).unwrap();
        let (code, _) = run(&["web"]);
        assert_eq!(code, 1, "{broken}");
    }
}

#[test]
fn services_are_merged() {
    let dir = scratch("dib-elements");
    for (element, map) in
        [("a", "web:\n  debian: apache2\n  default: www\n"), ("b", "db: {redhat: pg, default: postgres}\n")]
    {
        std::fs::create_dir_all(dir.path().join("elements").join(element)).unwrap();
        std::fs::write(dir.path().join("elements").join(element).join("svc-map"), map).unwrap();
    }
    let merge = || {
        let mut command = program(dir.path(), "svc-map-merge");
        command.args(["--distro=debian", "--elements=a b", "--path=elements", "out"]).output().unwrap()
    };
    let output = merge();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "db: postgres\nweb: apache2\n");
    std::fs::write(dir.path().join("elements/b/svc-map"), "web: {default: x}\n").unwrap();
    let output = merge();
    assert!(!output.status.success() && text(&output.stderr).contains("web already found in services list"));
}

/// Mirrors are those of the host's apt, in both forms of its files.
#[test]
#[expect(clippy::disallowed_methods, reason = "bash, as hooks use it")]
fn mirrors_come_from_apt() {
    let dir = scratch("dib-elements");
    // As in a hook tree: the file of environment.d, and the program that it calls for apt's configuration.
    let element = root().join("elements-dib/debian-minimal");
    for part in ["environment.d", "debian-mirrors"] {
        std::fs::create_dir_all(dir.path().join(part)).unwrap();
    }
    let file = dir.path().join("environment.d/10-debian-minimal.bash");
    std::fs::copy(element.join("environment.d/10-debian-minimal.bash"), &file).unwrap();
    let find = dir.path().join("debian-mirrors/find");
    let text_of_find = std::fs::read_to_string(element.join("debian-mirrors/find")).unwrap();
    std::fs::write(&find, text_of_find.replace("/etc/apt", &dir.path().display().to_string())).unwrap();
    std::fs::set_permissions(&find, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(dir.path().join("sources.list.d")).unwrap();
    let ask = |list: &str, sources: &str, env: &[(&str, &str)]| {
        std::fs::write(dir.path().join("sources.list"), list).unwrap();
        std::fs::write(dir.path().join("sources.list.d/debian.sources"), sources).unwrap();
        let file = file.display();
        let script = format!(
            "set -ue -o pipefail\nsource {file}\n\
             echo \"$DIB_DISTRIBUTION_MIRROR|$DIB_DEBIAN_SECURITY_MIRROR\"; echo \"$DIB_APT_SOURCES_CONF\""
        );
        let mut command = Command::new("bash");
        command.args(["-c", &script]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        let output = command.envs(env.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let deb822 = "Types: deb\nURIs: http://other.example/apt\nSuites: nodistro\nComponents: main\n\n\
                  Types: deb\n# http://old.example/\nURIs: http://m.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
                  Types: deb\nURIs: http://m.example/sec\nSuites: bookworm-security\nComponents: main\n";
    let list = "deb-src http://src.example/debian bookworm main\ndeb [arch=amd64 signed-by=/x] http://l.example/debian trixie main\n\
                deb http://l.example/sec trixie-security main # c\n";
    assert!(ask("", deb822, &[]).starts_with(
        "http://m.example/debian|http://m.example/sec\ndefault:deb http://m.example/debian stable main\n"
    ));
    assert!(ask(list, "", &[]).starts_with("http://l.example/debian|http://l.example/sec\n"));
    assert!(ask("deb http://u.example/ubuntu noble main\n", "", &[]).starts_with("|\n"));
    let given = [
        ("DIB_DISTRIBUTION_MIRROR", "http://g.example/d"),
        ("DIB_RELEASE", "trixie"),
        ("DIB_DEBIAN_COMPONENTS", "main,contrib"),
    ];
    let told = ask("", deb822, &given);
    assert_eq!(
        told,
        "http://g.example/d|http://m.example/sec\ndefault:deb http://g.example/d trixie main contrib\n\
         updates:deb http://g.example/d trixie-updates main contrib\nsecurity:deb http://m.example/sec trixie-security main contrib\n"
    );
}

/// What is written in the table is what there is.
#[test]
fn the_documentation_lists_every_element() {
    let page = std::fs::read_to_string(root().join("docs/diskimage-builder.md")).unwrap();
    let listed: BTreeSet<String> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned)).collect();
    let missing: Vec<String> = elements("elements-dib").into_iter().filter(|name| !listed.contains(name)).collect();
    assert!(missing.is_empty(), "not in the table of docs/diskimage-builder.md: {missing:?}");
}
