//! From a layer's upper directory to an archive.

use super::attributes::{self, Attributes};
use super::{OPAQUE, OPAQUE_ATTRIBUTE, OPAQUE_VALUE, OVERLAY, REDIRECT_ATTRIBUTE, SOCKET, WHITEOUT, pax};
use super::{PAX_ATTRIBUTE, PAX_KIND, PAX_LINK, PAX_MTIME, PAX_PATH, PAX_REDIRECT};
use crate::{Digest, RegistryError};
use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tar::{EntryType, Header};

/// Level of zstd: its own default.
const LEVEL: i32 = 3;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Of the compressed archive.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

/// Writes the archive of an upper directory, compressed.
///
/// # Errors
/// Something in it cannot be read, or an archive cannot carry it ([`RegistryError::Pack`]); or `to` cannot be written.
pub fn pack(upper: &Path, to: &mut impl Write) -> Result<Packed, RegistryError> {
    let unwritten = |source| RegistryError::Local { what: "write the archive of", path: upper.to_owned(), source };
    let counted = Counted { to, hasher: Sha256::new(), size: 0 };
    let mut compressor = zstd::Encoder::new(counted, LEVEL).map_err(unwritten)?;
    // Damage is found by the blob's digest.
    compressor.include_checksum(false).map_err(unwritten)?;
    let mut packer =
        Packer { out: compressor, links: BTreeMap::new(), base: upper, path: Vec::new(), buffer: vec![0; 256 * 1024] };
    packer.root().map_err(|problem| problem.about(&packer))?;
    let mut compressor = packer.out;
    // The end of a tar: two blocks of zeros.
    compressor.write_all(&[0; 1024]).map_err(unwritten)?;
    let counted = compressor.finish().map_err(unwritten)?;
    Ok(Packed { digest: Digest::finish(counted.hasher), size: counted.size })
}

