//! Makes a disk that holds an earlier tree hold a later one: names that may differ are removed from it and copied anew, by the same
//! code that copies whole trees.
//!
//! First, on one thread, what must go goes, parents first; directories that stay are never replaced, so what is mounted on them
//! stays. Then all threads copy; to files that are the same in both trees they make new names only. Directories whose names changed
//! get their times from the tree again.

use super::changes::{Changes, Extent, look};
use super::entry::Pair;
use super::tree::{self, Kind, Name, Tree};
use super::{BATCH, Copied, Copy, MountPoint, Opened, PopulateError, Task, make_directory, take, xattr};
use rustix::fs::{self, AtFlags, FileType, Stat};
use rustix::io::Errno;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// What mke2fs puts into the root of each filesystem; no tree has it.
const LOST_AND_FOUND: &[u8] = b"lost+found";

/// Makes `root`, where the filesystems are mounted, equal to `tree` in all names of `changes`, and in its FAT filesystems: these are staged,
/// and so empty at first.
///
/// # Errors
/// Something cannot be read, removed or made; a mount point is in the way; a file with several names has some of them outside of the
/// changes. The disk is neither the earlier nor the later one then.
pub fn apply(tree: &Path, root: &Path, mounts: &[MountPoint], changes: &Changes) -> Result<Copied, PopulateError> {
    let mut changes = changes.clone();
    for point in mounts.iter().filter(|point| point.fat) {
        if has_directory(tree, &point.path)? {
            changes.add(Path::new(&point.path), Extent::Whole);
        }
    }
    if changes.is_empty() {
        return Ok(Copied::default());
    }
    let copy = Copy::new(tree, root, mounts)?;
    let mut plan =
        Plan { copy: &copy, tasks: Vec::new(), parents: BTreeSet::new(), opened: BTreeSet::new(), covered: None };
    for (path, extent) in changes.iter() {
        if !(changes.is_same(path) && plan.keep(path)?) {
            plan.name(path, extent)?;
        }
    }
    let Plan { tasks, parents, .. } = plan;
    {
        let mut directories = copy.directories.lock().unwrap_or_else(PoisonError::into_inner);
        directories.extend(parents.into_iter().map(|path| (path.clone(), copy.point_of(&path))));
    }
    copy.fill(tasks, &mut || ())?;
    copy.whole_groups(&changes)?;
    copy.link_all(&mut || ())?;
    // A directory may be there twice: as changed, and as parent of what is.
    let mut directories: BTreeMap<_, _> = take(&copy.directories).into_iter().collect();
    directories.retain(|path, _| matches!(look(&copy.from, path), Ok(Some(stat)) if is_directory(&stat)));
    for path in directories.keys() {
        reset(&copy, path)?;
    }
    copy.finish_all(directories.into_iter().collect(), &mut || ())?;
    Ok(copy.copied())
}

/// What is to be copied, gathered while what is in its way is removed.
struct Plan<'a> {
    copy: &'a Copy,
    tasks: Vec<Task>,
    /// Directories in which something was made or removed.
    parents: BTreeSet<PathBuf>,
    /// Those of them, and others, that give nothing of their own to what is made in them any more.
    opened: BTreeSet<PathBuf>,
    /// Everything below this is done.
    covered: Option<PathBuf>,
}

