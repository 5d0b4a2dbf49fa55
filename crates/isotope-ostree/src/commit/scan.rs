//! A directory tree as a list of what there is to write, read relative to its root without following any link.

use crate::OstreeError;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A directory of the tree.
pub(super) struct Folder {
    /// Where it is, relative to the root; empty: the root.
    pub(super) path: String,
    pub(super) stat: Stat,
    /// Names, and places in [`Scan::files`].
    pub(super) files: Vec<(String, usize)>,
    /// Names, and the directories.
    pub(super) folders: Vec<(String, Folder)>,
}

/// A file or a link of the tree, once for all its hard links.
pub(super) struct Leaf {
    /// Where it is, relative to the root.
    pub(super) path: String,
    pub(super) stat: Stat,
}

/// What there is.
pub(super) struct Scan {
    pub(super) root: Folder,
    pub(super) files: Vec<Leaf>,
}

/// An open tree.
pub(super) struct Tree {
    fd: OwnedFd,
    path: PathBuf,
}

impl Tree {
    pub(super) fn open(path: &Path) -> Result<Self, OstreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| OstreeError::Io {
            deed: "open the tree",
            path: path.to_owned(),
            source: errno.into(),
        })?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens something in it for reading; a link on the way, or at the end, is an error.
    pub(super) fn open_at(&self, path: &str) -> Result<OwnedFd, OstreeError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let path_or_root = if path.is_empty() { "." } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(&self.fd, path_or_root, flags, Mode::empty(), resolve)
            .map_err(|errno| self.unreadable(path, errno.into()))
    }

    /// Where a link leads.
    pub(super) fn read_link(&self, path: &str) -> Result<String, OstreeError> {
        let (dir, name) = self.parent(path)?;
        let target =
            rustix::fs::readlinkat(dir, name, Vec::new()).map_err(|errno| self.unreadable(path, errno.into()))?;
        target.into_string().map_err(|_| self.unreadable(path, not_text()))
    }

    /// The directory that holds `path`, and the name in it.
    pub(super) fn parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str), OstreeError> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.open_at(dir)?, name))
    }

    /// What is wrong with something in it.
    pub(super) fn unreadable(&self, path: &str, source: io::Error) -> OstreeError {
        OstreeError::Io { deed: "read", path: self.path.join(path), source }
    }

    /// Lists everything.
    pub(super) fn scan(&self) -> Result<Scan, OstreeError> {
        let root = rustix::fs::fstat(&self.fd).map_err(|errno| self.unreadable("", errno.into()))?;
        let mut walk = Walk { tree: self, files: Vec::new(), links: HashMap::new() };
        let root = walk.folder(String::new(), root)?;
        Ok(Scan { root, files: walk.files })
    }
}

struct Walk<'t> {
    tree: &'t Tree,
    files: Vec<Leaf>,
    /// Files with several names, by device and inode.
    links: HashMap<(u64, u64), usize>,
}

impl Walk<'_> {
    fn folder(&mut self, path: String, stat: Stat) -> Result<Folder, OstreeError> {
        let tree = self.tree;
        let unreadable = |errno: rustix::io::Errno| tree.unreadable(&path, errno.into());
        let fd = tree.open_at(&path)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(fd.as_fd()).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            match name.to_str() {
                Some("." | "..") => {}
                Some(name) => names.push(name.to_owned()),
                None => return Err(tree.unreadable(&format!("{path}/{}", name.display()), not_text())),
            }
        }
        names.sort_unstable();
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for name in names {
            let child = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            let stat = rustix::fs::statat(&fd, &name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| tree.unreadable(&child, errno.into()))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => folders.push((name, self.folder(child, stat)?)),
                FileType::RegularFile | FileType::Symlink => files.push((name, self.leaf(child, stat))),
                other => {
                    let what = format!("a commit holds no {other:?}; remove it from the tree");
                    return Err(tree.unreadable(&child, io::Error::other(what)));
                }
            }
        }
        Ok(Folder { path, stat, files, folders })
    }

    fn leaf(&mut self, path: String, stat: Stat) -> usize {
        let next = self.files.len();
        if stat.st_nlink > 1 {
            let known = *self.links.entry((stat.st_dev, stat.st_ino)).or_insert(next);
            if known != next {
                return known;
            }
        }
        self.files.push(Leaf { path, stat });
        next
    }
}

fn not_text() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "names in a commit are text (UTF-8)")
}
