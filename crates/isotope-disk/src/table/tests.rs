//! What is written is read back, and the tools of others agree (`sgdisk -v`, `sfdisk --verify` for sectors of 512 bytes).

use super::*;
use isotope_plan::geometry::{ContentSizes, place};
use isotope_plan::layout::{DiskSize, Filesystem, FilesystemKind, Partition, PartitionSize, SectorSize};
use isotope_plan::{Bytes, Origin};
use isotope_sys::command::Tool;
use std::os::unix::fs::FileExt;
use uuid::uuid;

fn layout(table: Table, sector_size: SectorSize) -> Layout {
    let partition = |number: u32, kind, size, filesystem: Option<FilesystemKind>| Partition {
        name: format!("part-{number}"),
        number,
        kind,
        size,
        uuid: Uuid::from_u128(0x1111_2222_3333_4444_5555_0000_0000_0000 + u128::from(number)),
        filesystem: filesystem.map(|kind| Filesystem {
            kind,
            label: None,
            uuid: Uuid::from_u128(9),
            mount: None,
            mkfs_options: vec![],
        }),
        origin: Origin { element: "test".into(), file: None, line: None },
    };
    let mut partitions = vec![
        partition(0, PartitionKind::Esp, PartitionSize::Auto, Some(FilesystemKind::Fat)),
        partition(0, PartitionKind::Swap, PartitionSize::Fixed(Bytes::mib(64)), Some(FilesystemKind::Swap)),
        partition(0, PartitionKind::Root, PartitionSize::Rest, Some(FilesystemKind::Ext4)),
    ];
    if table == Table::Gpt {
        partitions.insert(0, partition(0, PartitionKind::BiosBoot, PartitionSize::Auto, None));
    }
    for (number, partition) in (1..).zip(&mut partitions) {
        partition.number = number;
        partition.name = format!("part-{number}");
        partition.uuid = Uuid::from_u128(0x1111_2222_3333_4444_5555_0000_0000_0000 + u128::from(number));
    }
    let disk_id = uuid!("01234567-89ab-4def-8123-456789abcdef");
    Layout { table, sector_size, size: DiskSize::Fixed(Bytes::gib(2)), align: Bytes::mib(1), disk_id, partitions }
}

fn written(layout: &Layout) -> (tempfile::NamedTempFile, Geometry) {
    let geometry = place(layout, &ContentSizes::default()).unwrap();
    let disk = tempfile::NamedTempFile::new().unwrap();
    disk.as_file().set_len(geometry.total_bytes().0).unwrap();
    write(layout, &geometry, Arch::X86_64, disk.as_file()).unwrap();
    (disk, geometry)
}

fn read_back(disk: &File) -> Result<Option<PartitionTable>, TableError> {
    read(disk.metadata().unwrap().len(), &|at, buffer| disk.read_exact_at(buffer, at))
}

const ALL: [(Table, SectorSize); 4] = [
    (Table::Gpt, SectorSize::B512),
    (Table::Gpt, SectorSize::B4096),
    (Table::Mbr, SectorSize::B512),
    (Table::Mbr, SectorSize::B4096),
];

#[test]
fn what_is_written_is_read_back() {
    for (table, sector_size) in ALL {
        let layout = layout(table, sector_size);
        let (disk, geometry) = written(&layout);
        let read = read_back(disk.as_file()).unwrap().unwrap();
        assert_eq!((read.table, read.sector_size), (table, sector_size.bytes()));
        assert_eq!(read.problems, [""; 0]);
        let places: Vec<_> = read.partitions.iter().map(|p| (p.number, p.first_lba, p.last_lba)).collect();
        let placed: Vec<_> = geometry.partitions.iter().map(|p| (p.number, p.first_lba, p.last_lba)).collect();
        assert_eq!(places, placed);
        let bootable: Vec<_> = read.partitions.iter().filter(|p| p.bootable).map(|p| p.kind.name()).collect();
        match table {
            Table::Gpt => {
                assert_eq!(read.disk_id, layout.disk_id.to_string());
                assert_eq!(read.partitions[0].name, "part-1");
                assert_eq!(read.partitions[0].uuid, Some(layout.partitions[0].uuid));
                assert_eq!(bootable, ["Linux root (x86-64)"]);
            }
            Table::Mbr => {
                assert_eq!(read.disk_id, "01234567");
                assert_eq!(bootable, ["Linux filesystem"]);
            }
        }
    }
}

