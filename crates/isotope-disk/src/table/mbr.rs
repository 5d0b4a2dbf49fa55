//! MBR: four primary partitions, written and read here (the format is 66 bytes).

use super::types::{PartitionType, disk_signature, mbr_type};
use super::{PartitionEntry, PartitionTable, TableError, boot_partition, check_places};
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::{Layout, Table};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Where the disk signature stands; boot code ends before it.
const SIGNATURE_AT: usize = 440;
const ENTRIES_AT: usize = 446;
const ENTRY_SIZE: usize = 16;
const MAGIC: [u8; 2] = [0x55, 0xAA];

/// Writes signature and entries; the 440 bytes of boot code are left as they are.
pub(super) fn write(layout: &Layout, geometry: &Geometry, disk: &File) -> Result<(), TableError> {
    let mut record = Vec::with_capacity(512 - SIGNATURE_AT);
    record.extend(disk_signature(layout).to_le_bytes());
    record.extend([0, 0]);
    let active = boot_partition(layout);
    for (partition, placed) in layout.partitions.iter().zip(&geometry.partitions) {
        let refuse = |why| TableError::NotOnMbr { name: partition.name.clone(), why };
        let kind = mbr_type(partition)
            .ok_or_else(|| refuse("an MBR disk has no BIOS boot partition; GRUB lies before the first partition"))?;
        let beyond = || refuse("it ends beyond sector 4294967295, which an MBR cannot say");
        let first = u32::try_from(placed.first_lba).map_err(|_| beyond())?;
        let last = u32::try_from(placed.last_lba).map_err(|_| beyond())?;
        record.push(if active == Some(partition.number) { 0x80 } else { 0 });
        record.extend(chs(first));
        record.push(kind);
        record.extend(chs(last));
        record.extend(first.to_le_bytes());
        record.extend((last - first + 1).to_le_bytes());
    }
    record.resize(510 - SIGNATURE_AT, 0);
    record.extend(MAGIC);
    disk.write_all_at(&record, SIGNATURE_AT as u64).map_err(TableError::WriteMbr)
}

/// The cylinder, head and sector of 255 heads and 63 sectors; 1023/254/63 where they end.
fn chs(lba: u32) -> [u8; 3] {
    let (cylinder, head, sector) = (lba / (255 * 63), lba / 63 % 255, lba % 63 + 1);
    let (cylinder, head, sector) = if cylinder > 1023 { (1023, 254, 63) } else { (cylinder, head, sector) };
    let [low, high, ..] = cylinder.to_le_bytes();
    [head.to_le_bytes()[0], sector.to_le_bytes()[0] | (high << 6), low]
}

/// The first sector of a disk, parsed.
pub(super) struct Record {
    signature: u32,
    entries: [Entry; 4],
}

#[derive(Clone, Copy)]
struct Entry {
    status: u8,
    kind: u8,
    first: u32,
    count: u32,
}

impl Record {
    /// `None` without the magic number, or where the sector is a filesystem's boot sector and not a table.
    pub(super) fn parse(sector: &[u8; 512]) -> Option<Self> {
        if !sector.ends_with(&MAGIC) {
            return None;
        }
        let word = |at: usize| sector.get(at..).and_then(<[u8]>::first_chunk).copied().map_or(0, u32::from_le_bytes);
        let byte = |at: usize| sector.get(at).copied().unwrap_or(0);
        let entries = [0, 1, 2, 3].map(|index| {
            let at = ENTRIES_AT + index * ENTRY_SIZE;
            Entry { status: byte(at), kind: byte(at + 4), first: word(at + 8), count: word(at + 12) }
        });
        let plausible = entries.iter().all(|entry| entry.status == 0 || entry.status == 0x80);
        plausible.then(|| Self { signature: word(SIGNATURE_AT), entries })
    }

    pub(super) fn is_protective(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == 0xEE)
    }

    /// `None` where no entry is used.
    pub(super) fn table(&self, size: u64) -> Option<PartitionTable> {
        let used: Vec<_> = (1..).zip(&self.entries).filter(|(_, entry)| entry.kind != 0 && entry.count != 0).collect();
        let end = used.iter().map(|(_, entry)| u64::from(entry.first) + u64::from(entry.count)).max()?;
        let sector_size = if end * 4096 <= size && end * 512 < size / 4 { 4096 } else { 512 };
        let partitions: Vec<_> = used
            .into_iter()
            .map(|(number, entry)| PartitionEntry {
                number,
                name: String::new(),
                kind: PartitionType::Mbr(entry.kind),
                uuid: None,
                first_lba: entry.first.into(),
                last_lba: u64::from(entry.first) + u64::from(entry.count) - 1,
                bootable: entry.status == 0x80,
            })
            .collect();
        let problems = check_places(&partitions, 1, (size / sector_size).saturating_sub(1));
        Some(PartitionTable {
            table: Table::Mbr,
            sector_size,
            disk_id: format!("{:08x}", self.signature),
            partitions,
            problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::chs;

    #[test]
    fn chs_is_that_of_255_heads_and_63_sectors() {
        assert_eq!(chs(2048), [32, 33, 0]);
        assert_eq!(chs(63), [1, 1, 0]);
        assert_eq!(chs(u32::MAX), [254, 0xFF, 0xFF]);
    }
}
