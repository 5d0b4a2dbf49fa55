//! The validated disk layout: partitions, filesystems, mounts. Sizes may still depend on the content (`auto`);
//! `isotope-disk` places it on sectors once the content is known.

mod filesystems;
pub mod rules;

use isotope_element::{Bytes, Origin};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Partition table.
    pub table: Table,
    /// Logical sector size: 512 or 4096.
    pub sector_size: SectorSize,
    /// Size of the whole disk.
    pub size: DiskSize,
    /// Start of every partition is a multiple of this.
    pub align: Bytes,
    /// GPT disk GUID; its first four bytes are the MBR disk signature.
    pub disk_id: Uuid,
    /// In disk order. At most 128 on GPT, 4 on MBR.
    pub partitions: Vec<Partition>,
}

impl Layout {
    /// The partition whose filesystem is mounted at `/`.
    #[must_use]
    pub fn root_partition(&self) -> Option<&Partition> {
        let at_root = |filesystem: &Filesystem| filesystem.mount.as_ref().is_some_and(|mount| mount.path == "/");
        self.partitions.iter().find(|partition| partition.filesystem.as_ref().is_some_and(at_root))
    }

    /// The filesystem at `/`.
    #[must_use]
    pub fn root(&self) -> Option<&Filesystem> {
        self.root_partition()?.filesystem.as_ref()
    }
}

/// Partition table type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// GUID partition table (UEFI specification, chapter 5).
    Gpt,
    /// Master boot record, primary partitions only.
    Mbr,
}

/// Logical sector size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum SectorSize {
    /// 512 bytes.
    B512,
    /// 4096 bytes.
    B4096,
}

impl SectorSize {
    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::B512 => 512,
            Self::B4096 => 4096,
        }
    }
}

impl From<SectorSize> for u32 {
    fn from(size: SectorSize) -> Self {
        match size {
            SectorSize::B512 => 512,
            SectorSize::B4096 => 4096,
        }
    }
}

impl TryFrom<u32> for SectorSize {
    type Error = String;
    fn try_from(bytes: u32) -> Result<Self, String> {
        match bytes {
            512 => Ok(Self::B512),
            4096 => Ok(Self::B4096),
            other => Err(format!("sector size is 512 or 4096, not {other}")),
        }
    }
}

/// Size of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskSize {
    /// As large as its partitions need.
    Auto,
    /// Exactly this.
    Fixed(Bytes),
}

/// Size of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartitionSize {
    /// Exactly this, rounded up to the alignment.
    Fixed(Bytes),
    /// This many hundredths of a percent of the space that partitions can use.
    Percent(u32),
    /// All that the others leave. One partition at most. On a disk of size auto it is `Auto`.
    Rest,
    /// What the content needs, and room to work.
    Auto,
}

/// What a partition is for; decides its type GUID (UAPI.2 Discoverable Partitions) or MBR type byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionKind {
    /// GRUB's core image on GPT disks that boot by BIOS; no filesystem.
    BiosBoot,
    /// EFI system partition; FAT.
    Esp,
    /// Swap space.
    Swap,
    /// The root filesystem of the target's architecture.
    Root,
    /// `/boot` (extended boot loader partition).
    Boot,
    /// Any other Linux filesystem.
    Linux,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name in the layout; the GPT partition name too.
    pub name: String,
    /// From 1, in order.
    pub number: u32,
    /// What it is for.
    pub kind: PartitionKind,
    /// How large.
    pub size: PartitionSize,
    /// Unique partition GUID (GPT).
    pub uuid: Uuid,
    /// What is in it.
    pub filesystem: Option<Filesystem>,
    /// Who declared it.
    pub origin: Origin,
}

/// A filesystem (or swap area).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Its type.
    pub kind: FilesystemKind,
    /// Its label.
    pub label: Option<String>,
    /// Its UUID; FAT takes the first four bytes as volume id.
    pub uuid: Uuid,
    /// Where it is mounted.
    pub mount: Option<Mount>,
    /// More arguments for mkfs.
    pub mkfs_options: Vec<String>,
}

/// Filesystem types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FilesystemKind {
    /// ext4.
    Ext4,
    /// ext3: ext4 without extents, with a journal.
    Ext3,
    /// ext2: ext3 without journal.
    Ext2,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// FAT32 (FAT16 where too small).
    Fat,
    /// Swap area.
    Swap,
}

/// A line of fstab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path in the target.
    pub path: String,
    /// Mount options, comma separated.
    pub options: String,
    /// fsck pass: 0, 1 or 2.
    pub passno: u8,
}