#[test]
fn the_same_layout_gives_the_same_bytes() {
    for (table, sector_size) in ALL {
        let layout = layout(table, sector_size);
        let bytes = |(disk, _): (tempfile::NamedTempFile, Geometry)| {
            let mut bytes = vec![0; 1 << 20];
            disk.as_file().read_exact_at(&mut bytes, 0).unwrap();
            let mut end = vec![0; 1 << 20];
            disk.as_file().read_exact_at(&mut end, (2 << 30) - (1 << 20)).unwrap();
            (bytes, end)
        };
        assert!(bytes(written(&layout)) == bytes(written(&layout)));
    }
}

#[test]
fn the_protective_mbr_has_the_only_form_that_glance_takes() {
    let (disk, geometry) = written(&layout(Table::Gpt, SectorSize::B512));
    let mut sector = [0; 512];
    disk.as_file().read_exact_at(&mut sector, 0).unwrap();
    let [a, b, c, d] = u32::try_from(geometry.total_sectors - 1).unwrap().to_le_bytes();
    assert_eq!(sector[446..462], [0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, a, b, c, d]);
    assert_eq!(sector[462..510], [0; 48]);
    assert_eq!(sector[510..], [0x55, 0xAA]);
}

#[test]
fn sgdisk_and_sfdisk_agree() {
    for table in [Table::Gpt, Table::Mbr] {
        let (disk, _) = written(&layout(table, SectorSize::B512));
        let verify = Tool::new("sfdisk").arg("--verify").arg(disk.path()).run().unwrap();
        let said = format!("{}{}", verify.text(), verify.stderr_tail);
        assert!(said.contains("No errors detected"), "{said}");
        if table == Table::Gpt {
            let said = Tool::new("sgdisk").arg("-v").arg(disk.path()).run().unwrap().text();
            assert!(said.contains("No problems found"), "{said}");
            let said = Tool::new("sgdisk").args(["-i", "4"]).arg(disk.path()).run().unwrap().text();
            assert!(said.contains("Linux x86-64 root") && said.contains("'part-4'"), "{said}");
        }
        let dump = Tool::new("sfdisk").arg("-d").arg(disk.path()).run().unwrap().text();
        let wanted =
            if table == Table::Gpt { "label-id: 01234567-89AB-4DEF-8123-456789ABCDEF" } else { "label-id: 0x01234567" };
        assert!(dump.contains(wanted), "{dump}");
    }
}

#[test]
fn a_damaged_copy_is_named_and_the_other_used() {
    let (disk, _) = written(&layout(Table::Gpt, SectorSize::B512));
    disk.as_file().write_all_at(&[0xFF; 4], 1024).unwrap();
    let table = read_back(disk.as_file()).unwrap().unwrap();
    assert_eq!(table.problems, ["the first copy of the GPT is damaged: the checksum of its entries is wrong"]);
    assert_eq!(table.partitions.len(), 4);
    disk.as_file().write_all_at(&[0xFF; 4], (2 << 30) - 500).unwrap();
    assert!(matches!(read_back(disk.as_file()), Err(TableError::DamagedGpt("the checksum of its entries is wrong"))));
}

#[test]
fn a_disk_without_table_has_none() {
    let none = |bytes: &[u8]| {
        let disk = tempfile::tempfile().unwrap();
        disk.write_all_at(bytes, 0).unwrap();
        read_back(&disk).unwrap()
    };
    assert_eq!(none(&[]), None);
    assert_eq!(none(&[0; 4096]), None);
    let mut fat = [0xF6; 512];
    fat[510..].copy_from_slice(&[0x55, 0xAA]);
    assert_eq!(none(&fat), None);
}

