//! MBR as diskimage-builder lays it: primary partitions, and logical ones in a chain of extended boot records, byte for byte.
//!
//! Each record of the chain stands one alignment before its partition, and its second entry leads to the next one. Cylinders,
//! heads and sectors are upstream's, too: of 254 heads, the end counted one sector late, and the upper bits of a large cylinder
//! not where the format has them. Nothing of today reads them; images stay equal.

use super::TableError;
use isotope_plan::blockdev::{self, DiskPlan, PartitionCode, TablePlan};
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::SectorSize;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Where the disk signature stands; what is before it is boot code.
const SIGNATURE_AT: u64 = 440;
/// Where the entries begin, behind the signature.
const ENTRIES: usize = 6;
const MAGIC: [u8; 2] = [0x55, 0xAA];
const SECTOR: u64 = 512;
/// The extended partition, with LBA.
const EXTENDED: u8 = 0x0F;
/// The link to the next record.
const LINK: u8 = 0x05;
const HEADS: u64 = 254;
const TRACK: u64 = 63;
const CYLINDERS: u64 = 1023;

/// The end of a boot record: signature, entries, magic number.
type Record = [u8; 72];

/// Writes the master boot record and the chain of extended ones. Boot code is left as it is.
pub(super) fn write(plan: &DiskPlan, table: &TablePlan, geometry: &Geometry, disk: &File) -> Result<(), TableError> {
    if geometry.sector_size != SectorSize::B512 {
        let why = "an MBR of this kind is written in sectors of 512 bytes";
        return Err(TableError::NotOnMbr { name: plan.name.clone(), why });
    }
    for (lba, record) in records(plan, table, geometry)? {
        // The first four bytes are those of the disk's signature, which only the master record has.
        let (skip, at) = if lba == 0 { (0, SIGNATURE_AT) } else { (ENTRIES, SIGNATURE_AT + ENTRIES as u64) };
        disk.write_all_at(&record[skip..], lba * SECTOR + at).map_err(TableError::WriteMbr)?;
    }
    Ok(())
}

/// Every boot record and the sector it stands in.
fn records(plan: &DiskPlan, table: &TablePlan, geometry: &Geometry) -> Result<Vec<(u64, Record)>, TableError> {
    let align = table.align.0 / SECTOR;
    let mut master = empty();
    master[..4].copy_from_slice(&plan.id.as_fields().0.to_le_bytes());
    let mut logical = Vec::new();
    let mut index = 0;
    for partition in &table.partitions {
        let refuse = |why| TableError::NotOnMbr { name: partition.name.clone(), why };
        let PartitionCode::Mbr(kind) = partition.code else {
            return Err(refuse("its type is one of a GPT"));
        };
        let placed = geometry.partition(partition.number).ok_or_else(|| refuse("it has no place"))?;
        if partition.logical {
            logical.push((partition.boot, kind, placed));
            continue;
        }
        put(
            &mut master,
            index,
            &Entry { boot: partition.boot, kind, first: placed.first_lba, count: placed.sectors() },
        )
        .ok_or_else(|| refuse("an MBR cannot say where it lies"))?;
        index += 1;
    }
    let mut records = Vec::new();
    if let Some(extended) = blockdev::extended(table, geometry) {
        let refuse = || TableError::NotOnMbr { name: plan.name.clone(), why: "the extended partition finds no room" };
        let first = extended.first_lba;
        let count = geometry.total_sectors.checked_sub(first).ok_or_else(refuse)?;
        put(&mut master, index, &Entry { boot: false, kind: EXTENDED, first, count }).ok_or_else(refuse)?;
        for (position, (boot, kind, placed)) in logical.iter().enumerate() {
            let mut record = empty();
            put(&mut record, 0, &Entry { boot: *boot, kind: *kind, first: align, count: placed.sectors() })
                .ok_or_else(refuse)?;
            if let Some((_, _, next)) = logical.get(position + 1) {
                let at = next.first_lba - align;
                let end = (next.last_lba + 1).next_multiple_of(align);
                put(&mut record, 1, &Entry { boot: false, kind: LINK, first: at - first, count: end - at })
                    .ok_or_else(refuse)?;
            }
            records.push((placed.first_lba - align, record));
        }
    }
    records.insert(0, (0, master));
    Ok(records)
}

fn empty() -> Record {
    let mut record = [0; 72];
    record[70..].copy_from_slice(&MAGIC);
    record
}

struct Entry {
    boot: bool,
    kind: u8,
    /// From where the record counts.
    first: u64,
    count: u64,
}

/// `None` where a number does not fit, or there are four entries already.
fn put(record: &mut Record, index: usize, entry: &Entry) -> Option<()> {
    let (first, count) = (u32::try_from(entry.first).ok()?, u32::try_from(entry.count).ok()?);
    let mut bytes = vec![if entry.boot { 0x80 } else { 0 }];
    bytes.extend(chs(entry.first));
    bytes.push(entry.kind);
    bytes.extend(chs(entry.first + entry.count));
    bytes.extend(first.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    let at = ENTRIES + index * 16;
    record[..70].get_mut(at..at + 16)?.copy_from_slice(&bytes);
    Some(())
}

fn chs(lba: u64) -> [u8; 3] {
    let (cylinder, head, sector) = if lba > HEADS * TRACK * CYLINDERS {
        (CYLINDERS, HEADS, TRACK)
    } else {
        (lba / (HEADS * TRACK), lba / TRACK % HEADS, lba % TRACK + 1)
    };
    let byte = |number: u64| number.to_le_bytes()[0];
    [byte(head), byte(sector) | byte(cylinder / 4), byte(cylinder)]
}