/// Counts and digests what goes by.
struct Counted<W> {
    to: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.to.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What went wrong at [`Packer::path`].
enum Problem {
    Unfit(String),
    Io(io::Error),
}

impl Problem {
    fn about<W: Write>(self, packer: &Packer<'_, W>) -> RegistryError {
        let path = packer.base.join(OsStr::from_bytes(packer.path.strip_prefix(b"./").unwrap_or(&packer.path)));
        match self {
            Self::Unfit(why) => RegistryError::Pack { path, why },
            Self::Io(source) => RegistryError::Local { what: "pack", path, source },
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for Problem {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

struct Packer<'a, W: Write> {
    out: W,
    /// Device and inode of what has several names, and the first of them in the archive.
    links: BTreeMap<(u64, u64), Vec<u8>>,
    base: &'a Path,
    /// Where we are: the name in the archive, for directories without the last `/`.
    path: Vec<u8>,
    buffer: Vec<u8>,
}

impl<W: Write> Packer<'_, W> {
    fn root(&mut self) -> Result<(), Problem> {
        self.path = b".".to_vec();
        let dir = fs::open(self.base, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        self.directory(dir.as_fd())
    }

    fn directory(&mut self, dir: BorrowedFd<'_>) -> Result<(), Problem> {
        let stat = fs::fstat(dir)?;
        let mut attributes = attributes::read(dir)?;
        let redirect = attributes.remove(REDIRECT_ATTRIBUTE);
        let (attributes, opaque) = self.translated(attributes)?;
        let mut records = records(&stat, &attributes);
        if let Some(redirect) = redirect {
            pax::push(&mut records, PAX_REDIRECT, &redirect);
        }
        let mut header = header(&stat, EntryType::Directory);
        let path = [&self.path[..], b"/"].concat();
        self.entry(&mut header, &path, &mut records)?;
        if opaque {
            self.marker(&[&path[..], OPAQUE].concat(), &stat, &Attributes::new())?;
        }
        for name in names(dir)? {
            let length = self.path.len();
            self.path.push(b'/');
            self.path.extend_from_slice(&name);
            self.child(dir, OsStr::from_bytes(&name))?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn child(&mut self, dir: BorrowedFd<'_>, name: &OsStr) -> Result<(), Problem> {
        let stat = fs::statat(dir, name, attributes::NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if name.as_bytes().starts_with(WHITEOUT) {
            return Err(Problem::Unfit("an OCI layer has `.wh.` before the names of what was removed".to_owned()));
        }
        if kind == FileType::CharacterDevice && stat.st_rdev == 0 {
            let parent = self.path.len() - name.len();
            let path = [&self.path[..parent], WHITEOUT, name.as_bytes()].concat();
            let (attributes, _) = self.translated(attributes::read_at(dir, name)?)?;
            return self.marker(&path, &stat, &attributes);
        }
        if kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            return self.directory(fs::openat(dir, name, flags, Mode::empty())?.as_fd());
        }
        let path = self.path.clone();
        if stat.st_nlink > 1 {
            if let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) {
                let first = first.clone();
                return self.link(EntryType::Link, &stat, &first, Vec::new());
            }
            self.links.insert((stat.st_dev, stat.st_ino), path.clone());
        }
        let (attributes, _) = self.translated(attributes::read_at(dir, name)?)?;
        let mut records = records(&stat, &attributes);
        match kind {
            FileType::RegularFile => self.file(dir, name, &stat, &mut records),
            FileType::Symlink => {
                let content = fs::readlinkat(dir, name, Vec::new())?;
                self.link(EntryType::Symlink, &stat, content.as_bytes(), records)
            }
            FileType::CharacterDevice => self.device(EntryType::Char, &stat, &mut records),
            FileType::BlockDevice => self.device(EntryType::Block, &stat, &mut records),
            FileType::Fifo => self.entry(&mut header(&stat, EntryType::Fifo), &path, &mut records),
            FileType::Socket => {
                pax::push(&mut records, PAX_KIND, SOCKET);
                self.entry(&mut header(&stat, EntryType::Fifo), &path, &mut records)
            }
            _ => Err(Problem::Unfit("it is of a kind that no archive knows".to_owned())),
        }
    }

    /// An empty file that says something of its directory.
    fn marker(&mut self, path: &[u8], stat: &Stat, attributes: &Attributes) -> Result<(), Problem> {
        let mut header = header(stat, EntryType::Regular);
        self.entry(&mut header, path, &mut records(stat, attributes))
    }

    fn file(&mut self, dir: BorrowedFd<'_>, name: &OsStr, stat: &Stat, records: &mut Vec<u8>) -> Result<(), Problem> {
        let file =
            File::from(fs::openat(dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?);
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let mut header = header(stat, EntryType::Regular);
        header.set_size(size);
        let path = self.path.clone();
        self.entry(&mut header, &path, records)?;
        let mut left = size;
        let mut part = (&file).take(size);
        while left > 0 {
            let length = part.read(&mut self.buffer)?;
            if length == 0 {
                return Err(Problem::Io(io::Error::other("it became shorter while it was read")));
            }
            self.out.write_all(&self.buffer[..length])?;
            left -= length as u64;
        }
        self.pad(size)
    }

    fn link(&mut self, kind: EntryType, stat: &Stat, content: &[u8], mut records: Vec<u8>) -> Result<(), Problem> {
        let mut header = header(stat, kind);
        let field = &mut header.as_old_mut().linkname;
        if content.len() <= field.len() && content.is_ascii() {
            field[..content.len()].copy_from_slice(content);
        } else {
            pax::push(&mut records, PAX_LINK, content);
        }
        let path = self.path.clone();
        self.entry(&mut header, &path, &mut records)
    }

    fn device(&mut self, kind: EntryType, stat: &Stat, records: &mut Vec<u8>) -> Result<(), Problem> {
        let mut header = header(stat, kind);
        header.set_device_major(fs::major(stat.st_rdev))?;
        header.set_device_minor(fs::minor(stat.st_rdev))?;
        let path = self.path.clone();
        self.entry(&mut header, &path, records)
    }

    /// Writes one header, and before it one with the records, if there are any.
    fn entry(&mut self, header: &mut Header, path: &[u8], records: &mut Vec<u8>) -> Result<(), Problem> {
        let field = &mut header.as_old_mut().name;
        let fits = path.len() <= field.len() && path.is_ascii();
        let shown = &path[..path.len().min(field.len())];
        field[..shown.len()].copy_from_slice(shown);
        if !fits {
            pax::push(records, PAX_PATH, path);
        }
        if !records.is_empty() {
            let mut extended = Header::new_ustar();
            extended.set_entry_type(EntryType::XHeader);
            extended.as_old_mut().name[..9].copy_from_slice(b"PaxHeader");
            extended.set_mode(0o644);
            extended.set_uid(0);
            extended.set_gid(0);
            extended.set_mtime(0);
            extended.set_size(records.len() as u64);
            extended.set_cksum();
            self.out.write_all(extended.as_bytes())?;
            self.out.write_all(records)?;
            self.pad(records.len() as u64)?;
        }
        header.set_cksum();
        Ok(self.out.write_all(header.as_bytes())?)
    }

    fn pad(&mut self, size: u64) -> Result<(), Problem> {
        let over = usize::try_from(size % 512).unwrap_or_default();
        if over > 0 {
            self.out.write_all(&[0; 512][over..])?;
        }
        Ok(())
    }

    /// Without what overlayfs keeps for itself; and whether the directory is opaque.
    fn translated(&self, mut attributes: Attributes) -> Result<(Attributes, bool), Problem> {
        let opaque = match attributes.remove(OPAQUE_ATTRIBUTE) {
            None => false,
            Some(value) if value == OPAQUE_VALUE => true,
            Some(_) => return Err(Problem::Unfit("it is opaque in a way that no OCI layer knows".to_owned())),
        };
        for name in attributes.keys().filter(|name| name.starts_with(OVERLAY)) {
            // Where a file comes from and how it is indexed matters on this machine only; other attributes change what is seen.
            let own = &name[OVERLAY.len()..];
            if ![&b"origin"[..], b"impure", b"nlink", b"uuid", b"upper"].contains(&own) {
                let name = String::from_utf8_lossy(name);
                return Err(Problem::Unfit(format!("it has overlayfs's attribute {name}, which no OCI layer knows")));
            }
        }
        attributes.retain(|name, _| !name.starts_with(OVERLAY));
        Ok((attributes, opaque))
    }
}

/// A header with what the file system says of everything.
fn header(stat: &Stat, kind: EntryType) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}

/// Time, if the header cannot say it, and extended attributes.
fn records(stat: &Stat, attributes: &Attributes) -> Vec<u8> {
    let mut records = Vec::new();
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    if nanoseconds != 0 || stat.st_mtime < 0 {
        pax::push(&mut records, PAX_MTIME, pax::time(stat.st_mtime, nanoseconds).as_bytes());
    }
    for (name, value) in attributes {
        pax::push(&mut records, &[PAX_ATTRIBUTE, &attributes::encode(name)].concat(), value);
    }
    records
}

/// The names in a directory, sorted by their bytes.
fn names(dir: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
