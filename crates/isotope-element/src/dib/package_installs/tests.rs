//! The schema, its errors, and the cases that diskimage-builder's own tests have.

use super::super::testing::World;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn parse(text: &str) -> PackageInstalls {
    PackageInstalls::parse(Path::new("package-installs.yaml"), text).unwrap()
}

fn errors(text: &str) -> String {
    let errors = PackageInstalls::parse(Path::new("package-installs.yaml"), text).unwrap_err();
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Installed and uninstalled names of a phase, of a file of element `e`.
fn squashed(text: &str, phase: &str, pairs: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let mut squashed = Squashed::default();
    squashed.add("e", &parse(text), &env(pairs)).unwrap();
    let packages = squashed.phases.remove(phase).unwrap_or_default();
    let names = |list: Vec<(String, String)>| list.into_iter().map(|(name, _)| name).collect();
    (names(packages.install), names(packages.uninstall))
}

#[track_caller]
fn installs(text: &str, pairs: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(squashed(text, "install.d", pairs).0, expected, "{text} {pairs:?}");
}

#[test]
fn every_key_is_read_with_its_line() {
    let text = "plain:\nfull:\n  phase: pre-install.d\n  uninstall: false\n  build-only:\n  installtype: source\n  \
                arch: amd64, arm64\n  dib_python_version: 3\n  when:\n    - A = x y\n    - B!=z\nmany:\n  - not-arch: s390x\n  - when: C=\n";
    let found = parse(text);
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    let [plain, full, many, more] = found.entries.as_slice() else { panic!("{found:?}") };
    assert_eq!((plain.package.value.as_str(), plain.phase.value.as_str()), ("plain", "install.d"));
    assert_eq!((full.phase.value.as_str(), full.phase.line), ("pre-install.d", 3));
    assert!(full.uninstall && full.build_only);
    assert_eq!(full.install_type.as_ref().unwrap().value, "source");
    assert_eq!(full.arch.as_ref().unwrap().value, ["amd64", "arm64"]);
    assert_eq!(full.python_version.as_ref().unwrap().value, "3");
    let whens: Vec<(&str, bool, &str, u32)> =
        full.when.iter().map(|when| (&*when.variable, when.equal, &*when.value, when.line)).collect();
    assert_eq!(whens, [("A", true, "x y", 10), ("B", false, "z", 11)]);
    assert_eq!(many.not_arch.as_ref().unwrap().value, ["s390x"]);
    assert_eq!(more.when[0].value, "");
}

#[test]
fn json_is_read_too() {
    let found = parse("{\n\t\"a\": null,\n\t\"b\": [{\"phase\": \"install.d\"}, {\"uninstall\": true}]\n}");
    let names: Vec<&str> = found.entries.iter().map(|entry| entry.package.value.as_str()).collect();
    assert_eq!(names, ["a", "b", "b"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let text = "a: true\nb:\n  - x\nc:\n  phase: [x]\nd:\n  when: A\ne:\n  arch: x\n  not-arch: y\n";
    let told = errors(text);
    for part in [
        "what stands behind a package is a map of parameters, and this is a text\n --> package-installs.yaml:1:4",
        "an entry of a package is a map of parameters, and this is a text\n --> package-installs.yaml:3:5",
        "`phase` is a text, and this is a list\n --> package-installs.yaml:5:10",
        "Malformed when line: <A>\n --> package-installs.yaml:7:9",
        "package-installs configuration error: arch and not_arch given for package [e]\n --> package-installs.yaml:8:1",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(errors("- a\n").contains("package-installs is a map of packages, and this is a list"));
    assert!(errors("a: [\n").contains("package-installs.yaml:"));
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let found = parse("a:\n  phase: install\n  archs: x\nb:\nb:\n");
    let told: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    for part in [
        "nothing is installed in a phase `install`",
        "did you mean `install.d`?",
        "`archs` has no effect",
        "a second time",
    ] {
        assert!(told.contains(part), "{told}");
    }
    assert!(parse("# nothing\n").warnings[0].message.contains("empty"));
}

#[test]
fn architectures() {
    let text = "a:\nb:\n  arch: amd64\nc:\n  not-arch: amd64\nd:\n  arch: arm64, amd64\ne:\n  not-arch: arm64,amd64\n";
    installs(text, &[("ARCH", "amd64")], &["a", "b", "d"]);
    installs(text, &[("ARCH", "arm64")], &["a", "c", "d"]);
    installs(text, &[("ARCH", "s390x")], &["a", "c", "e"]);
}

#[test]
fn conditions_by_the_environment() {
    let text = "a:\n  when: A=1\nb:\n  when: A != 1\nc:\n  when: [A = 1, B = 2]\n";
    installs(text, &[("A", "1"), ("B", "2")], &["a", "c"]);
    installs(text, &[("A", "1"), ("B", "3")], &["a"]);
    installs(text, &[("A", "0"), ("B", "2")], &["b"]);
    let error = Squashed::default().add("e", &parse(text), &env(&[("A", "1")])).unwrap_err();
    assert_eq!(error.len(), 1);
    assert_eq!(error[0].message, "The variable <B> is not set");
}

#[test]
fn install_types_and_python_versions() {
    let text = "s:\n  installtype: source\np:\n  installtype: package\n";
    installs(text, &[], &["s"]);
    installs(text, &[("DIB_DEFAULT_INSTALLTYPE", "package")], &["p"]);
    installs(text, &[("DIB_DEFAULT_INSTALLTYPE", "package"), ("DIB_INSTALLTYPE_e", "source")], &["s"]);
    let text = "two:\n  dib_python_version: 2\nthree:\n  dib_python_version: '3'\n";
    installs(text, &[("DIB_PYTHON_VERSION", "3")], &["three"]);
    installs(text, &[], &[]);
}

#[test]
fn one_package_by_architecture_and_release() {
    let text = "kernel:\n  - arch: amd64\n  - arch: arm64\n    when: R = focal\n";
    installs(text, &[("ARCH", "amd64"), ("R", "x")], &["kernel"]);
    installs(text, &[("ARCH", "arm64"), ("R", "xenial")], &[]);
    installs(text, &[("ARCH", "arm64"), ("R", "focal")], &["kernel"]);
}

#[test]
fn an_install_beats_an_uninstall_in_either_order() {
    for text in ["a:\n  - {}\n  - uninstall: true\n", "a:\n  - uninstall: true\n  - {}\n"] {
        assert_eq!(squashed(text, "install.d", &[]), (vec!["a".to_owned()], vec![]), "{text}");
    }
    let both = squashed("a:\n  build-only: true\n", "install.d", &[]);
    assert_eq!(both, (vec!["a".to_owned()], vec!["a".to_owned()]));
    // Built with, but wanted by another: it stays.
    let kept = squashed("a:\n  - {}\n  - build-only: true\n", "install.d", &[]);
    assert_eq!(kept, (vec!["a".to_owned(), "a".to_owned()], vec![]));
    // An entry that does not apply keeps nothing.
    let gone = squashed("a:\n  - uninstall: true\n  - when: A = 1\n", "install.d", &[("A", "2")]);
    assert_eq!(gone, (vec![], vec!["a".to_owned()]));
}

#[test]
fn all_elements_of_a_build_together() {
    let world = World::new();
    world.element("os", &[], &["operating-system"]).element("app", &["os"], &[]);
    world.file("os/package-installs.yaml", 0o644, "a:\nb:\n  phase: pre-install.d\n");
    world.file("app/package-installs.json", 0o644, "{\"c\": null}").file("app/package-installs.yaml", 0o644, "a:\n");
    let squashed = squash(&world.catalogue(), &world.set(&["app"]), &env(&[])).unwrap();
    let expected = serde_json::json!({
        "install.d": {"install": [["a", "os"], ["c", "app"], ["a", "app"]]},
        "pre-install.d": {"install": [["b", "os"]]},
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&squashed.json()).unwrap(), expected);
    world.file("app/package-installs.yaml", 0o644, "a: 1\n").file(
        "os/package-installs.yaml",
        0o644,
        "b:\n  when: N=1\n",
    );
    let error = squash(&world.catalogue(), &world.set(&["app"]), &env(&[])).unwrap_err();
    assert_eq!(error.0.len(), 2, "{error}");
    assert!(error.to_string().contains("The variable <N> is not set\n --> "), "{error}");
}

proptest! {
    /// Whatever the text is: entries, or errors in it.
    #[test]
    fn any_text_is_read(text in "([a-c]|:|\n|  |- |\\[|\\]|\\{|\\}|,|\"|'|&x|\\*x|<<|when|arch|phase|=|!|#|é|\t|null){0,40}") {
        let file = Path::new("package-installs.yaml");
        match PackageInstalls::parse(file, &text) {
            Ok(found) => prop_assert!(found.entries.iter().all(|entry| entry.package.line >= 1)),
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
        drop(crate::dib::PkgMap::parse(file, &text));
        drop(crate::dib::SvcMap::parse(file, &text));
        drop(crate::dib::source_repository::parse(file, &text));
    }
}
