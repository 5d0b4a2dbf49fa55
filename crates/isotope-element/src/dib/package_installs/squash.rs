//! What each phase installs and uninstalls, over all elements of a build.

use super::{PackageEntry, PackageInstalls};
use crate::dib::{Catalogue, ElementSet, Kind};
use crate::{Diagnostic, Spot};
use std::collections::BTreeMap;
use std::path::Path;

/// The packages of one phase; each with the element that wants it, in whose `pkg-map` it is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packages {
    /// In the order of the elements and their files; a name may be there several times.
    pub install: Vec<(String, String)>,
    /// The same, at the end of the phase.
    pub uninstall: Vec<(String, String)>,
}

/// By phase.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Squashed {
    /// `install.d` and so on → its packages.
    pub phases: BTreeMap<String, Packages>,
    /// What has no effect in the files.
    pub warnings: Vec<Diagnostic>,
}

/// Why packages cannot be told; all reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SquashError(pub Vec<Diagnostic>);

impl Squashed {
    /// The text of `package-installs.json`, which `package-installs-v2` reads in the target.
    #[must_use]
    pub fn json(&self) -> String {
        let pairs = |list: &[(String, String)]| -> Vec<serde_json::Value> {
            list.iter().map(|(package, element)| serde_json::json!([package, element])).collect()
        };
        let mut phases = serde_json::Map::new();
        for (phase, packages) in &self.phases {
            let mut lists = serde_json::Map::new();
            for (name, list) in [("install", &packages.install), ("uninstall", &packages.uninstall)] {
                if !list.is_empty() {
                    lists.insert(name.to_owned(), pairs(list).into());
                }
            }
            if !lists.is_empty() {
                phases.insert(phase.clone(), lists.into());
            }
        }
        format!("{:#}\n", serde_json::Value::Object(phases))
    }

    /// Adds what an element's file says.
    ///
    /// # Errors
    /// A variable of a `when` is not set, or `ARCH` where an architecture is asked for.
    pub fn add(
        &mut self,
        element: &str,
        file: &PackageInstalls,
        env: &BTreeMap<String, String>,
    ) -> Result<(), Vec<Diagnostic>> {
        let mut errors = Vec::new();
        for entry in &file.entries {
            if let Err(error) = self.entry(element, entry, &file.file, env) {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    fn entry(
        &mut self,
        element: &str,
        entry: &PackageEntry,
        file: &Path,
        env: &BTreeMap<String, String>,
    ) -> Result<(), Diagnostic> {
        let package = &entry.package.value;
        let phase = self.phases.entry(entry.phase.value.clone()).or_default();
        let has = |list: &[(String, String)]| list.iter().any(|(name, _)| name == package);
        // Somebody wants to keep it: it is not uninstalled.
        let kept = has(&phase.install) && !has(&phase.uninstall);
        if entry.uninstall && kept && !entry.build_only {
            return Ok(());
        }
        if !entry.applies(element, file, env)? {
            return Ok(());
        }
        let wish = (package.clone(), element.to_owned());
        let removes = entry.uninstall || entry.build_only;
        if !removes {
            phase.uninstall.retain(|(name, _)| name != package);
        }
        if !removes || entry.build_only || kept {
            phase.install.push(wish.clone());
        }
        if removes && !kept {
            phase.uninstall.push(wish);
        }
        Ok(())
    }
}

impl PackageEntry {
    fn applies(&self, element: &str, file: &Path, env: &BTreeMap<String, String>) -> Result<bool, Diagnostic> {
        let value = |name: &str| env.get(name).map(String::as_str);
        if let Some(wanted) = &self.install_type {
            let own = value(&format!("DIB_INSTALLTYPE_{}", element.replace('-', "_")));
            let kind = own.or_else(|| value("DIB_DEFAULT_INSTALLTYPE")).unwrap_or("source");
            if kind != wanted.value {
                return Ok(false);
            }
        }
        for (list, wanted) in [(&self.arch, true), (&self.not_arch, false)] {
            if let Some(list) = list {
                let Some(arch) = value("ARCH") else {
                    return Err(unset("ARCH", file, list.line));
                };
                if list.value.iter().any(|one| one == arch) != wanted {
                    return Ok(false);
                }
            }
        }
        if let Some(version) = &self.python_version
            && version.value != value("DIB_PYTHON_VERSION").unwrap_or_default()
        {
            return Ok(false);
        }
        let mut applies = true;
        for when in &self.when {
            let Some(found) = value(&when.variable) else {
                return Err(unset(&when.variable, file, when.line));
            };
            applies &= (found == when.value) == when.equal;
        }
        Ok(applies)
    }
}

fn unset(variable: &str, file: &Path, line: u32) -> Diagnostic {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
    let at = text[start..].lines().next().and_then(|line| line.find(variable)).map(|column| start + column);
    let error = Diagnostic::error(file, format!("The variable <{variable}> is not set"));
    let error = error.hint(format!("export {variable}, or give it a value in a file of environment.d"));
    match at {
        Some(at) => error.at(Spot::of(&text, at..at + variable.len())),
        None => error,
    }
}

/// The packages of all elements of a set, in its order. Every element of a name counts, also those that are overridden; of each
/// the `.json` file comes before the `.yaml` file.
///
/// # Errors
/// All that is wrong in all files.
pub fn squash(
    catalogue: &Catalogue,
    set: &ElementSet,
    env: &BTreeMap<String, String>,
) -> Result<Squashed, SquashError> {
    let mut squashed = Squashed::default();
    let mut errors = Vec::new();
    for element in set.elements.iter().flat_map(|element| catalogue.all_named(&element.name)) {
        let contents = match element.contents() {
            Ok(contents) => contents,
            Err(more) => {
                errors.extend(more);
                continue;
            }
        };
        for file in contents.sources().filter(|file| file.kind == Kind::PackageInstalls) {
            let added = PackageInstalls::read(&file.path).and_then(|mut found| {
                squashed.warnings.append(&mut found.warnings);
                squashed.add(&element.name, &found, env)
            });
            errors.extend(added.err().unwrap_or_default());
        }
    }
    if errors.is_empty() { Ok(squashed) } else { Err(SquashError(errors)) }
}
