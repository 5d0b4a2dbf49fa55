//! `when`: whether an action applies to this target.

use crate::{Arch, Family, TargetFacts, Value};
use std::collections::BTreeMap;

/// All parts must hold; inside a part, one of the listed values. The default holds always.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Condition {
    /// Names of distributions; empty: any.
    pub distro: Vec<String>,
    /// Families; empty: any.
    pub family: Vec<Family>,
    /// Releases; empty: any.
    pub release: Vec<String>,
    /// Architectures; empty: any.
    pub arch: Vec<Arch>,
    /// Variable of this element (or `element.variable`) → accepted values.
    pub vars: BTreeMap<String, Vec<Value>>,
}

impl Condition {
    /// Whether it holds for this target; `var` looks a variable up by the name written in the condition.
    pub fn holds<'v>(&self, target: &TargetFacts, var: impl Fn(&str) -> Option<&'v Value>) -> bool {
        fn any<T: PartialEq>(accepted: &[T], actual: &T) -> bool {
            accepted.is_empty() || accepted.contains(actual)
        }
        any(&self.distro, &target.distro)
            && any(&self.family, &target.family)
            && any(&self.release, &target.release)
            && any(&self.arch, &target.arch)
            && self.vars.iter().all(|(name, accepted)| var(name).is_some_and(|value| accepted.iter().any(|a| a.matches(value))))
    }
}
