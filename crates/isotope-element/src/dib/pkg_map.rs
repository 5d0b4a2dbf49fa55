//! `pkg-map`: an element's names of packages → those of a distribution.
//!
//! In: the file (JSON). Out: [`PkgMap`], and what a name is for a distribution and release. The most special section wins:
//! `release`, then `distro`, `family`, `default`.

use super::values::{entries, get, scalar, text_of};
use crate::nearest::suggest;
use crate::yaml::{Node, Text};
use crate::{Diagnostic, Severity, Spot};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name in the element → name in the distribution: none, one or several words.
type Names = BTreeMap<String, String>;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PkgMap {
    /// The file.
    pub file: PathBuf,
    /// For all.
    pub default: Names,
    /// By `redhat`, `debian`, `suse`, `gentoo`.
    pub family: BTreeMap<String, Names>,
    /// By `DISTRO_NAME`.
    pub distro: BTreeMap<String, Names>,
    /// By `DISTRO_NAME` and `DIB_RELEASE`.
    pub release: BTreeMap<String, BTreeMap<String, Names>>,
    /// What has no effect.
    pub warnings: Vec<Diagnostic>,
}

/// What a name is mapped to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// To these packages.
    Packages(Vec<String>),
    /// To nothing: it is not installed here.
    Skip,
    /// The map does not know it.
    Missing,
}

/// The families that a map may have.
pub const FAMILIES: [&str; 4] = ["redhat", "debian", "suse", "gentoo"];

/// The family of a distribution.
#[must_use]
pub fn family(distro: &str) -> Option<&'static str> {
    match distro {
        "almalinux" | "fedora" | "rhel" | "centos" | "openeuler" | "rocky" => Some("redhat"),
        "debian" | "ubuntu" => Some("debian"),
        "opensuse" => Some("suse"),
        "gentoo" => Some("gentoo"),
        _ => None,
    }
}

impl PkgMap {
    /// All names for a distribution.
    #[must_use]
    pub fn names(&self, distro: &str, release: &str) -> Names {
        let release = if release == "8-stream" { "8" } else { release };
        let mut names = self.default.clone();
        let family = family(distro).and_then(|family| self.family.get(family));
        let release = self.release.get(distro).and_then(|releases| releases.get(release));
        for section in [family, self.distro.get(distro), release].into_iter().flatten() {
            names.extend(section.iter().map(|(name, to)| (name.clone(), to.clone())));
        }
        names
    }

    /// What a name is for a distribution.
    #[must_use]
    pub fn map(&self, name: &str, distro: &str, release: &str) -> Mapped {
        match self.names(distro, release).get(name) {
            None => Mapped::Missing,
            Some(to) if to.trim().is_empty() => Mapped::Skip,
            Some(to) => Mapped::Packages(to.split_whitespace().map(str::to_owned).collect()),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`PkgMap::parse`]; or it cannot be read.
    pub fn read(file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let text = text_of(file).map_err(|error| vec![error])?;
        Self::parse(file, &text)
    }

    /// Reads a file of this text.
    ///
    /// # Errors
    /// It is no JSON, or not of the right shape; all at once.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Vec<Diagnostic>> {
        // YAML is more than JSON, and diskimage-builder reads JSON only.
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            return Err(vec![not_json(file, text, &error)]);
        }
        let mut warnings = Vec::new();
        let root = Text { path: file, text }.parse_as_python(&mut warnings).map_err(|error| vec![error])?;
        let Some(root) = root else { return Ok(Self::default()) };
        let map = Self { file: file.to_owned(), warnings, ..Self::default() };
        let mut reader = Reader { text: Text { path: file, text }, map, errors: Vec::new() };
        reader.root(&root);
        if reader.errors.is_empty() { Ok(reader.map) } else { Err(reader.errors) }
    }
}

fn not_json(file: &Path, text: &str, error: &serde_json::Error) -> Diagnostic {
    let start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = start + error.column().saturating_sub(1);
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Diagnostic::error(file, format!("Unable to parse {}: {message}", file.display()))
        .at(Spot::of(text, at..at + 1))
        .hint("a pkg-map is JSON: names in double quotes, no comma after the last one, no comments".to_owned())
}

