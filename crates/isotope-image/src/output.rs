//! Output files that get their name only when they are complete.
//!
//! The file is made without a name (`O_TMPFILE`) in the directory where it will live; [`PendingOutput::commit`] syncs it,
//! links it under a temporary name and renames that over the final one. A process killed before leaves nothing. Where a
//! filesystem has no unnamed files, a temporary name with a lock is used; one whose owner died is removed by the next
//! [`PendingOutput::create`] in that directory.

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, FdFlags};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What temporary names end with. They begin with `.` and the final name.
const SUFFIX: &str = ".isotope-partial";

/// Why an output could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The path has no file name.
    #[error("`{}` does not name a file", .0.display())]
    NoName(PathBuf),
    /// The directory it should be in cannot be opened.
    #[error("cannot open the output directory `{}`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something that is no file stands at the final name.
    #[error("`{}` exists and is not a regular file; remove it or choose another name", .0.display())]
    NotAFile(PathBuf),
    /// The file cannot be created, written, synced or named.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The final path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The filesystem is full.
    #[error(
        "no space left while writing `{}`: {written} bytes written, {} needed, {free} bytes free in `{}`; \
         free space there or choose another output directory",
        path.display(), needed.map_or("more".to_owned(), |n| format!("up to {n}")), dir.display()
    )]
    NoSpace {
        /// The final path.
        path: PathBuf,
        /// Its directory.
        dir: PathBuf,
        /// Bytes that were written before.
        written: u64,
        /// The most that the whole file may need, where known.
        needed: Option<u64>,
        /// Bytes free now.
        free: u64,
    },
}

/// A file that has no name yet. Dropping it removes it.
#[must_use = "without `commit` the file is removed"]
#[derive(Debug)]
pub struct PendingOutput {
    file: File,
    dir: OwnedFd,
    dir_path: PathBuf,
    name: OsString,
    /// Set while the file has a temporary name.
    temporary: Option<OsString>,
}

impl PendingOutput {
    /// Makes an empty file that will become `path`, and removes what dead processes left of earlier ones there.
    ///
    /// # Errors
    /// The directory is missing or not writable, or `path` is a directory or device.
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        Self::create_with(path, true)
    }

    fn create_with(path: &Path, unnamed: bool) -> Result<Self, OutputError> {
        let name = path.file_name().ok_or_else(|| OutputError::NoName(path.to_owned()))?.to_owned();
        let dir_path = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&dir_path, flags, Mode::empty())
            .map_err(|error| OutputError::Directory { path: dir_path.clone(), source: error.into() })?;
        if let Ok(stat) = rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
            let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
            if !matches!(kind, rustix::fs::FileType::RegularFile | rustix::fs::FileType::Symlink) {
                return Err(OutputError::NotAFile(path.to_owned()));
            }
        }
        remove_stale(&dir);
        let io = |error: Errno| OutputError::Io { what: "create", path: path.to_owned(), source: error.into() };
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let unnamed = if unnamed {
            match rustix::fs::openat(&dir, ".", flags | OFlags::TMPFILE, Mode::from_raw_mode(0o644)) {
                Ok(file) => Some(file),
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => None,
                Err(error) => return Err(io(error)),
            }
        } else {
            None
        };
        let (file, temporary) = match unnamed {
            Some(file) => (file, None),
            None => {
                let temporary = temporary_name(&name);
                let create = flags | OFlags::CREATE | OFlags::EXCL;
                let file = rustix::fs::openat(&dir, &temporary, create, Mode::from_raw_mode(0o644)).map_err(io)?;
                (file, Some(temporary))
            }
        };
        // The lock tells the next start that the owner of a temporary name lives. It goes with the descriptor.
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(io)?;
        Ok(Self { file: File::from(file), dir, dir_path, name, temporary })
    }

    /// The file, open for reading and writing.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// What its path will be.
    #[must_use]
    pub fn final_path(&self) -> PathBuf {
        self.dir_path.join(&self.name)
    }

    /// A path by which tools started by this process can open the file.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn tool_path(&self) -> Result<ToolPath, OutputError> {
        // rustix's `dup` gives a descriptor that children inherit.
        rustix::io::dup(&self.file)
            .and_then(|descriptor| {
                rustix::io::fcntl_setfd(&descriptor, FdFlags::empty())?;
                Ok(ToolPath {
                    path: format!("/proc/self/fd/{}", descriptor.as_raw_fd()).into(),
                    _descriptor: descriptor,
                })
            })
            .map_err(|error| self.error("hand to a tool", error.into()))
    }

    /// Syncs the file and gives it its final name, replacing what has it. Returns the final path.
    ///
    /// # Errors
    /// The file cannot be synced or named; nothing remains of it then.
    pub fn commit(mut self) -> Result<PathBuf, OutputError> {
        self.file.sync_all().map_err(|error| self.error("sync", error))?;
        self.give_name()?;
        rustix::fs::fsync(&self.dir).map_err(|error| self.error("sync the directory of", error.into()))?;
        Ok(self.final_path())
    }

    /// The same for what may be lost in a crash: nothing is synced.
    ///
    /// # Errors
    /// The file cannot be named; nothing remains of it then.
    pub fn commit_unsynced(mut self) -> Result<PathBuf, OutputError> {
        self.give_name()?;
        Ok(self.final_path())
    }

    fn give_name(&mut self) -> Result<(), OutputError> {
        if self.temporary.is_none() {
            let temporary = temporary_name(&self.name);
            let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            rustix::fs::linkat(rustix::fs::CWD, own, &self.dir, &temporary, AtFlags::SYMLINK_FOLLOW)
                .map_err(|error| self.error("name", error.into()))?;
            self.temporary = Some(temporary);
        }
        if let Some(temporary) = &self.temporary {
            rustix::fs::renameat(&self.dir, temporary, &self.dir, &self.name)
                .map_err(|error| self.error("rename", error.into()))?;
        }
        self.temporary = None;
        Ok(())
    }

    /// An error about this file; a full disk becomes [`OutputError::NoSpace`].
    #[must_use]
    pub fn error(&self, what: &'static str, source: io::Error) -> OutputError {
        self.error_needing(what, source, None)
    }

    /// As [`PendingOutput::error`], with the most that the file may need.
    #[must_use]
    pub fn error_needing(&self, what: &'static str, source: io::Error, needed: Option<u64>) -> OutputError {
        let path = self.final_path();
        if !is_full(&source) {
            return OutputError::Io { what, path, source };
        }
        let written = rustix::fs::fstat(&self.file).map_or(0, |stat| u64::try_from(stat.st_blocks).unwrap_or(0) * 512);
        OutputError::NoSpace { path, dir: self.dir_path.clone(), written, needed, free: self.free() }
    }

    /// Bytes free for this user on the filesystem of the file.
    #[must_use]
    pub fn free(&self) -> u64 {
        rustix::fs::fstatvfs(&self.dir).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl Drop for PendingOutput {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nothing better can be done here; the next start removes it.
            rustix::fs::unlinkat(&self.dir, temporary, AtFlags::empty()).ok();
        }
    }
}

