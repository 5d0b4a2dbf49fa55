//! Resolution: from names to an ordered set.
//!
//! In: the catalogue and the names that a user or recipe gives. Out: [`ElementSet`], or every reason why there is none.
//! Order: depth first; what an element requires comes before it, in the order of its `requires`, then what it must come `after`
//! (if that is in the set); requested elements in the order in which they were named.

use crate::diagnostic::sort;
use crate::nearest::{suggest, suggest_near};
use crate::{Catalogue, Diagnostic, Element, HookFile, Located, Phase, Spot};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

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

    /// The hooks of a phase, of all elements, in the order in which they run: by leading number, then bytes, then element order.
    #[must_use]
    pub fn hooks(&self, phase: Phase) -> Vec<&HookFile> {
        let mut hooks: Vec<&HookFile> =
            self.elements.iter().filter_map(|element| element.hooks.get(&phase)).flatten().collect();
        hooks.sort_by(|a, b| a.order().cmp(&b.order()));
        hooks
    }
}

/// Why names do not resolve; all reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ResolveErrors {
    /// Each with file and line where there is one.
    pub errors: Vec<Diagnostic>,
}

/// `others`: what names may mean beside elements of the catalogue, for the hint at an unknown one.
pub(crate) fn resolve(catalogue: &Catalogue, names: &[&str], others: &[&str]) -> Result<ElementSet, ResolveErrors> {
    let mut resolver =
        Resolver { catalogue, others, closure: Vec::new(), providers: BTreeMap::new(), errors: Vec::new() };
    resolver.close(names);
    resolver.check_relations();
    let order = resolver.order(names);
    resolver.check_references();
    resolver.check_hooks();
    let Resolver { providers, mut errors, .. } = resolver;
    if !errors.is_empty() {
        sort(&mut errors);
        return Err(ResolveErrors { errors });
    }
    let elements: Vec<Element> = order.iter().filter_map(|name| catalogue.elements.get(*name)).cloned().collect();
    let requires = elements
        .iter()
        .map(|element| {
            let needs =
                element.manifest.requires.iter().filter_map(|need| providers.get(&need.value).cloned()).collect();
            (element.name.clone(), needs)
        })
        .collect();
    let requested = names.iter().map(|name| (*name).to_owned()).collect();
    Ok(ElementSet { elements, requested, requires, providers })
}

/// A name, and the element and place that require it (none: the user).
type Wanted<'c> = (String, Option<(&'c Element, &'c Located<String>)>);

struct Resolver<'c> {
    catalogue: &'c Catalogue,
    others: &'c [&'c str],
    /// Elements in the set, in the order in which they were found.
    closure: Vec<&'c Element>,
    /// Own and provided names → element, of the set.
    providers: BTreeMap<String, String>,
    errors: Vec<Diagnostic>,
}

impl<'c> Resolver<'c> {
    fn error(&mut self, element: &Element, at: &Located<String>, message: String, hint: Option<String>) {
        let text = std::fs::read_to_string(&element.manifest.file).unwrap_or_default();
        let start: usize = text.split_inclusive('\n').take(at.line.saturating_sub(1) as usize).map(str::len).sum();
        let line = text[start..].lines().next().unwrap_or_default();
        // The name as it stands on its line; several elements may be named there.
        let spot = line
            .find(&format!("\"{}\"", at.value))
            .map(|column| crate::Spot::of(&text, start + column..start + column + at.value.len() + 2));
        let diagnostic = Diagnostic::error(&element.manifest.file, message).hint(hint);
        self.errors.push(if let Some(spot) = spot { diagnostic.at(spot) } else { diagnostic });
    }

    /// Finds every element that the names pull in.
    fn close(&mut self, names: &[&str]) {
        let mut queue: VecDeque<Wanted<'c>> = names.iter().map(|name| ((*name).to_owned(), None)).collect();
        let mut provided = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some((name, wanted)) = queue.pop_front() {
            if let Some(element) = self.catalogue.elements.get(&name) {
                if seen.insert(name) {
                    self.enter(element);
                    queue.extend(
                        element.manifest.requires.iter().map(|need| (need.value.clone(), Some((element, need)))),
                    );
                }
            } else {
                provided.push((name, wanted));
            }
        }
        for (name, wanted) in provided {
            if !self.providers.contains_key(&name) {
                self.missing(&name, wanted);
            }
        }
    }

    fn enter(&mut self, element: &'c Element) {
        self.closure.push(element);
        let names = std::iter::once(&element.name).chain(element.manifest.provides.iter().map(|name| &name.value));
        for name in names {
            match self.providers.get(name) {
                Some(other) if *other != element.name => {
                    let message = format!("`{name}` is provided twice: by `{other}` and by `{}`", element.name);
                    let hint = "leave one of them out".to_owned();
                    self.errors.push(Diagnostic::error(&element.manifest.file, message).hint(hint));
                }
                _ => {
                    self.providers.insert(name.clone(), element.name.clone());
                }
            }
        }
    }

