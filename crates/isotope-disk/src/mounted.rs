//! A disk that is mounted and populated, and its way to a finished image: FAT written, blocks given back, unmounted, detached.

use crate::assemble::Loops;
use crate::mount::Mounts;
use crate::window::Window;
use crate::{DiskError, DiskOptions, Progress, fstab};
use isotope_image::fat::{self, FatError, FatOptions};
use isotope_plan::geometry::{Geometry, Placed};
use isotope_plan::layout::{Filesystem, Partition};
use isotope_sys::command::Tool;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A FAT filesystem that is written at the end, from a staged directory where it has a mount point.
#[derive(Debug)]
pub(crate) struct Fat {
    partition: String,
    placed: Placed,
    uuid: Uuid,
    label: Option<String>,
    mount: Option<String>,
}

impl Fat {
    pub(crate) fn new(partition: &Partition, filesystem: &Filesystem, placed: &Placed) -> Self {
        Self {
            partition: partition.name.clone(),
            placed: *placed,
            uuid: filesystem.uuid,
            label: filesystem.label.clone(),
            mount: filesystem.mount.as_ref().map(|mount| mount.path.clone()),
        }
    }
}

/// A disk whose filesystems are mounted and populated. Dropping it unmounts and detaches without finishing it.
#[must_use = "dropping it unmounts the disk"]
#[derive(Debug)]
pub struct MountedDisk {
    // The order of the fields is that of dropping: mounts before the loop devices below them.
    mounts: Mounts,
    loops: Loops,
    disk: File,
    mountpoint: PathBuf,
    geometry: Geometry,
    fats: Vec<Fat>,
    options: DiskOptions,
}

impl MountedDisk {
    #[expect(clippy::too_many_arguments, reason = "a constructor for `assemble` and `reopen`")]
    pub(crate) fn new(
        mounts: Mounts,
        loops: Loops,
        disk: File,
        mountpoint: &Path,
        geometry: Geometry,
        fats: Vec<Fat>,
        options: DiskOptions,
    ) -> Self {
        Self { mounts, loops, disk, mountpoint: mountpoint.to_owned(), geometry, fats, options }
    }

    /// Where the target's `/` is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.mountpoint
    }

    /// The raw image, open for reading and writing (boot code goes here).
    #[must_use]
    pub fn disk(&self) -> &File {
        &self.disk
    }

    /// Where its partitions lie.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Writes the staged FAT filesystems, gives back the blocks of what was removed, unmounts, detaches.
    ///
    /// # Errors
    /// A FAT filesystem is too small for what was put there; something keeps a mount busy.
    pub fn finish(self, progress: &mut dyn FnMut(Progress)) -> Result<Geometry, DiskError> {
        let Self { mounts, loops, disk, mountpoint: _, geometry, fats, options } = self;
        for fat in &fats {
            progress(Progress::Stage(format!("writing FAT on `{}`", fat.partition)));
            write_fat(fat, &mounts, &disk, &geometry, &options)?;
        }
        progress(Progress::Stage("unmounting the disk".to_owned()));
        for (path, host_path) in mounts.devices() {
            drop(mounts.open(path)?);
            trim(path, &host_path)?;
        }
        mounts.close()?;
        drop(loops);
        if options.sync {
            disk.sync_all().map_err(DiskError::Sync)?;
        }
        Ok(geometry)
    }
}

/// A disk that is unmounted for a moment; its partitions are still attached.
pub(crate) struct Paused {
    pub(crate) loops: Loops,
    pub(crate) disk: File,
    pub(crate) mountpoint: PathBuf,
    pub(crate) geometry: Geometry,
    pub(crate) options: DiskOptions,
    fats: Vec<Fat>,
}

impl MountedDisk {
    /// Gives back the blocks of what was removed, and unmounts. What is staged for FAT filesystems is lost.
    pub(crate) fn pause(self) -> Result<Paused, DiskError> {
        let Self { mounts, loops, disk, mountpoint, geometry, fats, options } = self;
        for (path, host_path) in mounts.devices() {
            drop(mounts.open(path)?);
            trim(path, &host_path)?;
        }
        mounts.close()?;
        Ok(Paused { loops, disk, mountpoint, geometry, options, fats })
    }
}

impl Paused {
    /// The same disk, mounted again.
    pub(crate) fn resume(self, mounts: Mounts) -> MountedDisk {
        let Self { loops, disk, mountpoint, geometry, options, fats } = self;
        MountedDisk { mounts, loops, disk, mountpoint, geometry, fats, options }
    }
}

/// Gives the blocks of deleted files back to the raw file, so that it stays sparse and what was deleted (package caches, secrets of a
/// hook) is not in the image. On a loop device a trim is a hole punched, so it costs milliseconds.
///
/// Blocks that a transaction has given back which is not committed are in use until it is, and a trim passes over them; so all is
/// committed first. Filesystems are mounted without barriers, so that this waits for no disk. xfs gives blocks of removed files back in
/// the background, and only a freeze would wait for that: of what was removed in the last moment some may stay there.
pub(crate) fn trim(path: &str, host_path: &Path) -> Result<(), DiskError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(host_path, flags, Mode::empty())
        .and_then(rustix::fs::syncfs)
        .map_err(|error| DiskError::Commit { path: path.to_owned(), source: error.into() })?;
    // 64: the file below (a host filesystem without holes) cannot do it.
    let tool = Tool::new("fstrim").arg(host_path).ok_codes(&[0, 64]);
    tool.run().map(drop).map_err(|source| DiskError::Trim { path: path.to_owned(), source })
}

fn write_fat(
    fat: &Fat,
    mounts: &Mounts,
    disk: &File,
    geometry: &Geometry,
    options: &DiskOptions,
) -> Result<(), DiskError> {
    let failed = |source: FatError| DiskError::Fat { partition: fat.partition.clone(), source };
    let files = match &fat.mount {
        Some(path) => {
            drop(mounts.open(path)?);
            fat::read_tree(&mounts.host_path(path)).map_err(failed)?
        }
        None => BTreeMap::new(),
    };
    let size = geometry.length(&fat.placed);
    let fat_options = FatOptions {
        size,
        sector_size: geometry.sector_size.into(),
        hidden_sectors: u32::try_from(fat.placed.first_lba).unwrap_or(0),
        volume_id: fstab::fat_volume_id(fat.uuid),
        label: fat.label.clone(),
        epoch: options.epoch,
    };
    let mut window = Window::new(disk, geometry.offset(&fat.placed), size);
    fat::build(&mut window, &fat_options, &files).map(drop).map_err(failed)
}
