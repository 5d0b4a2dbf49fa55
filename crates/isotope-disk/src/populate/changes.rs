//! Which names of a tree may differ from an earlier tree: read from the upper directories of overlays, or told.
//!
//! A name that is told says nothing about what it was or is now: whoever applies the changes looks at the tree. So a list may name
//! too much, and lists of several layers, of those that went and those that came, are simply joined.

use super::PopulateError;
use super::tree::{self, Kind, Tree};
use rustix::fs::{self, FileType, Stat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// How much of a name may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// What belongs to a directory itself: mode, owner, times, attributes. What is in it is told by names of its own.
    Itself,
    /// All, with everything below it.
    Whole,
}

/// Names that may differ, as paths relative to the root of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    names: BTreeMap<PathBuf, Extent>,
}

impl Changes {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { names: BTreeMap::new() }
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Adds a name, from the root of the tree (the empty path is the root). What is said to be wholly different stays so.
    pub fn add(&mut self, path: &Path, extent: Extent) {
        let path: PathBuf = path.components().filter(|part| matches!(part, std::path::Component::Normal(_))).collect();
        let known = self.names.entry(path).or_insert(extent);
        *known = extent.max(*known);
    }

    /// Adds everything of another list.
    pub fn join(&mut self, other: &Self) {
        for (path, extent) in &other.names {
            self.add(path, *extent);
        }
    }

    /// Adds all that an upper directory of an overlay says: what was written, what was removed (a character device 0/0), and
    /// directories that were replaced (`trusted.overlay.opaque`, `trusted.overlay.redirect`). One that is missing says nothing.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn add_upper(&mut self, upper: &Path) -> Result<(), PopulateError> {
        let failed = |errno| PopulateError::new("look at the upper directory", upper, errno);
        match fs::lstat(upper) {
            Err(Errno::NOENT) => return Ok(()),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
            Ok(_) => {
                self.add(Path::new(""), Extent::Whole);
                return Ok(());
            }
            Err(errno) => return Err(failed(errno)),
        }
        let source = Tree::open(upper)?;
        let mut todo = vec![PathBuf::new()];
        while let Some(path) = todo.pop() {
            let failed = |errno| PopulateError::new("read the directory", &path, errno);
            let dir = source.dir(&path).map_err(failed)?;
            let is_set = |name: &str, wanted: Option<&[u8]>| {
                let mut value = [0u8; 16];
                match fs::fgetxattr(&dir, name, &mut value) {
                    Ok(length) => wanted.is_none_or(|wanted| value.get(..length) == Some(wanted)),
                    // A longer value is none that is compared.
                    Err(Errno::RANGE) => wanted.is_none(),
                    Err(_) => false,
                }
            };
            if is_set("trusted.overlay.opaque", Some(b"y")) || is_set("trusted.overlay.redirect", None) {
                self.add(&path, Extent::Whole);
                continue;
            }
            self.add(&path, Extent::Itself);
            for entry in tree::list(dir.as_fd()).map_err(failed)? {
                let path = tree::join(&path, &entry.name);
                if entry.kind == Kind::Directory {
                    todo.push(path);
                } else {
                    self.add(&path, Extent::Whole);
                }
            }
        }
        Ok(())
    }

    /// Names in order, parents before what is below them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Path, Extent)> {
        self.names.iter().map(|(path, extent)| (path.as_path(), *extent))
    }
}

/// What a path of a tree is; `None`: nothing, or something above it is no directory.
pub(super) fn look(tree: &Tree, path: &Path) -> Result<Option<Stat>, Errno> {
    let Some(name) = path.file_name() else {
        return fs::fstat(tree.dir(path)?).map(Some);
    };
    let dir = match tree.dir(path.parent().unwrap_or(Path::new(""))) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        dir => dir?,
    };
    match fs::statat(&dir, name, fs::AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        stat => stat.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(changes: &Changes) -> Vec<(String, Extent)> {
        changes.iter().map(|(path, extent)| (path.display().to_string(), extent)).collect()
    }

    #[test]
    fn lists_are_joined_and_the_larger_extent_stays() {
        let mut changes = Changes::new();
        changes.add(Path::new("/etc/./x"), Extent::Whole);
        changes.add(Path::new("etc"), Extent::Itself);
        let mut other = Changes::new();
        other.add(Path::new("etc/x"), Extent::Itself);
        other.add(Path::new("/"), Extent::Itself);
        changes.join(&other);
        let of = |path: &str, extent| (path.to_owned(), extent);
        assert_eq!(names(&changes), [of("", Extent::Itself), of("etc", Extent::Itself), of("etc/x", Extent::Whole)]);
    }

    #[test]
    fn an_upper_directory_tells_its_names() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/dir")).unwrap();
        std::fs::write(dir.path().join("etc/dir/file"), "").unwrap();
        let mut changes = Changes::new();
        changes.add_upper(&dir.path().join("missing")).unwrap();
        assert!(changes.is_empty());
        changes.add_upper(dir.path()).unwrap();
        let of = |path: &str, extent| (path.to_owned(), extent);
        let itself = ["", "etc", "etc/dir"].map(|path| of(path, Extent::Itself));
        assert_eq!(names(&changes), [itself.as_slice(), &[of("etc/dir/file", Extent::Whole)]].concat());
    }
}
