//! Makes files below a directory, whatever their names say: every path is taken apart, no link is followed, nothing that is
//! there is replaced, and the kernel is told to stay below (`openat2` with BENEATH, NO_SYMLINKS, NO_XDEV).

use super::attributes::{self, Attributes};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The longest path that the kernel resolves at once.
const LONGEST: usize = 4095;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// What there is to say of a file, but for its content.
#[derive(Debug, Clone, Default)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: (i64, u32),
    pub(super) attributes: Attributes,
}

/// A path from an archive, taken apart: its directory and its name, relative, without `.` and `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) dir: Vec<u8>,
    pub(super) name: Vec<u8>,
}

impl Name {
    /// Takes `./A/B`, as our archives have it. The reason is for messages.
    pub(super) fn parse(path: &[u8]) -> Result<Self, &'static str> {
        let rest = path.strip_prefix(b"./").ok_or("a path in it does not begin with `./`")?;
        if rest.len() > LONGEST {
            return Err("a path in it is too long");
        }
        for part in rest.split(|byte| *byte == b'/') {
            if part.is_empty() || part == b"." || part == b".." || part.len() > 255 || part.contains(&0) {
                return Err("a path in it has a part that is empty, `.`, `..` or too long");
            }
        }
        let cut = rest.iter().rposition(|byte| *byte == b'/');
        Ok(match cut {
            Some(cut) => Self { dir: rest[..cut].to_owned(), name: rest[cut + 1..].to_owned() },
            None => Self { dir: Vec::new(), name: rest.to_owned() },
        })
    }

    pub(super) fn os(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }

    pub(super) fn path(&self) -> Vec<u8> {
        if self.dir.is_empty() { self.name.clone() } else { [&self.dir[..], b"/", &self.name].concat() }
    }
}

/// A directory that is being filled.
pub(super) struct Maker {
    root: OwnedFd,
    /// The directory that was entered last: most entries have it, too.
    last: Option<(Vec<u8>, OwnedFd)>,
    /// Directories get what there is to say of them at the end: what is made in them changes their times, and inherits their attributes.
    directories: Vec<(Vec<u8>, Meta)>,
}

