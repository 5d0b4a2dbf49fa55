//! From names to the elements of a build, by diskimage-builder's rules and in an order of our own.
//!
//! In: the catalogue and the names. Out: [`ElementSet`], or why there is none, in diskimage-builder's words.
//!
//! The rules: what an element depends on is in the set; a name that an element of the set provides is never an element; two
//! elements must not provide one name, nor may a user name what is provided; `operating-system` must be provided.
//!
//! The order: diskimage-builder's is that of a hash table, another in each run. Ours is depth first, what an element depends on
//! before it (the provider, for a name that is provided), in the order of its `element-deps`; the named elements in their
//! order. So where files of two elements have one place in the hook tree, that of the element that depends on the other stays.
//! A dependency that is no element is waited for until all others are known; diskimage-builder gives up when it meets it before
//! its provider, which depends on the hash table too.

use super::{Catalogue, DibElement};
use crate::nearest::suggest;
use crate::{Diagnostic, Spot};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

/// The elements of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElementSet {
    /// In order.
    pub elements: Vec<DibElement>,
    /// Provided name → the element that provides it.
    pub providers: BTreeMap<String, String>,
}

impl ElementSet {
    /// The elements' names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.elements.iter().map(|element| element.name.as_str()).collect()
    }
}

/// Who depends on a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The element.
    pub element: String,
    /// Its `element-deps`.
    pub file: PathBuf,
    /// The line there, from 1.
    pub line: u32,
}

/// Why names do not resolve. `Display` is diskimage-builder's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DibResolveError {
    /// `MissingElementException`.
    #[error("Element '{name}' not found")]
    Missing {
        /// The name.
        name: String,
        /// Who depends on it; none: the user names it.
        wanted: Option<Wanted>,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// `AlreadyProvidedException`, for two elements.
    #[error("{name}: already provided by ['{first}']")]
    ProvidedTwice {
        /// What is provided.
        name: String,
        /// Who provides it.
        first: String,
        /// Who provides it too.
        second: String,
    },
    /// `AlreadyProvidedException`, for a name that the user gives.
    #[error("{name} : already provided by ['{by}']")]
    NamedAndProvided {
        /// The name.
        name: String,
        /// Who provides it.
        by: String,
    },
    /// `MissingOSException`.
    #[error("Please include an operating system element")]
    MissingOs {
        /// Elements on the path that provide one.
        known: Vec<String>,
    },
}

impl DibResolveError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { hint, .. } => hint.clone(),
            Self::ProvidedTwice { first, second, .. } => Some(format!("leave out `{first}` or `{second}`")),
            Self::NamedAndProvided { name, by } => Some(format!("leave out `{name}`, or `{by}`, which provides it")),
            Self::MissingOs { known } if known.is_empty() => {
                Some("no element on ELEMENTS_PATH provides `operating-system`".to_owned())
            }
            Self::MissingOs { known } => Some(format!("elements with one: {}", known.join(", "))),
        }
    }

    /// The same with its place, for lists of problems; `subject` stands for what no file says.
    #[must_use]
    pub fn diagnostic(&self, subject: &std::path::Path) -> Diagnostic {
        let diagnostic = match self {
            Self::Missing { wanted: Some(wanted), .. } => {
                let text = std::fs::read_to_string(&wanted.file).unwrap_or_default();
                let spot = Spot::of_word(&text, wanted.line, "\n");
                Diagnostic::error(&wanted.file, self.to_string()).at(spot)
            }
            _ => Diagnostic::error(subject, self.to_string()),
        };
        diagnostic.hint(self.hint())
    }
}

/// All reasons that can be told at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct DibResolveErrors {
    /// At least one.
    pub errors: Vec<DibResolveError>,
}

/// Resolves names.
///
/// # Errors
/// See [`DibResolveError`].
pub fn resolve(catalogue: &Catalogue, names: &[String]) -> Result<ElementSet, DibResolveErrors> {
    let mut expansion = Expansion::new(catalogue);
    expansion.expand(names);
    let mut errors = std::mem::take(&mut expansion.errors);
    for name in names.iter().collect::<BTreeSet<_>>() {
        if let Some(by) = expansion.providers.get(name) {
            errors.push(DibResolveError::NamedAndProvided { name: name.clone(), by: by.clone() });
        }
    }
    if errors.is_empty() && !expansion.providers.contains_key("operating-system") {
        let known = catalogue.providers("operating-system").into_iter().map(str::to_owned).collect();
        errors.push(DibResolveError::MissingOs { known });
    }
    if !errors.is_empty() {
        return Err(DibResolveErrors { errors });
    }
    Ok(expansion.set(names))
}

