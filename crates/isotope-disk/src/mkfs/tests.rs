//! Tests of mkfs's arguments.

use super::*;
use isotope_plan::Bytes;
use uuid::uuid;

fn filesystem(kind: FilesystemKind) -> Filesystem {
    let uuid = uuid!("01234567-89ab-4def-8123-456789abcdef");
    Filesystem { kind, label: Some("root".into()), uuid, mount: None, mkfs_options: Vec::new() }
}

fn args(kind: FilesystemKind, probed: &str) -> String {
    let filesystem = filesystem(kind);
    let content = Content { bytes: Bytes::mib(700), inodes: 30_000 };
    let spec = Spec { filesystem: &filesystem, length: 2 << 30, sector_size: 512, content, epoch: 1_700_000_000 };
    format(kind).unwrap().args(&spec, probed).join(" ")
}

#[test]
fn ext4_says_all_of_its_features() {
    let line = args(FilesystemKind::Ext4, "mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0");
    assert!(line.contains("-i 16384 -J size=64 -O none,has_journal,"), "{line}");
    assert!(
        line.contains(",assume_storage_prezeroed=1,") && !line.contains("orphan_file") && !line.contains("csum_seed"),
        "{line}"
    );
    assert!(line.ends_with("-U 01234567-89ab-4def-8123-456789abcdef -L root"), "{line}");
    assert!(!args(FilesystemKind::Ext4, "mke2fs 1.46.5 (30-Dec-2021)").contains("prezeroed"));
}

#[test]
fn xfs_turns_off_what_its_version_has_and_grub_has_not() {
    let newer = args(FilesystemKind::Xfs, "mkfs.xfs version 6.13.0");
    assert!(newer.contains("-i size=512,sparse=1,nrext64=0,exchange=0 -n ftype=1,parent=0"), "{newer}");
    let older = args(FilesystemKind::Xfs, "mkfs.xfs version 6.1.0");
    assert!(older.contains("-i size=512,sparse=1,nrext64=0 -n ftype=1 "), "{older}");
    assert!(!args(FilesystemKind::Xfs, "mkfs.xfs version 5.13.0").contains("nrext64"));
}

#[test]
fn btrfs_turns_off_only_what_its_mkfs_knows() {
    let older = "Filesystem features available:\nno-holes            - no explicit hole extents for files";
    assert!(args(FilesystemKind::Btrfs, older).contains("-O extref,skinny-metadata,no-holes -U"));
    let newer = format!("{older}\nblock-group-tree    - block group tree, more efficient block group tracking");
    assert!(args(FilesystemKind::Btrfs, &newer).contains("no-holes,^block-group-tree -U"));
}

#[test]
fn versions_are_found_in_what_tools_say() {
    assert_eq!(version("mke2fs 1.47.0 (5-Feb-2023)"), (1, 47));
    assert_eq!(version("mkfs.xfs version 6.1.0"), (6, 1));
    assert_eq!(version("mkfs.btrfs, part of btrfs-progs v6.14"), (6, 14));
    assert_eq!(version("nothing"), (0, 0));
}
