//! Layouts that break rules, and what is said about them.

use super::{check, check_boot};
use crate::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use crate::{BootSpec, SecureBoot};
use isotope_element::{Arch, Bytes, Origin};
use uuid::Uuid;

fn origin(line: u32) -> Origin {
    Origin { element: "vm".to_owned(), file: Some("vm/element.toml".into()), line: Some(line) }
}

fn filesystem(kind: FilesystemKind, label: &str, mount: &str) -> Filesystem {
    let mount =
        (!mount.is_empty()).then(|| Mount { path: mount.to_owned(), options: "defaults".to_owned(), passno: 0 });
    let label = (!label.is_empty()).then(|| label.to_owned());
    Filesystem { kind, label, uuid: Uuid::nil(), mount, mkfs_options: Vec::new() }
}

fn partition(name: &str, kind: PartitionKind, size: PartitionSize, filesystem: Option<Filesystem>) -> Partition {
    Partition { name: name.to_owned(), number: 1, kind, size, uuid: Uuid::nil(), filesystem, origin: origin(1) }
}

fn layout(table: Table, size: DiskSize, mut partitions: Vec<Partition>) -> Layout {
    for (index, partition) in partitions.iter_mut().enumerate() {
        partition.number = index as u32 + 1;
        partition.origin = origin(10 + index as u32);
    }
    Layout { table, sector_size: SectorSize::B512, size, align: Bytes::mib(1), disk_id: Uuid::nil(), partitions }
}

fn said(layout: &Layout) -> String {
    check(layout, &origin(5)).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn root() -> Partition {
    partition("root", PartitionKind::Root, PartitionSize::Rest, Some(filesystem(FilesystemKind::Ext4, "root", "/")))
}

fn esp() -> Partition {
    let fat = filesystem(FilesystemKind::Fat, "ESP", "/boot/efi");
    partition("esp", PartitionKind::Esp, PartitionSize::Fixed(Bytes::mib(128)), Some(fat))
}

fn bios_boot() -> Partition {
    partition("bios-boot", PartitionKind::BiosBoot, PartitionSize::Fixed(Bytes::mib(1)), None)
}

#[test]
fn the_usual_layouts_are_fine() {
    for layout in [
        layout(Table::Gpt, DiskSize::Auto, vec![bios_boot(), esp(), root()]),
        layout(Table::Mbr, DiskSize::Fixed(Bytes::gib(10)), vec![esp(), root()]),
        layout(Table::Gpt, DiskSize::Fixed(Bytes::gib(1)), vec![root()]),
    ] {
        assert_eq!(said(&layout), "");
    }
}

#[test]
fn what_filesystems_and_kinds_refuse() {
    let mut xfs = filesystem(FilesystemKind::Xfs, "thirteen-long", "/srv");
    xfs.mount.as_mut().expect("has one").options = "defaults, noatime".to_owned();
    let partitions = vec![
        partition("bios", PartitionKind::BiosBoot, PartitionSize::Auto, Some(filesystem(FilesystemKind::Ext4, "", ""))),
        partition(
            "esp",
            PartitionKind::Esp,
            PartitionSize::Auto,
            Some(filesystem(FilesystemKind::Ext4, "seventeen-letters", "/boot/efi")),
        ),
        partition("esp2", PartitionKind::Esp, PartitionSize::Auto, None),
        partition("srv", PartitionKind::Linux, PartitionSize::Auto, Some(xfs)),
        partition(
            "fat",
            PartitionKind::Linux,
            PartitionSize::Auto,
            Some(filesystem(FilesystemKind::Fat, "lower", "relative")),
        ),
        partition(
            "swap",
            PartitionKind::Swap,
            PartitionSize::Auto,
            Some(filesystem(FilesystemKind::Swap, "a b", "/swap")),
        ),
        partition(
            "not-swap",
            PartitionKind::Swap,
            PartitionSize::Auto,
            Some(filesystem(FilesystemKind::Btrfs, "", "")),
        ),
        partition(
            "part swap",
            PartitionKind::Linux,
            PartitionSize::Auto,
            Some(filesystem(FilesystemKind::Swap, "", "")),
        ),
        partition("root", PartitionKind::Root, PartitionSize::Rest, Some(filesystem(FilesystemKind::Fat, "", "/"))),
    ];
    insta::assert_snapshot!(said(&layout(Table::Gpt, DiskSize::Auto, partitions)));
}

#[test]
fn what_must_be_unique() {
    let mut second = partition(
        "root",
        PartitionKind::Linux,
        PartitionSize::Auto,
        Some(filesystem(FilesystemKind::Ext4, "ROOT", "/srv")),
    );
    second.number = 2;
    let third = partition(
        "third",
        PartitionKind::Linux,
        PartitionSize::Auto,
        Some(filesystem(FilesystemKind::Ext4, "", "/srv")),
    );
    insta::assert_snapshot!(said(&layout(Table::Gpt, DiskSize::Auto, vec![root(), second, third])));
}

#[test]
fn what_tables_refuse() {
    insta::assert_snapshot!(said(&layout(Table::Gpt, DiskSize::Auto, vec![])));
    let many = vec![
        bios_boot(),
        esp(),
        root(),
        partition("a", PartitionKind::Linux, PartitionSize::Rest, None),
        partition("b", PartitionKind::Linux, PartitionSize::Auto, None),
    ];
    insta::assert_snapshot!(said(&layout(Table::Mbr, DiskSize::Auto, many)));
}

#[test]
fn what_does_not_fit() {
    let sized = |name: &str, size| partition(name, PartitionKind::Linux, size, None);
    let mounted = |size| partition("root", PartitionKind::Root, size, Some(filesystem(FilesystemKind::Ext4, "", "/")));
    let too_large = vec![sized("a", PartitionSize::Fixed(Bytes::gib(8))), mounted(PartitionSize::Fixed(Bytes::gib(3)))];
    let mixed = vec![sized("a", PartitionSize::Percent(6000)), mounted(PartitionSize::Fixed(Bytes::gib(5)))];
    let percent = vec![sized("a", PartitionSize::Percent(6000)), mounted(PartitionSize::Percent(4100))];
    let whole = vec![
        sized("a", PartitionSize::Percent(6000)),
        sized("b", PartitionSize::Percent(4000)),
        mounted(PartitionSize::Rest),
    ];
    let all = [too_large, mixed, percent, whole]
        .map(|partitions| said(&layout(Table::Gpt, DiskSize::Fixed(Bytes::gib(10)), partitions)))
        .join("\n");
    insta::assert_snapshot!(all);
}

#[test]
fn what_firmware_needs() {
    let boot = BootSpec {
        bios: true,
        uefi: true,
        secure_boot: SecureBoot::Auto,
        timeout: 1,
        kernel_args: Vec::new(),
        consoles: Vec::new(),
        origin: origin(40),
    };
    let said = |layout: &Layout, arch| {
        check_boot(layout, &boot, arch).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let mut unmounted = esp();
    unmounted.filesystem.as_mut().expect("has one").mount = None;
    let bare = layout(Table::Gpt, DiskSize::Auto, vec![root()]);
    let unmounted = layout(Table::Gpt, DiskSize::Auto, vec![unmounted, root()]);
    let full = layout(Table::Gpt, DiskSize::Auto, vec![bios_boot(), esp(), root()]);
    assert_eq!(said(&full, Arch::X86_64), "");
    assert_eq!(said(&layout(Table::Mbr, DiskSize::Auto, vec![esp(), root()]), Arch::X86_64), "");
    insta::assert_snapshot!([said(&bare, Arch::X86_64), said(&unmounted, Arch::Aarch64)].join("\n"));
}
