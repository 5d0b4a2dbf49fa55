//! Directories of a tree, opened so that no symbolic link is followed anywhere in their path.

use super::PopulateError;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A tree, held open by its root.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// Opens the tree at `path`.
    pub(super) fn open(path: &Path) -> Result<Self, PopulateError> {
        let root = fs::open(path, DIRECTORY, Mode::empty());
        root.map(|root| Self { root }).map_err(|errno| PopulateError::new("open the tree", path, errno))
    }

    /// Opens a directory by its path from the root (empty: the root), also across mount points.
    pub(super) fn dir(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open_with(path, INSIDE)
    }

    /// The same, staying on the root's mount: `EXDEV` where something is mounted.
    pub(super) fn dir_on_same_mount(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open_with(path, INSIDE | ResolveFlags::NO_XDEV)
    }

    fn open_with(&self, path: &Path, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::openat2(&self.root, path, DIRECTORY, Mode::empty(), resolve)
    }
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) name: CString,
    pub(super) kind: Kind,
}

/// What is at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Directory,
    File,
    Symlink,
    Fifo,
    CharacterDevice,
    BlockDevice,
    Socket,
}

impl Kind {
    pub(super) fn of(kind: FileType) -> Option<Self> {
        match kind {
            FileType::Directory => Some(Self::Directory),
            FileType::RegularFile => Some(Self::File),
            FileType::Symlink => Some(Self::Symlink),
            FileType::Fifo => Some(Self::Fifo),
            FileType::CharacterDevice => Some(Self::CharacterDevice),
            FileType::BlockDevice => Some(Self::BlockDevice),
            FileType::Socket => Some(Self::Socket),
            FileType::Unknown => None,
        }
    }
}

/// The names in a directory, sorted by their bytes.
pub(super) fn list(dir: BorrowedFd<'_>) -> Result<Vec<Name>, Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if [&b"."[..], b".."].contains(&name.to_bytes()) {
            continue;
        }
        let kind = match Kind::of(entry.file_type()) {
            Some(kind) => kind,
            // Some filesystems do not say it in the directory.
            None => Kind::of(FileType::from_raw_mode(stat(dir, name)?.st_mode)).ok_or(Errno::INVAL)?,
        };
        names.push(Name { name: name.to_owned(), kind });
    }
    names.sort_unstable();
    Ok(names)
}

/// What a name is, itself if it is a link.
pub(super) fn stat(dir: impl AsFd, name: &CStr) -> Result<fs::Stat, Errno> {
    fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// `dir/name`, from the root.
pub(super) fn join(dir: &Path, name: &CStr) -> PathBuf {
    dir.join(OsStr::from_bytes(name.to_bytes()))
}
