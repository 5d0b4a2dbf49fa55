//! The floors of ARCHITECTURE.md hold: who may depend on whom, where `unsafe` may stand, who may start a process.

use isotope_tests::root;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each crate of ours may depend on, directly. A crate that is not here fails the test: decide its floor first.
const FLOORS: &[(&str, &[&str])] = &[
    ("isotope-sys", &[]),
    ("isotope-element", &[]),
    ("isotope-plan", &["isotope-element"]),
    ("isotope-cache", &["isotope-sys"]),
    ("isotope-registry", &["isotope-sys", "isotope-cache"]),
    ("isotope-image", &["isotope-sys", "isotope-plan"]),
    ("isotope-disk", &["isotope-sys", "isotope-plan", "isotope-image"]),
    ("isotope-boot", &["isotope-sys", "isotope-plan", "isotope-image"]),
    ("isotope-ostree", &["isotope-sys", "isotope-element", "isotope-plan"]),
    (
        "isotope-build",
        &[
            "isotope-sys",
            "isotope-element",
            "isotope-plan",
            "isotope-image",
            "isotope-cache",
            "isotope-registry",
            "isotope-disk",
            "isotope-boot",
            "isotope-ostree",
        ],
    ),
    ("isotope-vm", &["isotope-sys", "isotope-plan", "isotope-image"]),
    (
        "isotope",
        &[
            "isotope-sys",
            "isotope-element",
            "isotope-plan",
            "isotope-image",
            "isotope-cache",
            "isotope-registry",
            "isotope-disk",
            "isotope-boot",
            "isotope-ostree",
            "isotope-build",
            "isotope-vm",
        ],
    ),
    ("xtask", &[]),
    ("isotope-tests", &["isotope-vm", "isotope-plan", "isotope-image", "isotope-cache", "isotope-sys"]),
];

/// Crates that never touch the host: no process, no mount, no device.
const PURE: &[&str] = &["isotope-element", "isotope-plan"];

fn metadata() -> serde_json::Value {
    let output = cargo(&["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "cargo itself, for its metadata")]
fn cargo(args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO"));
    command.args(args).current_dir(root());
    command
}

#[test]
fn crates_depend_only_downwards() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        FLOORS.iter().map(|(name, below)| (*name, below.iter().copied().collect())).collect();
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let Some(below) = allowed.get(name) else {
            wrong.push(format!("{name} has no floor in FLOORS"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            if dependency["kind"].is_null() && ours.contains(on) && !below.contains(on) {
                wrong.push(format!("{name} depends on {on}, which is not below it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources_of(part: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&root().join(part), &mut found);
    found.sort();
    found
}

#[test]
fn unsafe_stands_only_in_isotope_sys() {
    let wrong: Vec<String> = sources_of("crates")
        .into_iter()
        .filter(|path| !path.components().any(|part| part.as_os_str() == "isotope-sys"))
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
            })
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "unsafe outside isotope-sys: {wrong:?}");
}

#[test]
fn pure_crates_start_no_process() {
    for name in PURE {
        for path in sources_of(&format!("crates/{name}/src")) {
            let text = std::fs::read_to_string(&path).unwrap();
            for word in ["std::process::Command", "isotope_sys", " nix::", " rustix::"] {
                assert!(!text.contains(word), "{} uses {word}, but {name} is pure", path.display());
            }
        }
    }
}

#[test]
fn every_source_file_says_why_it_exists() {
    let wrong: Vec<String> = ["crates", "xtask/src", "tests"]
        .iter()
        .flat_map(|part| sources_of(part))
        .filter(|path| !std::fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| path.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "files that do not begin with `//!`: {wrong:?}");
}

/// `cargo xtask test` chooses rungs by the names of tests: one of a `host_` file that is named otherwise would run as a unit test.
#[test]
fn tests_are_named_for_their_rung() {
    let mut wrong = Vec::new();
    for path in sources_of("crates").into_iter().chain(sources_of("tests")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let of_host = name.starts_with("host_") && path.parent().is_some_and(|dir| dir.ends_with("tests"));
        let text = std::fs::read_to_string(&path).unwrap();
        let tests = text.split("#[test]\n").skip(1);
        let names = tests.filter_map(|rest| rest.lines().find_map(|line| line.trim_start().strip_prefix("fn ")));
        // A rung takes all tests with its word anywhere in their names, and the unit rung leaves those out.
        let fits = |name: &str| match name.strip_prefix("host_").or_else(|| name.strip_prefix("vm_")) {
            Some(_) => true,
            None => !of_host && !name.contains("host_") && !name.contains("vm_"),
        };
        wrong.extend(names.filter(|name| !fits(name)).map(|test| format!("{name}: {test}")));
    }
    assert!(
        wrong.is_empty(),
        "tests whose names do not say their rung by `host_` or `vm_` at the beginning: {wrong:#?}"
    );
}

#[test]
fn every_element_has_a_readme_and_checks() {
    for entry in std::fs::read_dir(root().join("elements")).unwrap().flatten() {
        let dir = entry.path();
        assert!(dir.join("README.md").is_file(), "{} has no README.md", dir.display());
        let manifest = std::fs::read_to_string(dir.join("element.toml")).unwrap();
        assert!(manifest.contains("[[checks]]"), "{} has no checks", dir.display());
    }
}

/// Every script that an element brings, and what it sources.
#[test]
#[expect(clippy::disallowed_methods, reason = "shellcheck, over the project's own files")]
fn shell_scripts_of_elements_pass_shellcheck() {
    let mut scripts = Vec::new();
    let mut stack = vec![
        root().join("elements"),
        root().join("elements-dib"),
        root().join("tests/elements"),
        root().join("tests/dib"),
    ];
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
        } else if let Ok(text) = std::fs::read_to_string(&path)
            && ["#!/bin/sh", "#!/bin/bash"].iter().any(|line| text.starts_with(line))
        {
            scripts.push(path);
        }
    }
    assert!(scripts.len() > 10, "where are the scripts? {scripts:?}");
    let checked = std::process::Command::new("shellcheck")
        .args(["--external-sources", "--severity=warning", "--format=gcc"])
        .args(&scripts)
        .output()
        .expect("shellcheck runs (Debian's package shellcheck)");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// A mirror's name is the host's business: the project's files carry none.
#[test]
fn no_file_names_a_package_mirror() {
    let words = [["deb", "debian.org"], ["crates", "io/"], ["pypi", "org"], ["registry", "npmjs.org"]];
    let mut wrong = Vec::new();
    for part in ["crates", "elements", "elements-dib", "recipes", "xtask/src", "tests", "docs", ".ci"] {
        let mut stack = vec![root().join(part)];
        while let Some(path) = stack.pop() {
            if path.is_dir() {
                stack.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                for word in &words {
                    if text.contains(&word.join(".")) {
                        wrong.push(format!("{} names {}", path.display(), word.join(".")));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
