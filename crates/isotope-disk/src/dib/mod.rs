//! A disk of diskimage-builder's block device configuration, made for hooks: real loop devices with partitions that grub-install
//! accepts, volumes, filesystems, all of it mounted below one directory.
//!
//! In: a settled [`LayoutPlan`] and how large the image is. Out: raw files, one loop device each with its partitions told to the
//! kernel, mounted filesystems ([`DibDisk::create`]); later the finished images ([`DibDisk::finish`]). Copies nothing into them.
//!
//! What differs from [`crate::assemble()`]: there each partition is a loop device of its own, which boot loader programs would not
//! take for a part of a disk. Here a disk is one device. All mounting happens in the caller's mount namespace, which should be
//! private; loops are detached by the kernel with their last holder, so that a killed build leaves none of them.
//!
//! FAT needs no driver in the kernel: its partition gets a real, empty FAT at once, by which programs know it, and its mount point is
//! a directory in memory whose mount source is the partition's node; the FAT is written anew from that directory at the end.

mod attached;
mod fat;
mod filesystems;
mod kept;
mod state;

pub use kept::can_be_kept;
pub use state::{DibDevice, DibState, Owner};

use crate::lvm::{Activation, Volumes};
use crate::mount::Mounts;
use crate::{DiskError, Progress};
use attached::{Attached, Raws};
use fat::StagedFat;
use isotope_plan::Bytes;
use isotope_plan::blockdev::{Device, IMAGE_DISK, LayoutPlan, place};
use std::path::{Path, PathBuf};

/// What a disk is made with, beside its layout.
#[derive(Debug, Clone, Copy)]
pub struct DibDiskOptions<'a> {
    /// An empty directory: where the target's `/` is mounted.
    pub mount_base: &'a Path,
    /// The one clock (SOURCE_DATE_EPOCH): filesystem creation times, FAT times, times of mount points.
    pub epoch: u64,
    /// The size of disks that have none of their own.
    pub image_size: Option<Bytes>,
    /// Whether [`DibDisk::finish`] waits until the raw files are on stable storage.
    pub sync: bool,
}

/// A finished image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawImage {
    /// The name of its disk; [`IMAGE_DISK`] is the one that is exported.
    pub name: String,
    /// The raw file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// Disks that are attached and mounted. Dropping it unmounts, detaches and removes the raw files.
#[must_use = "dropping it takes the disks down and removes them"]
#[derive(Debug)]
pub struct DibDisk {
    // The order of the fields is that of dropping: mounts before volumes before the devices below them.
    mounts: Mounts,
    fats: Vec<StagedFat>,
    volumes: Option<Volumes>,
    disks: Vec<Attached>,
    raws: Raws,
    devices: Vec<(String, PathBuf)>,
    image: PathBuf,
    epoch: u64,
    sync: bool,
}