    fn missing(&mut self, name: &str, wanted: Option<(&Element, &Located<String>)>) {
        let who: Vec<&str> = self
            .catalogue
            .elements
            .values()
            .filter(|element| element.manifest.provides.iter().any(|provided| provided.value == name))
            .map(|element| element.name.as_str())
            .collect();
        let hint = if !who.is_empty() {
            Some(format!("add an element that provides it: {}", who.join(", ")))
        } else if let Some(dir) = self.catalogue.foreign.get(name) {
            Some(format!(
                "{} has no element.toml: it is in diskimage-builder's format, which elements of Isotope's cannot require; name it in the recipe",
                dir.display()
            ))
        } else {
            let known = self.catalogue.elements.keys().map(String::as_str);
            let other = || suggest_near(name, self.others.iter().copied().filter(|_| wanted.is_none()));
            suggest_near(name, known.clone()).or_else(other).or_else(|| suggest(name, known, "known elements"))
        };
        match wanted {
            Some((element, need)) => {
                let message = format!("element `{}` requires `{name}`, which is not there", element.name);
                self.error(element, need, message, hint);
            }
            None => {
                self.errors.push(Diagnostic::error(Path::new(""), format!("there is no element `{name}`")).hint(hint))
            }
        }
    }

    fn check_relations(&mut self) {
        for element in self.closure.clone() {
            for conflict in &element.manifest.conflicts {
                if let Some(other) =
                    self.providers.get(&conflict.value).filter(|other| **other != element.name).cloned()
                {
                    let message = format!("element `{}` conflicts with `{other}`, and both are wanted", element.name);
                    self.error(element, conflict, message, Some("leave one of them out".to_owned()));
                }
            }
        }
    }

    /// Templates and conditions name other elements' variables; now it is known who is there.
    fn check_references(&mut self) {
        for element in self.closure.clone() {
            for reference in &element.references {
                // By the element's own name: templates see no provided names.
                let owner = self.closure.iter().find(|owner| owner.name == reference.element);
                let (message, hint) = match owner {
                    Some(owner) if owner.manifest.vars.contains_key(&reference.var) => continue,
                    Some(owner) => (
                        format!("`{}` has no variable `{}`", owner.name, reference.var),
                        suggest(&reference.var, owner.manifest.vars.keys().map(String::as_str), "its variables"),
                    ),
                    // A condition about an element that is not there does not hold; that is no error.
                    None if reference.accepts.is_some() => continue,
                    None => (
                        format!("`{}.{}` names an element that is not in the build", reference.element, reference.var),
                        Some(format!("add `{}` to `requires`", reference.element)),
                    ),
                };
                self.errors.push(Diagnostic::error(&reference.file, message).at(reference.spot.clone()).hint(hint));
            }
        }
    }

    fn check_hooks(&mut self) {
        for element in &self.closure {
            for hook in element.hooks.values().flatten().filter(|hook| !hook.executable) {
                let message = format!("the hook `{}` of element `{}` is not executable", hook.name, element.name);
                self.errors
                    .push(Diagnostic::error(&hook.path, message).hint(format!("chmod +x {}", hook.path.display())));
            }
        }
    }

    /// Depth first from the requested names; a way back to an element on the path is a cycle.
    fn order(&mut self, names: &[&str]) -> Vec<&'c str> {
        let mut walk = Walk {
            catalogue: self.catalogue,
            providers: &self.providers,
            path: Vec::new(),
            done: Vec::new(),
            cycles: BTreeSet::new(),
        };
        for name in names {
            if let Some(owner) = walk.owner(name) {
                walk.visit(owner);
            }
        }
        let Walk { done, cycles, .. } = walk;
        for cycle in cycles {
            let first = cycle.first().and_then(|name| self.catalogue.elements.get(*name));
            let manifest = first.map(|element| &element.manifest);
            let file = manifest.map(|manifest| manifest.file.clone()).unwrap_or_default();
            // The line by which the first one needs the second.
            let provider = |need: &str| self.providers.get(need).map(String::as_str);
            let needs = manifest.into_iter().flat_map(|manifest| manifest.requires.iter().chain(&manifest.after));
            let need = needs.into_iter().find(|need| provider(&need.value) == cycle.get(1).copied());
            let spot = need.map(|need| {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                Spot::of_word(&text, need.line, &need.value)
            });
            let message = format!("elements need each other in a circle: {}", cycle.join(" → "));
            let hint = "take one `requires` or `after` of this circle away".to_owned();
            let error = Diagnostic::error(&file, message).hint(hint);
            self.errors.push(spot.into_iter().fold(error, Diagnostic::at));
        }
        done
    }
}

struct Walk<'c, 'p> {
    catalogue: &'c Catalogue,
    providers: &'p BTreeMap<String, String>,
    path: Vec<&'c str>,
    done: Vec<&'c str>,
    cycles: BTreeSet<Vec<&'c str>>,
}

