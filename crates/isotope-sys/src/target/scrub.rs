//! What no file system image and no commit should carry: device nodes, sockets, FIFOs, and attributes of users.

use super::walk::entries;
use super::{TargetDir, TargetError, TargetPath};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Device nodes, sockets, FIFOs.
    pub special: u64,
    /// Attributes `user.*`.
    pub attributes: u64,
}

impl TargetDir {
    /// Removes device nodes, sockets and FIFOs, and all attributes `user.*`, in the whole tree and on its file system only.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn scrub(&self) -> Result<Scrubbed, TargetError> {
        let root = TargetPath::new("/");
        let mut scrubbed = Scrubbed::default();
        let scrub = |scrubbed: &mut Scrubbed| {
            let dir = self.raw_open(root.as_path(), OFlags::RDONLY | OFlags::DIRECTORY, 0)?;
            let device = fs::fstat(&dir)?.st_dev;
            scrub_dir(dir.as_fd(), device, scrubbed)
        };
        scrub(&mut scrubbed).map(|()| scrubbed).map_err(|errno| self.error("clean", root, errno))
    }
}

fn scrub_dir(dir: BorrowedFd<'_>, device: u64, scrubbed: &mut Scrubbed) -> Result<(), Errno> {
    for entry in entries(dir)? {
        let stat = fs::statat(dir, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_dev != device {
            continue;
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice | FileType::BlockDevice | FileType::Socket | FileType::Fifo => {
                fs::unlinkat(dir, &entry.name, AtFlags::empty())?;
                scrubbed.special += 1;
            }
            FileType::Directory => {
                scrubbed.attributes += strip(dir, &entry.name)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let child = fs::openat(dir, &entry.name, flags, Mode::empty())?;
                scrub_dir(child.as_fd(), device, scrubbed)?;
            }
            FileType::RegularFile => scrubbed.attributes += strip(dir, &entry.name)?,
            // A link cannot have any.
            _ => {}
        }
    }
    Ok(())
}

/// Removes the attributes `user.*` of a file or directory.
fn strip(dir: BorrowedFd<'_>, name: &OsStr) -> Result<u64, Errno> {
    let file = fs::openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    // Attributes of what is open by O_PATH are reached by its name in /proc only.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut names = vec![0_u8; 4096];
    let length = loop {
        match fs::listxattr(&path, &mut names[..]) {
            Err(Errno::RANGE) if names.len() < 1 << 20 => names.resize(names.len() * 4, 0),
            Err(Errno::NOTSUP) => return Ok(0),
            other => break other?,
        }
    };
    let mut removed = 0;
    for name in names[..length].split(|byte| *byte == 0).filter(|name| name.starts_with(b"user.")) {
        let Ok(name) = CString::new(name) else { continue };
        fs::removexattr(&path, &name)?;
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, XattrFlags, mknodat, setxattr};

    #[test]
    fn only_files_directories_and_links_stay() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        tree.write("/a/file", "x", 0o644).unwrap();
        tree.symlink("file", "/a/link").unwrap();
        mknodat(CWD, dir.path().join("a/fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        // A file system without such attributes has nothing to strip.
        let marked = setxattr(dir.path().join("a/file"), c"user.note", b"1", XattrFlags::empty()).is_ok();
        let scrubbed = tree.scrub().unwrap();
        assert_eq!(scrubbed, Scrubbed { special: 1, attributes: u64::from(marked) });
        let names: Vec<_> = tree.read_dir("/a").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["file", "link"]);
        assert_eq!(tree.scrub().unwrap(), Scrubbed::default());
    }
}
