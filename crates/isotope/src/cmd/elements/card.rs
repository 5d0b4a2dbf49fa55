//! Everything about one element, as data and as text.

use anyhow::Context as _;
use isotope_element::{Element, Located, Phase};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// An element for people.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    name: String,
    summary: String,
    dir: PathBuf,
    requires: Vec<String>,
    provides: Vec<String>,
    after: Vec<String>,
    conflicts: Vec<String>,
    variables: Vec<Variable>,
    phases: BTreeMap<Phase, Vec<String>>,
    checks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    readme: Option<String>,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: String,
    kind: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    /// `None`: it must be given.
    default: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    secret: bool,
    help: String,
}

impl Card {
    pub(super) fn of(element: &Element) -> anyhow::Result<Self> {
        let manifest = &element.manifest;
        let names = |list: &[Located<String>]| list.iter().map(|name| name.value.clone()).collect();
        let readme = element.dir.join("README.md");
        let readme = match std::fs::read_to_string(&readme) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", readme.display())),
        };
        Ok(Self {
            name: element.name.clone(),
            summary: manifest.summary.clone(),
            dir: element.dir.clone(),
            requires: names(&manifest.requires),
            provides: names(&manifest.provides),
            after: names(&manifest.after),
            conflicts: names(&manifest.conflicts),
            variables: variables(element),
            phases: phases(element),
            checks: manifest.checks.iter().map(|check| check.name.text.clone()).collect(),
            readme,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        self.write(&mut out).unwrap_or_default();
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}: {}\n  {}", self.name, self.summary, self.dir.display())?;
        for (what, names) in [
            ("requires", &self.requires),
            ("provides", &self.provides),
            ("after", &self.after),
            ("conflicts", &self.conflicts),
        ] {
            if !names.is_empty() {
                writeln!(out, "  {what:<10} {}", names.join(", "))?;
            }
        }
        if !self.variables.is_empty() {
            writeln!(out, "\nvariables (--set {}.NAME=VALUE)", self.name)?;
        }
        for variable in &self.variables {
            variable.write(out)?;
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
        if !self.checks.is_empty() {
            writeln!(out, "\nchecks of the booted image")?;
        }
        for check in &self.checks {
            writeln!(out, "  {check}")?;
        }
        match &self.readme {
            Some(readme) => writeln!(out, "\n{}", readme.trim_end()),
            None => Ok(()),
        }
    }
}

impl Variable {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let kind = if self.values.is_empty() { self.kind.clone() } else { self.values.join(" | ") };
        let default = match &self.default {
            Some(default) if default.is_empty() => "empty by default".to_owned(),
            Some(default) => format!("default: {default}"),
            None => "must be given".to_owned(),
        };
        let secret = if self.secret { ", secret" } else { "" };
        writeln!(out, "  {}  ({kind}{secret}; {default})", self.name)?;
        if !self.help.is_empty() {
            writeln!(out, "      {}", self.help)?;
        }
        if !self.env.is_empty() {
            writeln!(out, "      environment: {}", self.env.join(", "))?;
        }
        Ok(())
    }
}

fn variables(element: &Element) -> Vec<Variable> {
    let variable = |(name, decl): (&String, &isotope_element::VarDecl)| Variable {
        name: name.clone(),
        kind: decl.kind.to_string(),
        values: decl.values.clone(),
        default: decl.default.as_ref().map(|default| if decl.secret { "***".to_owned() } else { default.to_string() }),
        env: decl.env.clone(),
        secret: decl.secret,
        help: decl.help.clone(),
    };
    element.manifest.vars.iter().map(variable).collect()
}

/// What the element does in each phase.
fn phases(element: &Element) -> BTreeMap<Phase, Vec<String>> {
    let manifest = &element.manifest;
    let mut phases: BTreeMap<Phase, Vec<String>> = BTreeMap::new();
    let mut add = |phase: Phase, what: String| phases.entry(phase).or_default().push(what);
    if manifest.bootstrap.is_some() {
        add(Phase::Root, "makes the base tree".to_owned());
    }
    for section in &manifest.packages {
        let mut names: Vec<&str> = section.names.iter().map(|name| name.text.as_str()).collect();
        let from = section.names_from.as_ref().map(|list| format!("all of {list}"));
        names.extend(from.as_deref());
        if !names.is_empty() {
            add(section.phase, format!("packages {}", names.join(", ")));
        }
        let removed: Vec<&str> = section.remove.iter().map(|name| name.text.as_str()).collect();
        if !removed.is_empty() {
            add(section.phase, format!("without packages {}", removed.join(", ")));
        }
    }
    for section in &manifest.files {
        let source = section.source.strip_prefix(&element.dir).unwrap_or(&section.source);
        add(section.phase, format!("copies {} to {}", source.display(), section.dest.text));
    }
    for section in &manifest.templates {
        add(section.phase, format!("writes {}", section.dest.text));
    }
    for section in &manifest.services {
        for (verb, units) in [("enables", &section.enable), ("disables", &section.disable), ("masks", &section.mask)] {
            if !units.is_empty() {
                add(
                    section.phase,
                    format!("{verb} {}", units.iter().map(|unit| unit.text.as_str()).collect::<Vec<_>>().join(", ")),
                );
            }
        }
    }
    for (phase, hooks) in &element.hooks {
        for hook in hooks {
            add(*phase, format!("runs {phase}.d/{}", hook.name));
        }
    }
    if manifest.sysprep.is_some() {
        add(Phase::PostRoot, "resets what must be unique".to_owned());
    }
    if let Some(layout) = &manifest.layout {
        let names: Vec<&str> = layout.partitions.iter().map(|partition| partition.name.as_str()).collect();
        add(Phase::BlockDevice, format!("lays the disk out: {}", names.join(", ")));
    }
    if manifest.bootloader.is_some() {
        add(Phase::Finalise, "has a say in the boot loader".to_owned());
    }
    phases
}
