//! From values to a [`Layer`]: every key has its type, every value knows its line; all errors of a file at once.

use super::keys::{self, ARCHES, Support};
use super::layer::{AddFile, Check, Layer, Placed, RemoveFrom};
use super::node::{At, Key, Kind, Node, Text};
use crate::BootLocation;
use isotope_element::{Arch, Diagnostic, Origin, suggest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A condition of `conditional-include`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The variable.
    pub name: String,
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`.
    pub operator: String,
    /// What it is compared with.
    pub value: String,
    /// Where it stands.
    pub at: At,
}

/// A file to include.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The file.
    pub path: PathBuf,
    /// Where it is named.
    pub at: At,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// What a file says.
#[derive(Debug, Default)]
pub struct Read {
    /// Its values.
    pub layer: Layer,
    /// Files to be laid below it, in order.
    pub includes: Vec<Include>,
    /// What is wrong.
    pub errors: Vec<Diagnostic>,
    /// What has no effect.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a file whose text has been parsed. `root` is `None` where the file is empty.
pub fn read(text: Text<'_>, root: Option<Node>, arch: Arch) -> Read {
    let mut reader = Reader { text, arch, read: Read::default() };
    match root {
        Some(Node { kind: Kind::Map(entries), .. }) => {
            for (key, node) in entries {
                reader.key(&key, &node);
            }
        }
        None => reader.error(At { line: 1, column: 1, width: 1 }, "the treefile is empty"),
        Some(node) => reader.error(node.at, format!("a treefile is a map of keys, and this is {}", node.what())),
    }
    reader.read
}

/// Reads one file.
pub struct Reader<'t> {
    text: Text<'t>,
    arch: Arch,
    read: Read,
}

impl Reader<'_> {
    fn key(&mut self, key: &Key, node: &Node) {
        if let Some(arch) = key.name.strip_prefix("packages-") {
            return self.arch_packages(key, arch, node);
        }
        let Some((name, support)) = keys::find(&key.name) else {
            let hint = suggest(&key.name, keys::names(), "known keys");
            let error = self.text.error(key.at, format!("a treefile has no key `{}`", key.name)).hint(hint);
            return self.read.errors.push(error);
        };
        let empty = node.is_null()
            || node.truth() == Some(false)
            || matches!(&node.kind, Kind::List(items) if items.is_empty())
            || matches!(&node.kind, Kind::Map(entries) if entries.is_empty());
        match support {
            Support::Comment => {}
            Support::NoEffect(reason) => {
                let warning = self.text.error(key.at, format!("`{name}` has no effect: {reason}"));
                self.read.warnings.push(warning.severity(isotope_element::Severity::Warning));
            }
            Support::Unsupported(_) if empty => {}
            Support::Unsupported(reason) => {
                self.error(key.at, format!("`{name}` is not supported: {reason}"));
            }
            // As if it were not written.
            Support::Read if node.is_null() => {}
            Support::Read => self.value(name, key, node),
        }
    }

    fn value(&mut self, name: &str, key: &Key, node: &Node) {
        match name {
            "edition" => self.read.layer.edition = self.edition(node),
            "ref" => self.read.layer.reference = self.text(node),
            "releasever" => self.read.layer.releasever = self.text(node),
            "selinux" => self.read.layer.selinux = self.truth(node),
            "recommends" => self.read.layer.recommends = self.truth(node),
            "documentation" => self.read.layer.documentation = self.truth(node),
            "no-initramfs" => self.read.layer.no_initramfs = self.truth(node),
            "tmp-is-dir" => self.read.layer.tmp_is_dir = self.truth(node),
            "machineid-compat" => self.read.layer.machineid_compat = self.truth(node),
            "preserve-passwd" => self.read.layer.preserve_passwd = self.truth(node),
            "default-target" => self.read.layer.default_target = self.text(node),
            "boot-location" => self.read.layer.boot_location = self.boot_location(node),
            "check-passwd" => self.read.layer.check_passwd = self.check(node),
            "check-groups" => self.read.layer.check_groups = self.check(node),
            "automatic-version-prefix" => self.read.layer.version_prefix = self.text(node),
            "automatic-version-suffix" => self.read.layer.version_suffix = self.text(node),
            "mutate-os-release" => self.read.layer.mutate_os_release = self.text(node),
            "postprocess-script" => {
                self.read.layer.postprocess_script = self.text(node).map(|script| self.beside(script));
            }
            "repos" => {
                self.read.layer.repos = self.texts(node);
                self.read.layer.repo_dirs = vec![self.dir().to_owned()];
            }
            "packages" => {
                let words = self.words(node);
                self.read.layer.packages.extend(words);
            }
            "bootstrap_packages" => self.read.layer.bootstrap_packages = self.words(node),
            "exclude-packages" => self.read.layer.exclude_packages = self.words(node),
            "units" => self.read.layer.units = self.texts(node),
            "install-langs" => self.read.layer.install_langs = Some(self.texts(node)),
            "initramfs-args" => self.read.layer.initramfs_args = self.texts(node),
            "etc-group-members" => self.read.layer.etc_group_members = self.texts(node),
            "ignore-removed-users" => self.read.layer.ignore_removed_users = self.texts(node),
            "ignore-removed-groups" => self.read.layer.ignore_removed_groups = self.texts(node),
            "add-files" => self.read.layer.add_files = self.add_files(node),
            "remove-files" => self.read.layer.remove_files = self.tree_paths(node),
            "remove-from-packages" => self.read.layer.remove_from_packages = self.remove_from_packages(node),
            "postprocess" => self.read.layer.postprocess = self.texts(node),
            "variables" => self.read.layer.variables = self.map(node),
            "add-commit-metadata" => self.read.layer.commit_metadata = self.map(node),
            "opt-usrlocal" => self.opt_usrlocal(node),
            "apt" => self.read.layer.apt = self.apt(node),
            "include" => {
                let found = self.include(node, &[]);
                self.read.includes.extend(found);
            }
            "arch-include" => self.arch_include(node),
            "conditional-include" => self.conditional_include(node),
            _ => self.error(key.at, format!("the key `{name}` is listed, but nothing reads it: a fault of Isotope")),
        }
    }

    pub(super) fn error(&mut self, at: At, message: impl Into<String>) {
        let error = self.text.error(at, message);
        self.read.errors.push(error);
    }

    pub(super) fn error_hint(&mut self, at: At, message: impl Into<String>, hint: Option<String>) {
        let error = self.text.error(at, message).hint(hint);
        self.read.errors.push(error);
    }

    pub(super) fn placed<T>(&self, at: At, value: T) -> Placed<T> {
        let origin =
            Origin { element: "treefile".to_owned(), file: Some(self.text.path.to_owned()), line: Some(at.line) };
        Placed { value, origin }
    }

    fn dir(&self) -> &Path {
        self.text.path.parent().unwrap_or(Path::new(""))
    }

    fn beside(&self, file: Placed<String>) -> Placed<PathBuf> {
        Placed { value: self.dir().join(file.value), origin: file.origin }
    }

    pub(super) fn text(&mut self, node: &Node) -> Option<Placed<String>> {
        match node.text() {
            Some(text) if !text.contains('\0') => Some(self.placed(node.at, text.to_owned())),
            Some(_) => {
                self.error(node.at, "a text with a zero byte");
                None
            }
            None => {
                self.error(node.at, format!("a text is expected here, and this is {}", node.what()));
                None
            }
        }
    }

    pub(super) fn truth(&mut self, node: &Node) -> Option<Placed<bool>> {
        let truth = node.truth();
        if truth.is_none() {
            self.error(node.at, "`true` or `false` is expected here, without quotes");
        }
        truth.map(|truth| self.placed(node.at, truth))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, node: &Node) -> Vec<Placed<String>> {
        let Kind::List(items) = &node.kind else {
            self.error(node.at, format!("a list is expected here, and this is {}", node.what()));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text(item)).collect()
    }

    /// A list of names, several of which may stand in one text.
    pub(super) fn words(&mut self, node: &Node) -> Vec<Placed<String>> {
        let lines = self.texts(node);
        let words = |line: Placed<String>| -> Vec<Placed<String>> {
            let words = line.value.split_whitespace();
            words.map(|word| Placed { value: word.to_owned(), origin: line.origin.clone() }).collect()
        };
        lines.into_iter().flat_map(words).collect()
    }

    /// A map of texts.
    fn map(&mut self, node: &Node) -> BTreeMap<String, String> {
        let Kind::Map(entries) = &node.kind else {
            self.error(node.at, format!("a map is expected here, and this is {}", node.what()));
            return BTreeMap::new();
        };
        entries.iter().filter_map(|(key, value)| Some((key.name.clone(), self.text(value)?.value))).collect()
    }

    fn arch_packages(&mut self, key: &Key, arch: &str, node: &Node) {
        if !ARCHES.contains(&arch) {
            let hint = suggest(arch, ARCHES.iter().copied(), "architectures");
            return self.error_hint(key.at, format!("`{}` names no architecture", key.name), hint);
        }
        let words = self.words(node);
        if arch == self.arch.name() {
            self.read.layer.packages.extend(words);
        }
    }

    fn edition(&mut self, node: &Node) -> Option<Placed<u32>> {
        match node.text() {
            Some("2014") => Some(self.placed(node.at, 2014)),
            Some("2024") => Some(self.placed(node.at, 2024)),
            _ => {
                self.error(node.at, "the edition is 2014 (the default) or 2024");
                None
            }
        }
    }

    fn boot_location(&mut self, node: &Node) -> Option<Placed<BootLocation>> {
        match node.text() {
            Some("modules") => Some(self.placed(node.at, BootLocation::Modules)),
            Some("new") => Some(self.placed(node.at, BootLocation::New)),
            other => {
                let message = match other {
                    Some("kernel-install") => "`boot-location: kernel-install` is not supported".to_owned(),
                    Some(other) => format!("there is no boot-location `{other}`"),
                    None => format!("a text is expected here, and this is {}", node.what()),
                };
                self.error_hint(node.at, message, Some("use `modules` or `new`".to_owned()));
                None
            }
        }
    }

    fn opt_usrlocal(&mut self, node: &Node) {
        if node.text() != Some("var") {
            let hint = Some("use `var`: /opt and /usr/local are links into /var".to_owned());
            self.error_hint(node.at, "only `opt-usrlocal: var` is supported", hint);
        }
    }

    fn check(&mut self, node: &Node) -> Option<Placed<Check>> {
        let Kind::Map(entries) = &node.kind else {
            self.error(node.at, format!("a map with `type` is expected here, and this is {}", node.what()));
            return None;
        };
        let entry = |name: &str| entries.iter().find(|(key, _)| key.name == name).map(|(_, value)| value);
        if let Some((key, _)) =
            entries.iter().find(|(key, _)| !["type", "filename", "entries"].contains(&key.name.as_str()))
        {
            let hint = suggest(&key.name, ["type", "filename"], "keys");
            self.error_hint(key.at, format!("there is no key `{}` here", key.name), hint);
        }
        let check = match (entry("type").and_then(Node::text), entry("filename").and_then(Node::text)) {
            (Some("none"), _) => Check::None,
            (Some("previous"), _) => Check::Previous,
            (Some("file"), Some(file)) => Check::File(self.dir().join(file)),
            (Some("file"), None) => {
                self.error(node.at, "`type: file` needs a `filename`");
                return None;
            }
            (Some("data"), _) => {
                let hint = Some("write the entries into a file, and use `type: file` with `filename`".to_owned());
                self.error_hint(node.at, "`type: data` is not supported", hint);
                return None;
            }
            _ => {
                self.error(node.at, "`type` is `none`, `previous` or `file`");
                return None;
            }
        };
        Some(self.placed(node.at, check))
    }

    /// Pairs `[source, destination]`.
    fn add_files(&mut self, node: &Node) -> Vec<Placed<AddFile>> {
        let rows = self.rows(node, "[file beside the treefile, path in the tree]");
        let mut found = Vec::new();
        for (at, row) in rows {
            let [source, dest] = row.as_slice() else {
                self.error(at, "two texts are expected here: [file beside the treefile, path in the tree]");
                continue;
            };
            let Some(dest) = tree_path(dest) else {
                self.error(
                    at,
                    format!("`{dest}` is no path in the tree: it must not be empty, and have no `.` and `..`"),
                );
                continue;
            };
            if !["/usr/", "/etc/"].iter().any(|start| dest.starts_with(start)) {
                let hint = "files of a tree are in /usr and /etc; what /var is to have at boot, a file in /usr/lib/tmpfiles.d makes";
                self.error_hint(at, format!("a file cannot be added at {dest}"), Some(hint.to_owned()));
                continue;
            }
            found.push(self.placed(at, AddFile { source: self.dir().join(source), dest }));
        }
        found
    }

    fn tree_paths(&mut self, node: &Node) -> Vec<Placed<String>> {
        let paths = self.texts(node);
        let mut found = Vec::new();
        for Placed { value, origin } in paths {
            match tree_path(&value) {
                Some(path) => found.push(Placed { value: path, origin }),
                None => self.error(
                    At { line: origin.line.unwrap_or(1), column: 1, width: 1 },
                    format!("`{value}` is no path in the tree: it must not be empty, and have no `.` and `..`"),
                ),
            }
        }
        found
    }

    fn remove_from_packages(&mut self, node: &Node) -> Vec<Placed<RemoveFrom>> {
        let rows = self.rows(node, "[package, pattern, …]");
        let mut found = Vec::new();
        for (at, row) in rows {
            match row.split_first() {
                Some((package, patterns)) if !patterns.is_empty() => {
                    for pattern in patterns {
                        if let Err(error) = regex::Regex::new(pattern) {
                            let why = error.to_string();
                            let why = why.lines().last().unwrap_or_default().to_owned();
                            self.error(at, format!("`{pattern}` is no regular expression: {why}"));
                        }
                    }
                    found.push(self.placed(at, RemoveFrom { package: package.clone(), patterns: patterns.to_vec() }));
                }
                _ => self.error(at, "a package and one or more patterns are expected here: [package, pattern, …]"),
            }
        }
        found
    }

    /// A list of lists of texts.
    fn rows(&mut self, node: &Node, form: &str) -> Vec<(At, Vec<String>)> {
        let Kind::List(rows) = &node.kind else {
            self.error(node.at, format!("a list of {form} is expected here, and this is {}", node.what()));
            return Vec::new();
        };
        rows.iter()
            .map(|row| {
                let items = self.texts(row).into_iter().map(|item| item.value).collect();
                let at = if let Kind::List(items) = &row.kind {
                    items.first().map_or(row.at, |first| first.at)
                } else {
                    row.at
                };
                (at, items)
            })
            .collect()
    }

    fn include(&mut self, node: &Node, conditions: &[Condition]) -> Vec<Include> {
        let one = |reader: &mut Self, node: &Node| {
            let path = reader.text(node)?;
            Some(Include { path: reader.dir().join(path.value), at: node.at, conditions: conditions.to_vec() })
        };
        match &node.kind {
            Kind::List(items) => items.iter().filter_map(|item| one(self, item)).collect(),
            _ => one(self, node).into_iter().collect(),
        }
    }

    fn arch_include(&mut self, node: &Node) {
        let Kind::Map(entries) = &node.kind else {
            return self
                .error(node.at, format!("a map of architectures is expected here, and this is {}", node.what()));
        };
        for (key, value) in entries {
            if !ARCHES.contains(&key.name.as_str()) {
                let hint = suggest(&key.name, ARCHES.iter().copied(), "architectures");
                self.error_hint(key.at, format!("`{}` is no architecture", key.name), hint);
            } else if key.name == self.arch.name() {
                let found = self.include(value, &[]);
                self.read.includes.extend(found);
            }
        }
    }

    fn conditional_include(&mut self, node: &Node) {
        let Kind::List(items) = &node.kind else {
            return self.error(node.at, format!("a list of maps is expected here, and this is {}", node.what()));
        };
        for item in items {
            let entry = |name: &str| match &item.kind {
                Kind::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, value)| value),
                _ => None,
            };
            let (Some(condition), Some(include)) = (entry("if"), entry("include")) else {
                self.error(item.at, "a map with `if` and `include` is expected here");
                continue;
            };
            let texts: Vec<&Node> = match &condition.kind {
                Kind::List(items) => items.iter().collect(),
                _ => vec![condition],
            };
            let conditions: Vec<Condition> = texts.iter().filter_map(|node| self.condition(node)).collect();
            if conditions.len() == texts.len() {
                let found = self.include(include, &conditions);
                self.read.includes.extend(found);
            }
        }
    }

    fn condition(&mut self, node: &Node) -> Option<Condition> {
        let text = self.text(node)?.value;
        let words: Vec<&str> = text.split_whitespace().collect();
        let [name, operator, value] = words.as_slice() else {
            self.error(
                node.at,
                format!("`{text}` is no condition: variable, operator and value, with blanks between them"),
            );
            return None;
        };
        if !["==", "!=", "<", "<=", ">", ">="].contains(operator) {
            self.error(node.at, format!("there is no operator `{operator}`; there are ==, !=, <, <=, > and >="));
            return None;
        }
        let value = value.trim_matches('"').to_owned();
        Some(Condition { name: (*name).to_owned(), operator: (*operator).to_owned(), value, at: node.at })
    }
}

/// A path of the tree as an absolute one, if it is one.
fn tree_path(path: &str) -> Option<String> {
    let inner = path.trim_matches('/');
    let clean = !inner.is_empty() && !inner.split('/').any(|part| part.is_empty() || part == "." || part == "..");
    clean.then(|| format!("/{inner}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_is_listed_as_read_is_read() {
        for name in keys::names().filter(|name| keys::find(name).is_some_and(|(_, support)| support == Support::Read)) {
            let text = format!("{name}: x\n");
            let text = Text { path: Path::new("t.yaml"), text: &text };
            let read = read(text, text.parse().unwrap(), Arch::X86_64);
            assert!(!read.errors.iter().any(|error| error.message.contains("fault of Isotope")), "{name}");
        }
    }

    #[test]
    fn paths_of_the_tree() {
        assert_eq!(tree_path("usr/share/x").as_deref(), Some("/usr/share/x"));
        assert_eq!(tree_path("/etc/x/").as_deref(), Some("/etc/x"));
        for wrong in ["", "/", "a/../b", "a//b", "./a"] {
            assert_eq!(tree_path(wrong), None, "{wrong}");
        }
    }
}
