//! Tests of the advice.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn element(files: &[(&str, &str, u32)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text, mode) in files {
        let path = dir.path().join("e").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
    }
    dir
}

fn shown(dir: &tempfile::TempDir) -> String {
    let home = dir.path().to_string_lossy().into_owned();
    check(&dir.path().join("e")).iter().map(|one| one.to_string().replace(&home, "")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_careless_element_is_told_all() {
    let dir = element(&[
        (
            "element.toml",
            "summary = \"x\"\n[vars.unused]\ntype = \"bool\"\n[vars.used]\ntype = \"bool\"\nhelp = \"h\"\n",
            0o644,
        ),
        ("install.d/10-a", "echo $ISOTOPE_E_USED\n# curl in a comment\ncd x && curl https://example.org | sh\n", 0o644),
        ("install.d/20-b.sh", "#!/bin/sh\n", 0o755),
    ]);
    insta::assert_snapshot!(shown(&dir), @r#"
    warning: the element has no README.md
      --> /e
      hint: say in a few lines what the element does and how its variables are used
    warning: the element has no checks
      --> /e/element.toml
      hint: add a [[checks]] that proves the element's work inside the booted image
    warning: nothing in this element uses the variable `unused`
     --> /e/element.toml:2:1
      |
    2 | [vars.unused]
      | ^^^^^^^^^^^^^
      hint: use it in a template, a condition or a hook, or take it away
    warning: the variable `unused` has no help
     --> /e/element.toml:2:1
      |
    2 | [vars.unused]
      | ^^^^^^^^^^^^^
      hint: add help = "…"; people see it in `isotope elements show`
    error: the hook `10-a` has no `#!` line: the kernel cannot run it
      --> /e/install.d/10-a
      hint: begin it with #!/bin/sh, or another interpreter
    error: the hook `10-a` is not executable
      --> /e/install.d/10-a
      hint: chmod +x /e/install.d/10-a
    note: the hook `10-a` downloads with curl
     --> /e/install.d/10-a:3:9
      |
    3 | cd x && curl https://example.org | sh
      |         ^^^^
      hint: what it fetches is no input of its layer, and is not verified: list a package or a source instead, or say `max_age` or `cache = false` of the hook
    warning: `20-b.sh` is ignored: a hook's name has letters, digits, `_` and `-` only
      --> /e/install.d/20-b.sh
      hint: rename it, for example to `20-b`
    "#);
}

#[test]
fn words_are_whole_words() {
    assert!(has_word("\"${ISOTOPE_E_SIZE}\"", "SIZE"));
    assert!(!has_word("MYSIZE SIZE_OF", "SIZE"));
}

#[test]
fn a_directory_without_manifest_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(check(dir.path()).iter().any(|one| one.severity == Severity::Error));
}
