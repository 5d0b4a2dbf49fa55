//! The catalogue: every element of a search path, loaded and validated.

use crate::{Diagnostic, ElementSet, HookFile, Manifest, ManifestError, Origin, Phase, ResolveErrors};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    /// Directories without `element.toml`, by name: diskimage-builder style, not read yet.
    pub foreign: BTreeMap<String, PathBuf>,
    /// What a user may want to know: overridden elements, ignored hook files.
    pub notes: Vec<Diagnostic>,
}

/// Load every element of the search path. Earlier directories win; the caller puts the built-in one last.
///
/// # Errors
/// All problems of all manifests at once.
pub fn load(search_path: &[PathBuf]) -> Result<Catalogue, Vec<ManifestError>> {
    let _ = search_path;
    todo!()
}

impl Catalogue {
    /// The closure of `names`, ordered.
    ///
    /// # Errors
    /// All problems at once.
    pub fn resolve<S: AsRef<str>>(&self, names: &[S]) -> Result<ElementSet, ResolveErrors> {
        let _ = names;
        todo!()
    }
}
