//! GRUB on disks that boot by BIOS: boot.img in sector 0, core.img in the BIOS boot partition or behind the MBR.
//!
//! Pure functions on bytes, and [`embed`], which places them. The offsets are those of GRUB's own `boot.S` and
//! `diskboot.S`; they have not changed since GRUB 1.98. Must not know: where core.img comes from.

use crate::error::BootError;
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::{Layout, PartitionKind, SectorSize, Table};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// The sector in which BIOS, boot.img and core.img count, whatever the disk.
pub const SECTOR: usize = 512;
/// Code of boot.img ends here: what follows is the disk's id and partition table.
pub const BOOT_CODE_END: usize = 0x1b8;
/// u64: the first sector of core.img.
pub const KERNEL_SECTOR: usize = 0x5c;
/// u8: the drive core.img lies on; 0xff is the drive that the BIOS booted from.
pub const BOOT_DRIVE: usize = 0x64;
/// A jump over the test for BIOSes that give a wrong drive number; two NOPs make boot.img do that test.
pub const DRIVE_CHECK: usize = 0x66;
/// In the first sector of core.img: the last entry of its block list {u64 start, u16 sectors, u16 segment}.
pub const BLOCK_LIST: usize = 0x1f4;
/// Where the rest of core.img goes in memory.
const SEGMENT: u16 = 0x820;

/// Sector 0 with boot.img's code, the old disk id and partition table, and the place of core.img.
///
/// # Errors
/// `boot_img` is not GRUB's boot.img.
pub fn boot_sector(boot_img: &[u8], old: &[u8; SECTOR], core_sector: u64) -> Result<[u8; SECTOR], BootError> {
    let unknown = |what: String| BootError::Unknown { file: "boot.img", what };
    let image: &[u8; SECTOR] =
        boot_img.try_into().map_err(|_| unknown(format!("it has {} bytes, 512 were expected", boot_img.len())))?;
    if image[0x1fe..] != [0x55, 0xaa] {
        return Err(unknown("bytes 55 aa are not at its end".to_owned()));
    }
    if u64_at(image, KERNEL_SECTOR) != 1 || image[BOOT_DRIVE] != 0xff {
        return Err(unknown("it does not expect core.img at sector 1 of the drive it was booted from".to_owned()));
    }
    let mut sector = *old;
    sector[..BOOT_CODE_END].copy_from_slice(&image[..BOOT_CODE_END]);
    sector[KERNEL_SECTOR..KERNEL_SECTOR + 8].copy_from_slice(&core_sector.to_le_bytes());
    match image[DRIVE_CHECK..DRIVE_CHECK + 2] {
        [0xeb, _] => sector[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]),
        [0x90, 0x90] => {}
        ref other => return Err(unknown(format!("a jump was expected at byte 0x66, not {other:02x?}"))),
    }
    sector[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
    Ok(sector)
}

/// core.img as it lies on the disk from `core_sector` on: padded to whole sectors, its block list saying where it is.
///
/// # Errors
/// `core_img` is not what grub-mkimage makes for i386-pc.
pub fn place_core(core_img: &[u8], core_sector: u64) -> Result<Vec<u8>, BootError> {
    let unknown = |what: String| BootError::Unknown { file: "core.img", what };
    let sectors = core_img.len().div_ceil(SECTOR);
    let rest = u16::try_from(sectors.saturating_sub(1)).map_err(|_| unknown(format!("it has {sectors} sectors")))?;
    if rest == 0 {
        return Err(unknown(format!("it has only {} bytes", core_img.len())));
    }
    let mut core = core_img.to_vec();
    core.resize(sectors * SECTOR, 0);
    let list = &core[BLOCK_LIST..SECTOR];
    let (start, length, segment) = (u64_at(list, 0), u16_at(list, 8), u16_at(list, 10));
    if (start, length, segment) != (2, rest, SEGMENT) {
        return Err(unknown(format!(
            "its block list says start {start}, {length} sectors, segment {segment:#x}; 2, {rest}, {SEGMENT:#x} were expected"
        )));
    }
    core[BLOCK_LIST..BLOCK_LIST + 8].copy_from_slice(&(core_sector + 1).to_le_bytes());
    Ok(core)
}

/// Where core.img goes: first 512-byte sector, room in bytes, and a name for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorePlace {
    /// First sector, counted in 512 bytes.
    pub sector: u64,
    /// Bytes there are.
    pub room: u64,
    /// For messages.
    pub name: String,
}

/// Where core.img goes on this disk.
///
/// # Errors
/// The disk cannot boot by BIOS: sectors of 4096 bytes, no BIOS boot partition on GPT, no gap behind the MBR.
pub fn core_place(layout: &Layout, geometry: &Geometry) -> Result<CorePlace, BootError> {
    if geometry.sector_size != SectorSize::B512 {
        return Err(BootError::Layout {
            what: "a BIOS cannot boot a disk with 4096-byte sectors".to_owned(),
            remedy: "take sector_size = 512, or bios = false in [bootloader]",
        });
    }
    if layout.table == Table::Gpt {
        let partition = layout.partitions.iter().find(|p| p.kind == PartitionKind::BiosBoot);
        let placed = partition.and_then(|p| geometry.partition(p.number).map(|placed| (p, placed)));
        let (partition, placed) = placed.ok_or_else(|| BootError::Layout {
            what: "a GPT disk boots by BIOS only from a BIOS boot partition, and the layout has none".to_owned(),
            remedy: "add a partition with kind = \"bios-boot\" and size = \"1 MiB\", or bios = false in [bootloader]",
        })?;
        return Ok(CorePlace {
            sector: placed.first_lba,
            room: geometry.length(placed),
            name: format!("the BIOS boot partition {:?}", partition.name),
        });
    }
    let first = geometry.partitions.iter().map(|p| p.first_lba).min().unwrap_or(geometry.total_sectors);
    Ok(CorePlace {
        sector: 1,
        room: first.saturating_sub(1) * SECTOR as u64,
        name: "the gap before the first partition".to_owned(),
    })
}

