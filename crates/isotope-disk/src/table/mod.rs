//! Partition tables: [`write()`] puts a placed layout on a disk, [`read()`] says what table a disk has, without root.
//!
//! The same layout and geometry give the same bytes. Must not know filesystems.

mod gpt;
mod mbr;
mod planned_mbr;
mod types;

pub use types::{PartitionType, disk_signature, gpt_type, mbr_type};

use isotope_plan::Arch;
use isotope_plan::blockdev::{DiskPlan, TableKind};
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::{Layout, PartitionKind, Table};
use serde::Serialize;
use std::fs::File;
use std::io;
use uuid::Uuid;

/// Why a table could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The GPT could not be written.
    #[error("cannot write the GPT")]
    WriteGpt(#[source] ::gpt::GptError),
    /// The MBR could not be written.
    #[error("cannot write the MBR")]
    WriteMbr(#[source] io::Error),
    /// The disk could not be read.
    #[error("cannot read the partition table")]
    Read(#[source] io::Error),
    /// An MBR has no way to say this.
    #[error("partition `{name}`: {why}")]
    NotOnMbr {
        /// The partition.
        name: String,
        /// What does not go.
        why: &'static str,
    },
    /// A GPT has no way to say this.
    #[error("partition `{name}`: {why}")]
    NotOnGpt {
        /// The partition.
        name: String,
        /// What does not go.
        why: &'static str,
    },
    /// The disk says that it has a GPT, but neither copy is sound.
    #[error("the disk has a protective MBR, but both copies of its GPT are damaged: {0}")]
    DamagedGpt(&'static str),
}

/// A partition table as it stands on a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionTable {
    /// Its type.
    pub table: Table,
    /// Logical sector size. A GPT tells it; for an MBR it is a guess (see [`read()`]).
    pub sector_size: u64,
    /// GPT: the disk GUID. MBR: the signature as eight hexadecimal digits.
    pub disk_id: String,
    /// Used entries, by number.
    pub partitions: Vec<PartitionEntry>,
    /// What is wrong with it, if anything: a damaged copy, entries that overlap or lie outside.
    pub problems: Vec<String>,
}

/// A used entry of a partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionEntry {
    /// Its number, from 1.
    pub number: u32,
    /// GPT only.
    pub name: String,
    /// Its type.
    pub kind: PartitionType,
    /// GPT only: unique GUID.
    pub uuid: Option<Uuid>,
    /// First sector.
    pub first_lba: u64,
    /// Last sector.
    pub last_lba: u64,
    /// MBR: the active flag. GPT: the legacy BIOS bootable attribute.
    pub bootable: bool,
}

impl PartitionEntry {
    /// First byte and length in bytes, on sectors of `sector_size`; `None` where a hostile table overflows.
    #[must_use]
    pub fn range(&self, sector_size: u64) -> Option<(u64, u64)> {
        let sectors = self.last_lba.checked_sub(self.first_lba)?.checked_add(1)?;
        Some((self.first_lba.checked_mul(sector_size)?, sectors.checked_mul(sector_size)?))
    }
}

/// Writes the table of a placed layout. `disk` has its final length and zeros where the table goes.
///
/// # Errors
/// The disk cannot be written, or an MBR cannot express the layout.
pub fn write(layout: &Layout, geometry: &Geometry, arch: Arch, disk: &File) -> Result<(), TableError> {
    match layout.table {
        Table::Gpt => gpt::write(layout, geometry, arch, disk),
        Table::Mbr => mbr::write(layout, geometry, disk),
    }
}

/// Writes the table of a disk of a block device configuration, byte for byte as diskimage-builder lays it (a GPT: as sgdisk does,
/// but for the random GUIDs). A disk without a table is left as it is.
///
/// # Errors
/// The disk cannot be written, or its table cannot express the layout.
pub fn write_planned(plan: &DiskPlan, geometry: &Geometry, disk: &File) -> Result<(), TableError> {
    match &plan.table {
        None => Ok(()),
        Some(table) if table.kind == TableKind::Gpt => gpt::write_planned(plan, table, geometry, disk),
        Some(table) => planned_mbr::write(plan, table, geometry, disk),
    }
}

/// Reads the table of a disk of `size` bytes through `read_at(offset, buffer)`, which fills the buffer or fails. `None`: no table.
///
/// A GPT is looked for with sectors of 512 and 4096 bytes, first and second copy. An MBR does not tell its sector size: it is that
/// with which the chain of logical partitions begins; without such a chain 4096 if its partitions so read still lie on the disk but
/// so read with 512 leave three quarters of it unused.
///
/// # Errors
/// The disk cannot be read, or its GPT is damaged beyond use.
pub fn read(
    size: u64,
    read_at: &dyn Fn(u64, &mut [u8]) -> io::Result<()>,
) -> Result<Option<PartitionTable>, TableError> {
    if size < 512 {
        return Ok(None);
    }
    let mut sector = [0; 512];
    read_at(0, &mut sector).map_err(TableError::Read)?;
    let Some(record) = mbr::Record::parse(&sector) else { return Ok(None) };
    if record.is_protective() { gpt::read(size, read_at).map(Some) } else { record.table(size, read_at) }
}

/// The partition that firmware or a boot manager of the old kind should look at: `/boot`, else root.
fn boot_partition(layout: &Layout) -> Option<u32> {
    let of = |kind| layout.partitions.iter().find(|partition| partition.kind == kind);
    of(PartitionKind::Boot).or_else(|| of(PartitionKind::Root)).map(|partition| partition.number)
}

/// What is wrong with the places of the entries.
fn check_places(partitions: &[PartitionEntry], first: u64, last: u64) -> Vec<String> {
    let mut problems = Vec::new();
    let mut sorted: Vec<_> = partitions.iter().collect();
    sorted.sort_by_key(|entry| entry.first_lba);
    for entry in &sorted {
        if entry.first_lba < first || entry.last_lba > last || entry.last_lba < entry.first_lba {
            problems.push(format!("partition {} lies outside the usable sectors {first}–{last}", entry.number));
        }
    }
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && other.first_lba <= one.last_lba
        {
            problems.push(format!("partitions {} and {} overlap", one.number, other.number));
        }
    }
    problems
}

#[cfg(test)]
mod tests;
