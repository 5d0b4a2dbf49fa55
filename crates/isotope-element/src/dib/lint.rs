//! What an element of diskimage-builder's should be, beyond what makes it load: `isotope check`.
//!
//! In: the catalogue and an element of it. Out: errors (a build with it fails), warnings (it does not do what its author wants)
//! and notes. One rule, one function, one line in [`RULES`]. Nothing is run: what only a shell can tell, the caller asks one
//! ([`shell_files`]).

mod files;
mod names;
mod scripts;

pub use scripts::{Dialect, ShellFile, shell_files};

use super::{Catalogue, Contents, DibElement, ElementSet, HookTree, HookTreeError, closure};
use crate::diagnostic::sort;
use crate::{Diagnostic, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// An element and all that is known around it.
struct Subject<'s> {
    element: &'s DibElement,
    contents: Contents,
    linter: &'s Linter<'s>,
    /// It, and what it depends on.
    closure: ElementSet,
    /// The closure's hooks, if they can be merged.
    tree: Result<HookTree, HookTreeError>,
}

type Rule = fn(&Subject<'_>, &mut Vec<Diagnostic>);

const RULES: &[Rule] = &[
    names::dependencies,
    names::resolution,
    names::overrides,
    names::collisions,
    names::readme,
    scripts::ignored,
    scripts::never_run,
    scripts::directories,
    scripts::interpreters,
    scripts::environment,
    scripts::unbound,
    scripts::downloads,
    files::near_names,
    files::overwritten,
    files::formats,
];

/// Checks elements of a catalogue.
pub struct Linter<'c> {
    catalogue: &'c Catalogue,
    /// Names that elements of Isotope's own have or provide.
    native: &'c BTreeSet<String>,
    /// Entries of first-level directories → the elements that have them.
    entries: BTreeMap<PathBuf, BTreeSet<&'c str>>,
}

impl<'c> Linter<'c> {
    /// A linter for the elements of a catalogue; `native` are names that Isotope's own elements have or provide.
    #[must_use]
    pub fn new(catalogue: &'c Catalogue, native: &'c BTreeSet<String>) -> Self {
        let mut entries: BTreeMap<PathBuf, BTreeSet<&str>> = BTreeMap::new();
        for element in catalogue.elements.values() {
            // What cannot be read is told when that element is looked at.
            for (dir, found) in element.contents().unwrap_or_default().dirs {
                for entry in found.iter().filter(|entry| entry.kind != super::EntryKind::Directory) {
                    entries.entry(Path::new(&dir).join(&entry.name)).or_default().insert(&element.name);
                }
            }
        }
        Self { catalogue, native, entries }
    }

    /// Everything that can be said about an element.
    #[must_use]
    pub fn check(&self, element: &DibElement) -> Vec<Diagnostic> {
        let contents = match element.contents() {
            Ok(contents) => contents,
            Err(errors) => return errors,
        };
        let closure = closure(self.catalogue, std::slice::from_ref(&element.name));
        let tree = HookTree::merge(&closure);
        let subject = Subject { element, contents, linter: self, closure, tree };
        let mut found = Vec::new();
        for rule in RULES {
            rule(&subject, &mut found);
        }
        sort(&mut found);
        found
    }
}

impl Subject<'_> {
    fn is_mine(&self, path: &Path) -> bool {
        path.starts_with(&self.element.dir)
    }

    /// The hooks of the closure, or, where they collide, of this element alone.
    fn tree_of_mine(&self) -> Option<HookTree> {
        match &self.tree {
            Ok(tree) => Some(tree.clone()),
            Err(_) => {
                let alone = ElementSet { elements: vec![self.element.clone()], ..ElementSet::default() };
                HookTree::merge(&alone).ok()
            }
        }
    }
}

fn told(file: &Path, severity: Severity, message: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
    Diagnostic::error(file, message).severity(severity).hint(hint.into())
}

#[cfg(test)]
mod tests;
