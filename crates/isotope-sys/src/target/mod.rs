//! The one way to read and write inside a target tree from the outside.
//!
//! Every path is resolved by the kernel with `openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)`: a symbolic link in
//! the target, absolute or with `..`, resolves inside the target, and nothing can lead out of it. The last name of a
//! path that is written, made or removed is never followed. Must not know what the files mean.

mod attributes;
mod copy;
mod path;
mod scrub;
mod walk;

pub use copy::FileMode;
pub use path::{TargetPath, TargetPathBuf};
pub use scrub::Scrubbed;
use walk::{entries, remove_tree_at, unlink};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What could not be done inside the target.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {path} in the target tree {}", root.display())]
pub struct TargetError {
    /// The deed: `read`, `write`, …
    pub what: &'static str,
    /// The path inside the target.
    pub path: String,
    /// The tree on the host.
    pub root: PathBuf,
    /// The cause.
    pub source: std::io::Error,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// Whether it is a directory (links are not followed).
    pub is_dir: bool,
    /// Whether it is a symbolic link.
    pub is_symlink: bool,
}

/// A target tree, held open.
#[derive(Debug)]
pub struct TargetDir {
    root: OwnedFd,
    path: PathBuf,
}

const RESOLVE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// What says that a name is not there; links that go round in a circle lead to nothing.
const ABSENT: [Errno; 3] = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP];

