//! Files of a filesystem inside an image: ext4 by the `ext4-view` crate, EFI system partitions by `fatfs`, others mounted.

use super::{Filesystem, mounted, window};
use anyhow::Context as _;
use isotope_boot::detect::{self, EfiImage};
use isotope_image::reader::ReadAt;
use serde::Serialize;
use std::io::Read;
use std::sync::Arc;

/// What a file is, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// `file`, `directory`, `symlink`, `other`.
    pub kind: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a file.
    pub size: u64,
}

/// Read access to a filesystem.
pub trait Files {
    /// A file's content; links are followed inside the filesystem.
    fn read(&self, path: &str) -> anyhow::Result<Vec<u8>>;
    /// Names in a directory, sorted, without `.` and `..`.
    fn list(&self, path: &str) -> anyhow::Result<Vec<String>>;
    /// What a path is; links are not followed.
    fn facts(&self, path: &str) -> anyhow::Result<FileFacts>;
    /// Where a symbolic link leads.
    fn link(&self, path: &str) -> anyhow::Result<String>;
}

/// The files of a filesystem; `None` where there are none (swap).
pub fn open(
    disk: &Arc<dyn ReadAt>,
    found: &Filesystem,
    start: u64,
    length: u64,
) -> anyhow::Result<Option<Box<dyn Files>>> {
    Ok(match found.kind {
        "ext4" => {
            let part = Part { disk: Arc::clone(disk), start };
            Some(Box::new(Ext4(ext4_view::Ext4::load(Box::new(part)).context("cannot read it")?)))
        }
        "xfs" | "btrfs" => Some(Box::new(mounted::Mounted::new(disk.as_ref(), found.kind, start, length)?)),
        _ => None,
    })
}

/// A partition as ext4-view reads it.
struct Part {
    disk: Arc<dyn ReadAt>,
    start: u64,
}

impl ext4_view::Ext4Read for Part {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.disk.read_exact_at(buffer, self.start + start)?)
    }
}

struct Ext4(ext4_view::Ext4);

impl Files for Ext4 {
    fn read(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.0.read(path)?)
    }

    fn list(&self, path: &str) -> anyhow::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.0.read_dir(path)? {
            let name = entry?.file_name().display().to_string();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn facts(&self, path: &str) -> anyhow::Result<FileFacts> {
        let meta = self.0.symlink_metadata(path)?;
        let kind = meta.file_type();
        let kind = match (kind.is_dir(), kind.is_regular_file(), kind.is_symlink()) {
            (true, _, _) => "directory",
            (_, true, _) => "file",
            (_, _, true) => "symlink",
            _ => "other",
        };
        let size = if kind == "file" { meta.len() } else { 0 };
        Ok(FileFacts { kind, mode: u32::from(meta.mode()) & 0o7777, uid: meta.uid(), gid: meta.gid(), size })
    }

    fn link(&self, path: &str) -> anyhow::Result<String> {
        Ok(self.0.read_link(path)?.display().to_string())
    }
}

/// The EFI programs of a FAT filesystem, by path. What cannot be read is left out.
pub fn efi_programs(disk: &dyn ReadAt, start: u64, length: u64) -> Vec<(String, EfiImage)> {
    let mut found = Vec::new();
    let Ok(fs) = fatfs::FileSystem::new(window(disk, start, length), fatfs::FsOptions::new()) else { return found };
    let mut stack = vec![(fs.root_dir(), String::new())];
    while let Some((dir, prefix)) = stack.pop() {
        for entry in dir.iter().flatten() {
            let name = entry.file_name();
            let path = format!("{prefix}/{name}");
            if name == "." || name == ".." {
                continue;
            }
            if entry.is_dir() {
                stack.push((entry.to_dir(), path));
            } else if name.to_lowercase().ends_with(".efi") {
                let mut bytes = Vec::new();
                if entry.to_file().read_to_end(&mut bytes).is_ok() {
                    found.extend(detect::efi_image(&bytes).map(|image| (path, image)));
                }
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}