#[test]
fn a_bios_boot_partition_does_not_go_on_an_mbr() {
    let mut layout = layout(Table::Gpt, SectorSize::B512);
    layout.table = Table::Mbr;
    let geometry = place(&layout, &ContentSizes::default()).unwrap();
    let disk = tempfile::tempfile().unwrap();
    let error = write(&layout, &geometry, Arch::X86_64, &disk).unwrap_err();
    assert!(error.to_string().starts_with("partition `part-1`: an MBR disk has no BIOS boot partition"), "{error}");
}

#[test]
fn a_chain_of_logical_partitions_is_followed_and_does_not_run_in_circles() {
    use isotope_plan::blockdev::{Config, Graph, Params, layout, place};
    let text = "- local_loop: {name: image0, size: 1GiB}\n- partitioning: {base: image0, label: mbr, partitions: [{name: a, size: 10MiB, flags: [primary]}, {name: b, size: 10MiB, flags: [boot]}, {name: c, size: 20MiB, type: '82'}]}\n- mkfs: {base: b, name: mkfs_root, type: ext4, mount: {mount_point: /}}\n";
    let params = Params::default();
    let config = Config::parse(std::path::Path::new("b.yaml"), text).unwrap();
    let plan = layout(&Graph::new(&config, &params).unwrap(), &params).unwrap();
    let geometry = place(&plan.disks[0], None).unwrap();
    let disk = tempfile::tempfile().unwrap();
    disk.set_len(1 << 30).unwrap();
    write_planned(&plan.disks[0], &geometry, &disk).unwrap();
    let table = read_back(&disk).unwrap().unwrap();
    let read: Vec<_> =
        table.partitions.iter().map(|p| (p.number, p.first_lba, p.last_lba, p.kind.to_string(), p.bootable)).collect();
    let expected = [
        (1, 2048, 22_527, "0x83", false),
        (2, 22_528, 2_097_151, "0x0f", false),
        (5, 24_576, 45_055, "0x83", true),
        (6, 47_104, 88_063, "0x82", false),
    ];
    assert_eq!(read, expected.map(|(number, first, last, kind, boot)| (number, first, last, kind.to_owned(), boot)));
    assert_eq!((table.problems.len(), table.sector_size), (0, 512));
    // The link of the last record leads back to the first.
    let mut link = [0; 16];
    link[4] = 5;
    link[12] = 1;
    disk.write_all_at(&link, 45_056 * 512 + 462).unwrap();
    let table = read_back(&disk).unwrap().unwrap();
    assert!(table.problems.iter().any(|problem| problem.contains("does not end")), "{:?}", table.problems);
    // Or out of the disk.
    link[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    disk.write_all_at(&link, 45_056 * 512 + 462).unwrap();
    assert_eq!(read_back(&disk).unwrap().unwrap().problems, ["the chain of logical partitions leads out of the disk"]);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(seed in proptest::collection::vec(proptest::num::u8::ANY, 92), at in 0usize..92, count in 0u32..9999) {
        let (disk, _) = written(&layout(Table::Gpt, SectorSize::B512));
        let mut header = [0u8; 512];
        disk.as_file().read_exact_at(&mut header, 512).unwrap();
        header[at.max(24)] = seed[at];
        header[80..84].copy_from_slice(&count.to_le_bytes());
        header[16..20].fill(0);
        let crc = crc32fast::hash(&header[..92]);
        header[16..20].copy_from_slice(&crc.to_le_bytes());
        disk.as_file().write_all_at(&header, 512).unwrap();
        disk.as_file().write_all_at(&[0], (2 << 30) - 512).unwrap();
        drop(read_back(disk.as_file()));
    }
}
