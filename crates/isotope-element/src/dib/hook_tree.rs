//! The merge of all elements into one tree of hooks, as data.
//!
//! In: the elements of a build, in order. Out: [`HookTree`] (destination → source), or every collision. First-level directories
//! are merged; two elements must not have an entry of one name in one of them. What lies deeper, and top-level files, are
//! overwritten: the element that comes later in the set's order stays. Links are copied as links.

use super::environment::EnvironmentFile;
use super::run_parts::{self, Candidate, CandidateKind, Listing, NameFilter};
use super::{DibElement, ElementSet, Entry, EntryKind};
use crate::{Diagnostic, Severity};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A file or a link of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// The element it comes from.
    pub element: String,
    /// Where it is there.
    pub source: PathBuf,
    /// For a link: its target's text.
    pub link: Option<PathBuf>,
    /// Whether somebody may execute it. For a link: what it leads to beside its source.
    pub executable: bool,
}

/// Two elements have one entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("There is a duplicated hook in your elements: {second}/{}", .dest.display())]
pub struct DuplicateHook {
    /// Where both want to be in the tree.
    pub dest: PathBuf,
    /// The element that came first.
    pub first: String,
    /// The other one.
    pub second: String,
    /// The second one's file.
    pub file: PathBuf,
}

impl DuplicateHook {
    /// The same for lists of problems.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let hint = format!("`{}` has it too; rename one of them, or leave out an element", self.first);
        Diagnostic::error(&self.file, self.to_string()).hint(hint)
    }
}

/// The merged tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HookTree {
    /// Directories, relative, each with the source whose mode it gets.
    pub dirs: BTreeMap<PathBuf, PathBuf>,
    /// Files and links, by their relative paths.
    pub files: BTreeMap<PathBuf, TreeFile>,
    /// Files that another element's file stands in place of, with where they were to be.
    pub overwritten: Vec<(PathBuf, TreeFile)>,
    /// What the merge leaves out: warnings.
    pub ignored: Vec<Diagnostic>,
}

/// Why there is no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookTreeError {
    /// Collisions, all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Duplicates(Vec<DuplicateHook>),
    /// Directories that cannot be read.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Files(Vec<Diagnostic>),
}

impl HookTreeError {
    /// The same for lists of problems.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Duplicates(found) => found.iter().map(DuplicateHook::diagnostic).collect(),
            Self::Files(found) => found.clone(),
        }
    }
}

impl HookTree {
    /// Merges the elements of a set.
    ///
    /// # Errors
    /// Two elements have one entry, or a directory cannot be read.
    pub fn merge(set: &ElementSet) -> Result<Self, HookTreeError> {
        let mut merge = Merge::default();
        for element in &set.elements {
            merge.element(element);
        }
        if !merge.errors.is_empty() {
            return Err(HookTreeError::Files(merge.errors));
        }
        if merge.duplicates.is_empty() { Ok(merge.tree) } else { Err(HookTreeError::Duplicates(merge.duplicates)) }
    }

    /// The scripts of a first-level directory (`install.d`), in the order in which they run, and what does not run. Paths are
    /// those of the sources.
    #[must_use]
    pub fn scripts(&self, dir: &str, filter: &NameFilter) -> Listing {
        run_parts::scripts(self.candidates(dir), filter)
    }

    /// The files of `environment.d`, in the order in which they are read.
    #[must_use]
    pub fn environment(&self) -> Listing {
        run_parts::environment(self.candidates("environment.d"))
    }

    /// The files of `environment.d` with their texts, in the order in which they are read. One that cannot be read is left out.
    #[must_use]
    pub fn environment_files(&self) -> Vec<EnvironmentFile> {
        let read = |file: Candidate| {
            let text = std::fs::read(&file.path).ok()?;
            Some(EnvironmentFile { path: file.path, text: String::from_utf8_lossy(&text).into_owned() })
        };
        self.environment().scripts.into_iter().filter_map(read).collect()
    }

