//! What is made, settled: disks with their tables, LVM, filesystems, mount points, lines of fstab.
//!
//! Sizes in percent stay what they are until the size of the image is known ([`super::place()`]); everything else is decided here.
//! UUIDs that the configuration does not say are derived from the seed, where upstream's are random.

use super::Share;
use super::graph::TableKind;
use crate::Problem;
use crate::layout::{Filesystem, SectorSize};
use isotope_element::{Bytes, Origin};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;
use uuid::Uuid;

/// The name of the disk that becomes the image.
pub const IMAGE_DISK: &str = "image0";

/// Everything that is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayoutPlan {
    /// Image files, in the order of making.
    pub disks: Vec<DiskPlan>,
    /// Volume groups and logical volumes, in the order of making.
    pub lvm: Vec<LvmPlan>,
    /// Filesystems and swap areas, in the order of making.
    pub filesystems: Vec<FilesystemPlan>,
    /// Mount points, in the order of mounting.
    pub mounts: Vec<MountPlan>,
    /// What is probably not what its author wants.
    #[serde(skip_deserializing)]
    pub warnings: Vec<Problem>,
}

/// An image file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskPlan {
    /// Its name.
    pub name: String,
    /// Where its file lies.
    pub directory: PathBuf,
    /// Its size; `None`: the size of the image.
    pub size: Option<Bytes>,
    /// Logical sector size.
    pub sector_size: SectorSize,
    /// GPT disk GUID; its first four bytes are the MBR disk signature.
    pub id: Uuid,
    /// Its partition table; `None`: a filesystem or physical volume takes the whole disk.
    pub table: Option<TablePlan>,
    /// Who declared it.
    #[serde(skip, default = "nobody")]
    pub origin: Origin,
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePlan {
    /// Its type.
    pub kind: TableKind,
    /// MBR: a multiple of 512 bytes at which partitions start.
    pub align: Bytes,
    /// In disk order.
    pub partitions: Vec<PartitionPlan>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPlan {
    /// Its name; on GPT the table has it, too.
    pub name: String,
    /// Its number: logical ones on MBR from 5.
    pub number: u32,
    /// How large.
    pub size: Share,
    /// Its type.
    pub code: PartitionCode,
    /// MBR: whether it is active.
    pub boot: bool,
    /// MBR: whether it is in the extended partition.
    pub logical: bool,
    /// GPT: its unique GUID.
    pub uuid: Uuid,
    /// Who declared it.
    #[serde(skip, default = "nobody")]
    pub origin: Origin,
}

/// The type of a partition, as its table says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionCode {
    /// MBR type byte.
    Mbr(u8),
    /// GPT type GUID.
    Gpt(Uuid),
}

impl std::fmt::Display for PartitionCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mbr(byte) => write!(f, "0x{byte:02x}"),
            Self::Gpt(guid) => guid.fmt(f),
        }
    }
}

impl Serialize for PartitionCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PartitionCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("0x") {
            Some(hex) => u8::from_str_radix(hex, 16).map(Self::Mbr).map_err(D::Error::custom),
            None => Uuid::parse_str(&text).map(Self::Gpt).map_err(D::Error::custom),
        }
    }
}

/// Stands for the origins that are not written down.
fn nobody() -> Origin {
    Origin { element: "isotope".to_owned(), file: None, line: None }
}

/// What something is made on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// A whole disk.
    Disk {
        /// Its name.
        disk: String,
    },
    /// A partition.
    Partition {
        /// The disk it is on.
        disk: String,
        /// Its number.
        number: u32,
    },
    /// A logical volume.
    Volume {
        /// Its volume group.
        group: String,
        /// Its name.
        volume: String,
    },
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk { disk } => f.write_str(disk),
            Self::Partition { disk, number } => write!(f, "{disk}p{number}"),
            Self::Volume { group, volume } => write!(f, "{group}/{volume}"),
        }
    }
}

