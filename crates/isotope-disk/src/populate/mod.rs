//! A tree onto mounted filesystems: [`scan()`] says how much there is, [`populate()`] copies it on all cores.
//!
//! Kept: modes, owners, times to the nanosecond, extended attributes with capabilities and ACLs, hard links, holes, device nodes,
//! FIFOs, links. Sockets are skipped (nobody listens on a copy). What is mounted inside the tree is no part of it: such a directory
//! is made, and stays empty. No symbolic link of either tree is ever followed.
//!
//! Three passes: files, links and empty directories; then further names of files that have several; then owners, modes and times of
//! directories, which the passes before have changed. Must not know layouts, devices or mkfs.

mod apply;
mod changes;
mod data;
mod entry;
mod queue;
mod scan;
mod tree;
mod xattr;

pub use apply::apply;
pub use changes::{Changes, Extent};
pub use scan::{Scan, scan};

use entry::{Pair, Source, Worker};
use queue::Queue;
use rustix::fs::{self, AtFlags, FileType, Mode};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tree::{Kind, Name, Tree};

/// Names of one directory that a task copies; more become several tasks.
const BATCH: usize = 256;

/// What could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct PopulateError {
    /// The deed.
    pub what: String,
    /// The path in the target.
    pub path: PathBuf,
    /// The cause.
    pub source: std::io::Error,
}

impl PopulateError {
    fn new(what: impl Into<String>, path: &Path, errno: Errno) -> Self {
        Self { what: what.into(), path: Path::new("/").join(path), source: errno.into() }
    }
}

/// Where a filesystem is mounted in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountPoint {
    /// Absolute path in the target.
    pub path: String,
    /// Whether a FAT will hold it: files and directories only, no owners, modes or attributes.
    pub fat: bool,
}

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Bytes of file content.
    pub bytes: u64,
    /// Names made, directories included.
    pub names: u64,
    /// Sockets left out.
    pub sockets: u64,
}

/// The mount points by index, paths relative to the root.
struct Points {
    mounts: Vec<(PathBuf, MountPoint)>,
}

impl Points {
    fn new(mounts: &[MountPoint]) -> Self {
        let relative = |mount: &MountPoint| PathBuf::from(mount.path.trim_matches('/'));
        let mut mounts: Vec<_> = mounts.iter().map(|mount| (relative(mount), mount.clone())).collect();
        if !mounts.iter().any(|(path, _)| path.as_os_str().is_empty()) {
            mounts.insert(0, (PathBuf::new(), MountPoint { path: "/".into(), fat: false }));
        }
        Self { mounts }
    }

    fn len(&self) -> usize {
        self.mounts.len()
    }

    fn paths(&self) -> impl Iterator<Item = String> + '_ {
        self.mounts.iter().map(|(_, mount)| mount.path.clone())
    }

    /// The mount point that a directory belongs to, its parent belonging to `parent`.
    fn enter(&self, path: &Path, parent: usize) -> usize {
        self.mounts.iter().position(|(mount, _)| mount == path).unwrap_or(parent)
    }

    /// Whether a filesystem is mounted on this directory.
    fn is_point(&self, path: &Path) -> bool {
        self.mounts.iter().any(|(mount, _)| mount == path)
    }

    /// Whether a filesystem is mounted on this directory, or below it.
    fn is_at_or_below(&self, path: &Path) -> bool {
        self.mounts.iter().any(|(mount, _)| mount.starts_with(path))
    }

    fn is_fat(&self, point: usize) -> bool {
        self.mounts.get(point).is_some_and(|(_, mount)| mount.fat)
    }
}

/// Threads to copy with.
fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(16)
}

/// Copies `tree` to `root`, where the filesystems are mounted. `progress` gets the bytes copied so far, on the calling thread.
///
/// # Errors
/// Something cannot be read or made; the error names it.
pub fn populate(
    tree: &Path,
    root: &Path,
    mounts: &[MountPoint],
    progress: &mut dyn FnMut(u64),
) -> Result<Copied, PopulateError> {
    let copy = Copy::new(tree, root, mounts)?;
    let mut watch = || progress(copy.done.load(Ordering::Relaxed));
    let first = vec![Task::Directory(PathBuf::new(), copy.points.enter(Path::new(""), 0))];
    copy.fill(first, &mut watch)?;
    copy.link_all(&mut watch)?;
    copy.finish_all(take(&copy.directories), &mut watch)?;
    Ok(copy.copied())
}

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

