//! Where partitions lie on a disk whose size is known: sector by sector where upstream puts them.
//!
//! * MBR, in sectors of 512 bytes: each partition starts at the next multiple of the alignment and is as long as it says, not
//!   rounded. Percentages are of the disk's end minus the next free sector and one alignment. What is not primary lies in one
//!   extended partition that takes the rest of the disk; each logical partition has its own record, one alignment before it.
//! * GPT, as `sgdisk -n N:0:+SIZEM` does: whole MiB from 1 MiB on, one behind the other. Percentages are of the disk minus 2 MiB and
//!   minus what came before, which counts unrounded.

use super::Share;
use super::graph::TableKind;
use super::layout::{DiskPlan, PartitionPlan, TablePlan};
use crate::geometry::{Geometry, Placed};
use crate::layout::SectorSize;
use isotope_element::Bytes;

const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// Kept free of a GPT disk when sizes are divided: room for both copies and for rounding.
const GPT_PAD: u64 = 2 * MIB;
/// What 32 bits of sectors can say.
const MBR_SECTORS: u64 = u32::MAX as u64;

/// Why a disk cannot be divided like this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// The size of the image is not known.
    #[error(
        "disk `{disk}` has the size of the image, which is not known; say it with --image-size, or give the local_loop a `size`"
    )]
    NoSize {
        /// The disk.
        disk: String,
    },
    /// A partition does not fit behind those before it.
    #[error(
        "the requested size of the image is smaller than the block device configuration: partition `{partition}` takes {wants}, and {free} of the {size} of disk `{disk}` are free"
    )]
    TooSmall {
        /// The disk.
        disk: String,
        /// Its size.
        size: Bytes,
        /// The partition.
        partition: String,
        /// What it takes.
        wants: Bytes,
        /// What there is for it.
        free: Bytes,
    },
    /// A partition smaller than a unit of its table.
    #[error(
        "partition `{partition}` of disk `{disk}` gets {has}, less than {least}, the least that its table can say; give it more, or the image"
    )]
    Nothing {
        /// The disk.
        disk: String,
        /// The partition.
        partition: String,
        /// What it gets.
        has: Bytes,
        /// The least.
        least: Bytes,
    },
    /// More than an MBR can say.
    #[error("disk `{disk}` is {size}, but an MBR ends at 2 TiB; use label: gpt")]
    TooLarge {
        /// The disk.
        disk: String,
        /// Its size.
        size: Bytes,
    },
    /// The disk does not end at the end of a sector.
    #[error("the size of disk `{disk}`, {} bytes, is no multiple of {sector}", size.0)]
    NotWholeSectors {
        /// The disk.
        disk: String,
        /// Its size.
        size: Bytes,
        /// Sector size.
        sector: u64,
    },
}

/// The extended partition of an MBR disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extended {
    /// Its number: that behind the last primary one.
    pub number: u32,
    /// Its first sector; it ends with the disk.
    pub first_lba: u64,
}

/// Places the partitions of a disk; `image` is the size of the image, for a disk that has none of its own.
///
/// # Errors
/// Something does not fit; the error names the partition, what it takes and what there is.
pub fn place(disk: &DiskPlan, image: Option<Bytes>) -> Result<Geometry, PlaceError> {
    let name = || disk.name.clone();
    let size = disk.size.or(image).ok_or_else(|| PlaceError::NoSize { disk: name() })?;
    if size.0 == 0 || !size.0.is_multiple_of(SECTOR) {
        return Err(PlaceError::NotWholeSectors { disk: name(), size, sector: SECTOR });
    }
    // A disk that ends within a sector of 4096 bytes has one less.
    let total_sectors = size.0 / disk.sector_size.bytes();
    let partitions = match &disk.table {
        None => Vec::new(),
        Some(table) if table.kind == TableKind::Gpt => gpt(disk, table, size)?,
        Some(table) => {
            if total_sectors > MBR_SECTORS {
                return Err(PlaceError::TooLarge { disk: name(), size });
            }
            mbr(disk, table, size)?
        }
    };
    Ok(Geometry { sector_size: disk.sector_size, total_sectors, partitions })
}

/// The extended partition, where there are logical ones.
#[must_use]
pub fn extended(table: &TablePlan, geometry: &Geometry) -> Option<Extended> {
    let first = table.partitions.iter().find(|partition| partition.logical)?;
    let primaries = table.partitions.iter().filter(|partition| !partition.logical).count();
    let placed = geometry.partition(first.number)?;
    let number = u32::try_from(primaries + 1).ok()?;
    Some(Extended { number, first_lba: placed.first_lba.checked_sub(table.align.0 / SECTOR)? })
}

fn mbr(disk: &DiskPlan, table: &TablePlan, size: Bytes) -> Result<Vec<Placed>, PlaceError> {
    let align = table.align.0 / SECTOR;
    let total = size.0 / SECTOR;
    let mut next = align;
    let mut placed = Vec::new();
    for partition in &table.partitions {
        let free = (total.saturating_sub(next + align)) * SECTOR;
        let wants = bytes(partition, free);
        let length = wants / SECTOR;
        let first = if partition.logical { next + align } else { next };
        let room = total.saturating_sub(first);
        if length == 0 {
            return Err(nothing(disk, partition, wants, SECTOR));
        }
        if length > room {
            return Err(too_small(disk, partition, size, (wants, room * SECTOR)));
        }
        placed.push(Placed { number: partition.number, first_lba: first, last_lba: first + length - 1 });
        next = (first + length).next_multiple_of(align);
    }
    Ok(placed)
}

fn gpt(disk: &DiskPlan, table: &TablePlan, size: Bytes) -> Result<Vec<Placed>, PlaceError> {
    let sector = disk.sector_size.bytes();
    let mut free = size.0.saturating_sub(GPT_PAD);
    let mut next = MIB;
    let mut placed = Vec::new();
    for partition in &table.partitions {
        let wants = bytes(partition, free);
        if wants > free {
            return Err(too_small(disk, partition, size, (wants, free)));
        }
        let length = wants - wants % MIB;
        if length == 0 {
            return Err(nothing(disk, partition, wants, MIB));
        }
        let first_lba = next / sector;
        placed.push(Placed { number: partition.number, first_lba, last_lba: first_lba + length / sector - 1 });
        free -= wants;
        next += length;
    }
    Ok(placed)
}

fn bytes(partition: &PartitionPlan, free: u64) -> u64 {
    match partition.size {
        Share::Fixed(bytes) => bytes.0,
        Share::Free(percent) => percent.of(free),
    }
}

fn nothing(disk: &DiskPlan, partition: &PartitionPlan, has: u64, least: u64) -> PlaceError {
    let (disk, partition) = (disk.name.clone(), partition.name.clone());
    PlaceError::Nothing { disk, partition, has: Bytes(has), least: Bytes(least) }
}

fn too_small(disk: &DiskPlan, partition: &PartitionPlan, size: Bytes, (wants, free): (u64, u64)) -> PlaceError {
    let (disk, partition) = (disk.name.clone(), partition.name.clone());
    PlaceError::TooSmall { disk, size, partition, wants: Bytes(wants), free: Bytes(free) }
}

/// Whether a table can be on disks with these sectors.
pub(super) const fn fits_sectors(kind: TableKind, sector: SectorSize) -> bool {
    matches!((kind, sector), (TableKind::Gpt, _) | (TableKind::Mbr, SectorSize::B512))
}
