//! Owners, modes and times inside a target tree.

use super::walk::{clamp_dir, same_time};
use super::{TargetDir, TargetError, TargetPath};
use rustix::fs::{self, AtFlags, Gid, Mode, OFlags, Uid};
use std::os::fd::AsFd;

impl TargetDir {
    /// Sets the permission bits of a file or directory, links followed inside the target.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn set_mode(&self, path: impl AsRef<TargetPath>, mode: u32) -> Result<(), TargetError> {
        let path = path.as_ref();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.raw_open(path.as_path(), flags, 0)
            .and_then(|fd| fs::fchmod(fd, Mode::from_raw_mode(mode)))
            .map_err(|errno| self.error("set the mode of", path, errno))
    }

    /// Sets owner and group of a name, itself if it is a link.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn set_owner(&self, path: impl AsRef<TargetPath>, uid: u32, gid: u32) -> Result<(), TargetError> {
        let path = path.as_ref();
        let (dir, name) = self.parent("set the owner of", path, false)?;
        fs::chownat(dir, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.error("set the owner of", path, errno))
    }

    /// Sets access and modification time of a name, itself if it is a link, to whole seconds since 1970.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn set_times(&self, path: impl AsRef<TargetPath>, seconds: i64) -> Result<(), TargetError> {
        let path = path.as_ref();
        let (dir, name) = self.parent("set the times of", path, false)?;
        fs::utimensat(dir, name, &same_time(seconds), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| self.error("set the times of", path, errno))
    }

    /// Sets every modification time later than `seconds` to `seconds`, in the whole tree and on its file system only.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn clamp_times(&self, seconds: i64) -> Result<(), TargetError> {
        let root = TargetPath::new("/");
        let clamp = || {
            let dir = self.raw_open(root.as_path(), OFlags::RDONLY | OFlags::DIRECTORY, 0)?;
            let stat = fs::fstat(&dir)?;
            clamp_dir(dir.as_fd(), stat.st_dev, seconds)?;
            if stat.st_mtime > seconds { fs::futimens(&dir, &same_time(seconds)) } else { Ok(()) }
        };
        clamp().map_err(|errno| self.error("set the times of", root, errno))
    }
}