struct Reader<'t> {
    text: Text<'t>,
    map: PkgMap,
    errors: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn error(&mut self, node: &Node, what: &str) {
        let error = self.text.error(node.at, format!("{what} is expected here, and this is {}", node.what()));
        self.errors.push(error);
    }

    fn root(&mut self, root: &Node) {
        let Some(sections) = entries(root) else { return self.error(root, "a map of sections") };
        for (key, _) in sections {
            let known = ["default", "family", "distro", "release"];
            if !known.contains(&key.name.as_str()) {
                let message = format!("the section `{}` has no effect", key.name);
                let hint = suggest(&key.name, known, "sections");
                let warning = self.text.error(key.at, message).severity(Severity::Warning).hint(hint);
                self.map.warnings.push(warning);
            }
        }
        if let Some(node) = get(root, "default") {
            self.map.default = self.names(node);
        }
        if let Some(node) = get(root, "family") {
            self.map.family = self.by_name(node, Self::names);
            for (key, _) in entries(node).unwrap_or_default() {
                if !FAMILIES.contains(&key.name.as_str()) {
                    let hint = suggest(&key.name, FAMILIES, "families");
                    let warning = self.text.error(key.at, format!("no distribution is of the family `{}`", key.name));
                    self.map.warnings.push(warning.severity(Severity::Warning).hint(hint));
                }
            }
        }
        if let Some(node) = get(root, "distro") {
            self.map.distro = self.by_name(node, Self::names);
        }
        if let Some(node) = get(root, "release") {
            self.map.release = self.by_name(node, |reader, node| reader.by_name(node, Self::names));
        }
    }

    fn by_name<T>(&mut self, node: &Node, mut read: impl FnMut(&mut Self, &Node) -> T) -> BTreeMap<String, T> {
        let Some(entries) = entries(node) else {
            self.error(node, "a map");
            return BTreeMap::new();
        };
        entries.iter().map(|(key, value)| (key.name.clone(), read(self, value))).collect()
    }

    fn names(&mut self, node: &Node) -> Names {
        let Some(entries) = entries(node) else {
            self.error(node, "a map of names of packages");
            return Names::new();
        };
        let mut names = Names::new();
        for (key, value) in entries {
            match scalar(value) {
                Some(to) => {
                    names.insert(key.name.clone(), to.to_owned());
                }
                None if value.is_null() => {
                    names.insert(key.name.clone(), String::new());
                }
                None => self.error(value, "a text with names of packages"),
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = r#"{
  "release": {"fedora": {"23": {"nova": "nova-23"}}, "centos": {"8": {"nova": "nova-8"}}},
  "distro": {"fedora": {"nova": "nova-fedora", "glance": "glance-a glance-b"}},
  "family": {"redhat": {"nova": "nova-redhat", "tool": ""}},
  "default": {"nova": "nova-default", "tool": "tool"}
}"#;

    #[test]
    fn the_most_special_section_wins() {
        let map = PkgMap::parse(Path::new("pkg-map"), MAP).unwrap();
        let one = |name: &str| Mapped::Packages(vec![name.to_owned()]);
        for (name, distro, release, expected) in [
            ("nova", "fedora", "23", one("nova-23")),
            ("nova", "fedora", "24", one("nova-fedora")),
            ("nova", "rocky", "9", one("nova-redhat")),
            ("nova", "centos", "8-stream", one("nova-8")),
            ("nova", "debian", "trixie", one("nova-default")),
            ("nova", "plan9", "4", one("nova-default")),
            ("tool", "rhel", "9", Mapped::Skip),
            ("tool", "gentoo", "", one("tool")),
            ("glance", "fedora", "1", Mapped::Packages(vec!["glance-a".to_owned(), "glance-b".to_owned()])),
            ("glance", "debian", "1", Mapped::Missing),
        ] {
            assert_eq!(map.map(name, distro, release), expected, "{name} {distro} {release}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, part) in [
            ("{\"default\": {\"a\": \"b\",}}", "Unable to parse pkg-map: key must be a string\n --> pkg-map:1:23"),
            ("default: {}", "Unable to parse pkg-map: "),
            (
                "{\"default\": [\"a\"]}",
                "a map of names of packages is expected here, and this is a list\n --> pkg-map:1:13",
            ),
            ("{\"family\": {\"redhat\": {\"a\": [\"b\"]}}}", "a text with names of packages is expected here"),
            ("[]", "a map of sections is expected here"),
        ] {
            let errors = PkgMap::parse(Path::new("pkg-map"), text).unwrap_err();
            assert!(errors[0].to_string().contains(part), "{}", errors[0]);
        }
    }

    #[test]
    fn what_has_no_effect_is_a_warning() {
        let map = PkgMap::parse(Path::new("pkg-map"), r#"{"distros": {}, "family": {"rhel": {}}}"#).unwrap();
        let told: Vec<String> = map.warnings.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("did you mean `distro`?") && told[1].contains("family `rhel`"), "{told:?}");
    }
}
