//! Everything about one element in diskimage-builder's format, as data and as text.

use isotope_element::dib::run_parts::NameFilter;
use isotope_element::dib::{DibElement, ElementSet, HookTree, Kind, PackageInstalls};
use isotope_element::{Diagnostic, Located, Phase};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// An element for people.
#[derive(Debug, Serialize)]
pub(super) struct DibCard {
    name: String,
    format: &'static str,
    summary: String,
    dir: PathBuf,
    requires: Vec<String>,
    provides: Vec<String>,
    /// Files of environment.d, in the order in which they are read.
    environment: Vec<String>,
    phases: BTreeMap<Phase, Vec<String>>,
    /// Other first-level directories, which are merged with those of other elements.
    directories: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    readme: Option<String>,
}

impl DibCard {
    /// # Errors
    /// Files that cannot be read.
    pub(super) fn of(element: &DibElement) -> Result<Self, Vec<Diagnostic>> {
        let contents = element.contents()?;
        let alone = ElementSet { elements: vec![element.clone()], ..ElementSet::default() };
        // One element collides with no other.
        let tree = HookTree::merge(&alone).unwrap_or_default();
        let mut phases: BTreeMap<Phase, Vec<String>> = BTreeMap::new();
        for file in contents.sources().filter(|file| file.kind == Kind::PackageInstalls) {
            for entry in PackageInstalls::read(&file.path)?.entries {
                let phase = Phase::ALL.into_iter().find(|phase| format!("{phase}.d") == entry.phase.value);
                let verb = match (entry.uninstall, entry.build_only) {
                    (_, true) => "package for this phase only:",
                    (true, false) => "without package",
                    (false, false) => "package",
                };
                let when = if entry.when.is_empty() && entry.arch.is_none() && entry.not_arch.is_none() {
                    ""
                } else {
                    " (conditional)"
                };
                phases
                    .entry(phase.unwrap_or(Phase::Install))
                    .or_default()
                    .push(format!("{verb} {}{when}", entry.package.value));
            }
        }
        for phase in Phase::ALL {
            let scripts = tree.scripts(&format!("{phase}.d"), &NameFilter::default()).scripts;
            let scripts: Vec<String> =
                scripts.into_iter().map(|script| format!("runs {phase}.d/{}", script.name)).collect();
            if !scripts.is_empty() {
                phases.entry(phase).or_default().extend(scripts);
            }
        }
        let hooks = |name: &str| name == "environment.d" || Phase::ALL.iter().any(|phase| format!("{phase}.d") == name);
        let names = |list: &[Located<String>]| list.iter().map(|name| name.value.clone()).collect();
        Ok(Self {
            name: element.name.clone(),
            format: "diskimage-builder",
            summary: element.summary().unwrap_or_default(),
            dir: element.dir.clone(),
            requires: names(&element.depends),
            provides: names(&element.provides),
            environment: tree.environment().scripts.into_iter().map(|file| file.name).collect(),
            phases,
            directories: contents.dirs.into_keys().filter(|name| !hooks(name)).collect(),
            readme: std::fs::read_to_string(element.dir.join("README.rst")).ok(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        self.write(&mut out).unwrap_or_default();
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: {}\n  {} ({})", self.name, self.summary, self.dir.display(), self.format)?;
        for (what, names) in [
            ("requires", &self.requires),
            ("provides", &self.provides),
            ("environment.d", &self.environment),
            ("directories", &self.directories),
        ] {
            if !names.is_empty() {
                writeln!(out, "  {what:<13} {}", names.join(", "))?;
            }
        }
        if !self.phases.is_empty() {
            writeln!(out, "\nphases")?;
        }
        for (phase, what) in &self.phases {
            for (index, what) in what.iter().enumerate() {
                let name = if index == 0 { phase.name() } else { "" };
                writeln!(out, "  {name:<13} {what}")?;
            }
        }
        match &self.readme {
            Some(readme) => writeln!(out, "\n{}", readme.trim_end()),
            None => Ok(()),
        }
    }
}
