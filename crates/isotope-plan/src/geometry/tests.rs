//! Tests of placement.

use super::*;
use crate::layout::Mount;
use isotope_element::Origin;
use proptest::prelude::*;
use uuid::Uuid;

fn partition(
    number: u32,
    kind: PartitionKind,
    size: PartitionSize,
    filesystem: Option<FilesystemKind>,
    mount: &str,
) -> Partition {
    let filesystem = filesystem.map(|kind| Filesystem {
        kind,
        label: None,
        uuid: Uuid::nil(),
        mount: (!mount.is_empty()).then(|| Mount { path: mount.into(), options: "defaults".into(), passno: 1 }),
        mkfs_options: Vec::new(),
    });
    let origin = Origin { element: "vm".into(), file: None, line: None };
    Partition { name: format!("p{number}"), number, kind, size, uuid: Uuid::nil(), filesystem, origin }
}

fn layout(table: Table, sector_size: SectorSize, size: DiskSize, partitions: Vec<Partition>) -> Layout {
    Layout { table, sector_size, size, align: Bytes::mib(1), disk_id: Uuid::nil(), partitions }
}

fn usual(size: DiskSize, root: PartitionSize) -> Layout {
    let partitions = vec![
        partition(1, PartitionKind::BiosBoot, PartitionSize::Auto, None, ""),
        partition(2, PartitionKind::Esp, PartitionSize::Auto, Some(FilesystemKind::Fat), "/boot/efi"),
        partition(3, PartitionKind::Root, root, Some(FilesystemKind::Ext4), "/"),
    ];
    layout(Table::Gpt, SectorSize::B512, size, partitions)
}

fn root_content(mib: u64) -> ContentSizes {
    ContentSizes { mounts: [("/".to_owned(), Content { bytes: Bytes::mib(mib), inodes: mib * 30 })].into() }
}

#[test]
fn the_rest_of_a_fixed_disk_goes_to_the_root() {
    let geometry = place(&usual(DiskSize::Fixed(Bytes::gib(4)), PartitionSize::Rest), &root_content(700)).unwrap();
    let lbas: Vec<_> = geometry.partitions.iter().map(|p| (p.first_lba, p.last_lba)).collect();
    // 4 GiB less the second table ends at 8388575; the last whole MiB before it ends at 8386559.
    assert_eq!(lbas, [(2048, 4095), (4096, 208_895), (208_896, 8_386_559)]);
    assert_eq!(geometry.total_bytes(), Bytes::gib(4));
}

#[test]
fn an_auto_disk_is_as_large_as_its_partitions_need() {
    let geometry = place(&usual(DiskSize::Auto, PartitionSize::Rest), &root_content(700)).unwrap();
    let root = geometry.length(geometry.partition(3).unwrap());
    assert!(root > 1000 * MIB && root < 1300 * MIB, "{}", Bytes(root));
    assert_eq!(geometry.total_bytes().0, 102 * MIB + root + MIB, "only the second table behind the root");
}

