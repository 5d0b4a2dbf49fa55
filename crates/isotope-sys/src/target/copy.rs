//! Copies files of the host into a target tree.

use super::{TargetDir, TargetError, TargetPath};
use rustix::fs::{self, Mode};
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Permission bits of the files that a copy makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMode {
    /// Those of the source.
    Source,
    /// 0755 if the source is executable by its owner, else 0644: what a checkout of a repository can carry.
    Checkout,
    /// These.
    Fixed(u32),
}

impl FileMode {
    const fn of(self, source: u32) -> u32 {
        match self {
            Self::Source => source & 0o7777,
            Self::Checkout if source & 0o100 != 0 => 0o755,
            Self::Checkout => 0o644,
            Self::Fixed(mode) => mode,
        }
    }
}

impl TargetDir {
    /// Copies a file, link or directory of the host to `dest`: the content of a directory goes below `dest`, which is
    /// made if it is not there; directories that are there keep their modes. Owner becomes root; extended attributes
    /// are kept; links are copied as links.
    ///
    /// # Errors
    /// The source cannot be read, or the target refuses.
    pub fn copy_in(&self, source: &Path, dest: impl AsRef<TargetPath>, mode: FileMode) -> Result<(), TargetError> {
        let dest = dest.as_ref();
        let failed = |error| self.io_error("copy to", dest, error);
        let kind = source.symlink_metadata().map_err(|error| failed(about(source, &error)))?;
        if kind.is_symlink() {
            let content = source.read_link().map_err(failed)?;
            return self.symlink(content, dest);
        }
        if !kind.is_dir() {
            return self.copy_file(source, dest, mode.of(kind.mode())).map_err(failed);
        }
        let dir_mode = if mode == FileMode::Source { kind.mode() & 0o7777 } else { 0o755 };
        self.create_dir_all(dest, dir_mode)?;
        let mut names = source
            .read_dir()
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>, std::io::Error>>())
            .map_err(|error| failed(about(source, &error)))?;
        names.sort();
        names.iter().try_for_each(|name| self.copy_in(&source.join(name), &*dest.join(name), mode))
    }

    fn copy_file(&self, source: &Path, dest: &TargetPath, mode: u32) -> std::io::Result<()> {
        let mut from = File::open(source).map_err(|error| about(source, &error))?;
        if !from.metadata()?.is_file() {
            return Err(std::io::Error::other(format!("{} is not a file, link or directory", source.display())));
        }
        self.write(dest, [], 0o600).map_err(|error| error.source)?;
        let mut to = self.regular("copy to", dest, rustix::fs::OFlags::WRONLY, 0).map_err(|error| error.source)?;
        std::io::copy(&mut from, &mut to)?;
        copy_xattrs(&from, &to)?;
        Ok(fs::fchmod(&to, Mode::from_raw_mode(mode))?)
    }
}

fn about(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn copy_xattrs(from: &impl AsFd, to: &impl AsFd) -> Result<(), Errno> {
    let mut names = vec![0_u8; 65536];
    let length = match fs::flistxattr(from, &mut names[..]) {
        Err(Errno::NOTSUP) => return Ok(()),
        result => result?,
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // The host's own labels mean nothing in the target.
        if name == b"security.selinux" {
            continue;
        }
        let Ok(name) = CString::new(name) else { continue };
        let mut value = vec![0_u8; 65536];
        let size = fs::fgetxattr(from, &name, &mut value[..])?;
        match fs::fsetxattr(to, &name, &value[..size], fs::XattrFlags::empty()) {
            Err(Errno::NOTSUP) | Ok(()) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