impl Plan<'_> {
    fn is_covered(&self, path: &Path) -> bool {
        self.covered.as_ref().is_some_and(|covered| path != covered && path.starts_with(covered))
    }

    /// Leaves a file that is the same in both trees where it is: its further names become links to it. `false`: the disk does not have it.
    fn keep(&self, path: &Path) -> Result<bool, PopulateError> {
        let point = self.copy.point_of(path.parent().unwrap_or(Path::new("")));
        if self.is_covered(path) || self.copy.points.is_fat(point) {
            return Ok(false);
        }
        let failed = |errno| PopulateError::new("look at", path, errno);
        if self.mounted_in_tree(path).map_err(failed)? {
            return Ok(false);
        }
        let (wanted, there) =
            (look(&self.copy.from, path).map_err(failed)?, look(&self.copy.to, path).map_err(failed)?);
        let (Some(wanted), Some(there)) = (wanted, there) else { return Ok(false) };
        let essence = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_size, stat.st_mtime);
        if is_directory(&wanted) || essence(&wanted) != essence(&there) {
            return Ok(false);
        }
        let mut first_names = self.copy.first_names.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Vacant(vacant) = first_names.entry((wanted.st_dev, wanted.st_ino, point)) else { return Ok(false) };
        vacant.insert(path.to_owned());
        Ok(true)
    }

    fn name(&mut self, path: &Path, extent: Extent) -> Result<(), PopulateError> {
        if self.is_covered(path) {
            return Ok(());
        }
        let failed = |errno| PopulateError::new("look at", path, errno);
        if self.mounted_in_tree(path).map_err(failed)? {
            return Ok(());
        }
        let wanted = look(&self.copy.from, path).map_err(failed)?;
        let there = look(&self.copy.to, path).map_err(failed)?;
        if wanted.is_some() || there.is_some() {
            self.touch(path.parent());
        }
        let (is_wanted_directory, is_directory_there) =
            (wanted.as_ref().is_some_and(is_directory), there.as_ref().is_some_and(is_directory));
        if !is_wanted_directory {
            self.covered = Some(path.to_owned());
            if there.is_some() {
                self.remove(path)?;
            }
            return if wanted.is_some() { self.copy_name(path) } else { Ok(()) };
        }
        if is_directory_there && extent == Extent::Itself {
            self.touch(Some(path));
            return Ok(());
        }
        self.covered = Some(path.to_owned());
        if is_directory_there {
            self.clear(path)?;
        } else if there.is_some() {
            self.remove(path)?;
        }
        if path.as_os_str().is_empty() {
            self.tasks.push(Task::Directory(PathBuf::new(), self.copy.point_of(path)));
            return Ok(());
        }
        self.copy_name(path)
    }

    fn touch(&mut self, directory: Option<&Path>) {
        if let Some(directory) = directory {
            self.parents.insert(directory.to_owned());
        }
    }

    /// Whether the path lies in something that is mounted inside the tree, and so is no part of it.
    fn mounted_in_tree(&self, path: &Path) -> Result<bool, Errno> {
        match self.copy.from.dir_on_same_mount(path.parent().unwrap_or(Path::new(""))) {
            Err(Errno::XDEV) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
            dir => dir.map(|_| false),
        }
    }

    /// Copies a name whose place is free, or whose directory is there and cleared.
    fn copy_name(&mut self, path: &Path) -> Result<(), PopulateError> {
        let failed = |errno| PopulateError::new("copy", path, errno);
        let parent = path.parent().unwrap_or(Path::new(""));
        let name = name_of(path).map_err(failed)?;
        let from = self.copy.from.dir(parent).map_err(failed)?;
        let stat = tree::stat(&from, &name).map_err(failed)?;
        let kind = Kind::of(FileType::from_raw_mode(stat.st_mode)).ok_or_else(|| failed(Errno::INVAL))?;
        let to = self.copy.to.dir(parent).map_err(failed)?;
        if self.opened.insert(parent.to_owned()) {
            open_up(to.as_fd()).map_err(failed)?;
        }
        let entry = Name { name, kind };
        if kind == Kind::Directory {
            let pair = Pair { from: from.as_fd(), to: to.as_fd(), attributes: false };
            make_directory(&pair, &entry).map_err(|(what, errno)| PopulateError::new(what, path, errno))?;
            self.tasks.push(Task::Directory(path.to_owned(), self.copy.point_of(path)));
            return Ok(());
        }
        // Names of one directory follow each other: they share its descriptors.
        if let Some(Task::Names(opened, names)) = self.tasks.last_mut()
            && opened.path == parent
            && names.len() < BATCH
        {
            names.push(entry);
            return Ok(());
        }
        let opened = Opened { path: parent.to_owned(), point: self.copy.point_of(parent), from, to };
        self.tasks.push(Task::Names(Arc::new(opened), vec![entry]));
        Ok(())
    }

    /// Removes from a directory that stays everything but directories that stay.
    fn clear(&self, path: &Path) -> Result<(), PopulateError> {
        let failed = |errno| PopulateError::new("read the copy of", path, errno);
        let dir = self.copy.to.dir(path).map_err(failed)?;
        open_up(dir.as_fd()).map_err(failed)?;
        for entry in tree::list(dir.as_fd()).map_err(failed)? {
            let path = tree::join(path, &entry.name);
            let wanted = look(&self.copy.from, &path).map_err(failed)?;
            if entry.kind == Kind::Directory && wanted.as_ref().is_some_and(is_directory) {
                self.clear(&path)?;
            } else if !self.is_mkfs_own(&path, &entry) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    fn is_mkfs_own(&self, path: &Path, entry: &Name) -> bool {
        let parent = path.parent().unwrap_or(Path::new(""));
        entry.name.as_bytes() == LOST_AND_FOUND && self.copy.points.is_point(parent)
    }

    /// Removes a name with everything below it.
    fn remove(&self, path: &Path) -> Result<(), PopulateError> {
        if self.copy.points.is_at_or_below(path) {
            return Err(PopulateError::new(
                "remove what a filesystem of the disk is mounted on or in,",
                path,
                Errno::BUSY,
            ));
        }
        let failed = |errno| PopulateError::new("remove the copy of", path, errno);
        let dir = self.copy.to.dir(path.parent().unwrap_or(Path::new(""))).map_err(failed)?;
        remove(dir.as_fd(), &name_of(path).map_err(failed)?).map_err(failed)
    }
}

/// Takes away what a directory hands on to new names: its default ACL, its group. It gets them back when it is finished.
fn open_up(dir: BorrowedFd<'_>) -> Result<(), Errno> {
    match fs::fremovexattr(dir, "system.posix_acl_default") {
        Err(Errno::NODATA | Errno::NOTSUP) | Ok(()) => fs::fchmod(dir, fs::Mode::from_raw_mode(0o700)),
        refused => refused,
    }
}

fn remove(dir: BorrowedFd<'_>, name: &CString) -> Result<(), Errno> {
    match fs::unlinkat(dir, name.as_c_str(), AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        removed => return removed,
    }
    let flags = fs::OFlags::RDONLY | fs::OFlags::DIRECTORY | fs::OFlags::NOFOLLOW | fs::OFlags::CLOEXEC;
    let inner = fs::openat(dir, name.as_c_str(), flags, fs::Mode::empty())?;
    for entry in tree::list(inner.as_fd())? {
        remove(inner.as_fd(), &entry.name)?;
    }
    fs::unlinkat(dir, name.as_c_str(), AtFlags::REMOVEDIR)
}

/// Takes from a directory of the disk the attributes that its original does not have, and gives it its owner: a new directory belongs to
/// root and has none, and so finishing it counts on that.
fn reset(copy: &Copy, path: &Path) -> Result<(), PopulateError> {
    if copy.points.is_fat(copy.point_of(path)) {
        return Ok(());
    }
    let failed = |errno| PopulateError::new("reset", path, errno);
    let (from, to) = (copy.from.dir(path).map_err(failed)?, copy.to.dir(path).map_err(failed)?);
    let stat = fs::fstat(&from).map_err(failed)?;
    let (owner, group) = (fs::Uid::from_raw(stat.st_uid), fs::Gid::from_raw(stat.st_gid));
    fs::fchown(&to, Some(owner), Some(group)).map_err(failed)?;
    xattr::strip(from.as_fd(), to.as_fd()).map_err(failed)
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn name_of(path: &Path) -> Result<CString, Errno> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)
}

