//! From an archive to a layer's upper directory. The archive is a stranger's: only what [`super::pack`] writes is taken, and all else refused.

use super::make::{Maker, Meta, Name};
use super::{OPAQUE, PAX_ATTRIBUTE, PAX_KIND, PAX_LINK, PAX_MTIME, PAX_PATH, PAX_REDIRECT};
use super::{REDIRECT_ATTRIBUTE, SOCKET, WHITEOUT, attributes, pax};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tar::{Archive, Entry, EntryType, Header};

/// More than the names and attributes of one file can need.
const LONGEST_RECORDS: u64 = 1 << 20;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive has what ours have not.
    #[error("{}{why}", shown(path))]
    Odd {
        /// The path in the archive that it is about, if it is about one.
        path: Vec<u8>,
        /// What is odd.
        why: String,
    },
    /// It cannot be read: no tar, no zstd, or the reader's own error.
    #[error("the archive cannot be read: {0}")]
    Read(io::Error),
    /// This machine does not make what it says.
    #[error("cannot make {}", String::from_utf8_lossy(path))]
    Make {
        /// The path in the archive.
        path: Vec<u8>,
        /// The cause.
        source: io::Error,
    },
}

fn shown(path: &[u8]) -> String {
    if path.is_empty() { String::new() } else { format!("`{}` in it: ", String::from_utf8_lossy(path).escape_debug()) }
}

/// Unpacks a compressed archive into `into`, which is there and empty. What is there after an error is of no use.
///
/// # Errors
/// It is not such an archive as [`super::pack`] writes, or this machine does not let us make what is in it.
pub fn unpack(from: impl Read, into: &Path) -> Result<(), UnpackError> {
    let made = |source: io::Error| UnpackError::Make { path: b"./".to_vec(), source };
    let mut maker = Maker::open(into).map_err(|errno| made(errno.into()))?;
    let plain = zstd::Decoder::new(from).map_err(UnpackError::Read)?;
    let mut archive = Archive::new(plain);
    let mut extended: Option<Vec<u8>> = None;
    let mut buffer = vec![0; 256 * 1024];
    let mut first = true;
    for entry in archive.entries().map_err(UnpackError::Read)?.raw(true) {
        let mut entry = entry.map_err(UnpackError::Read)?;
        if entry.header().entry_type() == EntryType::XHeader {
            if extended.is_some() {
                return Err(odd(b"", "two extended headers follow each other"));
            }
            extended = Some(records(&mut entry)?);
            continue;
        }
        let item = Item::read(entry.header(), &extended.take().unwrap_or_default())?;
        if first != (item.path == b"./") {
            return Err(odd(&item.path, "the directory itself must be its first entry, and no other"));
        }
        first = false;
        item.make(&mut maker, &mut entry, &mut buffer)?;
    }
    if first || extended.is_some() {
        return Err(odd(b"", "it ends before its time"));
    }
    maker.finish().map_err(|(path, errno)| UnpackError::Make { path, source: errno.into() })
}

fn odd(path: &[u8], why: impl Into<String>) -> UnpackError {
    UnpackError::Odd { path: path.to_owned(), why: why.into() }
}

fn records(entry: &mut Entry<'_, impl Read>) -> Result<Vec<u8>, UnpackError> {
    let size = entry.header().entry_size().map_err(UnpackError::Read)?;
    if size > LONGEST_RECORDS {
        return Err(odd(b"", "an extended header is longer than a mebibyte"));
    }
    let mut records = Vec::new();
    entry.read_to_end(&mut records).map_err(UnpackError::Read)?;
    if records.len() as u64 == size { Ok(records) } else { Err(UnpackError::Read(io::ErrorKind::UnexpectedEof.into())) }
}

/// One entry, with what its extended header says.
struct Item {
    path: Vec<u8>,
    kind: EntryType,
    link: Vec<u8>,
    size: u64,
    device: u64,
    socket: bool,
    meta: Meta,
}

impl Item {
    fn read(header: &Header, extended: &[u8]) -> Result<Self, UnpackError> {
        let field = |field: &[u8]| field.split(|byte| *byte == 0).next().unwrap_or_default().to_owned();
        let ustar = header.as_ustar().ok_or_else(|| odd(b"", "a header is not of the form `ustar`"))?;
        if ustar.prefix[0] != 0 {
            return Err(odd(b"", "a header has a prefix"));
        }
        let number = |value: io::Result<u64>| value.map_err(UnpackError::Read);
        let small = |value: io::Result<u64>| {
            u32::try_from(number(value)?).map_err(|_| odd(b"", "an owner has a number that no owner can have"))
        };
        let seconds = i64::try_from(number(header.mtime())?).map_err(|_| odd(b"", "a time is none"))?;
        let device = if matches!(header.entry_type(), EntryType::Char | EntryType::Block) {
            let major = header.device_major().map_err(UnpackError::Read)?.unwrap_or(0);
            let minor = header.device_minor().map_err(UnpackError::Read)?.unwrap_or(0);
            rustix::fs::makedev(major, minor)
        } else {
            0
        };
        let mut item = Self {
            path: field(&ustar.name),
            kind: header.entry_type(),
            link: field(&ustar.linkname),
            size: number(header.entry_size())?,
            device,
            socket: false,
            meta: Meta {
                mode: header.mode().map_err(UnpackError::Read)?,
                uid: small(header.uid())?,
                gid: small(header.gid())?,
                mtime: (seconds, 0),
                attributes: attributes::Attributes::new(),
            },
        };
        if item.meta.mode & !0o7777 != 0 {
            return Err(odd(&item.path, "its mode has bits that are none of a mode"));
        }
        let records = pax::parse(extended).ok_or_else(|| odd(b"", "an extended header is malformed"))?;
        for (key, value) in records {
            item.extend(key, value)?;
        }
        Ok(item)
    }