impl<'c> Walk<'c, '_> {
    fn owner(&self, name: &str) -> Option<&'c Element> {
        self.catalogue.elements.get(self.providers.get(name)?)
    }

    fn visit(&mut self, element: &'c Element) {
        let name = element.name.as_str();
        if self.done.contains(&name) {
            return;
        }
        if let Some(at) = self.path.iter().position(|one| *one == name) {
            // Turned so that it begins with the least name: one circle, one message.
            let mut circle = self.path[at..].to_vec();
            let least = circle.iter().enumerate().min_by_key(|(_, one)| **one).map_or(0, |(index, _)| index);
            circle.rotate_left(least);
            circle.extend(circle.first().copied());
            self.cycles.insert(circle);
            return;
        }
        self.path.push(name);
        for need in element.manifest.requires.iter().chain(&element.manifest.after) {
            if let Some(next) = self.owner(&need.value).filter(|next| next.name != name) {
                self.visit(next);
            }
        }
        self.path.pop();
        self.done.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn catalogue(elements: &[(&str, &str)]) -> (tempfile::TempDir, Catalogue) {
        let dir = tempfile::tempdir().unwrap();
        for (name, body) in elements {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("element.toml"), format!("summary = \"{name}\"\n{body}"))
                .unwrap();
        }
        let catalogue = crate::load(&[dir.path().to_owned()]).unwrap();
        (dir, catalogue)
    }

    fn names(set: &ElementSet) -> Vec<&str> {
        set.elements.iter().map(|element| element.name.as_str()).collect()
    }

    #[test]
    fn dependencies_come_first_in_the_order_they_are_written() {
        let (_dir, catalogue) = catalogue(&[
            ("a", "requires = [\"c\", \"b\"]\n"),
            ("b", "after = [\"d\"]\n"),
            ("c", ""),
            ("d", ""),
            ("os", "provides = [\"operating-system\"]\n"),
            ("e", "requires = [\"operating-system\"]\n"),
        ]);
        assert_eq!(names(&catalogue.resolve(&["a"]).unwrap()), ["c", "b", "a"]);
        assert_eq!(names(&catalogue.resolve(&["a", "d"]).unwrap()), ["c", "d", "b", "a"]);
        assert_eq!(names(&catalogue.resolve(&["e", "os"]).unwrap()), ["os", "e"]);
        assert_eq!(catalogue.resolve(&["e", "os"]).unwrap().requires["e"], ["os"]);
    }

    #[test]
    fn every_fault_is_told() {
        let (_dir, catalogue) = catalogue(&[
            ("a", "requires = [\"b\", \"nothing\"]\nconflicts = [\"c\"]\n"),
            ("b", "requires = [\"c\"]\n"),
            ("c", "requires = [\"b\", \"operating-system\"]\n"),
            ("os", "provides = [\"operating-system\"]\n"),
        ]);
        let text = catalogue.resolve(&["a", "oss"]).unwrap_err().to_string();
        for part in [
            "requires `nothing`",
            "element.toml:2",
            "conflicts with `c`",
            "b → c → b",
            "no element `oss`",
            "did you mean `os`?",
            "an element that provides it: os",
        ] {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
    }

    #[test]
    fn two_providers_of_one_name_are_refused() {
        let (_dir, catalogue) = catalogue(&[("a", "provides = [\"x\"]\n"), ("b", "provides = [\"x\"]\n")]);
        assert!(catalogue.resolve(&["a", "b"]).unwrap_err().to_string().contains("provided twice: by `a` and by `b`"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// For any acyclic set of elements: the order is stable, complete, without repetition, and dependencies come first.
        #[test]
        fn order_is_stable_and_dependencies_come_first(edges in prop::collection::vec((0usize..8, 0usize..8), 0..20), seed in 0usize..8) {
            let bodies: Vec<(String, String)> = (0..8).map(|from| {
                let needs: BTreeSet<usize> = edges.iter().filter(|(a, b)| *a == from && b < a).map(|(_, b)| *b).collect();
                let list: Vec<String> = needs.iter().map(|to| format!("\"e{to}\"")).collect();
                (format!("e{from}"), format!("requires = [{}]\n", list.join(", ")))
            }).collect();
            let borrowed: Vec<(&str, &str)> = bodies.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
            let (_dir, catalogue) = catalogue(&borrowed);
            let wanted = [format!("e{seed}"), "e7".to_owned()];
            let set = catalogue.resolve(&wanted).unwrap();
            prop_assert_eq!(&set, &catalogue.resolve(&wanted).unwrap());
            let order = names(&set);
            let unique: BTreeSet<&&str> = order.iter().collect();
            prop_assert_eq!(unique.len(), order.len());
            for (place, name) in order.iter().enumerate() {
                for need in &set.requires[*name] {
                    prop_assert!(order.iter().position(|one| one == need).is_some_and(|at| at < place));
                }
            }
        }
    }
}
