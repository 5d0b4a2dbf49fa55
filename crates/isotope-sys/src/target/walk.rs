//! What is done to directories from the inside: listing, removing, setting times. Links are never followed.

use super::Entry;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

/// Access and modification time, both this.
pub(super) const fn same_time(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// Removes a file, link or empty directory.
pub(super) fn unlink(dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    match fs::unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => fs::unlinkat(dir, name, AtFlags::REMOVEDIR),
        result => result,
    }
}

/// The names in a directory, sorted.
pub(super) fn entries(dir: BorrowedFd<'_>) -> Result<Vec<Entry>, Errno> {
    let mut found = Vec::new();
    for entry in fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        found.push(Entry { name, is_dir: kind == FileType::Directory, is_symlink: kind == FileType::Symlink });
    }
    found.sort();
    Ok(found)
}

fn open_child(dir: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(dir, name, flags, Mode::empty())
}

/// Removes `name` and all below it. A mount below is not entered: its `unlink` fails with EBUSY, which is the answer.
pub(super) fn remove_tree_at(dir: BorrowedFd<'_>, name: &OsStr, device: u64) -> Result<(), Errno> {
    match fs::unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        result => return result,
    }
    let child = open_child(dir, name)?;
    if fs::fstat(&child)?.st_dev == device {
        for entry in entries(child.as_fd())? {
            remove_tree_at(child.as_fd(), &entry.name, device)?;
        }
    }
    fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// Sets every modification time below `dir` that is later than `seconds` to it, on the device `device`.
pub(super) fn clamp_dir(dir: BorrowedFd<'_>, device: u64, seconds: i64) -> Result<(), Errno> {
    for entry in entries(dir)? {
        let stat = fs::statat(dir, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_dev != device {
            continue;
        }
        if entry.is_dir {
            clamp_dir(open_child(dir, &entry.name)?.as_fd(), device, seconds)?;
        }
        if stat.st_mtime > seconds {
            fs::utimensat(dir, &entry.name, &same_time(seconds), AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}
