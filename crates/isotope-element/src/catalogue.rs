//! The catalogue: every element of a search path, loaded and validated.
//!
//! In: directories, earlier wins. Out: [`Catalogue`], or every problem of every manifest at once.

mod references;

use crate::diagnostic::sort;
use crate::validate::{self, Reference};
use crate::{
    Diagnostic, ElementSet, HookFile, Manifest, ManifestError, Origin, Phase, ResolveErrors, Severity, hook, resolve,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One element.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Its directory's name.
    pub name: String,
    /// Its directory, absolute.
    pub dir: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its hooks, in run-parts order.
    pub hooks: BTreeMap<Phase, Vec<HookFile>>,
    /// Names of other elements' variables that it uses; checked at resolution.
    pub(crate) references: Vec<Reference>,
}

impl Element {
    /// Where something on this line of its manifest comes from.
    #[must_use]
    pub fn origin(&self, line: u32) -> Origin {
        Origin { element: self.name.clone(), file: Some(self.manifest.file.clone()), line: Some(line) }
    }
}

/// All elements of a search path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalogue {
    /// By name; where two directories have one, the earlier directory's.
    pub elements: BTreeMap<String, Element>,
    /// Directories without `element.toml`, by name: in diskimage-builder's format, which [`crate::dib`] reads.
    pub foreign: BTreeMap<String, PathBuf>,
    /// What a user may want to know: overridden elements, ignored hook files.
    pub notes: Vec<Diagnostic>,
    /// Names of elements that have errors of their own: what others say about them cannot be judged.
    broken: BTreeSet<String>,
}

/// Load every element of the search path. Earlier directories win; the caller puts the built-in one last.
///
/// # Errors
/// All problems of all manifests at once.
pub fn load(search_path: &[PathBuf]) -> Result<Catalogue, Vec<ManifestError>> {
    let mut catalogue = Catalogue::default();
    let mut problems = Vec::new();
    for path in search_path {
        match list(path) {
            Ok(dirs) => {
                for dir in dirs {
                    catalogue.add(&dir, &mut problems);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    references::check(&mut catalogue, &mut problems);
    sort(&mut problems);
    if problems.is_empty() { Ok(catalogue) } else { Err(problems) }
}

/// Load one element from its directory.
///
/// # Errors
/// All problems of its manifest, templates and hooks; warnings are the second of the pair otherwise.
pub(crate) fn load_one(dir: &Path) -> Result<(Element, Vec<Diagnostic>), Vec<Diagnostic>> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = dir.join("element.toml");
    let text = std::fs::read_to_string(&file)
        .map_err(|error| vec![Diagnostic::error(&file, format!("cannot be read: {error}"))])?;
    let (hooks, found) = hook::find(&name, dir);
    let (mut problems, notes): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| one.severity == Severity::Error);
    if !validate::is_element_name(&name) {
        let message = format!("`{name}` cannot name an element: use lower case letters, digits, `-` and `_`");
        problems.push(Diagnostic::error(dir, message));
    }
    match validate::manifest(dir, &file, &text) {
        Ok((manifest, references)) if problems.is_empty() => {
            Ok((Element { name, dir: dir.to_owned(), manifest, hooks, references }, notes))
        }
        Ok(_) => Err(problems),
        Err(more) => Err(problems.into_iter().chain(more).collect()),
    }
}

/// The sub-directories of one directory of the search path, sorted.
fn list(path: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let entries = path.canonicalize().and_then(std::fs::read_dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| {
        Diagnostic::error(path, format!("this directory of the elements path cannot be listed: {error}"))
            .hint("name directories that hold elements in --elements-path and ELEMENTS_PATH".to_owned())
    })?;
    let mut dirs: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    dirs.retain(|dir| !dir.file_name().unwrap_or_default().to_string_lossy().starts_with('.'));
    dirs.sort();
    Ok(dirs)
}

impl Catalogue {
    fn add(&mut self, dir: &Path, problems: &mut Vec<Diagnostic>) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !dir.join("element.toml").is_file() {
            // It hides no element of ours, also where it is earlier on the path: only ours can be used where this is asked.
            if !self.elements.contains_key(&name) {
                self.foreign.entry(name).or_insert_with(|| dir.to_owned());
            }
            return;
        }
        if let Some(first) = self.elements.get(&name) {
            let message = format!("element `{name}` is overridden by {}", first.dir.display());
            self.notes.push(Diagnostic::error(dir, message).severity(Severity::Note));
            return;
        }
        if self.broken.contains(&name) {
            return;
        }
        self.foreign.remove(&name);
        match load_one(dir) {
            Ok((element, notes)) => {
                self.notes.extend(notes);
                self.elements.insert(name, element);
            }
            Err(more) => {
                problems.extend(more);
                self.broken.insert(name);
            }
        }
    }

    /// The closure of `names`, ordered.
    ///
    /// # Errors
    /// All problems at once.
    pub fn resolve<S: AsRef<str>>(&self, names: &[S]) -> Result<ElementSet, ResolveErrors> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        resolve::resolve(self, &names, &[])
    }
}
