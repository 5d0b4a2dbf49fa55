//! The tar output: sorted, numeric owners, no time stamp after the clock, extended attributes as PAX records
//! (`SCHILY.xattr.NAME`, star(1)), hard links and device nodes kept.

use super::compress::Compressed;
use super::{ExportError, ExportOptions, ExportProgress};
use crate::output::{PendingOutput, is_full};
use isotope_plan::Export;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Directories whose content belongs to a running system, not to the tree.
pub(super) const MOUNT_POINTS: &[&str] = &["proc", "sys", "dev", "run", "tmp"];

/// Makes it.
pub(super) fn make(
    root: &Path,
    export: &Export,
    path: &Path,
    options: &ExportOptions,
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<PendingOutput, ExportError> {
    let output = PendingOutput::create(path)?;
    let stream = Compressed::new(export, options, &output)?;
    let Some(stream) = stream else { return Ok(output) };
    let stream = write(root, Path::new("."), tar::Builder::new(stream), &output, options, progress)?;
    let stream = stream.into_inner().map_err(|error| output.error("write", error))?;
    stream.finish().map_err(|error| output.error("write", error))?;
    Ok(output)
}

/// Writes all of `root` below `prefix` into an archive that becomes `output`, and hands the archive back for what follows.
#[expect(clippy::too_many_arguments, reason = "a tree, its place, an archive and its file, and how")]
pub(super) fn write<W: Write>(
    root: &Path,
    prefix: &Path,
    mut tar: tar::Builder<W>,
    output: &PendingOutput,
    options: &ExportOptions,
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<tar::Builder<W>, ExportError> {
    tar.mode(tar::HeaderMode::Complete);
    let mut archive = Archive { tar, root, prefix, epoch: options.epoch, links: BTreeMap::new(), done: 0, progress };
    archive.directory(Path::new("")).map_err(|(path, source)| {
        if is_full(&source) {
            return output.error_needing("write", source, None).into();
        }
        ExportError::Input { what: "in the tree", path, source }
    })?;
    Ok(archive.tar)
}

/// A file that is not of the tree, such as a manifest.
pub(super) fn text<W: Write>(tar: &mut tar::Builder<W>, name: &str, content: &[u8], epoch: u64) -> io::Result<()> {
    tar.append_data(&mut header(content.len() as u64, epoch), name, content)
}

/// The header of such a file.
pub(super) fn header(size: u64, epoch: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(if epoch == u64::MAX { 0 } else { epoch });
    header
}

struct Archive<'a, W: Write> {
    tar: tar::Builder<W>,
    root: &'a Path,
    /// Where the root is in the archive: `.` or a name.
    prefix: &'a Path,
    epoch: u64,
    /// Device and inode of files with several names → their first name.
    links: BTreeMap<(u64, u64), PathBuf>,
    done: u64,
    progress: &'a (dyn Fn(ExportProgress) + Sync),
}

type Failed = (PathBuf, io::Error);

impl<W: Write> Archive<'_, W> {
    /// A directory and all below it, sorted by name.
    fn directory(&mut self, relative: &Path) -> Result<(), Failed> {
        let path = self.root.join(relative);
        let failed = |error| (path.clone(), error);
        if relative.as_os_str().is_empty() {
            let meta = path.symlink_metadata().map_err(failed)?;
            self.entry(self.prefix, &path, &meta).map_err(failed)?;
        }
        if MOUNT_POINTS.iter().any(|dir| Path::new(dir) == relative) {
            return Ok(());
        }
        let mut names = std::fs::read_dir(&path)
            .and_then(|entries| {
                entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
            })
            .map_err(failed)?;
        names.sort();
        for name in names {
            let (relative, path) = (relative.join(&name), path.join(&name));
            let failed = |error| (path.clone(), error);
            let meta = path.symlink_metadata().map_err(failed)?;
            self.entry(&self.prefix.join(&relative), &path, &meta).map_err(failed)?;
            if meta.is_dir() {
                self.directory(&relative)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, name: &Path, path: &Path, meta: &Metadata) -> io::Result<()> {
        let kind = meta.file_type();
        if kind.is_socket() {
            return Ok(());
        }
        let mut header = tar::Header::new_gnu();
        header.set_metadata_in_mode(meta, tar::HeaderMode::Complete);
        header.set_mode(meta.mode() & 0o7777);
        header.set_mtime(u64::try_from(meta.mtime()).unwrap_or(0).min(self.epoch));
        header.set_size(0);
        self.xattrs(path)?;
        if kind.is_file() && meta.nlink() > 1 {
            if let Some(first) = self.links.get(&(meta.dev(), meta.ino())).cloned() {
                header.set_entry_type(tar::EntryType::Link);
                return self.tar.append_link(&mut header, name, first);
            }
            self.links.insert((meta.dev(), meta.ino()), name.to_owned());
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(path)?;
            return self.tar.append_link(&mut header, name, target);
        }
        if kind.is_file() {
            header.set_size(meta.len());
            self.done += meta.len();
            (self.progress)(ExportProgress { done: self.done, total: self.done });
            // Never more than the header says, and never less, whatever happens to the file meanwhile.
            let data = File::open(path)?.chain(io::repeat(0)).take(meta.len());
            return self.tar.append_data(&mut header, name, data);
        }
        if kind.is_block_device() || kind.is_char_device() {
            header.set_device_major(rustix::fs::major(meta.rdev()))?;
            header.set_device_minor(rustix::fs::minor(meta.rdev()))?;
        }
        self.tar.append_data(&mut header, name, io::empty())
    }

    /// Writes the extended attributes of the entry that follows.
    fn xattrs(&mut self, path: &Path) -> io::Result<()> {
        let mut names = vec![0; 64 << 10];
        let length = match rustix::fs::llistxattr(path, &mut names[..]) {
            Ok(length) => length,
            Err(rustix::io::Errno::NOTSUP) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut records = BTreeMap::new();
        for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let mut value = vec![0; 64 << 10];
            let size = rustix::fs::lgetxattr(path, std::ffi::OsStr::from_bytes(name), &mut value[..])?;
            value.truncate(size);
            records.insert(format!("SCHILY.xattr.{}", String::from_utf8_lossy(name)), value);
        }
        if records.is_empty() {
            return Ok(());
        }
        self.tar.append_pax_extensions(records.iter().map(|(name, value)| (name.as_str(), value.as_slice())))
    }
}
