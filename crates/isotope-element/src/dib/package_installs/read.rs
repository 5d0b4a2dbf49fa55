//! From text to entries.

use super::{PHASES, PackageEntry, PackageInstalls, When};
use crate::dib::values::{entries, line, scalar};
use crate::nearest::suggest;
use crate::yaml::{At, Key, Kind, Node, Text};
use crate::{Diagnostic, Located, Severity};
use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

const KEYS: [&str; 8] =
    ["phase", "uninstall", "build-only", "installtype", "arch", "not-arch", "dib_python_version", "when"];

/// Anchored at the start only: what follows the value is part of it.
static WHEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?P<variable>\w+)\s*(?P<operator>=|!=)\s*(?P<value>.*)").expect("a constant"));

struct Reader<'t> {
    text: Text<'t>,
    entries: Vec<PackageEntry>,
    warnings: Vec<Diagnostic>,
    errors: Vec<Diagnostic>,
}

pub(super) fn parse(file: &Path, text: &str) -> Result<PackageInstalls, Vec<Diagnostic>> {
    let mut warnings = Vec::new();
    let text = Text { path: file, text };
    let root = text.parse_as_python(&mut warnings).map_err(|error| vec![error])?;
    let mut reader = Reader { text, entries: Vec::new(), warnings, errors: Vec::new() };
    match root {
        None => reader.empty(),
        Some(node) if node.is_null() => reader.empty(),
        Some(Node { kind: Kind::Map(packages), .. }) => {
            for (name, node) in &packages {
                reader.package(name, node);
            }
        }
        Some(node) => {
            let hint = "write `NAME:` for each package";
            reader.error(node.at, format!("package-installs is a map of packages, and this is {}", node.what()), hint);
        }
    }
    let Reader { entries, warnings, errors, .. } = reader;
    if errors.is_empty() { Ok(PackageInstalls { file: file.to_owned(), entries, warnings }) } else { Err(errors) }
}

impl Reader<'_> {
    fn error(&mut self, at: At, message: impl Into<String>, hint: &str) {
        let error = self.text.error(at, message).hint(hint.to_owned());
        self.errors.push(error);
    }

    fn warn(&mut self, at: At, message: impl Into<String>, hint: Option<String>) {
        let warning = self.text.error(at, message).severity(Severity::Warning).hint(hint);
        self.warnings.push(warning);
    }

    fn empty(&mut self) {
        let warning = Diagnostic::error(self.text.path, "the file is empty").severity(Severity::Warning);
        self.warnings
            .push(warning.hint("diskimage-builder itself stops at it; take it away, or write `{}`".to_owned()));
    }

    fn package(&mut self, name: &Key, node: &Node) {
        match &node.kind {
            // What Python takes for nothing: one entry without conditions.
            Kind::List(items) if items.is_empty() => self.entry(name, &[]),
            Kind::List(items) => {
                for item in items {
                    if let Some(entries) = self.parameters(item, "an entry of a package") {
                        self.entry(name, entries);
                    }
                }
            }
            _ if node.is_null() || node.truth() == Some(false) => self.entry(name, &[]),
            _ => {
                if let Some(entries) = self.parameters(node, "what stands behind a package") {
                    self.entry(name, entries);
                }
            }
        }
    }

    fn parameters<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Key, Node)]> {
        let found = entries(node);
        if found.is_none() {
            let hint = "for example `phase: pre-install.d`, indented below the package";
            self.error(node.at, format!("{what} is a map of parameters, and this is {}", node.what()), hint);
        }
        found
    }

    fn entry(&mut self, name: &Key, parameters: &[(Key, Node)]) {
        let failed = self.errors.len();
        let mut entry = PackageEntry {
            package: Located { value: name.name.clone(), line: name.at.line },
            phase: Located { value: "install.d".to_owned(), line: name.at.line },
            uninstall: false,
            build_only: false,
            install_type: None,
            arch: None,
            not_arch: None,
            python_version: None,
            when: Vec::new(),
        };
        for (key, value) in parameters {
            self.parameter(&mut entry, key, value);
        }
        if let (Some(arch), Some(_)) = (&entry.arch, &entry.not_arch)
            && !arch.value.is_empty()
        {
            let message =
                format!("package-installs configuration error: arch and not_arch given for package [{}]", name.name);
            self.error(name.at, message, "give one of them");
        }
        if self.errors.len() == failed {
            self.entries.push(entry);
        }
    }

    fn parameter(&mut self, entry: &mut PackageEntry, key: &Key, value: &Node) {
        match key.name.as_str() {
            "uninstall" => entry.uninstall = true,
            "build-only" => entry.build_only = true,
            "when" => entry.when = self.when(value),
            "phase" => {
                if let Some(phase) = self.word(key, value) {
                    if !PHASES.contains(&phase.value.as_str()) {
                        let hint = suggest(&phase.value, PHASES, "phases");
                        self.warn(value.at, format!("nothing is installed in a phase `{}`", phase.value), hint);
                    }
                    entry.phase = phase;
                }
            }
            "installtype" => entry.install_type = self.word(key, value),
            "dib_python_version" => entry.python_version = self.word(key, value),
            "arch" => entry.arch = self.list(key, value),
            "not-arch" => entry.not_arch = self.list(key, value),
            other => {
                let hint = suggest(other, KEYS, "parameters");
                self.warn(key.at, format!("`{other}` has no effect: a package has no such parameter"), hint);
            }
        }
    }

    fn word(&mut self, key: &Key, value: &Node) -> Option<Located<String>> {
        if value.is_null() {
            return None;
        }
        let word = scalar(value).map(|text| Located { value: text.to_owned(), line: value.at.line });
        if word.is_none() {
            self.error(value.at, format!("`{}` is a text, and this is {}", key.name, value.what()), "write one text");
        }
        word
    }

    fn list(&mut self, key: &Key, value: &Node) -> Option<Located<Vec<String>>> {
        let word = self.word(key, value).filter(|word| !word.value.is_empty())?;
        let list = word.value.split(',').map(|one| one.trim().to_owned()).collect();
        Some(Located { value: list, line: word.line })
    }

    fn when(&mut self, value: &Node) -> Vec<When> {
        let statements: Vec<&Node> = match &value.kind {
            Kind::List(items) => items.iter().collect(),
            _ if value.is_null() => Vec::new(),
            _ => vec![value],
        };
        let mut found = Vec::new();
        for node in statements {
            let text = scalar(node).unwrap_or_default();
            match WHEN.captures(text) {
                Some(parts) => found.push(When {
                    variable: parts["variable"].to_owned(),
                    equal: &parts["operator"] == "=",
                    value: parts["value"].to_owned(),
                    line: line(node),
                }),
                None => {
                    let hint = "write `VARIABLE = value` or `VARIABLE != value`";
                    self.error(node.at, format!("Malformed when line: <{text}>"), hint);
                }
            }
        }
        found
    }
}