fn batches<T>(list: Vec<T>) -> Vec<Vec<T>> {
    let mut batches = Vec::with_capacity(list.len() / BATCH + 1);
    let mut list = list.into_iter().peekable();
    while list.peek().is_some() {
        batches.push(list.by_ref().take(BATCH).collect());
    }
    batches
}

enum Task {
    /// A directory whose copy was made, empty.
    Directory(PathBuf, usize),
    /// Some of its names.
    Names(Arc<Opened>, Vec<Name>),
}

/// A directory and its copy.
struct Opened {
    path: PathBuf,
    point: usize,
    from: OwnedFd,
    to: OwnedFd,
}

/// A directory that waits for its owner, mode and times, with the mount point it belongs to.
type Directory = (PathBuf, usize);
/// Device, inode and mount point of a file with several names.
type FileId = (u64, u64, usize);

struct Copy {
    points: Points,
    from: Tree,
    to: Tree,
    done: AtomicU64,
    names: AtomicU64,
    sockets: AtomicU64,
    /// The first name of each file that has several.
    first_names: Mutex<HashMap<FileId, PathBuf>>,
    /// First name and further name.
    more_names: Mutex<Vec<(PathBuf, PathBuf)>>,
    directories: Mutex<Vec<Directory>>,
}

impl Copy {
    fn new(tree: &Path, root: &Path, mounts: &[MountPoint]) -> Result<Self, PopulateError> {
        Ok(Self {
            points: Points::new(mounts),
            from: Tree::open(tree)?,
            to: Tree::open(root)?,
            done: AtomicU64::new(0),
            names: AtomicU64::new(0),
            sockets: AtomicU64::new(0),
            first_names: Mutex::default(),
            more_names: Mutex::default(),
            directories: Mutex::default(),
        })
    }

    /// The first pass: everything but further names.
    fn fill(&self, tasks: Vec<Task>, watch: &mut dyn FnMut()) -> Result<(), PopulateError> {
        queue::run(jobs(), tasks, &Worker::new, &|worker, task, queue| self.task(worker, task, queue), watch)
    }

    /// The second pass: further names.
    fn link_all(&self, watch: &mut dyn FnMut()) -> Result<(), PopulateError> {
        let links = batches(take(&self.more_names));
        queue::run(jobs(), links, &|| Ok(()), &|_: &mut (), links, _: &Queue<_, _>| self.link(&links), watch)
    }

    /// The third pass: what belongs to directories.
    fn finish_all(&self, directories: Vec<Directory>, watch: &mut dyn FnMut()) -> Result<(), PopulateError> {
        let finish = |worker: &mut Worker, batch: Vec<_>, _: &Queue<_, _>| self.finish(worker, &batch);
        queue::run(jobs(), batches(directories), &Worker::new, &finish, watch)
    }

    fn copied(&self) -> Copied {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Copied { bytes: count(&self.done), names: count(&self.names), sockets: count(&self.sockets) }
    }

    fn task(&self, worker: &mut Worker, task: Task, queue: &Queue<Task, PopulateError>) -> Result<(), PopulateError> {
        match task {
            Task::Directory(path, point) => self.directory(worker, path, point, queue),
            Task::Names(opened, names) => self.copy_names(worker, &opened, &names, queue),
        }
    }

