//! Which names of a tree may differ from an earlier tree: read from the upper directories of overlays, or told.
//!
//! A name that is told says nothing about what it was or is now: whoever applies the changes looks at the tree. So a list may name
//! too much, and lists of several layers, of those that went and those that came, are simply joined.
//!
//! One thing is known of a name that an upper directory of the earlier tree and one of the later tree tell, and no other: where it is
//! the same inode, nothing of it differs. Deployments of one tree share their unchanged files so.

use super::PopulateError;
use super::tree::{self, Kind, Tree};
use rustix::fs::{self, FileType, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// How much of a name may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// What belongs to a directory itself: mode, owner, times, attributes. What is in it is told by names of its own.
    Itself,
    /// All, with everything below it.
    Whole,
}

/// Whose upper directory tells a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Earlier,
    Later,
}

/// What is told of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    extent: Extent,
    /// Device and inode, as long as only one earlier upper directory has told it.
    earlier: Option<(u64, u64)>,
    /// One of each tree has told it, and it is one file.
    same: bool,
}

/// Names that may differ, as paths relative to the root of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    names: BTreeMap<PathBuf, Told>,
    /// How many names each inode with several has in the upper directories of the later tree: other trees may have more.
    links: HashMap<u64, u64>,
    /// All layers of both trees are told.
    complete: bool,
}

impl Changes {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// None yet; all upper directories of both trees will be told. What a directory hides of those below it is told by these, then.
    #[must_use]
    pub fn of_whole_trees() -> Self {
        Self { complete: true, ..Self::default() }
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
        let known = self.names.entry(path).or_insert(Told { extent, earlier: None, same: false });
        *known = Told { extent: extent.max(known.extent), earlier: None, same: false };
    }

    /// Adds everything of another list.
    pub fn join(&mut self, other: &Self) {
        for (path, told) in &other.names {
            self.add(path, told.extent);
        }
    }

    /// Adds all that an upper directory of the later tree says: what was written, what was removed (a character device 0/0), and
    /// directories that were replaced (`trusted.overlay.opaque`, `trusted.overlay.redirect`). One that is missing says nothing.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn add_upper(&mut self, upper: &Path) -> Result<(), PopulateError> {
        self.read(upper, Side::Later, false)
    }

    /// The same of an upper directory whose root was renamed since the layer below it: that says nothing of what is in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn add_moved_upper(&mut self, upper: &Path) -> Result<(), PopulateError> {
        self.read(upper, Side::Later, true)
    }

    /// The same of an upper directory of the earlier tree. All of these come first.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn add_earlier_upper(&mut self, upper: &Path) -> Result<(), PopulateError> {
        self.read(upper, Side::Earlier, false)
    }

    /// A name that is no directory, as an upper directory has it.
    fn add_file(&mut self, path: &Path, stat: &Stat, side: Side) {
        let id = (stat.st_dev, stat.st_ino);
        let known = self.names.get(path).copied();
        self.add(path, Extent::Whole);
        if stat.st_nlink < 2 || FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice {
            return;
        }
        if side == Side::Later {
            *self.links.entry(stat.st_ino).or_default() += 1;
        }
        let Some(told) = self.names.get_mut(path) else { return };
        match (side, known) {
            (Side::Earlier, None) => told.earlier = Some(id),
            (Side::Later, Some(known)) => told.same = known.earlier == Some(id),
            _ => {}
        }
    }

    fn read(&mut self, upper: &Path, side: Side, moved: bool) -> Result<(), PopulateError> {
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
            let hides = !self.complete && is_set("trusted.overlay.opaque", Some(b"y"));
            let moved = moved && path.as_os_str().is_empty();
            if !moved && (hides || is_set("trusted.overlay.redirect", None)) {
                self.add(&path, Extent::Whole);
                continue;
            }
            self.add(&path, Extent::Itself);
            for entry in tree::list(dir.as_fd()).map_err(failed)? {
                let path = tree::join(&path, &entry.name);
                if entry.kind == Kind::Directory {
                    todo.push(path);
                } else {
                    let stat = tree::stat(&dir, &entry.name).map_err(failed)?;
                    self.add_file(&path, &stat, side);
                }
            }
        }
        Ok(())
    }

    /// Names in order, parents before what is below them.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, Extent)> {
        self.names.iter().map(|(path, told)| (path.as_path(), told.extent))
    }

    /// Whether a name is the same file in both trees, as far as upper directories tell.
    pub(super) fn is_same(&self, path: &Path) -> bool {
        self.names.get(path).is_some_and(|told| told.same)
    }

    /// How many names a file with several has in the later tree, if its upper directories tell it.
    pub(super) fn links(&self, inode: u64) -> Option<u64> {
        self.links.get(&inode).copied()
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

    #[test]
    fn one_file_of_both_trees_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for upper in ["one", "two", "three"] {
            std::fs::create_dir(at(upper)).unwrap();
        }
        for name in ["shared", "again", "other"] {
            std::fs::write(at("one").join(name), name).unwrap();
        }
        for name in ["shared", "again"] {
            std::fs::hard_link(at("one").join(name), at("two").join(name)).unwrap();
        }
        std::fs::hard_link(at("two/shared"), at("two/link")).unwrap();
        std::fs::write(at("two/other"), "other").unwrap();
        let told = |later: &[&str]| {
            let mut changes = Changes::new();
            changes.add_earlier_upper(&at("one")).unwrap();
            later.iter().for_each(|upper| changes.add_upper(&at(upper)).unwrap());
            changes
        };
        let same =
            |changes: &Changes| ["again", "link", "other", "shared"].map(|name| changes.is_same(Path::new(name)));
        let changes = told(&["two"]);
        assert_eq!(same(&changes), [true, false, false, true]);
        let inode = std::os::unix::fs::MetadataExt::ino(&at("one/shared").metadata().unwrap());
        assert_eq!(changes.links(inode), Some(2), "of the later tree, not of both");
        // What another layer tells, too, may be another file.
        std::fs::write(at("three/again"), "x").unwrap();
        assert_eq!(same(&told(&["two", "three"])), [false, false, false, true]);
        assert_eq!(same(&told(&["three", "two"])), [false, false, false, true]);
    }
}