#[test]
fn too_small_is_said_with_name_need_and_size() {
    let error = place(&usual(DiskSize::Fixed(Bytes::mib(600)), PartitionSize::Rest), &root_content(700)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`p3` the rest, at least") && text.contains("fixed at 600 MiB"), "{text}");
    let fixed = usual(DiskSize::Fixed(Bytes::gib(4)), PartitionSize::Fixed(Bytes::mib(500)));
    let text = place(&fixed, &root_content(700)).unwrap_err().to_string();
    assert!(
        text.contains("partition `p3` needs") && text.contains("gets 500 MiB") && text.contains("on ext4"),
        "{text}"
    );
}

#[test]
fn percentages_on_an_auto_disk_hold_their_content() {
    let mut layout = usual(DiskSize::Auto, PartitionSize::Percent(4000));
    layout.partitions.push(partition(
        4,
        PartitionKind::Linux,
        PartitionSize::Percent(5000),
        Some(FilesystemKind::Xfs),
        "/var",
    ));
    let geometry = place(&layout, &root_content(900)).unwrap();
    assert!(geometry.length(geometry.partition(3).unwrap()) >= 900 * MIB);
    layout.partitions.push(partition(
        5,
        PartitionKind::Linux,
        PartitionSize::Percent(1000),
        Some(FilesystemKind::Ext4),
        "/srv",
    ));
    assert_eq!(place(&layout, &root_content(900)).unwrap_err(), GeometryError::TooManyPercent { hundredths: 10_000 });
}

#[test]
fn what_cannot_be_is_refused() {
    let fat = |size| partition(1, PartitionKind::Swap, size, Some(FilesystemKind::Swap), "");
    let one = |p| layout(Table::Mbr, SectorSize::B4096, DiskSize::Auto, vec![p]);
    let none = ContentSizes::default();
    assert!(matches!(place(&one(fat(PartitionSize::Auto)), &none), Err(GeometryError::NoAutoSize { .. })));
    let huge = one(fat(PartitionSize::Fixed(Bytes::gib(20_000))));
    assert!(matches!(place(&huge, &none), Err(GeometryError::TooLarge { .. })));
    let mut odd = one(fat(PartitionSize::Fixed(Bytes::mib(1))));
    odd.size = DiskSize::Fixed(Bytes(10_000_000_000));
    assert!(matches!(place(&odd, &none), Err(GeometryError::NotWholeSectors { .. })));
    odd.align = Bytes(512);
    assert!(matches!(place(&odd, &none), Err(GeometryError::Alignment { .. })));
    let rest = |n| partition(n, PartitionKind::Linux, PartitionSize::Rest, Some(FilesystemKind::Ext4), "");
    let two = layout(Table::Gpt, SectorSize::B512, DiskSize::Auto, vec![rest(1), rest(2)]);
    assert!(matches!(place(&two, &none), Err(GeometryError::TwoRests { .. })));
    let five = layout(
        Table::Mbr,
        SectorSize::B512,
        DiskSize::Auto,
        (1..=5).map(|n| partition(n, PartitionKind::Linux, PartitionSize::Fixed(Bytes::mib(9)), None, "")).collect(),
    );
    assert!(matches!(place(&five, &none), Err(GeometryError::TooManyPartitions { .. })));
}

fn any_size() -> impl Strategy<Value = PartitionSize> {
    prop_oneof![
        (1u64..3 << 30).prop_map(|n| PartitionSize::Fixed(Bytes(n))),
        (1u32..6000).prop_map(PartitionSize::Percent),
        Just(PartitionSize::Rest),
        Just(PartitionSize::Auto),
    ]
}

fn any_layout() -> impl Strategy<Value = (Layout, ContentSizes)> {
    let kinds = prop_oneof![
        Just(FilesystemKind::Ext4),
        Just(FilesystemKind::Xfs),
        Just(FilesystemKind::Btrfs),
        Just(FilesystemKind::Fat),
    ];
    let parts = proptest::collection::vec((any_size(), kinds, 0u64..2 << 30, 0u64..100_000), 1..6);
    let size = prop_oneof![Just(DiskSize::Auto), (1u64..1 << 24).prop_map(|n| DiskSize::Fixed(Bytes(n * 4096)))];
    let align = prop_oneof![Just(4096u64), Just(1 << 20), Just(4 << 20), Just(3 * 4096)];
    (any::<bool>(), any::<bool>(), size, align, parts).prop_map(|(gpt, small, size, align, parts)| {
        let mut content = ContentSizes::default();
        let partitions = (1..).zip(parts).map(|(number, (size, kind, bytes, inodes))| {
            let path = format!("/m{number}");
            content.mounts.insert(path.clone(), Content { bytes: Bytes(bytes), inodes });
            partition(number, PartitionKind::Linux, size, Some(kind), &path)
        });
        let table = if gpt { Table::Gpt } else { Table::Mbr };
        let sector = if small { SectorSize::B512 } else { SectorSize::B4096 };
        let mut layout = layout(table, sector, size, partitions.collect());
        layout.align = Bytes(align);
        (layout, content)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn placed_partitions_are_aligned_apart_inside_and_large_enough((layout, content) in any_layout()) {
        let Ok(geometry) = place(&layout, &content) else { return Ok(()) };
        let sector = layout.sector_size.bytes();
        let (front, back) = match layout.table {
            Table::Gpt => (2 + 16384 / sector, 1 + 16384 / sector),
            Table::Mbr => (1, 0),
        };
        let mut next = front;
        for (placed, partition) in geometry.partitions.iter().zip(&layout.partitions) {
            prop_assert!(placed.first_lba >= next && placed.first_lba * sector >= MIB);
            prop_assert_eq!(placed.first_lba * sector % layout.align.0, 0);
            prop_assert!(placed.last_lba >= placed.first_lba);
            next = placed.last_lba + 1;
            let filesystem = partition.filesystem.as_ref().unwrap();
            prop_assert!(geometry.length(placed) >= overhead::least(filesystem.kind, content.of(filesystem)).0);
            if let PartitionSize::Fixed(bytes) = partition.size {
                prop_assert_eq!(geometry.length(placed), bytes.0.next_multiple_of(layout.align.0));
            }
        }
        prop_assert!(next + back <= geometry.total_sectors);
        if let DiskSize::Fixed(size) = layout.size {
            prop_assert_eq!(geometry.total_bytes(), size);
        }
    }

    #[test]
    fn an_auto_disk_always_fits((mut layout, content) in any_layout()) {
        layout.size = DiskSize::Auto;
        layout.table = Table::Gpt;
        let placed = place(&layout, &content);
        let sound = matches!(
            placed,
            Ok(_) | Err(GeometryError::TooManyPercent { .. } | GeometryError::TwoRests { .. } | GeometryError::PartitionTooSmall { .. })
        );
        prop_assert!(sound, "{:?}", placed);
        if let Err(GeometryError::PartitionTooSmall { name, .. }) = &placed {
            let fixed = layout.partitions.iter().find(|p| p.name == *name).unwrap();
            prop_assert!(matches!(fixed.size, PartitionSize::Fixed(_)), "{:?} {}", fixed.size, name);
        }
    }
}