    /// Whether a file in one of these first-level directories has this text in it.
    #[must_use]
    pub fn mentions(&self, dirs: &[&str], text: &str) -> bool {
        let inside = |dest: &Path| dirs.iter().any(|dir| dest.starts_with(dir));
        let mut files = self.files.iter().filter(|(dest, _)| inside(dest)).map(|(_, file)| &file.source);
        files.any(|file| std::fs::read(file).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text)))
    }

    fn candidates(&self, dir: &str) -> Vec<Candidate> {
        let inside = |path: &Path| path.parent() == Some(Path::new(dir));
        let files = self.files.iter().filter(|(dest, _)| inside(dest)).map(|(dest, file)| Candidate {
            name: dest.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: file.source.clone(),
            kind: self.kind(dest, file, 0),
        });
        files.collect()
    }

    /// What a file is once it is in the tree: a relative link leads to what is merged, not to what is beside its source.
    fn kind(&self, dest: &Path, file: &TreeFile, depth: u32) -> CandidateKind {
        match &file.link {
            None if file.executable => CandidateKind::Executable,
            None => CandidateKind::Plain,
            Some(target) if target.is_absolute() => Candidate::of(target.clone()).kind,
            Some(target) => {
                let Some(target) = inside(&dest.parent().unwrap_or(Path::new("")).join(target)) else {
                    return CandidateKind::Other;
                };
                match self.files.get(&target) {
                    // As many as the kernel follows.
                    Some(next) if depth < 40 => self.kind(&target, next, depth + 1),
                    None if self.dirs.contains_key(&target) => CandidateKind::Directory,
                    _ => CandidateKind::Other,
                }
            }
        }
    }

    /// The tree for people and tests: one line a file, `MODE DEST <- ELEMENT`.
    #[must_use]
    pub fn listing(&self) -> String {
        let line = |(dest, file): (&PathBuf, &TreeFile)| {
            let mode = match (&file.link, file.executable) {
                (Some(_), _) => 'l',
                (None, true) => 'x',
                (None, false) => '-',
            };
            format!("{mode} {} <- {}\n", dest.display(), file.element)
        };
        self.files.iter().map(line).collect()
    }
}

/// A relative path without `.` and `..`, if it stays inside.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir if clean.pop() => {}
            _ => return None,
        }
    }
    Some(clean)
}

#[derive(Default)]
struct Merge {
    tree: HookTree,
    duplicates: Vec<DuplicateHook>,
    errors: Vec<Diagnostic>,
}

impl Merge {
    fn element(&mut self, element: &DibElement) {
        let contents = match element.contents() {
            Ok(contents) => contents,
            Err(errors) => return self.errors.extend(errors),
        };
        self.tree.ignored.extend(contents.ignored);
        for (name, entries) in contents.dirs {
            let dest = PathBuf::from(&name);
            self.dir(&dest, &element.dir.join(&name), element);
            for entry in entries {
                self.place(&dest.join(&entry.name), entry, element, Clash::Error);
            }
        }
        for entry in contents.files {
            self.place(&PathBuf::from(&entry.name), entry, element, Clash::Overwrites);
        }
    }

    fn dir(&mut self, dest: &Path, source: &Path, element: &DibElement) {
        if let Some(file) = self.tree.files.get(dest) {
            let first = file.element.clone();
            self.duplicate(dest, first, source, element);
        } else {
            self.tree.dirs.insert(dest.to_owned(), source.to_owned());
        }
    }

    fn duplicate(&mut self, dest: &Path, first: String, source: &Path, element: &DibElement) {
        let second = element.name.clone();
        self.duplicates.push(DuplicateHook { dest: dest.to_owned(), first, second, file: source.to_owned() });
    }

    fn place(&mut self, dest: &Path, entry: Entry, element: &DibElement, clash: Clash) {
        // A directory takes no file's place, nor a file a directory's.
        if entry.kind == EntryKind::Directory && (clash == Clash::Overwrites || !self.tree.files.contains_key(dest)) {
            self.dir(dest, &entry.path, element);
            return self.deeper(dest, &entry.path, element);
        }
        let other = self.tree.files.get(dest).map(|file| file.element.clone());
        if let Some(first) = other.filter(|_| clash == Clash::Error) {
            return self.duplicate(dest, first, &entry.path, element);
        }
        if let Some(source) = self.tree.dirs.get(dest) {
            let first = format!("the directory {}", source.display());
            return self.duplicate(dest, first, &entry.path, element);
        }
        let link = match entry.kind {
            EntryKind::Link(target) => Some(target),
            _ => None,
        };
        let file = TreeFile { element: element.name.clone(), source: entry.path, link, executable: entry.executable };
        if let Some(lost) = self.tree.files.insert(dest.to_owned(), file) {
            self.tree.overwritten.push((dest.to_owned(), lost));
        }
    }

    fn deeper(&mut self, dest: &Path, dir: &Path, element: &DibElement) {
        let paths = match super::contents::list(dir) {
            Ok(paths) => paths,
            Err(error) => return self.errors.push(error),
        };
        for path in paths {
            match Entry::read(path.clone()) {
                Ok(Some(entry)) => self.place(&dest.join(&entry.name), entry, element, Clash::Overwrites),
                Ok(None) => {
                    let message = "this is ignored: it is neither a file nor a directory nor a link";
                    self.tree.ignored.push(Diagnostic::error(&path, message).severity(Severity::Warning));
                }
                Err(error) => self.errors.push(Diagnostic::error(&path, format!("cannot be read: {error}"))),
            }
        }
    }
}

/// What happens where two elements have one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clash {
    Error,
    Overwrites,
}

#[cfg(test)]
mod tests;