/// The closure of names, whatever is wrong with it: what `isotope check` looks at. Names that are no elements are left out.
#[must_use]
pub fn closure(catalogue: &Catalogue, names: &[String]) -> ElementSet {
    let mut expansion = Expansion::new(catalogue);
    expansion.expand(names);
    expansion.set(names)
}

struct Expansion<'c> {
    catalogue: &'c Catalogue,
    /// Names that are in the set unless they are provided.
    members: BTreeSet<String>,
    providers: BTreeMap<String, String>,
    errors: Vec<DibResolveError>,
}

impl<'c> Expansion<'c> {
    fn new(catalogue: &'c Catalogue) -> Self {
        Self { catalogue, members: BTreeSet::new(), providers: BTreeMap::new(), errors: Vec::new() }
    }

    /// Breadth first, as diskimage-builder: it decides which elements that are provided later are expanded all the same.
    fn expand(&mut self, names: &[String]) {
        let mut queue: VecDeque<(String, Option<Wanted>)> = VecDeque::new();
        for name in names {
            if self.members.insert(name.clone()) {
                queue.push_back((name.clone(), None));
            }
        }
        let mut waiting = Vec::new();
        while let Some((name, wanted)) = queue.pop_front() {
            if self.providers.contains_key(&name) {
                continue;
            }
            let Some(element) = self.catalogue.elements.get(&name) else {
                waiting.push((name, wanted));
                continue;
            };
            self.provide(element);
            for need in &element.depends {
                let file = element.dir.join("element-deps");
                if self.members.insert(need.value.clone()) && !self.providers.contains_key(&need.value) {
                    let wanted = Wanted { element: name.clone(), file, line: need.line };
                    queue.push_back((need.value.clone(), Some(wanted)));
                }
            }
        }
        for (name, wanted) in waiting {
            if !self.providers.contains_key(&name) {
                let hint = self.hint(&name);
                self.errors.push(DibResolveError::Missing { name, wanted, hint });
            }
        }
    }

    fn provide(&mut self, element: &DibElement) {
        for name in &element.provides {
            if let Some(first) = self.providers.get(&name.value) {
                let (name, first, second) = (name.value.clone(), first.clone(), element.name.clone());
                self.errors.push(DibResolveError::ProvidedTwice { name, first, second });
            } else {
                self.providers.insert(name.value.clone(), element.name.clone());
            }
        }
    }

    fn hint(&self, name: &str) -> Option<String> {
        let providers = self.catalogue.providers(name);
        if !providers.is_empty() {
            return Some(format!("add an element that provides it: {}", providers.join(", ")));
        }
        let near = suggest(name, self.catalogue.elements.keys().map(String::as_str), "elements on ELEMENTS_PATH");
        near.filter(|hint| hint.starts_with("did you mean"))
            .or_else(|| Some(format!("no directory of ELEMENTS_PATH has it; they are {}", self.catalogue.path.join())))
    }

    /// The set, ordered.
    fn set(&self, names: &[String]) -> ElementSet {
        let mut elements = Vec::new();
        let mut seen = BTreeSet::new();
        // Elements whose dependencies are being placed, with how many of them are.
        let mut stack: Vec<(&DibElement, usize)> = Vec::new();
        // The members that are left after the first part are reached only through elements that others provide.
        for name in names.iter().chain(&self.members) {
            stack.extend(self.enter(name, &mut seen).map(|element| (element, 0)));
            while let Some((element, next)) = stack.pop() {
                if let Some(need) = element.depends.get(next) {
                    stack.push((element, next + 1));
                    stack.extend(self.enter(&need.value, &mut seen).map(|element| (element, 0)));
                } else {
                    elements.push(element.clone());
                }
            }
        }
        ElementSet { elements, providers: self.providers.clone() }
    }

    /// The element that stands for a name, if it was not met before.
    fn enter(&self, name: &str, seen: &mut BTreeSet<String>) -> Option<&'c DibElement> {
        let name = self.providers.get(name).map_or(name, String::as_str);
        let element = self.catalogue.elements.get(name)?;
        (!self.providers.contains_key(name) && seen.insert(name.to_owned())).then_some(element)
    }
}

#[cfg(test)]
mod tests;
