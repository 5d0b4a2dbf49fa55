//! GPT: written by the `gpt` crate with fixed ids, read here with limits (an inspected image may be hostile).

use super::types::{PartitionType, gpt_type};
use super::{PartitionEntry, PartitionTable, TableError, boot_partition, check_places};
use crate::window::Window;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition as GptPartition;
use gpt::partition_types::{OperatingSystem, Type};
use isotope_plan::Arch;
use isotope_plan::blockdev::{DiskPlan, PartitionCode, TablePlan};
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::{Layout, PartitionKind, SectorSize, Table};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use uuid::Uuid;

/// "Legacy BIOS bootable" of the UEFI specification.
const LEGACY_BOOT: u64 = 1 << 2;
/// More entries than anyone has, few enough to read at once.
const MOST_ENTRIES: u32 = 4096;

type ReadAt<'a> = &'a dyn Fn(u64, &mut [u8]) -> io::Result<()>;

/// Writes protective MBR and both copies.
pub(super) fn write(layout: &Layout, geometry: &Geometry, arch: Arch, disk: &File) -> Result<(), TableError> {
    write_entries(entries(layout, geometry, arch), layout.disk_id, geometry, disk)
}

/// The same for a disk of a block device configuration: no attributes, types as they are said.
pub(super) fn write_planned(
    plan: &DiskPlan,
    table: &TablePlan,
    geometry: &Geometry,
    disk: &File,
) -> Result<(), TableError> {
    let mut partitions = BTreeMap::new();
    for partition in &table.partitions {
        let refuse = |why| TableError::NotOnGpt { name: partition.name.clone(), why };
        let PartitionCode::Gpt(guid) = partition.code else { return Err(refuse("its type is one of an MBR")) };
        let placed = geometry.partition(partition.number).ok_or_else(|| refuse("it has no place"))?;
        let entry = GptPartition {
            part_type_guid: Type { guid, os: OperatingSystem::None },
            part_guid: partition.uuid,
            first_lba: placed.first_lba,
            last_lba: placed.last_lba,
            flags: 0,
            name: partition.name.clone(),
        };
        partitions.insert(partition.number, entry);
    }
    write_entries(partitions, plan.id, geometry, disk)
}

fn write_entries(
    partitions: BTreeMap<u32, GptPartition>,
    disk_id: Uuid,
    geometry: &Geometry,
    disk: &File,
) -> Result<(), TableError> {
    let block = match geometry.sector_size {
        SectorSize::B512 => LogicalBlockSize::Lb512,
        SectorSize::B4096 => LogicalBlockSize::Lb4096,
    };
    let mut window = Window::new(disk, 0, geometry.total_bytes().0);
    // One entry of type 0xEE from LBA 1 to the end of the disk (or of 32 bits), start CHS 0/0/2, not active: the only form that
    // strict readers (Glance's image inspector among them) take for a GPT.
    let covered = u32::try_from(geometry.total_sectors - 1).unwrap_or(u32::MAX);
    let mbr = ProtectiveMBR::with_lb_size(covered);
    mbr.overwrite_lba0(&mut window).map_err(|error| TableError::WriteMbr(io::Error::other(error)))?;

    let config = gpt::GptConfig::new().writable(true).logical_block_size(block);
    let mut table = config.create_from_device(window, Some(disk_id)).map_err(TableError::WriteGpt)?;
    table.update_partitions(partitions).map_err(TableError::WriteGpt)?;
    table.write().map(drop).map_err(TableError::WriteGpt)
}

fn entries(layout: &Layout, geometry: &Geometry, arch: Arch) -> BTreeMap<u32, GptPartition> {
    // Boot managers that follow the attribute (syslinux, U-Boot) find /boot by it; GRUB does without.
    let has_bios = layout.partitions.iter().any(|partition| partition.kind == PartitionKind::BiosBoot);
    let legacy = if has_bios { boot_partition(layout) } else { None };
    let entry = |(partition, placed): (&isotope_plan::layout::Partition, &isotope_plan::geometry::Placed)| {
        let entry = GptPartition {
            part_type_guid: Type { guid: gpt_type(partition, arch), os: OperatingSystem::None },
            part_guid: partition.uuid,
            first_lba: placed.first_lba,
            last_lba: placed.last_lba,
            flags: if legacy == Some(partition.number) { LEGACY_BOOT } else { 0 },
            name: partition.name.clone(),
        };
        (partition.number, entry)
    };
    layout.partitions.iter().zip(&geometry.partitions).map(entry).collect()
}

