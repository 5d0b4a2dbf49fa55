//! Why a disk could not be made: each kind says which stage, its source says what.

use crate::mount::MountError;
use crate::populate::PopulateError;
use crate::table::TableError;
use isotope_image::fat::FatError;
use isotope_plan::blockdev::PlaceError;
use isotope_plan::geometry::GeometryError;
use isotope_sys::command::CommandError;
use isotope_sys::loop_device::LoopError;
use isotope_sys::target::TargetError;
use std::path::PathBuf;

/// Why a disk could not be made or finished.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The layout does not fit.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// The raw file cannot be made.
    #[error("cannot make the disk image {}", path.display())]
    Raw {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The disk that an earlier build kept does not serve.
    #[error("the disk kept in {} does not serve: {why}", path.display())]
    Kept {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The disk cannot be kept for later builds.
    #[error("cannot keep the disk in {}", path.display())]
    Keep {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The partition table cannot be written.
    #[error("cannot partition the disk")]
    Table(#[from] TableError),
    /// A loop device cannot be had.
    #[error("cannot get at partition `{partition}`")]
    Loop {
        /// The partition.
        partition: String,
        /// The cause.
        source: LoopError,
    },
    /// mkfs failed.
    #[error("cannot make the {kind} filesystem of partition `{partition}`")]
    Mkfs {
        /// The filesystem type.
        kind: &'static str,
        /// The partition.
        partition: String,
        /// The cause.
        source: CommandError,
    },
    /// A block device configuration does not fit.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The kernel cannot make logical volumes.
    #[error(
        "lvm `{lvm}` needs the device mapper, which this host's kernel does not have; load the module (modprobe dm_mod), in a container pass /dev/mapper/control, or take a layout without lvm"
    )]
    NoDeviceMapper {
        /// The entry of the configuration.
        lvm: String,
    },
    /// A command of LVM failed.
    #[error("cannot make or take down logical volumes: `{command}` failed")]
    Lvm {
        /// The command as it was planned.
        command: String,
        /// The cause.
        source: CommandError,
    },
    /// A logical volume that was made cannot be held.
    #[error("cannot hold the logical volume {}", path.display())]
    Volume {
        /// Its node.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A FAT filesystem cannot be written.
    #[error("cannot write the FAT filesystem of partition `{partition}`")]
    Fat {
        /// The partition.
        partition: String,
        /// The cause.
        source: FatError,
    },
    /// Mounting or unmounting failed.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// No root, or two filesystems in one place.
    #[error("{0}")]
    Mounts(String),
    /// The tree cannot be copied.
    #[error("cannot copy the tree onto the disk{}", room(source))]
    Populate {
        /// The cause.
        source: PopulateError,
    },
    /// The tree cannot be used.
    #[error(transparent)]
    Tree(TargetError),
    /// fstab cannot be written.
    #[error("cannot write the target's fstab")]
    Fstab(#[source] TargetError),
    /// Freed blocks cannot be given back.
    #[error("cannot trim the filesystem on {path} of the target")]
    Trim {
        /// Path in the target.
        path: String,
        /// The cause.
        source: CommandError,
    },
    /// A filesystem does not commit what was written.
    #[error("cannot commit the filesystem at `{path}`")]
    Commit {
        /// Path in the target.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The raw file cannot be made durable.
    #[error("cannot write the disk image to stable storage")]
    Sync(#[source] std::io::Error),
}

impl From<PopulateError> for DiskError {
    fn from(source: PopulateError) -> Self {
        Self::Populate { source }
    }
}

/// A hint where there is no room.
fn room(source: &PopulateError) -> &'static str {
    if source.source.kind() == std::io::ErrorKind::StorageFull {
        ": its partition, or the host's disk below it, is full; make the partition larger or free space"
    } else {
        ""
    }
}