/// Writes both images to the disk.
///
/// # Errors
/// They are not GRUB's, core.img does not fit, or the disk cannot be written.
pub fn embed(disk: &File, place: &CorePlace, boot_img: &[u8], core_img: &[u8]) -> Result<(), BootError> {
    let core = place_core(core_img, place.sector)?;
    let need = core.len() as u64;
    if need > place.room {
        return Err(BootError::CoreTooLarge { need, room: place.room, place: place.name.clone() });
    }
    let mut old = [0; SECTOR];
    disk.read_exact_at(&mut old, 0).map_err(|source| BootError::Disk { deed: "read", offset: 0, source })?;
    let first = boot_sector(boot_img, &old, place.sector)?;
    let write = |data: &[u8], offset| {
        disk.write_all_at(data, offset).map_err(|source| BootError::Disk { deed: "write", offset, source })
    };
    write(&core, place.sector * SECTOR as u64)?;
    write(&first, 0)
}

/// Little-endian u64 at `at`; 0 beyond the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Little-endian u16 at `at`; 0 beyond the end.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// boot.img with the bytes that matter, as in grub-pc-bin 2.06 and 2.12.
    fn boot_img() -> Vec<u8> {
        let mut image = vec![0x11; SECTOR];
        image[0x5a..0x68].copy_from_slice(&[0x00, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfa, 0xeb, 0x05]);
        image[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
        image
    }

    fn core_img(len: usize) -> Vec<u8> {
        let mut image: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let rest = u16::try_from(len.div_ceil(SECTOR) - 1).unwrap();
        image[BLOCK_LIST..BLOCK_LIST + 8].copy_from_slice(&2u64.to_le_bytes());
        image[BLOCK_LIST + 8..BLOCK_LIST + 10].copy_from_slice(&rest.to_le_bytes());
        image[BLOCK_LIST + 10..SECTOR].copy_from_slice(&SEGMENT.to_le_bytes());
        image
    }

    #[test]
    fn sector_0_keeps_its_disk_id_and_partition_table() {
        let mut old = [0x77; SECTOR];
        old[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
        let sector = boot_sector(&boot_img(), &old, 2048).unwrap();
        assert_eq!(sector[BOOT_CODE_END..], old[BOOT_CODE_END..]);
        assert_eq!(sector[..KERNEL_SECTOR], boot_img()[..KERNEL_SECTOR]);
        assert_eq!(u64_at(&sector, KERNEL_SECTOR), 2048);
        assert_eq!(sector[BOOT_DRIVE], 0xff);
        assert_eq!(sector[DRIVE_CHECK..DRIVE_CHECK + 2], [0x90, 0x90]);
    }

    #[test]
    fn another_boot_image_is_refused() {
        let old = [0; SECTOR];
        for (at, value, word) in
            [(0x1fe, 0, "55 aa"), (0x64, 0x80, "sector 1"), (0x5c, 2, "sector 1"), (0x66, 0x31, "0x66")]
        {
            let mut image = boot_img();
            image[at] = value;
            let text = boot_sector(&image, &old, 1).unwrap_err().to_string();
            assert!(text.contains("boot.img") && text.contains(word), "{text}");
        }
        assert!(boot_sector(&boot_img()[..440], &old, 1).is_err());
    }

    #[test]
    fn core_says_where_it_lies_and_fills_whole_sectors() {
        let core = place_core(&core_img(29_490), 2048).unwrap();
        assert_eq!(core.len(), 58 * SECTOR);
        assert_eq!(u64_at(&core, BLOCK_LIST), 2049);
        assert_eq!((u16_at(&core, BLOCK_LIST + 8), u16_at(&core, BLOCK_LIST + 10)), (57, SEGMENT));
        assert_eq!(core[SECTOR..29_490], core_img(29_490)[SECTOR..]);
        assert!(core[29_490..].iter().all(|b| *b == 0));
        // Behind the MBR it is already right.
        assert_eq!(place_core(&core_img(1024), 1).unwrap(), core_img(1024));
    }

    #[test]
    fn a_core_with_another_block_list_is_refused() {
        let mut core = core_img(2048);
        core[BLOCK_LIST + 8] = 9;
        let text = place_core(&core, 1).unwrap_err().to_string();
        assert!(text.contains("9 sectors") && text.contains("3, 0x820"), "{text}");
        assert!(place_core(&[], 1).is_err() && place_core(&[0; 512], 1).is_err());
    }

    #[test]
    fn a_core_that_does_not_fit_writes_nothing() {
        let disk = tempfile::tempfile().unwrap();
        disk.set_len(8192).unwrap();
        let place = CorePlace { sector: 1, room: 512, name: "the gap".to_owned() };
        let error = embed(&disk, &place, &boot_img(), &core_img(2000)).unwrap_err();
        assert!(matches!(error, BootError::CoreTooLarge { need: 2048, room: 512, .. }), "{error}");
        let mut bytes = vec![1; 8192];
        disk.read_exact_at(&mut bytes, 0).unwrap();
        assert!(bytes.iter().all(|b| *b == 0));
    }
}