/// Reads the first copy, or the second where the first is damaged.
pub(super) fn read(size: u64, read_at: ReadAt<'_>) -> Result<PartitionTable, TableError> {
    let mut why = "no GPT header with sectors of 512 or 4096 bytes";
    for sector_size in [512, 4096] {
        let last = (size / sector_size).saturating_sub(1);
        let first = read_copy(sector_size, 1, last, read_at)?;
        let second = read_copy(sector_size, last, last, read_at)?;
        let (mut table, problem) = match (first, second) {
            (Ok(table), Ok(_)) => (table, None),
            (Ok(table), Err(why)) => (table, Some(format!("the second copy of the GPT is damaged: {why}"))),
            (Err(why), Ok(table)) => (table, Some(format!("the first copy of the GPT is damaged: {why}"))),
            (Err(one), Err(_)) => {
                if one != NO_HEADER {
                    why = one;
                }
                continue;
            }
        };
        table.problems.extend(problem);
        return Ok(table);
    }
    Err(TableError::DamagedGpt(why))
}

const NO_HEADER: &str = "there is no header";

/// The copy whose header is at `lba`: the outer error is one of reading, the inner one says what is wrong with the copy.
fn read_copy(
    sector: u64,
    lba: u64,
    last: u64,
    read_at: ReadAt<'_>,
) -> Result<Result<PartitionTable, &'static str>, TableError> {
    if last < 2 || lba > last {
        return Ok(Err(NO_HEADER));
    }
    let mut bytes = [0; 512];
    read_at(lba * sector, &mut bytes).map_err(TableError::Read)?;
    let header = match Header::parse(&bytes, lba) {
        Ok(header) => header,
        Err(why) => return Ok(Err(why)),
    };
    let length = u64::from(header.entries) * u64::from(header.entry_size);
    let start = header
        .entries_lba
        .checked_mul(sector)
        .filter(|start| start.checked_add(length).is_some_and(|end| end <= (last + 1) * sector));
    let Some((start, length)) = start.zip(usize::try_from(length).ok()) else {
        return Ok(Err("its entries lie outside the disk"));
    };
    let mut entries = vec![0; length];
    read_at(start, &mut entries).map_err(TableError::Read)?;
    if crc32fast::hash(&entries) != header.entries_crc {
        return Ok(Err("the checksum of its entries is wrong"));
    }
    let raw = entries.chunks_exact(header.entry_size as usize);
    let partitions: Vec<_> = (1..).zip(raw).filter_map(|(number, entry)| parse_entry(number, entry)).collect();
    let problems = check_places(&partitions, header.first_usable, header.last_usable);
    let disk_id = header.disk_id.to_string();
    Ok(Ok(PartitionTable { table: Table::Gpt, sector_size: sector, disk_id, partitions, problems }))
}

struct Header {
    disk_id: Uuid,
    first_usable: u64,
    last_usable: u64,
    entries_lba: u64,
    entries: u32,
    entry_size: u32,
    entries_crc: u32,
}

impl Header {
    fn parse(bytes: &[u8; 512], lba: u64) -> Result<Self, &'static str> {
        if !bytes.starts_with(b"EFI PART") {
            return Err(NO_HEADER);
        }
        let size = le32(bytes, 12) as usize;
        let mut covered = bytes.get(..size).filter(|_| size >= 92).ok_or("the size of its header is wrong")?.to_vec();
        let crc = le32(bytes, 16);
        covered.iter_mut().skip(16).take(4).for_each(|byte| *byte = 0);
        if crc32fast::hash(&covered) != crc {
            return Err("the checksum of its header is wrong");
        }
        if le64(bytes, 24) != lba {
            return Err("its header belongs to another place");
        }
        let header = Self {
            disk_id: guid(bytes, 56),
            first_usable: le64(bytes, 40),
            last_usable: le64(bytes, 48),
            entries_lba: le64(bytes, 72),
            entries: le32(bytes, 80),
            entry_size: le32(bytes, 84),
            entries_crc: le32(bytes, 88),
        };
        let sound = header.entries <= MOST_ENTRIES && (128..=4096).contains(&header.entry_size);
        if sound { Ok(header) } else { Err("the number or size of its entries is absurd") }
    }
}

fn parse_entry(number: u32, entry: &[u8]) -> Option<PartitionEntry> {
    let kind = guid(entry, 0);
    if kind.is_nil() {
        return None;
    }
    let units: Vec<u16> =
        (56..128).step_by(2).map(|at| u16::from_le_bytes(array(entry, at))).take_while(|unit| *unit != 0).collect();
    Some(PartitionEntry {
        number,
        name: String::from_utf16_lossy(&units),
        kind: PartitionType::Gpt(kind),
        uuid: Some(guid(entry, 16)),
        first_lba: le64(entry, 32),
        last_lba: le64(entry, 40),
        bootable: le64(entry, 48) & LEGACY_BOOT != 0,
    })
}

/// Bytes at `at`, zeros beyond the end.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn le64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn guid(bytes: &[u8], at: usize) -> Uuid {
    Uuid::from_bytes_le(array(bytes, at))
}