    fn extend(&mut self, key: &[u8], value: &[u8]) -> Result<(), UnpackError> {
        if key == PAX_PATH {
            value.clone_into(&mut self.path);
        } else if key == PAX_LINK {
            value.clone_into(&mut self.link);
        } else if key == PAX_MTIME {
            self.meta.mtime = pax::parse_time(value).ok_or_else(|| odd(&self.path, "its time is none"))?;
        } else if key == PAX_KIND && value == SOCKET && self.kind == EntryType::Fifo {
            self.socket = true;
        } else if key == PAX_REDIRECT && self.kind == EntryType::Directory && attributes::is_redirect(value) {
            self.meta.attributes.insert(REDIRECT_ATTRIBUTE.to_owned(), value.to_owned());
        } else if let Some(name) = key.strip_prefix(PAX_ATTRIBUTE) {
            let name = attributes::decode(name);
            if !attributes::is_allowed(&name) {
                let name = String::from_utf8_lossy(&name);
                return Err(odd(&self.path, format!("it has the attribute {name}, which no layer of ours brings")));
            }
            self.meta.attributes.insert(name, value.to_owned());
        } else {
            let key = String::from_utf8_lossy(key);
            return Err(odd(
                &self.path,
                format!("its extended header has `{}`, which ours have not", key.escape_debug()),
            ));
        }
        Ok(())
    }

    fn make(self, maker: &mut Maker, data: &mut impl Read, buffer: &mut [u8]) -> Result<(), UnpackError> {
        if self.size > 0 && self.kind != EntryType::Regular {
            return Err(odd(&self.path, "it has content, and is no file"));
        }
        let as_directory = self.path.strip_suffix(b"/");
        if as_directory.is_some() != (self.kind == EntryType::Directory) {
            return Err(odd(&self.path, "directories end in `/`, and nothing else"));
        }
        if self.path == b"./" {
            maker.root(self.meta);
            return Ok(());
        }
        let name = Name::parse(as_directory.unwrap_or(&self.path)).map_err(|why| odd(&self.path, why))?;
        let path = self.path;
        let made = |result: Result<(), Errno>| result.map_err(|errno| unmade(&path, errno));
        if let Some(removed) = name.name.strip_prefix(WHITEOUT) {
            if self.kind != EntryType::Regular || self.size > 0 {
                return Err(odd(&path, "what is no empty file is no whiteout"));
            }
            if name.name == OPAQUE {
                return made(maker.opaque(&name.dir));
            }
            if removed.is_empty() || removed == b"." || removed == b".." || removed.starts_with(WHITEOUT) {
                return Err(odd(&path, "it is no whiteout of anything"));
            }
            // overlayfs's whiteout is the device 0/0.
            let removed = Name { dir: name.dir, name: removed.to_owned() };
            return made(maker.node(&removed, FileType::CharacterDevice, 0, &self.meta));
        }
        match self.kind {
            EntryType::Directory => made(maker.directory(&name, self.meta)),
            EntryType::Regular => {
                let mut file = maker.file(&name).map_err(|errno| unmade(&path, errno))?;
                let (mut left, mut hole) = (self.size, false);
                while left > 0 {
                    let length = data.read(buffer).map_err(UnpackError::Read)?;
                    if length == 0 {
                        return Err(UnpackError::Read(io::ErrorKind::UnexpectedEof.into()));
                    }
                    let piece = &buffer[..length];
                    // Outputs and disks are mostly holes.
                    hole = piece.iter().all(|byte| *byte == 0);
                    let behind = SeekFrom::Start(self.size.saturating_sub(left) + length as u64);
                    let written = if hole { file.seek(behind).map(|_| ()) } else { file.write_all(piece) };
                    written.map_err(|source| UnpackError::Make { path: path.clone(), source })?;
                    left = left.saturating_sub(length as u64);
                }
                if hole {
                    file.set_len(self.size).map_err(|source| UnpackError::Make { path: path.clone(), source })?;
                }
                made(maker.finish_file(&file, &self.meta))
            }
            EntryType::Symlink if self.link.is_empty() || self.link.contains(&0) => {
                Err(odd(&path, "it is a link to nothing"))
            }
            EntryType::Symlink => made(maker.symlink(&name, &self.link, &self.meta)),
            EntryType::Link => {
                let first = Name::parse(&self.link).map_err(|why| odd(&path, format!("as a hard link, {why}")))?;
                made(maker.link(&name, &first))
            }
            EntryType::Fifo if self.socket => made(maker.node(&name, FileType::Socket, 0, &self.meta)),
            EntryType::Fifo => made(maker.node(&name, FileType::Fifo, 0, &self.meta)),
            EntryType::Char if self.device == 0 => {
                Err(odd(&path, "it is a whiteout of overlayfs, which archives say otherwise"))
            }
            EntryType::Char => made(maker.node(&name, FileType::CharacterDevice, self.device, &self.meta)),
            EntryType::Block => made(maker.node(&name, FileType::BlockDevice, self.device, &self.meta)),
            other => {
                Err(odd(&path, format!("it is of the kind {:?}, which ours never are", char::from(other.as_byte()))))
            }
        }
    }
}

/// What an archive itself is to blame for, and what this machine is.
fn unmade(path: &[u8], errno: Errno) -> UnpackError {
    match errno {
        Errno::EXIST => odd(path, "it is there twice"),
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV => {
            odd(path, "its directory, or what it links to, is not there")
        }
        errno => UnpackError::Make { path: path.to_owned(), source: errno.into() },
    }
}
