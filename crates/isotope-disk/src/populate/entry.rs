//! One name of a directory, copied with all that belongs to it.

use super::tree::{self, Kind, Name};
use super::{PopulateError, data, xattr};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// Size of a thread's buffer.
const BUFFER: usize = 256 << 10;

/// What a thread has of its own.
pub(super) struct Worker {
    buffer: Vec<u8>,
    /// Owner and group of what it makes.
    owner: (u32, u32),
}

impl Worker {
    /// Gives the calling thread a working directory and a umask of its own, so that names can be made with their final modes.
    pub(super) fn new() -> Result<Self, PopulateError> {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).map_err(|errno| {
            PopulateError::new("give a thread its own umask for", Path::new(""), Errno::from_raw_os_error(errno as i32))
        })?;
        nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Ok(Self { buffer: vec![0; BUFFER], owner })
    }
}

/// A directory of the tree and its copy, both open.
pub(super) struct Pair<'a> {
    pub(super) from: BorrowedFd<'a>,
    pub(super) to: BorrowedFd<'a>,
    /// Whether attributes can be set there at all (not on a staged FAT).
    pub(super) attributes: bool,
}

/// A regular file of the tree, open.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) name: &'a CStr,
    pub(super) from: BorrowedFd<'a>,
    pub(super) stat: &'a Stat,
}

/// A failed deed: what, and why.
type Failed = (String, Errno);

fn failed(what: &'static str) -> impl Fn(Errno) -> Failed {
    move |errno| (what.to_owned(), errno)
}

impl Pair<'_> {
    /// Opens a regular file of the tree (or what has taken its name by now), without waiting for anybody.
    pub(super) fn open(&self, name: &CStr) -> Result<std::os::fd::OwnedFd, Failed> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let opened = match fs::openat(self.from, name, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => fs::openat(self.from, name, flags, Mode::empty()),
            opened => opened,
        };
        opened.map_err(failed("read"))
    }

    /// Copies a regular file that is open; `done` counts its bytes.
    pub(super) fn file(&self, worker: &mut Worker, source: &Source<'_>, done: &AtomicU64) -> Result<(), Failed> {
        let Source { name, from, stat } = *source;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = fs::openat(self.to, name, flags, Mode::from_raw_mode(stat.st_mode & 0o777)).map_err(failed("make"))?;
        data::copy(from, to.as_fd(), stat, &mut worker.buffer, done).map_err(failed("copy"))?;
        let owned = self.owner(worker, stat, |uid, gid| fs::fchown(&to, uid, gid))?;
        // Writing and a change of owner clear the set-id bits.
        if owned || stat.st_mode & 0o7000 != 0 {
            fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(failed("set the mode of"))?;
        }
        if self.attributes {
            let on = (xattr::On::Fd(from), xattr::On::Fd(to.as_fd()));
            xattr::copy(on.0, &mut || Ok(()), on.1).map_err(|(what, errno)| (format!("copy {what} of"), errno))?;
        }
        fs::futimens(&to, &times(stat)).map_err(failed("set the times of"))
    }

    /// Copies a link, a FIFO or a device.
    pub(super) fn special(&self, worker: &Worker, entry: &Name) -> Result<(), Failed> {
        let stat = tree::stat(self.from, &entry.name).map_err(failed("look at"))?;
        if Kind::of(FileType::from_raw_mode(stat.st_mode)) != Some(entry.kind) {
            return Err(("copy".to_owned(), Errno::STALE));
        }
        let name = entry.name.as_c_str();
        if entry.kind == Kind::Symlink {
            let content = fs::readlinkat(self.from, name, Vec::new()).map_err(failed("read the link"))?;
            fs::symlinkat(&content, self.to, name).map_err(failed("make the link"))?;
        } else {
            let kind = FileType::from_raw_mode(stat.st_mode);
            let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
            fs::mknodat(self.to, name, kind, mode, stat.st_rdev).map_err(failed("make the node"))?;
        }
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let owned = self.owner(worker, &stat, |uid, gid| fs::chownat(self.to, name, uid, gid, nofollow))?;
        if entry.kind != Kind::Symlink && (owned || stat.st_mode & 0o7000 != 0) {
            // The name was just made here as a node, so there is no link to follow.
            fs::chmodat(self.to, name, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())
                .map_err(failed("set the mode of"))?;
        }
        if self.attributes {
            self.attributes_of(name).map_err(|(what, errno)| (format!("copy {what} of"), errno))?;
        }
        fs::utimensat(self.to, name, &times(&stat), nofollow).map_err(failed("set the times of"))
    }

    /// Attributes of what cannot be opened go by names in the thread's working directory.
    fn attributes_of(&self, name: &CStr) -> Result<(), Failed> {
        rustix::process::fchdir(self.from).map_err(failed("extended attributes"))?;
        xattr::copy(xattr::On::Name(name), &mut || rustix::process::fchdir(self.to), xattr::On::Name(name))
    }

    /// Gives a directory what belongs to it, when all that is in it is done.
    pub(super) fn finish_directory(&self, worker: &Worker, stat: &Stat) -> Result<(), Failed> {
        self.owner(worker, stat, |uid, gid| fs::fchown(self.to, uid, gid))?;
        fs::fchmod(self.to, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(failed("set the mode of"))?;
        if self.attributes {
            let copied = xattr::copy(xattr::On::Fd(self.from), &mut || Ok(()), xattr::On::Fd(self.to));
            copied.map_err(|(what, errno)| (format!("copy {what} of"), errno))?;
        }
        fs::futimens(self.to, &times(stat)).map_err(failed("set the times of"))
    }

    fn owner(
        &self,
        worker: &Worker,
        stat: &Stat,
        set: impl FnOnce(Option<Uid>, Option<Gid>) -> Result<(), Errno>,
    ) -> Result<bool, Failed> {
        let changes = (stat.st_uid, stat.st_gid) != worker.owner;
        if changes {
            set(Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
                .map_err(failed("set the owner of"))?;
        }
        Ok(changes)
    }
}

/// The time of change, to the nanosecond. It becomes the time of access too: when the source was last read says nothing about the
/// image, and reading it for the copy would change it.
fn times(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0) };
    Timestamps { last_access: time, last_modification: time }
}
