//! What is read from a manifest, and from a search path.

use crate::{CheckBody, Phase, Value, VarDefault, load};
use proptest::prelude::*;

/// Loads elements given as (file, text); the errors as one text, without the temporary directory's name.
pub(super) fn errors(files: &[(&str, &str)]) -> String {
    let dir = written(files);
    let home = format!("{}/", dir.path().canonicalize().unwrap().display());
    let errors = load(&[dir.path().to_owned()]).expect_err("these manifests are wrong");
    errors.iter().map(|error| error.to_string().replace(&home, "")).collect::<Vec<_>>().join("\n")
}

pub(super) fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn a_whole_manifest_is_read() {
    let text = r#"
summary = "all"
provides = ["operating-system"]
[vars.release]
type = "enum"
values = ["trixie", "bookworm"]
default = "trixie"
env = ["DIB_RELEASE", "RELEASE"]
[vars.kernel]
type = "string"
default = "linux-image-{{target.deb_arch}}"
[vars.more]
type = "list"
default = []
[distro]
name = "debian"
family = "debian"
release = "{{release}}"
[[bootstrap.sources]]
uri = "host:debian"
suite = "{{release}}"
verify = false
[[packages]]
names = ["{{kernel}}"]
names_from = "more"
when = { arch = ["x86_64", "aarch64"], vars = { release = "trixie" } }
[layout]
sector_size = 4096
[[layout.partitions]]
name = "root"
kind = "root"
size = "rest"
filesystem = { type = "ext4", mount = "/", passno = 1 }
[bootloader]
bios = true
timeout = "3"
[[checks]]
name = "ok"
run = "true"
"#;
    let dir = written(&[("e/element.toml", text)]);
    let catalogue = load(&[dir.path().to_owned()]).unwrap();
    let manifest = &catalogue.elements["e"].manifest;
    assert_eq!(manifest.vars["release"].default, Some(VarDefault::Value(Value::Text("trixie".into()))));
    assert!(matches!(manifest.vars["kernel"].default, Some(VarDefault::Template(_))));
    assert_eq!((manifest.packages[0].phase, manifest.packages[0].line), (Phase::Install, 23));
    assert_eq!(manifest.packages[0].when.vars["release"], [Value::Text("trixie".into())]);
    assert_eq!(manifest.bootstrap.as_ref().unwrap().sources[0].verify.as_ref().unwrap().literal(), Some("false"));
    assert_eq!(manifest.layout.as_ref().unwrap().sector_size.as_ref().unwrap().literal(), Some("4096"));
    assert!(matches!(&manifest.checks[0].body, CheckBody::Text(text) if text.text == "true"));
}

#[test]
fn conditions_on_other_elements_get_the_type_of_their_variable() {
    let vm = "summary = \"vm\"\n[vars.size]\ntype = \"size\"\ndefault = \"1 GiB\"\n";
    let e = "summary = \"e\"\n[[packages]]\nnames = [\"p\"]\nwhen = { vars = { \"vm.size\" = [\"1024 MiB\", \"2 GiB\"] } }\n";
    let dir = written(&[("e/element.toml", e), ("vm/element.toml", vm)]);
    let catalogue = load(&[dir.path().to_owned()]).unwrap();
    let accepted = &catalogue.elements["e"].manifest.packages[0].when.vars["vm.size"];
    assert_eq!(accepted, &[Value::Size(crate::Bytes::gib(1)), Value::Size(crate::Bytes::gib(2))]);
}

#[test]
fn the_shipped_elements_load() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../elements");
    let catalogue = load(&[root])
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    assert!(catalogue.elements.contains_key("debian-minimal"));
    for element in catalogue.elements.values() {
        let found: Vec<String> = crate::lint::advice(element)
            .iter()
            .filter(|one| one.severity != crate::Severity::Note)
            .map(ToString::to_string)
            .collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn an_earlier_directory_wins_and_says_so() {
    let first = written(&[("e/element.toml", "summary = \"first\"\n"), ("old/root.d/10-x", "")]);
    let second = written(&[("e/element.toml", "summary = \"second\"\n")]);
    let catalogue = load(&[first.path().to_owned(), second.path().to_owned()]).unwrap();
    assert_eq!(catalogue.elements["e"].manifest.summary, "first");
    assert!(catalogue.notes[0].message.contains("`e` is overridden by"));
    let error = catalogue.resolve(&["old"]).unwrap_err().to_string();
    assert!(error.contains("diskimage-builder's format"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_text_makes_the_loader_panic(text in "(?s)(summary = \"x\"\n)?[\\[\\]a-c.={}\"'#\n \\\\é]{0,60}", template in "(?s)[{}#/a-c \n\"().@|=é]{0,40}") {
        let manifest = format!("{text}\n");
        let dir = written(&[
            ("a/element.toml", &manifest),
            ("b/element.toml", "summary = \"b\"\n[[templates]]\nsource = \"t\"\ndest = \"/t\"\n"),
            ("b/t", &template),
        ]);
        match load(&[dir.path().to_owned()]) {
            Ok(catalogue) => prop_assert_eq!(catalogue.elements.len(), 2),
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
    }
}