/// A path (`/proc/self/fd/N`) that is valid in children of this process as long as this value lives.
#[derive(Debug)]
pub struct ToolPath {
    path: PathBuf,
    _descriptor: OwnedFd,
}

impl AsRef<Path> for ToolPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<OsStr> for ToolPath {
    fn as_ref(&self) -> &OsStr {
        self.path.as_os_str()
    }
}

/// Whether an error says that there is no room.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Writes a whole small file, complete or not at all.
///
/// # Errors
/// As [`PendingOutput`].
pub fn write_file(path: &Path, data: &[u8]) -> Result<(), OutputError> {
    let pending = PendingOutput::create(path)?;
    io::Write::write_all(&mut pending.file(), data)
        .map_err(|error| pending.error_needing("write", error, u64::try_from(data.len()).ok()))?;
    pending.commit().map(drop)
}

fn temporary_name(name: &OsStr) -> OsString {
    static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    // The clock keeps names of builds in different PID namespaces apart.
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{count}-{clock:x}{SUFFIX}", std::process::id()));
    temporary
}

/// Removes temporary files in `dir` whose owner is dead: nobody holds their lock.
fn remove_stale(dir: &OwnedFd) {
    let Ok(entries) = rustix::fs::Dir::read_from(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let bytes = name.to_bytes();
        if !bytes.starts_with(b".") || !bytes.ends_with(SUFFIX.as_bytes()) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::openat(dir, name, flags, Mode::empty()) else { continue };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // If it cannot be removed, it is not ours, and the final name is safe anyway.
            rustix::fs::unlinkat(dir, name, AtFlags::empty()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_name_comes_last_and_replaces() {
        for unnamed in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.img");
            std::fs::write(&path, "old").unwrap();
            let pending = PendingOutput::create_with(&path, unnamed).unwrap();
            pending.file().write_all(b"new").unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
            assert_eq!(pending.commit().unwrap(), path);
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
            assert_eq!(names(dir.path()), ["a.img"]);
        }
    }

    #[test]
    fn dropping_leaves_nothing() {
        for unnamed in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            drop(PendingOutput::create_with(&dir.path().join("a.img"), unnamed).unwrap());
            assert!(names(dir.path()).is_empty());
        }
    }

    #[test]
    fn stale_temporaries_go_and_living_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let living = PendingOutput::create_with(&dir.path().join("living"), false).unwrap();
        std::fs::write(dir.path().join(".dead.1-0-0.isotope-partial"), "x").unwrap();
        drop(PendingOutput::create(&dir.path().join("other")).unwrap());
        let left = names(dir.path());
        assert!(left.len() == 1 && left[0].starts_with(".living."), "{left:?}");
        living.commit().unwrap();
        assert_eq!(names(dir.path()), ["living"]);
    }

    #[test]
    fn a_directory_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("x")).unwrap();
        let text = PendingOutput::create(&dir.path().join("x")).unwrap_err().to_string();
        assert!(text.contains("not a regular file"), "{text}");
        let text = PendingOutput::create(&dir.path().join("no/x")).unwrap_err().to_string();
        assert!(text.contains("output directory"), "{text}");
    }

    #[test]
    fn tools_can_write_it() {
        let dir = tempfile::tempdir().unwrap();
        let pending = PendingOutput::create(&dir.path().join("t")).unwrap();
        let path = pending.tool_path().unwrap();
        isotope_sys::command::Tool::new("sh").args(["-c", "echo hello > \"$1\"", "sh"]).arg(&path).run().unwrap();
        drop(path);
        assert_eq!(std::fs::read_to_string(pending.commit().unwrap()).unwrap(), "hello\n");
    }
}
