//! MBR: four primary partitions, written and read here (the format is 66 bytes); logical ones are read by following their chain.

use super::types::{PartitionType, disk_signature, mbr_type};
use super::{PartitionEntry, PartitionTable, TableError, boot_partition, check_places};
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::{Layout, Table};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where the disk signature stands; boot code ends before it.
const SIGNATURE_AT: usize = 440;
const ENTRIES_AT: usize = 446;
const ENTRY_SIZE: usize = 16;
const MAGIC: [u8; 2] = [0x55, 0xAA];
/// More logical partitions than anyone has; a chain that leads back to itself ends here.
const MOST_PARTITIONS: usize = 256;

type ReadAt<'a> = &'a dyn Fn(u64, &mut [u8]) -> io::Result<()>;

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
    pub(super) fn table(&self, size: u64, read_at: ReadAt<'_>) -> Result<Option<PartitionTable>, TableError> {
        let used: Vec<_> = (1..).zip(&self.entries).filter(|(_, entry)| entry.is_used()).collect();
        let Some(end) = used.iter().map(|(_, entry)| u64::from(entry.first) + u64::from(entry.count)).max() else {
            return Ok(None);
        };
        let chained = used.iter().map(|(_, entry)| entry).find(|entry| entry.is_extended());
        let sector_size = match chained {
            _ if end * 4096 > size => 512,
            // The chain tells: its first record stands at the start of the extended partition.
            Some(entry) if boot_record_at(u64::from(entry.first) * 512, size, read_at)? => 512,
            None if end * 512 >= size / 4 => 512,
            _ => 4096,
        };
        let mut partitions: Vec<_> = used.iter().map(|(number, entry)| entry.partition(*number, 0)).collect();
        let mut problems = check_places(&partitions, 1, (size / sector_size).saturating_sub(1));
        let extended: Vec<_> = used.iter().filter(|(_, entry)| entry.is_extended()).map(|(_, entry)| **entry).collect();
        for entry in extended {
            let chain = Chain { sector_size, size, start: u64::from(entry.first), read_at };
            let (logical, fault) = chain.follow(partitions.len())?;
            let last = u64::from(entry.first) + u64::from(entry.count).saturating_sub(1);
            problems.extend(check_places(&logical, u64::from(entry.first), last));
            problems.extend(fault.map(str::to_owned));
            partitions.extend(logical);
        }
        let disk_id = format!("{:08x}", self.signature);
        Ok(Some(PartitionTable { table: Table::Mbr, sector_size, disk_id, partitions, problems }))
    }
}

/// Whether a boot record stands there.
fn boot_record_at(offset: u64, size: u64, read_at: ReadAt<'_>) -> Result<bool, TableError> {
    if offset.saturating_add(512) > size {
        return Ok(false);
    }
    let mut sector = [0; 512];
    read_at(offset, &mut sector).map_err(TableError::Read)?;
    Ok(Record::parse(&sector).is_some())
}

impl Entry {
    const fn is_used(&self) -> bool {
        self.kind != 0 && self.count != 0
    }

    const fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0F | 0x85)
    }

    /// The partition; `from` is the sector from which the entry counts.
    fn partition(&self, number: u32, from: u64) -> PartitionEntry {
        let first_lba = from + u64::from(self.first);
        PartitionEntry {
            number,
            name: String::new(),
            kind: PartitionType::Mbr(self.kind),
            uuid: None,
            first_lba,
            last_lba: first_lba + u64::from(self.count) - 1,
            bootable: self.status == 0x80,
        }
    }
}

/// The chain of boot records in an extended partition.
struct Chain<'a> {
    sector_size: u64,
    /// Of the disk, in bytes.
    size: u64,
    /// Of the extended partition.
    start: u64,
    read_at: ReadAt<'a>,
}

impl Chain<'_> {
    /// Logical partitions from number 5 on, and what is wrong with the chain.
    fn follow(&self, others: usize) -> Result<(Vec<PartitionEntry>, Option<&'static str>), TableError> {
        let (mut logical, mut at) = (Vec::new(), self.start);
        let mut number = 5;
        for _ in others..MOST_PARTITIONS {
            let Some(offset) = at.checked_mul(self.sector_size).filter(|offset| offset + 512 <= self.size) else {
                return Ok((logical, Some("the chain of logical partitions leads out of the disk")));
            };
            let mut sector = [0; 512];
            (self.read_at)(offset, &mut sector).map_err(TableError::Read)?;
            let Some(record) = Record::parse(&sector) else {
                return Ok((logical, Some("the chain of logical partitions ends at a sector that is no boot record")));
            };
            for entry in record.entries.iter().filter(|entry| entry.is_used() && !entry.is_extended()) {
                logical.push(entry.partition(number, at));
                number += 1;
            }
            match record.entries.iter().find(|entry| entry.is_used() && entry.is_extended()) {
                Some(next) => at = self.start + u64::from(next.first),
                None => return Ok((logical, None)),
            }
        }
        Ok((logical, Some("the chain of logical partitions does not end")))
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