    fn directory(
        &self,
        worker: &mut Worker,
        path: PathBuf,
        point: usize,
        queue: &Queue<Task, PopulateError>,
    ) -> Result<(), PopulateError> {
        self.directories.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), point));
        self.names.fetch_add(1, Ordering::Relaxed);
        let from = match self.from.dir_on_same_mount(&path) {
            // Something is mounted here; it is no part of the tree.
            Err(Errno::XDEV) => return Ok(()),
            from => from.map_err(|errno| PopulateError::new("read the directory", &path, errno))?,
        };
        let mut names =
            tree::list(from.as_fd()).map_err(|errno| PopulateError::new("read the directory", &path, errno))?;
        let to = self.to.dir(&path).map_err(|errno| PopulateError::new("open the copy of", &path, errno))?;
        let opened = Arc::new(Opened { path, point, from, to });
        while names.len() > BATCH {
            queue.push(Task::Names(Arc::clone(&opened), names.split_off(names.len() - BATCH)));
        }
        self.copy_names(worker, &opened, &names, queue)
    }

    fn copy_names(
        &self,
        worker: &mut Worker,
        dir: &Opened,
        names: &[Name],
        queue: &Queue<Task, PopulateError>,
    ) -> Result<(), PopulateError> {
        let fat = self.points.is_fat(dir.point);
        let pair = Pair { from: dir.from.as_fd(), to: dir.to.as_fd(), attributes: !fat };
        for entry in names {
            let failed =
                |(what, errno): (String, Errno)| PopulateError::new(what, &tree::join(&dir.path, &entry.name), errno);
            match entry.kind {
                Kind::Directory => {
                    make_directory(&pair, entry).map_err(failed)?;
                    let path = tree::join(&dir.path, &entry.name);
                    let point = self.points.enter(&path, dir.point);
                    queue.push(Task::Directory(path, point));
                    continue;
                }
                Kind::Socket => {
                    self.sockets.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Kind::File => self.file(worker, dir, &pair, entry).map_err(failed)?,
                _ if fat => {
                    return Err(failed((
                        "put anything but files and directories on the FAT filesystem at".into(),
                        Errno::PERM,
                    )));
                }
                _ => {
                    let stat = tree::stat(pair.from, &entry.name).map_err(|errno| failed(("look at".into(), errno)))?;
                    if self.is_new(dir, entry, &stat) {
                        pair.special(worker, entry).map_err(failed)?;
                    }
                }
            }
            self.names.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn file(&self, worker: &mut Worker, dir: &Opened, pair: &Pair<'_>, entry: &Name) -> Result<(), (String, Errno)> {
        let from = pair.open(&entry.name)?;
        let stat = fs::fstat(&from).map_err(|errno| ("look at".to_owned(), errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(("copy".to_owned(), Errno::STALE));
        }
        if self.is_new(dir, entry, &stat) {
            pair.file(worker, &Source { name: &entry.name, from: from.as_fd(), stat: &stat }, &self.done)?;
        }
        Ok(())
    }

    /// Whether this is the first name of its file on its filesystem; a further one is kept for later.
    fn is_new(&self, dir: &Opened, entry: &Name, stat: &fs::Stat) -> bool {
        if stat.st_nlink < 2 {
            return true;
        }
        let path = tree::join(&dir.path, &entry.name);
        let id = (stat.st_dev, stat.st_ino, dir.point);
        let mut first_names = self.first_names.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = first_names.get(&id).cloned() else {
            first_names.insert(id, path);
            return true;
        };
        drop(first_names);
        self.more_names.lock().unwrap_or_else(PoisonError::into_inner).push((first, path));
        false
    }

    fn link(&self, links: &[(PathBuf, PathBuf)]) -> Result<(), PopulateError> {
        for (first, more) in links {
            let failed = |errno| PopulateError::new(format!("make a hard link to {} as", first.display()), more, errno);
            let parent = |path: &Path| self.to.dir(path.parent().unwrap_or(Path::new(""))).map_err(failed);
            let name = |path: &Path| path.file_name().map(ToOwned::to_owned).unwrap_or_default();
            fs::linkat(parent(first)?, name(first), parent(more)?, name(more), AtFlags::empty()).map_err(failed)?;
        }
        Ok(())
    }

    fn finish(&self, worker: &Worker, directories: &[Directory]) -> Result<(), PopulateError> {
        for (path, point) in directories {
            let failed = |errno| PopulateError::new("look at", path, errno);
            let from = self.from.dir(path).map_err(failed)?;
            let to = self.to.dir(path).map_err(failed)?;
            let stat = fs::fstat(&from).map_err(failed)?;
            let pair = Pair { from: from.as_fd(), to: to.as_fd(), attributes: !self.points.is_fat(*point) };
            pair.finish_directory(worker, &stat).map_err(|(what, errno)| PopulateError::new(what, path, errno))?;
        }
        Ok(())
    }
}

/// Makes an empty directory that only root may enter while it is filled. One that is there already is a mount point (or what mkfs
/// has made).
fn make_directory(pair: &Pair<'_>, entry: &Name) -> Result<(), (String, Errno)> {
    let failed = |errno| ("make the directory".to_owned(), errno);
    match fs::mkdirat(pair.to, &entry.name, Mode::from_raw_mode(0o700)) {
        Err(Errno::EXIST) => {
            let there = tree::stat(pair.to, &entry.name).map_err(failed)?;
            let is_directory = FileType::from_raw_mode(there.st_mode) == FileType::Directory;
            if is_directory { Ok(()) } else { Err(failed(Errno::EXIST)) }
        }
        made => made.map_err(failed),
    }
}
