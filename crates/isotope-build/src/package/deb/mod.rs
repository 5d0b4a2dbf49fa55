//! Reads .deb files: control information and the stream of installed files.
//!
//! In: a file on the host. Out: [`Deb`]. Must not know the target, dpkg's database, or where the file came from.

pub mod ar;
pub mod control;
pub mod inflate;
pub mod version;

use control::Paragraph;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Most a control member may unpack to: a hostile archive must not fill the memory.
const CONTROL_LIMIT: u64 = 64 << 20;

/// Why a package file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// It cannot be opened.
    #[error("cannot open package file {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Its outer archive is damaged.
    #[error("{} is not a Debian package; remove it from the cache and build again", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ar::ArError,
    },
    /// A part that every package has is missing or unknown.
    #[error("{} is not a Debian package that Isotope can read: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A compressed stream in it is damaged.
    #[error("{} is damaged; remove it from the cache and build again", path.display())]
    Stream {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// How a member is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

/// A file of the control archive (maintainer script, md5sums, …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlFile {
    /// Its name.
    pub name: String,
    /// Permission bits.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: u64,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A package file, opened.
#[derive(Debug)]
pub struct Deb {
    /// Where it is.
    pub path: PathBuf,
    /// Its `control` paragraph.
    pub control: Paragraph,
    /// The other control files.
    pub files: Vec<ControlFile>,
    data: ar::Member,
    compression: Compression,
}

impl Deb {
    /// Opens a package file and reads its control archive.
    ///
    /// # Errors
    /// Not readable, not a package of format 2, or damaged.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DebError> {
        let path = path.into();
        let mut file = File::open(&path).map_err(|source| DebError::Open { path: path.clone(), source })?;
        let members = ar::members(&mut file).map_err(|source| DebError::Archive { path: path.clone(), source })?;
        let format = |what: &str| DebError::Format { path: path.clone(), what: what.to_owned() };
        // deb(5): names that begin with an underscore are to be ignored.
        let mut members = members.into_iter().filter(|member| !member.name.starts_with('_'));
        match members.next() {
            Some(first) if first.name == "debian-binary" => {
                check_format(&mut file, &first).map_err(|what| format(&what))?
            }
            _ => return Err(format("its first member is not `debian-binary`")),
        }
        let control = members.next().filter(|member| member.name.starts_with("control.tar"));
        let control = control.ok_or_else(|| format("its second member is not `control.tar`"))?;
        let data = members.next().filter(|member| member.name.starts_with("data.tar"));
        let data = data.ok_or_else(|| format("its third member is not `data.tar`"))?;
        let unknown =
            |member: &ar::Member| format(&format!("member `{}` has a compression it does not know", member.name));
        let compression = compression(&data.name).ok_or_else(|| unknown(&data))?;
        let how = self::compression(&control.name).ok_or_else(|| unknown(&control))?;
        let damaged = |source| DebError::Stream { path: path.clone(), source };
        let stream = stream(file, &control, how).map_err(damaged)?;
        let mut files = control_files(stream.take(CONTROL_LIMIT)).map_err(damaged)?;
        let at =
            files.iter().position(|file| file.name == "control").ok_or_else(|| format("it has no `control` file"))?;
        let text = files.remove(at).content;
        let control = control::paragraphs(&String::from_utf8_lossy(&text)).next().unwrap_or_default();
        for field in ["Package", "Version", "Architecture"] {
            if control.text(field).is_empty() {
                return Err(format(&format!("its `control` file has no field {field}")));
            }
        }
        Ok(Self { path, control, files, data, compression })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.control.text("Package")
    }

    /// A control file's bytes as text, or the empty text.
    #[must_use]
    pub fn file_text(&self, name: &str) -> String {
        self.file(name).map(|file| String::from_utf8_lossy(&file.content).into_owned()).unwrap_or_default()
    }

    /// A control file.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&ControlFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Compressed size of the installed files: how much work unpacking is.
    #[must_use]
    pub const fn data_size(&self) -> u64 {
        self.data.size
    }

    /// The tar stream of the installed files.
    ///
    /// # Errors
    /// The file cannot be opened again.
    pub fn data(&self) -> Result<Box<dyn Read + Send>, DebError> {
        let file = File::open(&self.path).map_err(|source| DebError::Open { path: self.path.clone(), source })?;
        stream(file, &self.data, self.compression).map_err(|source| self.damaged(source))
    }

    /// Whether reading the installed files takes decompression.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.compression != Compression::None
    }

    /// The error for a damaged stream of this file.
    #[must_use]
    pub fn damaged(&self, source: io::Error) -> DebError {
        DebError::Stream { path: self.path.clone(), source }
    }
}

fn compression(name: &str) -> Option<Compression> {
    match name.rsplit_once(".tar")?.1 {
        "" => Some(Compression::None),
        ".gz" => Some(Compression::Gzip),
        ".xz" => Some(Compression::Xz),
        ".zst" => Some(Compression::Zstd),
        _ => None,
    }
}

fn check_format(file: &mut File, member: &ar::Member) -> Result<(), String> {
    let mut text = String::new();
    let read = file
        .seek(SeekFrom::Start(member.offset))
        .and_then(|_| file.take(member.size.min(64)).read_to_string(&mut text));
    match read {
        Ok(_) if text.starts_with("2.") => Ok(()),
        Ok(_) => Err(format!("its format is `{}`, not 2.0", text.trim())),
        Err(error) => Err(error.to_string()),
    }
}

fn stream(mut file: File, member: &ar::Member, compression: Compression) -> io::Result<Box<dyn Read + Send>> {
    file.seek(SeekFrom::Start(member.offset))?;
    let raw = BufReader::with_capacity(1 << 17, file).take(member.size);
    Ok(match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
        Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(raw)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(raw)?),
    })
}

fn control_files(stream: impl Read) -> io::Result<Vec<ControlFile>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(stream).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        // Anything but plain names directly in the archive's root is not a control file.
        let name = path.strip_prefix(".").unwrap_or(&path);
        let Some(name) = name.to_str().filter(|name| !name.contains('/') && Path::new(name).file_name().is_some())
        else {
            continue;
        };
        let (mode, mtime) = (entry.header().mode()? & 0o7777, entry.header().mtime()?);
        let mut file = ControlFile { name: name.to_owned(), mode, mtime, content: Vec::new() };
        entry.read_to_end(&mut file.content)?;
        files.push(file);
    }
    Ok(files)
}