impl DibDisk {
    /// Makes raw files (in their directories), tables, loop devices with partitions, volumes, filesystems, and mounts them, parents
    /// first; mount points are made.
    ///
    /// # Errors
    /// A layout that does not fit or needs the device mapper where there is none (before anything is made); a host tool that is
    /// missing or fails. Nothing stays mounted or attached, and no raw file is left.
    pub fn create(
        plan: &LayoutPlan,
        options: &DibDiskOptions<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, DiskError> {
        if let Some(lvm) = plan.lvm.first().filter(|_| !has_device_mapper()) {
            return Err(DiskError::NoDeviceMapper { lvm: lvm.name.clone() });
        }
        filesystems::check_mounts(plan)?;
        let image = plan.disk(IMAGE_DISK).ok_or_else(|| {
            DiskError::Mounts(format!("no local_loop is named `{IMAGE_DISK}`, the one that becomes the image"))
        })?;
        let geometries = plan.disks.iter().map(|disk| place(disk, options.image_size));
        let geometries = geometries.collect::<Result<Vec<_>, _>>()?;

        let mut raws = Raws::default();
        let mut disks = Vec::new();
        for (disk, geometry) in plan.disks.iter().zip(geometries) {
            progress(Progress::Stage(format!("partitioning disk `{}` of {}", disk.name, geometry.total_bytes())));
            raws.add(disk.file());
            disks.push(Attached::make(disk, geometry)?);
        }
        let image = path_of(&Device::Disk { disk: image.name.clone() }, &disks);
        let volumes = if plan.lvm.is_empty() {
            None
        } else {
            progress(Progress::Stage("making logical volumes".to_owned()));
            Some(Volumes::create(&plan.lvm, &|device| path_of(device, &disks), Activation::Kernel)?)
        };
        filesystems::make(plan, &disks, options.epoch, progress)?;
        let (mounts, fats) = filesystems::mount(plan, &disks, options)?;
        let devices = named(plan, &disks);
        Ok(Self { mounts, fats, volumes, disks, raws, devices, image, epoch: options.epoch, sync: options.sync })
    }

    /// The whole device of the image (IMAGE_BLOCK_DEVICE): what a boot loader is installed on.
    #[must_use]
    pub fn image_block_device(&self) -> &Path {
        &self.image
    }

    /// Every device by its name in the configuration (IMAGE_BLOCK_DEVICES): disks, partitions, logical volumes.
    #[must_use]
    pub fn devices(&self) -> Vec<(String, PathBuf)> {
        self.devices.clone()
    }

    /// The nodes that a `/dev` needs for programs to work on these disks: those of [`DibDisk::devices`] and, where there are
    /// volumes, the device mapper's control node. One may be a link: what it leads to is meant.
    #[must_use]
    pub fn nodes(&self) -> Vec<PathBuf> {
        let control = self.volumes.as_ref().map(|_| PathBuf::from("/dev/mapper/control"));
        self.devices.iter().map(|(_, path)| path.clone()).chain(control).collect()
    }

    /// Writes staged FAT filesystems, gives back the blocks of what was removed, unmounts (children first), takes volumes down,
    /// detaches, and waits until the kernel has done so.
    ///
    /// # Errors
    /// A FAT filesystem is too small for what was put there; something keeps a mount or a device busy. The raw files are removed.
    pub fn finish(self, progress: &mut dyn FnMut(Progress)) -> Result<Vec<RawImage>, DiskError> {
        let Self { mounts, fats, volumes, disks, mut raws, devices: _, image: _, epoch, sync } = self;
        progress(Progress::Stage("unmounting the disk".to_owned()));
        mounts.close_each(&mut |path, host_path| match fats.iter().find(|fat| fat.mount == path) {
            Some(fat) => {
                progress(Progress::Stage(format!("writing FAT on `{}`", fat.device)));
                fat.write(host_path, epoch)
            }
            None => crate::mounted::trim(path, host_path),
        })?;
        if let Some(volumes) = volumes {
            volumes.close()?;
        }
        let mut images = Vec::new();
        for disk in disks {
            images.push(disk.close(sync)?);
        }
        raws.keep();
        Ok(images)
    }
}

/// Whether the kernel can make logical volumes.
#[must_use]
pub fn has_device_mapper() -> bool {
    isotope_sys::device_mapper::is_there()
}

/// Every device by its name.
fn named(plan: &LayoutPlan, disks: &[Attached]) -> Vec<(String, PathBuf)> {
    plan.devices().into_iter().map(|(name, device)| (name.to_owned(), path_of(&device, disks))).collect()
}

/// Where a device is on the host.
fn path_of(device: &Device, disks: &[Attached]) -> PathBuf {
    let disk = |name: &str| disks.iter().find(|disk| disk.name == name);
    match device {
        Device::Disk { disk: name } => disk(name).map(|disk| disk.device.path().to_owned()),
        Device::Partition { disk: name, number } => disk(name)
            .and_then(|disk| disk.partitions.iter().find(|partition| partition.number() == *number))
            .map(|partition| partition.path().to_owned()),
        Device::Volume { group, volume } => Some(crate::lvm::path(group, volume)),
    }
    .unwrap_or_default()
}
