//! Block devices as diskimage-builder's elements describe them (`block-device-*.yaml`, `DIB_BLOCK_DEVICE_CONFIG`).
//!
//! In: the YAML, as a tree or as a graph, and what the command line says of the root filesystem ([`Params`]). Out, one after the
//! other: the normalised list of entries ([`Config`]), the graph of nodes in the order in which they are made ([`Graph`]), what is
//! made, settled ([`LayoutPlan`]), and where partitions lie on a disk whose size is known ([`place()`]).
//! Everything that is wrong is told at once, with file and line. Must not touch a device.
//!
//! The facts are those of diskimage-builder 3.43 (its documentation and its behaviour); where it silently ignores something, this
//! warns, and where it fails half-way through a build, this fails before.

pub mod codes;
mod config;
mod edges;
mod fstab;
mod graph;
mod image_size;
mod layout;
pub mod lvm;
mod parameters;
mod place;
mod preflight;
mod read;
mod scalar;
mod show;
mod size;
mod translate;
mod values;

pub use config::{Config, Entry, Plugin};
pub use graph::{
    Fstab, Graph, GraphNode, LocalLoop, LogicalVolume, Lvm, Mkfs, MountPoint, NodeKind, PartitionNode, PhysicalVolume,
    TableKind, TableNode, VolumeGroup,
};
pub use image_size::ImageSize;
pub use layout::{
    Device, DiskPlan, FilesystemPlan, FstabLine, GroupPlan, IMAGE_DISK, LayoutPlan, LvmPlan, MountPlan, PartitionCode,
    PartitionPlan, PhysicalPlan, Segment, TablePlan, VolumePlan, VolumeSize,
};
pub use parameters::Parameters;
pub use place::{Extended, PlaceError, extended, place};
pub use preflight::preflight;
pub use show::{show, to_json};
pub use size::{Percent, Share, SizeSpecError};
pub use translate::layout;
pub use values::{DEFAULT, Values, file_names};

use isotope_element::Bytes;
use std::path::PathBuf;
use uuid::Uuid;

/// What the command line and the environment say, in upstream's parameter file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// `image-size`: the size of a `local_loop` that has none.
    pub image_size: Option<Bytes>,
    /// `image-dir`: the directory of a `local_loop` that has none.
    pub image_dir: PathBuf,
    /// `root-fs-type` (FS_TYPE): the type of `mkfs_root`, where it has none.
    pub root_fs_type: String,
    /// `root-fs-opts` (MKFS_OPTS): its options, where it has none.
    pub root_fs_opts: Option<String>,
    /// `root-label` (ROOT_LABEL): its label, where it has none. `None`: `cloudimg-rootfs`, on XFS `img-rootfs`.
    pub root_label: Option<String>,
    /// DIB_BLOCK_SIZE, which wins over every `block_size`.
    pub block_size: Option<String>,
    /// Where UUIDs come from that the configuration does not say.
    pub seed: Uuid,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            image_size: None,
            image_dir: PathBuf::new(),
            root_fs_type: "ext4".to_owned(),
            root_fs_opts: None,
            root_label: None,
            block_size: None,
            seed: Uuid::nil(),
        }
    }
}

#[cfg(test)]
mod tests;