impl Copy {
    /// The filesystem that a path of the target lies on.
    fn point_of(&self, path: &Path) -> usize {
        let mut point = self.points.enter(Path::new(""), 0);
        let mut at = PathBuf::new();
        for part in path {
            at.push(part);
            point = self.points.enter(&at, point);
        }
        point
    }

    /// All names of each file that has several were copied: else a link to one that was not would be missing.
    fn whole_groups(&self, changes: &Changes) -> Result<(), PopulateError> {
        let first_names = self.first_names.lock().unwrap_or_else(PoisonError::into_inner);
        let more_names = self.more_names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: BTreeMap<&Path, u64> = BTreeMap::new();
        for (first, _) in more_names.iter() {
            *found.entry(first.as_path()).or_default() += 1;
        }
        let mut groups: BTreeMap<(u64, u64), (u64, &Path)> = BTreeMap::new();
        for ((device, inode, _), first) in first_names.iter() {
            let group = groups.entry((*device, *inode)).or_insert((0, first));
            group.0 += 1 + found.get(first.as_path()).copied().unwrap_or(0);
        }
        for ((_, inode), (names, first)) in groups {
            let failed = |errno| PopulateError::new("look at", first, errno);
            let stat = look(&self.from, first).map_err(failed)?.ok_or_else(|| failed(Errno::NOENT))?;
            let all = changes.links(inode).unwrap_or(stat.st_nlink);
            if all != names {
                let what = format!("copy only {names} of the {all} names of");
                return Err(PopulateError::new(what, first, Errno::MLINK));
            }
        }
        Ok(())
    }
}

/// Whether `tree` has a directory at this mount point.
fn has_directory(tree: &Path, point: &str) -> Result<bool, PopulateError> {
    let path = Path::new(point.trim_matches('/'));
    let found = look(&Tree::open(tree)?, path).map_err(|errno| PopulateError::new("look at", path, errno))?;
    Ok(found.as_ref().is_some_and(is_directory))
}
