//! What is in an image, read without mounting it and without root where that is possible: tables, filesystems, boot loaders,
//! and, for ext4 roots, files. XFS and Btrfs are read by the kernel: they need root.
//!
//! In: an image file. Out: [`Inspection`], plain data for `isotope inspect` and `isotope diff`.

pub mod deployments;
pub mod files;
mod filesystem;
mod mounted;
mod system;

pub use filesystem::{Filesystem, probe};
pub use mounted::Mounted;
pub use system::System;

use crate::exit::{Class, Failure};
use deployments::{Booted, Deployment};
use files::Files;
use isotope_disk::table::{self, PartitionEntry, PartitionTable};
use isotope_image::reader::{self, Cursor, ReadAt};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// What an image is.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The file.
    pub image: String,
    /// Bytes of the virtual disk.
    pub virtual_size: u64,
    /// Bytes of the file.
    pub file_size: u64,
    /// Its partition table.
    pub table: Option<TableFacts>,
    /// Its partitions.
    pub partitions: Vec<PartitionFacts>,
    /// What boots.
    pub boot: Boot,
    /// Its ostree deployments, in the order of the boot menu.
    pub deployments: Vec<Deployment>,
    /// What is in its root filesystem, or in the deployment that is booted by default.
    pub system: Option<System>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
}

/// A partition table.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct TableFacts {
    /// `gpt` or `mbr`.
    pub kind: isotope_plan::layout::Table,
    /// Disk GUID or signature.
    pub disk_id: String,
    /// Logical sector size.
    pub sector_size: u64,
    /// What is wrong with it.
    pub problems: Vec<String>,
}

/// A partition.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct PartitionFacts {
    /// Its entry in the table.
    #[serde(flatten)]
    pub entry: PartitionEntry,
    /// Its type in words.
    pub type_name: &'static str,
    /// Its length in bytes.
    pub bytes: u64,
    /// What is in it.
    pub filesystem: Option<Filesystem>,
}

/// What boots.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Boot {
    /// The code in sector 0.
    pub bios: isotope_boot::detect::BootCode,
    /// EFI programs on the EFI system partition, by path.
    pub efi: Vec<(String, isotope_boot::detect::EfiImage)>,
    /// Titles of the boot menu's entries.
    pub entries: Vec<String>,
}

/// An open image, for those who read more than [`Inspection`] has.
pub struct Image {
    /// The disk.
    pub disk: Arc<dyn ReadAt>,
    /// Its table.
    pub table: Option<PartitionTable>,
}

impl Image {
    /// Opens an image and reads its table.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let disk: Arc<dyn ReadAt> = Arc::from(reader::open(path).map_err(|error| {
            anyhow::Error::new(error).context(Failure::new(Class::Usage, format!("cannot inspect {}", path.display())))
        })?);
        let table = table::read(disk.size(), &|offset, buffer| disk.read_exact_at(buffer, offset))?;
        Ok(Self { disk, table })
    }

    /// Byte range of a partition.
    pub fn range(&self, entry: &PartitionEntry) -> Option<(u64, u64)> {
        entry
            .range(self.table.as_ref()?.sector_size)
            .filter(|(start, length)| start.saturating_add(*length) <= self.disk.size())
    }

    /// The files of the root filesystem: the first that has /etc or deployments, or the note why they cannot be read.
    pub fn root(&self) -> (Option<Box<dyn Files>>, Vec<String>) {
        let mut notes = Vec::new();
        let whole = [(0, self.disk.size())];
        let ranges: Vec<(u64, u64)> = match &self.table {
            Some(table) => table.partitions.iter().filter_map(|entry| self.range(entry)).collect(),
            None => whole.to_vec(),
        };
        for (start, length) in ranges {
            let Some(found) = filesystem::probe(self.disk.as_ref(), start, length) else { continue };
            match files::open(&self.disk, &found, start, length) {
                Ok(Some(files))
                    if files.list("/etc").is_ok_and(|names| !names.is_empty())
                        || deployments::is_physical_root(files.as_ref()) =>
                {
                    return (Some(files), notes);
                }
                Ok(_) => {}
                Err(error) => notes.push(format!("the {} filesystem at byte {start}: {error:#}", found.kind)),
            }
        }
        (None, notes)
    }
}

/// Looks at everything.
pub fn inspect(path: &Path) -> anyhow::Result<Inspection> {
    let image = Image::open(path)?;
    let disk = image.disk.as_ref();
    let (mut partitions, mut efi) = (Vec::new(), Vec::new());
    for entry in image.table.iter().flat_map(|table| &table.partitions) {
        let range = image.range(entry);
        let filesystem = range.and_then(|(start, length)| filesystem::probe(disk, start, length));
        if let (Some((start, length)), Some("fat")) = (range, filesystem.as_ref().map(|found| found.kind)) {
            efi.extend(files::efi_programs(disk, start, length));
        }
        partitions.push(PartitionFacts {
            entry: entry.clone(),
            type_name: entry.kind.name(),
            bytes: range.map_or(0, |(_, length)| length),
            filesystem,
        });
    }
    let mut sector = vec![0; 512];
    disk.read_exact_at(&mut sector, 0)?;
    let (files, notes) = image.root();
    let deployments = files.as_deref().map(deployments::read).unwrap_or_default();
    let system = match (files.as_deref(), deployments.first()) {
        (Some(files), Some(first)) => Some(system::read(&Booted::new(files, first))),
        (files, _) => files.map(system::read),
    };
    let entries = files.as_deref().map(system::boot_entries).unwrap_or_default();
    Ok(Inspection {
        image: path.display().to_string(),
        virtual_size: disk.size(),
        file_size: std::fs::metadata(path)?.len(),
        table: image.table.as_ref().map(|table| TableFacts {
            kind: table.table,
            disk_id: table.disk_id.clone(),
            sector_size: table.sector_size,
            problems: table.problems.clone(),
        }),
        partitions,
        boot: Boot { bios: isotope_boot::detect::boot_code(&sector), efi, entries },
        deployments,
        system,
        notes,
    })
}

/// A stream over a part of the disk.
fn window(disk: &dyn ReadAt, start: u64, length: u64) -> Cursor<'_> {
    Cursor::new(disk, start, length)
}
