//! `when`: whether an action applies to this target.

use crate::{Arch, Family, TargetFacts, Tree, Value, Values};
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
    /// What the root is made of; empty: any.
    pub tree: Vec<Tree>,
    /// Variable of this element (or `element.variable`) → accepted values. A variable that is a list holds if one of the
    /// accepted values is in it. A variable of an element that is not in the set never holds.
    pub vars: BTreeMap<String, Vec<Value>>,
}

impl Condition {
    /// Whether it holds for this target; `var` looks a variable up by the name written in the condition.
    pub fn holds<'v>(&self, target: &TargetFacts, var: impl Fn(&str) -> Option<&'v Value>) -> bool {
        fn any<T: PartialEq>(accepted: &[T], actual: &T) -> bool {
            accepted.is_empty() || accepted.contains(actual)
        }
        let Self { distro, family, release, arch, tree, vars } = self;
        any(distro, &target.distro)
            && any(family, &target.family)
            && any(release, &target.release)
            && any(arch, &target.arch)
            && any(tree, &target.tree)
            && vars
                .iter()
                .all(|(name, accepted)| var(name).is_some_and(|value| accepted.iter().any(|one| one.matches(value))))
    }

    /// Whether it holds for an action of `element`.
    #[must_use]
    pub fn holds_for(&self, element: &str, target: &TargetFacts, values: &Values) -> bool {
        self.holds(target, |name| values.get(element, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_must_hold() {
        let target = TargetFacts {
            arch: Arch::X86_64,
            distro: "debian".into(),
            family: Family::Debian,
            release: "trixie".into(),
            tree: Tree::Package,
        };
        let own = BTreeMap::from([
            ("bios".to_owned(), Value::Bool(true)),
            ("sources".to_owned(), Value::List(vec!["Ec2".into()])),
        ]);
        let values = Values(BTreeMap::from([("e".to_owned(), own)]));
        let vars = |name: &str, value: Value| Condition {
            vars: BTreeMap::from([(name.into(), vec![value])]),
            ..Condition::default()
        };
        let family = |family| Condition { family: vec![family], ..Condition::default() };
        for (condition, expected) in [
            (Condition::default(), true),
            (family(Family::Debian), true),
            (family(Family::Redhat), false),
            (Condition { release: vec!["bookworm".into(), "trixie".into()], ..family(Family::Debian) }, true),
            (Condition { arch: vec![Arch::Aarch64], ..family(Family::Debian) }, false),
            (Condition { tree: vec![Tree::Package], ..Condition::default() }, true),
            (Condition { tree: vec![Tree::Ostree], ..family(Family::Debian) }, false),
            (vars("bios", Value::Bool(true)), true),
            (vars("bios", Value::Text("true".into())), true),
            (vars("bios", Value::Bool(false)), false),
            (vars("e.bios", Value::Bool(true)), true),
            (vars("absent.bios", Value::Bool(true)), false),
            (vars("sources", Value::Text("Ec2".into())), true),
            (vars("sources", Value::Text("NoCloud".into())), false),
        ] {
            assert_eq!(condition.holds_for("e", &target, &values), expected, "{condition:?}");
        }
    }
}
