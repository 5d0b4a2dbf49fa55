//! ELEMENTS_PATH, and every element on it.
//!
//! In: directories, earlier wins. Out: [`Catalogue`]. A directory on the path holds elements; every directory in it is one.

use super::DibElement;
use crate::diagnostic::sort;
use crate::{Diagnostic, Severity};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The directories that hold elements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ElementsPath {
    /// Earlier wins.
    pub entries: Vec<PathBuf>,
}

impl ElementsPath {
    /// From a list with colons. An empty entry is an entry, as in diskimage-builder, and no directory.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        Self { entries: list.split(':').map(PathBuf::from).collect() }
    }

    /// The same with another directory behind all others, if it is not on the path yet.
    #[must_use]
    pub fn then(mut self, dir: &Path) -> Self {
        if !self.entries.iter().any(|entry| entry == dir) {
            self.entries.push(dir.to_owned());
        }
        self
    }

    /// As a list with colons.
    #[must_use]
    pub fn join(&self) -> String {
        let entries: Vec<String> = self.entries.iter().map(|entry| entry.display().to_string()).collect();
        entries.join(":")
    }
}

/// An entry of ELEMENTS_PATH is no directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ELEMENTS_PATH entry '{}' is not a directory", .entry.display())]
pub struct InvalidElementDir {
    /// The entry.
    pub entry: PathBuf,
}

/// Every element of a path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalogue {
    /// The path it was read from.
    pub path: ElementsPath,
    /// By name; where several directories have one, the earliest directory's.
    pub elements: BTreeMap<String, DibElement>,
    /// The others of a name, in the path's order. Their `package-installs` files still count: diskimage-builder reads those
    /// of every element of the name.
    pub overridden: BTreeMap<String, Vec<DibElement>>,
    /// Warnings: elements that override others.
    pub notes: Vec<Diagnostic>,
}

impl Catalogue {
    /// The elements that provide a name.
    #[must_use]
    pub fn providers(&self, name: &str) -> Vec<&str> {
        let provides = |element: &&DibElement| element.provides.iter().any(|provided| provided.value == name);
        self.elements.values().filter(provides).map(|element| element.name.as_str()).collect()
    }

    /// All elements of a name, the one that counts first.
    pub fn all_named<'c>(&'c self, name: &str) -> impl Iterator<Item = &'c DibElement> {
        self.elements.get(name).into_iter().chain(self.overridden.get(name).into_iter().flatten())
    }

    fn add(&mut self, element: DibElement) {
        let Some(first) = self.elements.get(&element.name) else {
            self.elements.insert(element.name.clone(), element);
            return;
        };
        let others = self.overridden.entry(element.name.clone()).or_default();
        // A directory that is on the path twice, or has two names, overrides nothing.
        if first.dir == element.dir || others.iter().any(|other| other.dir == element.dir) {
            return;
        }
        let message = format!("Element <{}> overrides <{}>", first.dir.display(), element.dir.display());
        self.notes.push(Diagnostic::error(&element.dir, message).severity(Severity::Warning));
        others.push(element);
    }
}

/// Why a catalogue could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// An entry of the path is no directory.
    #[error(transparent)]
    Path(#[from] InvalidElementDir),
    /// Files that cannot be read.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Files(Vec<Diagnostic>),
}

/// Reads every element of the path.
///
/// # Errors
/// An entry is no directory, or a file that names elements cannot be read.
pub fn load(path: &ElementsPath) -> Result<Catalogue, LoadError> {
    if let Some(entry) = path.entries.iter().find(|entry| !entry.is_dir()) {
        return Err(InvalidElementDir { entry: entry.clone() }.into());
    }
    let mut catalogue = Catalogue { path: path.clone(), ..Catalogue::default() };
    let mut errors = Vec::new();
    for entry in &path.entries {
        let listed = match super::contents::list(entry) {
            Ok(listed) => listed,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        for listed in listed {
            // An element of Isotope's own.
            if listed.join("element.toml").exists() {
                continue;
            }
            match DibElement::read(&listed) {
                Ok(Some(element)) => catalogue.add(element),
                Ok(None) => {}
                Err(more) => errors.extend(more),
            }
        }
    }
    catalogue.overridden.retain(|_, others| !others.is_empty());
    if errors.is_empty() {
        Ok(catalogue)
    } else {
        sort(&mut errors);
        Err(LoadError::Files(errors))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{World, catalogue};
    use super::*;

    #[test]
    fn earlier_directories_win_and_it_is_told() {
        let (first, second) = (World::new(), World::new());
        first.element("vm", &[], &[]).link("again", "vm");
        second.element("vm", &[], &[]).element("base", &[], &[]).file("native/element.toml", 0o644, "");
        let found = catalogue(&[first.path(), second.path(), first.path()]);
        assert_eq!(found.elements.keys().collect::<Vec<_>>(), ["base", "vm"]);
        let real = |world: &World, name: &str| world.path().canonicalize().unwrap().join(name);
        assert_eq!(found.elements["vm"].dir, real(&first, "vm"));
        assert_eq!(found.overridden["vm"][0].dir, real(&second, "vm"));
        assert_eq!(found.all_named("vm").count(), 2);
        let notes: Vec<&str> = found.notes.iter().map(|note| note.message.as_str()).collect();
        let expected =
            format!("Element <{}> overrides <{}>", real(&first, "vm").display(), real(&second, "vm").display());
        assert_eq!(notes, [expected]);
    }

    #[test]
    fn an_entry_that_is_no_directory_is_an_error() {
        let world = World::new();
        for entry in ["/not/a/dir", ""] {
            let path = ElementsPath::parse(&format!("{}:{entry}", world.path().display()));
            let error = load(&path).unwrap_err().to_string();
            assert_eq!(error, format!("ELEMENTS_PATH entry '{entry}' is not a directory"));
        }
    }

    #[test]
    fn the_path_is_a_list_with_colons() {
        let path = ElementsPath::parse("/a:/b").then(Path::new("/c")).then(Path::new("/a"));
        assert_eq!(path.join(), "/a:/b:/c");
    }
}