impl Maker {
    pub(super) fn open(root: &Path) -> Result<Self, Errno> {
        let root =
            fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root, last: None, directories: Vec::new() })
    }

    /// A directory that was made before.
    fn enter(&mut self, path: &[u8]) -> Result<&OwnedFd, Errno> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let shown = if path.is_empty() { b"." } else { path };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut tries = 0;
            let dir = loop {
                match fs::openat2(&self.root, OsStr::from_bytes(shown), flags, Mode::empty(), RESOLVE) {
                    Err(Errno::AGAIN) if tries < 100 => tries += 1,
                    other => break other?,
                }
            };
            self.last = Some((path.to_owned(), dir));
        }
        self.last.as_ref().map(|(_, dir)| dir).ok_or(Errno::NOENT)
    }

    /// What is to be said of the directory itself.
    pub(super) fn root(&mut self, meta: Meta) {
        self.directories.push((Vec::new(), meta));
    }

    pub(super) fn directory(&mut self, name: &Name, meta: Meta) -> Result<(), Errno> {
        let dir = self.enter(&name.dir)?;
        fs::mkdirat(dir, name.os(), Mode::from_raw_mode(0o700))?;
        self.directories.push((name.path(), meta));
        Ok(())
    }

    /// Marks a directory that was made before.
    pub(super) fn opaque(&mut self, path: &[u8]) -> Result<(), Errno> {
        let found = self.directories.iter_mut().rev().find(|(known, _)| known == path);
        let (_, meta) = found.ok_or(Errno::NOENT)?;
        match meta.attributes.insert(super::OPAQUE_ATTRIBUTE.to_owned(), super::OPAQUE_VALUE.to_owned()) {
            None => Ok(()),
            Some(_) => Err(Errno::EXIST),
        }
    }

    /// An empty file; what it is called, and all else, is said by [`Maker::finish_file`].
    pub(super) fn file(&mut self, name: &Name) -> Result<File, Errno> {
        let dir = self.enter(&name.dir)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(dir, name.os(), flags, Mode::from_raw_mode(0o600)).map(File::from)
    }

    pub(super) fn finish_file(&self, file: &File, meta: &Meta) -> Result<(), Errno> {
        // In this order: a change of owner takes set-user-id bits and capabilities away.
        fs::fchown(file, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))?;
        fs::fchmod(file, Mode::from_raw_mode(meta.mode))?;
        meta.attributes.iter().try_for_each(|(name, value)| attributes::set(file.as_fd(), name, value))?;
        fs::futimens(file, &times(meta))
    }

    pub(super) fn symlink(&mut self, name: &Name, content: &[u8], meta: &Meta) -> Result<(), Errno> {
        let dir = self.enter(&name.dir)?;
        fs::symlinkat(OsStr::from_bytes(content), dir, name.os())?;
        settle(dir, name, meta, false)
    }

    /// A device, a FIFO or a socket.
    pub(super) fn node(&mut self, name: &Name, kind: FileType, device: u64, meta: &Meta) -> Result<(), Errno> {
        let dir = self.enter(&name.dir)?;
        fs::mknodat(dir, name.os(), kind, Mode::from_raw_mode(0o600), device)?;
        settle(dir, name, meta, true)
    }

    /// One more name of what was made before.
    pub(super) fn link(&mut self, name: &Name, first: &Name) -> Result<(), Errno> {
        let from =
            self.enter(&first.dir)?.try_clone().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let stat = fs::statat(&from, first.os(), attributes::NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0 {
            return Err(Errno::NOENT);
        }
        let to = self.enter(&name.dir)?;
        fs::linkat(&from, first.os(), to, name.os(), AtFlags::empty())
    }

    /// Says of all directories what there is to say, the inner ones first.
    pub(super) fn finish(mut self) -> Result<(), (Vec<u8>, Errno)> {
        while let Some((path, meta)) = self.directories.pop() {
            let set = |dir: &OwnedFd| {
                fs::fchown(dir, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))?;
                fs::fchmod(dir, Mode::from_raw_mode(meta.mode))?;
                meta.attributes.iter().try_for_each(|(name, value)| attributes::set(dir.as_fd(), name, value))?;
                fs::futimens(dir, &times(&meta))
            };
            self.enter(&path).and_then(set).map_err(|errno| (path, errno))?;
        }
        Ok(())
    }
}

fn times(meta: &Meta) -> Timestamps {
    let time = Timespec { tv_sec: meta.mtime.0, tv_nsec: meta.mtime.1.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// What there is to say of something that cannot be opened.
fn settle(dir: &OwnedFd, name: &Name, meta: &Meta, has_mode: bool) -> Result<(), Errno> {
    let (uid, gid) = (Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)));
    fs::chownat(dir, name.os(), uid, gid, attributes::NOFOLLOW)?;
    if has_mode {
        // No link: it was made a moment ago, and the directory is ours.
        fs::chmodat(dir, name.os(), Mode::from_raw_mode(meta.mode), AtFlags::empty())?;
    }
    attributes::set_at(dir.as_fd(), name.os(), &meta.attributes)?;
    fs::utimensat(dir, name.os(), &times(meta), attributes::NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_or_refused() {
        let name = |dir: &str, name: &str| Name { dir: dir.as_bytes().to_owned(), name: name.as_bytes().to_owned() };
        assert_eq!(Name::parse(b"./a").unwrap(), name("", "a"));
        assert_eq!(Name::parse(b"./a/b c/..d").unwrap(), name("a/b c", "..d"));
        for path in ["a", "/a", "../a", "./../a", "./a/../b", "./a//b", "./a/./b", "./", ".", "./a/", "./a\0", ""] {
            assert!(Name::parse(path.as_bytes()).is_err(), "{path:?}");
        }
        assert!(Name::parse(&[b"./", &[b'a'; 256][..]].concat()).is_err());
        assert!(Name::parse(&[b"./", &b"a/".repeat(2048)[..], b"a"].concat()).is_err());
    }
}
