//! Resolution: from names to an ordered set.

use crate::{Diagnostic, Element, HookFile, Phase};
use std::collections::BTreeMap;

/// Elements that belong together, in order: depth-first, dependencies before dependents, in order of the user's list and of
/// each manifest's `requires`; `after` respected.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElementSet {
    /// In order.
    pub elements: Vec<Element>,
    /// What the user asked for.
    pub requested: Vec<String>,
    /// Element → its direct dependencies, by element name (provided names replaced by their provider).
    pub requires: BTreeMap<String, Vec<String>>,
    /// Provided name (and own name) → element.
    pub providers: BTreeMap<String, String>,
}

impl ElementSet {
    /// An element of the set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.name == name)
    }

    /// The hooks of a phase, of all elements, in the order in which they run.
    #[must_use]
    pub fn hooks(&self, phase: Phase) -> Vec<&HookFile> {
        self.elements.iter().filter_map(|element| element.hooks.get(&phase)).flatten().collect()
    }
}

/// Why names do not resolve; all reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ResolveErrors {
    /// Each with file and line where there is one.
    pub errors: Vec<Diagnostic>,
}