impl TargetDir {
    /// Opens the tree at `path` on the host.
    ///
    /// # Errors
    /// It is not a directory.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TargetError> {
        let path = path.into();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match fs::open(&path, flags, Mode::empty()) {
            Ok(root) => Ok(Self { root, path }),
            Err(errno) => Err(TargetError { what: "open", path: "/".into(), root: path, source: errno.into() }),
        }
    }

    /// Where the tree is on the host: for the arguments of host tools and for messages, not for access by the caller.
    #[must_use]
    pub fn host_path(&self) -> &Path {
        &self.path
    }

    /// A path below the tree as the host names it, for the arguments of host tools. Nothing is resolved.
    #[must_use]
    pub fn host_path_of(&self, path: impl AsRef<TargetPath>) -> PathBuf {
        self.path.join(path.as_ref().as_path().strip_prefix("/").unwrap_or(path.as_ref().as_path()))
    }

    /// Opens a file or directory with flags of one's own, following links inside the target.
    ///
    /// # Errors
    /// As `openat2`.
    pub fn open_at(&self, path: impl AsRef<TargetPath>, flags: OFlags, mode: u32) -> Result<OwnedFd, TargetError> {
        let path = path.as_ref();
        self.raw_open(path.as_path(), flags, mode).map_err(|errno| self.error("open", path, errno))
    }

    /// Opens a place as a mount point: no link anywhere in `path` is followed.
    ///
    /// # Errors
    /// There is a link in it, or it is not there.
    pub fn open_mount_point(&self, path: impl AsRef<TargetPath>) -> Result<OwnedFd, TargetError> {
        let path = path.as_ref();
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        fs::openat2(&self.root, path.as_path(), flags, Mode::empty(), RESOLVE | ResolveFlags::NO_SYMLINKS)
            .map_err(|errno| self.error("mount on", path, errno))
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// Not there, or not a regular file (a FIFO or device of a hostile target is not read).
    pub fn open_file(&self, path: impl AsRef<TargetPath>) -> Result<File, TargetError> {
        self.regular("read", path.as_ref(), OFlags::RDONLY, 0)
    }

    /// Opens a regular file for appending; makes it with `mode` if it is not there.
    ///
    /// # Errors
    /// Its directory is not there, or it is not a regular file.
    pub fn append(&self, path: impl AsRef<TargetPath>, mode: u32) -> Result<File, TargetError> {
        self.regular("append to", path.as_ref(), OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE, mode)
    }

    /// Reads a whole regular file.
    ///
    /// # Errors
    /// As [`TargetDir::open_file`].
    pub fn read(&self, path: impl AsRef<TargetPath>) -> Result<Vec<u8>, TargetError> {
        let path = path.as_ref();
        let mut data = Vec::new();
        let read = self.open_file(path)?.read_to_end(&mut data);
        read.map(|_| data).map_err(|source| self.io_error("read", path, source))
    }

    /// Reads a whole regular file as text; bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// As [`TargetDir::open_file`].
    pub fn read_text(&self, path: impl AsRef<TargetPath>) -> Result<String, TargetError> {
        Ok(String::from_utf8_lossy(&self.read(path)?).into_owned())
    }

    /// Writes a file with exactly these permission bits, owned by root. What had this name before (also a link) is
    /// replaced in one step. Missing directories are made.
    ///
    /// # Errors
    /// The name is a directory's, or the file system refuses.
    pub fn write(&self, path: impl AsRef<TargetPath>, data: impl AsRef<[u8]>, mode: u32) -> Result<(), TargetError> {
        let path = path.as_ref();
        let (dir, name) = self.parent("write", path, true)?;
        let temporary = temporary_name(name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let written = fs::openat(&dir, &temporary, flags, Mode::from_raw_mode(0o600))
            .map_err(std::io::Error::from)
            .and_then(|fd| {
                let mut file = File::from(fd);
                file.write_all(data.as_ref())?;
                fs::fchmod(&file, Mode::from_raw_mode(mode))?;
                Ok(fs::renameat(&dir, &temporary, &dir, name)?)
            });
        written.map_err(|source| {
            // The error of the write is the one that counts.
            fs::unlinkat(&dir, &temporary, AtFlags::empty()).ok();
            self.io_error("write", path, source)
        })
    }

    /// Empties a regular file, which keeps its owner and mode. A file that is not there stays so.
    ///
    /// # Errors
    /// It is not a regular file.
    pub fn truncate(&self, path: impl AsRef<TargetPath>) -> Result<(), TargetError> {
        let path = path.as_ref();
        match self.regular("empty", path, OFlags::WRONLY, 0) {
            Ok(file) => file.set_len(0).map_err(|source| self.io_error("empty", path, source)),
            Err(error) if is(&error, &ABSENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a directory and those above it, each with `mode`; what is there already stays as it is.
    ///
    /// # Errors
    /// A name is taken by something else (also by a link that leads nowhere).
    pub fn create_dir_all(&self, path: impl AsRef<TargetPath>, mode: u32) -> Result<(), TargetError> {
        let path = path.as_ref();
        self.make_dirs(path.as_path(), mode).map(drop).map_err(|errno| self.error("make directory", path, errno))
    }

    /// Makes a symbolic link; a file or link of that name is replaced. Missing directories are made.
    ///
    /// # Errors
    /// The name is a directory's, or the file system refuses.
    pub fn symlink(&self, content: impl AsRef<OsStr>, path: impl AsRef<TargetPath>) -> Result<(), TargetError> {
        let path = path.as_ref();
        let (dir, name) = self.parent("make link", path, true)?;
        let temporary = temporary_name(name);
        let made =
            fs::symlinkat(content.as_ref(), &dir, &temporary).and_then(|()| fs::renameat(&dir, &temporary, &dir, name));
        made.map_err(|errno| {
            fs::unlinkat(&dir, &temporary, AtFlags::empty()).ok();
            self.error("make link", path, errno)
        })
    }

    /// What a link says, or `None` if there is no link of that name.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn read_link(&self, path: impl AsRef<TargetPath>) -> Result<Option<OsString>, TargetError> {
        let path = path.as_ref();
        let read = self.parent("read link", path, false).and_then(|(dir, name)| {
            fs::readlinkat(&dir, name, Vec::new()).map_err(|errno| self.error("read link", path, errno))
        });
        match read {
            Ok(content) => Ok(Some(OsStr::from_bytes(content.as_bytes()).to_owned())),
            Err(error) if is(&error, &ABSENT) || is(&error, &[Errno::INVAL]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renames inside the target; what had the new name is replaced.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn rename(&self, from: impl AsRef<TargetPath>, to: impl AsRef<TargetPath>) -> Result<(), TargetError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let (from_dir, from_name) = self.parent("rename", from, false)?;
        let (to_dir, to_name) = self.parent("rename to", to, false)?;
        fs::renameat(from_dir, from_name, to_dir, to_name).map_err(|errno| self.error("rename", from, errno))
    }

    /// Removes a file, link or empty directory. Says whether there was one.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn remove(&self, path: impl AsRef<TargetPath>) -> Result<bool, TargetError> {
        let path = path.as_ref();
        let removed = self
            .parent("remove", path, false)
            .and_then(|(dir, name)| unlink(dir.as_fd(), name).map_err(|errno| self.error("remove", path, errno)));
        absent_is_false(removed)
    }

    /// Removes a file, link or directory with all that is in it, staying on its file system. Says whether there was one.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn remove_tree(&self, path: impl AsRef<TargetPath>) -> Result<bool, TargetError> {
        let path = path.as_ref();
        let removed = self.parent("remove", path, false).and_then(|(dir, name)| {
            let device = fs::fstat(&dir).map_err(|errno| self.error("remove", path, errno))?.st_dev;
            remove_tree_at(dir.as_fd(), name, device).map_err(|errno| self.error("remove", path, errno))
        });
        absent_is_false(removed)
    }

    /// What a name is, links followed inside the target; `None` if it is not there.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn metadata(&self, path: impl AsRef<TargetPath>) -> Result<Option<Stat>, TargetError> {
        let path = path.as_ref();
        let stat = self.raw_open(path.as_path(), OFlags::PATH, 0).and_then(fs::fstat);
        absent_is_none(stat).map_err(|errno| self.error("look at", path, errno))
    }

    /// What a name is, without following it if it is a link; `None` if it is not there.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn symlink_metadata(&self, path: impl AsRef<TargetPath>) -> Result<Option<Stat>, TargetError> {
        let path = path.as_ref();
        let stat = self.raw_open(path.as_path(), OFlags::PATH | OFlags::NOFOLLOW, 0).and_then(fs::fstat);
        absent_is_none(stat).map_err(|errno| self.error("look at", path, errno))
    }

    /// Whether a name exists, links followed inside the target.
    #[must_use]
    pub fn exists(&self, path: impl AsRef<TargetPath>) -> bool {
        matches!(self.metadata(path), Ok(Some(_)))
    }

    /// The names in a directory, sorted; none if there is no such directory.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn read_dir(&self, path: impl AsRef<TargetPath>) -> Result<Vec<Entry>, TargetError> {
        let path = path.as_ref();
        let listed =
            self.raw_open(path.as_path(), OFlags::RDONLY | OFlags::DIRECTORY, 0).and_then(|fd| entries(fd.as_fd()));
        match absent_is_none(listed) {
            Ok(entries) => Ok(entries.unwrap_or_default()),
            Err(Errno::NOTDIR) => Ok(Vec::new()),
            Err(errno) => Err(self.error("list", path, errno)),
        }
    }

    fn regular(&self, what: &'static str, path: &TargetPath, flags: OFlags, mode: u32) -> Result<File, TargetError> {
        // NONBLOCK: opening a FIFO must not wait for its other end.
        let fd = self
            .raw_open(path.as_path(), flags | OFlags::NONBLOCK | OFlags::NOCTTY, mode)
            .map_err(|errno| self.error(what, path, errno))?;
        let stat = fs::fstat(&fd).map_err(|errno| self.error(what, path, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(File::from(fd)),
            FileType::Directory => Err(self.error(what, path, Errno::ISDIR)),
            _ => Err(self.io_error(what, path, std::io::Error::other("it is not a regular file"))),
        }
    }

    fn raw_open(&self, path: &Path, flags: OFlags, mode: u32) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new("/") } else { path };
        let mut tries = 0;
        loop {
            let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(mode) } else { Mode::empty() };
            match fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, mode, RESOLVE) {
                // A rename somewhere on the host while `..` was resolved: the kernel asks to try again.
                Err(Errno::AGAIN) if tries < 100 => tries += 1,
                result => return result,
            }
        }
    }

    /// The directory that holds the last name of `path`, and that name.
    fn parent<'p>(
        &self,
        what: &'static str,
        path: &'p TargetPath,
        make: bool,
    ) -> Result<(OwnedFd, &'p OsStr), TargetError> {
        let inner = path.as_path();
        let (Some(name), Some(parent)) = (inner.file_name(), inner.parent()) else {
            return Err(self.error(what, path, Errno::INVAL));
        };
        let opened = if make {
            self.make_dirs(parent, 0o755)
        } else {
            self.raw_open(parent, OFlags::RDONLY | OFlags::DIRECTORY, 0)
        };
        opened.map(|dir| (dir, name)).map_err(|errno| self.error(what, path, errno))
    }

    fn make_dirs(&self, path: &Path, mode: u32) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match self.raw_open(path, flags, 0) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        let mut walked = PathBuf::from("/");
        let mut dir = self.raw_open(&walked, flags, 0)?;
        for part in path.components() {
            if matches!(part, Component::RootDir | Component::CurDir) {
                continue;
            }
            walked.push(part);
            dir = match self.raw_open(&walked, flags, 0) {
                Err(Errno::NOENT) => {
                    fs::mkdirat(&dir, part.as_os_str(), Mode::from_raw_mode(mode))?;
                    let made = self.raw_open(&walked, flags, 0)?;
                    fs::fchmod(&made, Mode::from_raw_mode(mode))?;
                    made
                }
                result => result?,
            };
        }
        Ok(dir)
    }

    fn error(&self, what: &'static str, path: &TargetPath, errno: Errno) -> TargetError {
        match errno {
            // Only making a directory says this, and only where a name is taken that cannot be entered.
            Errno::EXIST => {
                let reason = "a part of the path is a link that leads nowhere inside the target";
                self.io_error(what, path, std::io::Error::new(std::io::ErrorKind::AlreadyExists, reason))
            }
            _ => self.io_error(what, path, errno.into()),
        }
    }

    fn io_error(&self, what: &'static str, path: &TargetPath, source: std::io::Error) -> TargetError {
        TargetError { what, path: path.to_string(), root: self.path.clone(), source }
    }
}

impl AsFd for TargetDir {
    /// The root of the tree (an `O_PATH` descriptor).
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name.as_bytes().get(..200).map_or(name, OsStr::from_bytes));
    temporary.push(".isotope-new");
    temporary
}

fn is(error: &TargetError, errnos: &[Errno]) -> bool {
    error.source.raw_os_error().is_some_and(|code| errnos.iter().any(|e| e.raw_os_error() == code))
}

fn absent_is_false(result: Result<(), TargetError>) -> Result<bool, TargetError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if is(&error, &ABSENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn absent_is_none<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(errno) if ABSENT.contains(&errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}
