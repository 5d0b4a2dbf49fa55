//! Which filesystems the loader and the kernel need, and how GRUB names what is in them.

use crate::error::BootError;
use isotope_plan::layout::{Filesystem, FilesystemKind, Layout, Partition, PartitionKind, Table};

/// The filesystems that matter at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// UUID of the root filesystem.
    pub root_uuid: String,
    /// `root=PARTUUID=` of the root partition: for kernels without an initramfs.
    pub root_partuuid: String,
    /// Whether the root filesystem is btrfs.
    pub btrfs: bool,
    /// UUID of the filesystem that has `/boot`.
    pub boot_uuid: String,
    /// GRUB's name of its partition: `gpt3`, `msdos1`.
    pub boot_partition: String,
    /// GRUB's module for it.
    pub filesystem_module: &'static str,
    /// GRUB's module for the partition table.
    pub table_module: &'static str,
    /// `/boot` as GRUB sees it: `/boot`, or empty if it is a filesystem of its own.
    pub boot_path: &'static str,
}

impl Place {
    /// Looks at the layout.
    pub fn of(layout: &Layout) -> Result<Self, BootError> {
        let mounted = |path: &str| {
            let has = |f: &Filesystem| f.mount.as_ref().is_some_and(|m| m.path == path);
            layout.partitions.iter().find_map(|p| p.filesystem.as_ref().filter(|f| has(f)).map(|f| (p, f)))
        };
        let (root_partition, root) = mounted("/").ok_or_else(|| BootError::Layout {
            what: "no filesystem of the layout is mounted at /, so there is nothing to boot".to_owned(),
            remedy: "give a partition of [layout] a filesystem with mount = \"/\"",
        })?;
        let (boot_partition, boot) = mounted("/boot").unwrap_or((root_partition, root));
        let (table_module, scheme) = match layout.table {
            Table::Gpt => ("part_gpt", "gpt"),
            Table::Mbr => ("part_msdos", "msdos"),
        };
        Ok(Self {
            root_uuid: root.uuid.to_string(),
            root_partuuid: part_uuid(layout, root_partition),
            btrfs: root.kind == FilesystemKind::Btrfs,
            boot_uuid: boot.uuid.to_string(),
            boot_partition: format!("{scheme}{}", boot_partition.number),
            filesystem_module: module(boot_partition, boot)?,
            table_module,
            boot_path: if boot_partition.number == root_partition.number { "/boot" } else { "" },
        })
    }
}

/// Mount point of the EFI system partition.
pub fn esp_mount(layout: &Layout) -> Result<&str, BootError> {
    let missing = |what: &str| BootError::Layout {
        what: what.to_owned(),
        remedy: "add a partition with kind = \"esp\" and filesystem = { type = \"fat\", mount = \"/boot/efi\" }, or uefi = false in [bootloader]",
    };
    let esp = layout.partitions.iter().find(|p| p.kind == PartitionKind::Esp);
    let esp = esp.ok_or_else(|| missing("UEFI boots from an EFI system partition, and the layout has none"))?;
    let mount = esp.filesystem.as_ref().and_then(|f| f.mount.as_ref());
    mount.map(|m| m.path.as_str()).ok_or_else(|| missing("the layout's EFI system partition is not mounted anywhere"))
}

fn module(partition: &Partition, filesystem: &Filesystem) -> Result<&'static str, BootError> {
    match filesystem.kind {
        FilesystemKind::Ext4 | FilesystemKind::Ext3 | FilesystemKind::Ext2 => Ok("ext2"),
        FilesystemKind::Xfs => Ok("xfs"),
        FilesystemKind::Btrfs => Ok("btrfs"),
        FilesystemKind::Fat | FilesystemKind::Swap => Err(BootError::Layout {
            what: format!(
                "partition {:?} holds /boot and is {}",
                partition.name,
                if filesystem.kind == FilesystemKind::Fat { "FAT" } else { "swap" }
            ),
            remedy: "the distribution's packages need links and permissions there: take ext4, xfs or btrfs",
        }),
    }
}

fn part_uuid(layout: &Layout, partition: &Partition) -> String {
    match layout.table {
        Table::Gpt => partition.uuid.to_string(),
        Table::Mbr => {
            let id = layout.disk_id.as_bytes();
            format!("{:08x}-{:02x}", u32::from_be_bytes([id[0], id[1], id[2], id[3]]), partition.number)
        }
    }
}
