//! Reading disk images at any offset, whatever their container: raw or qcow2.

mod cursor;

pub use cursor::Cursor;

use crate::qcow2::{self, Qcow2Error};
use crate::sparse;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A disk that can be read at any offset, from several threads.
pub trait ReadAt: Send + Sync {
    /// Size of the virtual disk in bytes.
    fn size(&self) -> u64;

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// The range lies beyond the end, the container is damaged, or the file cannot be read.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// The next range at or after `offset` that may hold anything but zeros, cut at the end of the disk.
    ///
    /// # Errors
    /// The container is damaged, or the file cannot be read.
    fn next_data(&self, offset: u64) -> io::Result<Option<Range<u64>>>;
}

/// A container that [`open`] knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Bytes as they are on the disk.
    Raw,
    /// QEMU copy on write.
    Qcow2,
}

/// Why an image cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened or read.
    #[error("cannot open the image `{}`", path.display())]
    Io {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is a container that is not read here.
    #[error("`{}` is a {name} image; isotope reads raw and qcow2, convert it with `qemu-img convert -O qcow2`", path.display())]
    Foreign {
        /// The image.
        path: PathBuf,
        /// What it seems to be.
        name: &'static str,
    },
    /// It is qcow2, but damaged or with features that are not read here.
    #[error("cannot read `{}` as qcow2", path.display())]
    Qcow2 {
        /// The image.
        path: PathBuf,
        /// The cause.
        source: Qcow2Error,
    },
}

/// Opens an image, raw or qcow2, by looking at its first bytes.
///
/// # Errors
/// It cannot be read, is another container, or is qcow2 with features that are not supported (named in the error).
pub fn open(path: &Path) -> Result<Box<dyn ReadAt>, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let mut head = [0; 8];
    let got = file.read_at(&mut head, 0).map_err(io)?;
    let foreign = |name| Err(OpenError::Foreign { path: path.to_owned(), name });
    match &head[..got] {
        [b'Q', b'F', b'I', 0xfb, ..] => {
            let reader =
                qcow2::Reader::new(file).map_err(|source| OpenError::Qcow2 { path: path.to_owned(), source })?;
            Ok(Box::new(reader))
        }
        b"vhdxfile" => foreign("vhdx"),
        b"conectix" => foreign("vhd"),
        [b'K', b'D', b'M', b'V', ..] => foreign("vmdk"),
        [0x1f, 0x8b, ..] => foreign("gzip compressed"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => foreign("zstd compressed"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => foreign("xz compressed"),
        _ => Ok(Box::new(RawReader::new(file).map_err(io)?)),
    }
}

/// Tells what container `path` is, by its first bytes.
///
/// # Errors
/// It cannot be read.
pub fn container(path: &Path) -> io::Result<Container> {
    let mut head = [0; 4];
    let got = File::open(path)?.read_at(&mut head, 0)?;
    Ok(if head[..got] == *b"QFI\xfb" { Container::Qcow2 } else { Container::Raw })
}

/// A raw image (or block device).
#[derive(Debug)]
pub struct RawReader {
    file: File,
    size: u64,
}

impl RawReader {
    /// Reads `file`, which may be a block device.
    ///
    /// # Errors
    /// Its size cannot be told.
    pub fn new(file: File) -> io::Result<Self> {
        let size = rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?;
        Ok(Self { file, size })
    }
}

impl ReadAt for RawReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        sparse::next_data(&self.file, offset, self.size)
    }
}