/// What one `lvm` entry makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LvmPlan {
    /// Its name.
    pub name: String,
    /// Physical volumes.
    pub physical: Vec<PhysicalPlan>,
    /// Volume groups.
    pub groups: Vec<GroupPlan>,
    /// Logical volumes.
    pub volumes: Vec<VolumePlan>,
    /// Who declared it.
    #[serde(skip, default = "nobody")]
    pub origin: Origin,
}

/// A physical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhysicalPlan {
    /// Its name in the configuration; LVM has none for it.
    pub name: String,
    /// What it is made on.
    pub device: Device,
    /// More arguments for pvcreate.
    pub options: Vec<String>,
}

/// A volume group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPlan {
    /// Its name.
    pub name: String,
    /// The devices of its physical volumes.
    pub devices: Vec<Device>,
    /// More arguments for vgcreate.
    pub options: Vec<String>,
}

/// A logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumePlan {
    /// Its name.
    pub name: String,
    /// Its volume group.
    pub group: String,
    /// Its size.
    pub size: VolumeSize,
    /// What it is.
    pub segment: Segment,
    /// More arguments for lvcreate.
    pub options: Vec<String>,
}

/// The size of a logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VolumeSize {
    /// This, a multiple of 4 MiB.
    Bytes(Bytes),
    /// As `lvcreate -l` has it.
    Extents(String),
}

/// What a logical volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Segment {
    /// An ordinary one.
    Linear,
    /// A pool that thin volumes take their blocks from.
    ThinPool,
    /// One that takes its blocks when it is written.
    Thin {
        /// From where.
        pool: String,
    },
}

/// A filesystem or swap area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FilesystemPlan {
    /// Its name.
    pub name: String,
    /// What it is made on.
    pub device: Device,
    /// Its type in the words of the configuration and of fstab (`vfat`).
    pub fstype: String,
    /// How it is made.
    pub filesystem: Filesystem,
    /// Who declared it.
    #[serde(skip, default = "nobody")]
    pub origin: Origin,
}

/// A mount point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPlan {
    /// Its name.
    pub name: String,
    /// Index in [`LayoutPlan::filesystems`].
    pub filesystem: usize,
    /// Absolute, or `none` for a swap area, which is not mounted.
    pub path: String,
    /// Its line of fstab, where it has one.
    pub fstab: Option<FstabLine>,
}

/// The fields of a line of fstab that are the mount point's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FstabLine {
    /// Mount options.
    pub options: String,
    /// Dump frequency.
    pub dump_freq: String,
    /// Pass of fsck.
    pub fsck_passno: String,
}

impl LayoutPlan {
    /// The disk of this name.
    #[must_use]
    pub fn disk(&self, name: &str) -> Option<&DiskPlan> {
        self.disks.iter().find(|disk| disk.name == name)
    }

    /// The filesystem mounted here, with its mount point.
    #[must_use]
    pub fn mounted(&self, path: &str) -> Option<(&FilesystemPlan, &MountPlan)> {
        let mount = self.mounts.iter().find(|mount| mount.path == path)?;
        Some((self.filesystems.get(mount.filesystem)?, mount))
    }

    /// The name of each device that hooks see in IMAGE_BLOCK_DEVICES: disks, partitions and logical volumes.
    #[must_use]
    pub fn devices(&self) -> Vec<(&str, Device)> {
        let mut devices = Vec::new();
        for disk in &self.disks {
            devices.push((disk.name.as_str(), Device::Disk { disk: disk.name.clone() }));
            for partition in disk.table.iter().flat_map(|table| &table.partitions) {
                let device = Device::Partition { disk: disk.name.clone(), number: partition.number };
                devices.push((partition.name.as_str(), device));
            }
        }
        for volume in self.lvm.iter().flat_map(|lvm| &lvm.volumes) {
            let device = Device::Volume { group: volume.group.clone(), volume: volume.name.clone() };
            devices.push((volume.name.as_str(), device));
        }
        devices
    }
}
