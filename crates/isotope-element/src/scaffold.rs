//! The files of a new element: they load, pass the lint, and show each part once.

/// A file of a new element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Below the element's directory.
    pub path: String,
    /// All of it.
    pub content: String,
    /// Whether it is a program.
    pub executable: bool,
}

const MANIFEST: &str = r#"summary = "Say hello at login"

[vars.greeting]
type = "string"
default = "hello from NAME"
help = "What is said at login"

[[templates]]
source = "templates/motd.hbs"
dest = "/etc/motd"

[[checks]]
name = "the greeting is there"
run = "grep -qF {{quote_sh greeting}} /etc/motd"
"#;

const README: &str = "# NAME

Says hello at login. `--set NAME.greeting=…` says something else.
";

const HOOK: &str = r#"#!/bin/sh
# Runs inside the target after its packages are installed. $GREETING and $ISOTOPE_ELEMENT (this directory) are there.
set -eu
echo "NAME: $GREETING"
"#;

/// The files of a new element of this name.
#[must_use]
pub fn element(name: &str) -> Vec<NewFile> {
    [
        ("element.toml", MANIFEST, false),
        ("README.md", README, false),
        ("templates/motd.hbs", "{{greeting}}\n", false),
        ("post-install.d/50-NAME", HOOK, true),
    ]
    .into_iter()
    .map(|(path, content, executable)| NewFile {
        path: path.replace("NAME", name),
        content: content.replace("NAME", name),
        executable,
    })
    .collect()
}

/// Whether elements may be called so: lower case letters, digits, `-` and `_`, a letter or digit first.
#[must_use]
pub fn is_name(name: &str) -> bool {
    crate::validate::is_element_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_element_has_nothing_to_complain_about() {
        let dir = tempfile::tempdir().unwrap();
        for NewFile { path, content, executable } in element("my-motd") {
            let path = dir.path().join("my-motd").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))
                .unwrap();
        }
        assert_eq!(crate::lint::check(&dir.path().join("my-motd")), []);
        let set = crate::load(&[dir.path().to_owned()]).unwrap().resolve(&["my-motd"]).unwrap();
        assert_eq!(set.hooks(crate::Phase::PostInstall).len(), 1);
    }
}
