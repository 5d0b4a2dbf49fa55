//! The filesystems of a layout: made on their devices, mounted parents first.

use super::attached::Attached;
use super::fat::StagedFat;
use super::{DibDiskOptions, path_of};
use crate::mkfs::{self, Spec};
use crate::mount::{Mounts, What, is_plain};
use crate::{DiskError, Progress};
use isotope_plan::blockdev::{Device, FilesystemPlan, LayoutPlan, MountPlan};
use isotope_plan::geometry::{Content, overhead};
use isotope_plan::layout::FilesystemKind;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

/// Below this, mke2fs gives a filesystem an inode for every 4 KiB; from it on, one for every 16 KiB.
const SMALL: u64 = 512 << 20;

/// One filesystem at `/`, and plain paths.
pub(super) fn check_mounts(plan: &LayoutPlan) -> Result<(), DiskError> {
    let mounted = || mounts(plan).map(|(mount, _)| mount.path.as_str());
    match mounted().find(|path| !is_plain(path)) {
        Some(path) => Err(DiskError::Mounts(format!("the mount point `{path}` is not a plain absolute path"))),
        None if mounted().any(|path| path == "/") => Ok(()),
        None => Err(DiskError::Mounts("no filesystem of the layout is mounted on `/`".to_owned())),
    }
}

/// What is mounted; a swap area is not.
fn mounts(plan: &LayoutPlan) -> impl Iterator<Item = (&MountPlan, &FilesystemPlan)> {
    let made = |mount: &'_ MountPlan| plan.filesystems.get(mount.filesystem);
    let mounts = plan.mounts.iter().filter_map(move |mount| Some((mount, made(mount)?)));
    mounts.filter(|(_, made)| made.filesystem.kind != FilesystemKind::Swap)
}

/// Makes all of them.
pub(super) fn make(
    plan: &LayoutPlan,
    disks: &[Attached],
    epoch: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), DiskError> {
    for made in &plan.filesystems {
        let device = name_of(plan, &made.device);
        let kind = overhead::name(made.filesystem.kind);
        progress(Progress::Stage(format!("making {kind} on `{device}`")));
        let Some(format) = mkfs::format(made.filesystem.kind) else {
            staged(plan, disks, made, "").make_empty(epoch)?;
            continue;
        };
        let path = path_of(&made.device, disks);
        let length = length(&path).map_err(|source| DiskError::Raw { path: path.clone(), source })?;
        let inodes = if length < SMALL { length / 8192 } else { 0 };
        let content = Content { inodes, ..Content::default() };
        let sector_size = sector_size(&made.device, disks);
        let spec = Spec { filesystem: &made.filesystem, length, sector_size, content, epoch };
        mkfs::make(format, &spec, &path).map_err(|source| DiskError::Mkfs { kind, partition: device, source })?;
    }
    Ok(())
}

/// Mounts all that have a mount point.
pub(super) fn mount(
    plan: &LayoutPlan,
    disks: &[Attached],
    options: &DibDiskOptions<'_>,
) -> Result<(Mounts, Vec<StagedFat>), DiskError> {
    let mut mounted = Mounts::below(options.mount_base);
    let mut fats = Vec::new();
    for (mount, made) in mounts(plan) {
        let device = path_of(&made.device, disks);
        let what = match mkfs::format(made.filesystem.kind) {
            None => {
                let fat = staged(plan, disks, made, &mount.path);
                let limit = fat.length()?;
                fats.push(fat);
                What::Staged { limit, source: device }
            }
            Some(format) => match format.mount() {
                Some((kind, options)) => What::Device { device, kind, options },
                None => continue,
            },
        };
        mounted.mount(&what, &mount.path, None, options.epoch)?;
    }
    Ok((mounted, fats))
}

/// Those whose mount points are staged.
pub(super) fn fats(plan: &LayoutPlan, disks: &[Attached]) -> Vec<StagedFat> {
    let fats = mounts(plan).filter(|(_, made)| made.filesystem.kind == FilesystemKind::Fat);
    fats.map(|(mount, made)| staged(plan, disks, made, &mount.path)).collect()
}

/// The FAT of a plan's filesystem.
fn staged(plan: &LayoutPlan, disks: &[Attached], made: &FilesystemPlan, mount: &str) -> StagedFat {
    let sector_size = u32::try_from(sector_size(&made.device, disks)).unwrap_or(512);
    let first = match &made.device {
        Device::Partition { disk, number } => {
            disks.iter().find(|attached| attached.name == *disk).and_then(|disk| disk.geometry.partition(*number))
        }
        _ => None,
    };
    StagedFat {
        device: name_of(plan, &made.device),
        path: path_of(&made.device, disks),
        sector_size,
        hidden_sectors: first.and_then(|placed| u32::try_from(placed.first_lba).ok()).unwrap_or(0),
        uuid: made.filesystem.uuid,
        label: made.filesystem.label.clone(),
        mount: mount.to_owned(),
    }
}

/// The name of a device in the configuration.
fn name_of(plan: &LayoutPlan, device: &Device) -> String {
    let named = plan.devices().into_iter().find(|(_, known)| known == device).map(|(name, _)| name.to_owned());
    named.unwrap_or_else(|| device.to_string())
}

/// Logical sectors of a device; volumes have those of the disks, which are alike.
fn sector_size(device: &Device, disks: &[Attached]) -> u64 {
    let name = match device {
        Device::Disk { disk } | Device::Partition { disk, .. } => Some(disk),
        Device::Volume { .. } => None,
    };
    let disk = disks.iter().find(|attached| name.is_none_or(|name| attached.name == *name));
    disk.map_or(512, |disk| disk.geometry.sector_size.bytes())
}

fn length(device: &Path) -> std::io::Result<u64> {
    File::open(device)?.seek(SeekFrom::End(0))
}
