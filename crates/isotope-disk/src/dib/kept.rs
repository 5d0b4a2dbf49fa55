//! A disk that is kept with its tree on it, for the next build of the image: [`DibDisk::keep`] and [`DibDisk::reopen`]. One disk without
//! logical volumes, as nearly all images are; others are made anew each time.

use super::attached::Attached;
use super::{DibDisk, DibDiskOptions, Raws, filesystems, named, path_of};
use crate::incremental::chain;
use crate::{DiskError, Progress, kept, mounted};
use isotope_plan::blockdev::{Device, IMAGE_DISK, LayoutPlan, place};
use std::fs::File;
use std::path::Path;

/// Whether a disk of this layout can be kept.
#[must_use]
pub fn can_be_kept(plan: &LayoutPlan) -> bool {
    plan.lvm.is_empty() && plan.disks.len() == 1 && plan.disk(IMAGE_DISK).is_some()
}

/// What must be the same for a kept disk to serve: not the directory that it is made in.
fn recipe(plan: &LayoutPlan, options: &DibDiskOptions<'_>) -> serde_json::Result<serde_json::Value> {
    let mut plan = plan.clone();
    for disk in &mut plan.disks {
        disk.directory = "/".into();
    }
    Ok(serde_json::json!({ "layout": serde_json::to_value(plan)?, "size": options.image_size }))
}

impl DibDisk {
    /// As [`DibDisk::create`], with what the disk kept in `dir` has on it; the mount points of FAT filesystems are empty.
    ///
    /// # Errors
    /// The kept disk is another one, or damaged ([`DiskError::Kept`]); else as [`DibDisk::create`].
    pub fn reopen(
        plan: &LayoutPlan,
        options: &DibDiskOptions<'_>,
        dir: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, DiskError> {
        let refuse = |why: &str| DiskError::Kept { path: dir.to_owned(), why: why.to_owned() };
        let [disk] = &plan.disks[..] else { return Err(refuse("it is of another layout")) };
        let facts = kept::read(dir, recipe(plan, options))?;
        let geometry = place(disk, options.image_size)?;
        if geometry != facts.geometry {
            return Err(refuse("its partitions are not those that are wanted"));
        }
        progress(Progress::Stage("copying the earlier disk".to_owned()));
        let path = disk.file();
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|source| DiskError::Raw { path: path.clone(), source })?;
        }
        let mut raws = Raws::default();
        raws.add(path.clone());
        let raw = kept::copy(dir, &facts, &path)?;
        let disks = vec![Attached::attach(disk, geometry, raw, path)?];
        let (mounts, fats) = filesystems::mount(plan, &disks, options)?;
        let image = path_of(&Device::Disk { disk: IMAGE_DISK.to_owned() }, &disks);
        let devices = named(plan, &disks);
        let (epoch, sync) = (options.epoch, options.sync);
        Ok(Self { mounts, fats, volumes: None, disks, raws, devices, image, epoch, sync })
    }

    /// Keeps the disk in `dir` (made if missing) for [`DibDisk::reopen`]; call it before anything but the tree is on the disk. The disk is
    /// unmounted for that, and mounted again; what was in the mount points of FAT filesystems is to be put there once more. Also says
    /// why it could not be kept, if so.
    ///
    /// # Errors
    /// It cannot be unmounted, or not be mounted again.
    pub fn keep(
        self,
        plan: &LayoutPlan,
        options: &DibDiskOptions<'_>,
        dir: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Option<String>), DiskError> {
        let Self { mounts, fats, volumes, disks, raws, devices, image, epoch, sync } = self;
        progress(Progress::Stage("keeping the disk".to_owned()));
        mounts.close_each(&mut |path, host_path| match fats.iter().any(|fat| fat.mount == path) {
            true => Ok(()),
            false => mounted::trim(path, host_path),
        })?;
        let note = match &disks[..] {
            [disk] => {
                let flushed = File::open(disk.device.path()).and_then(|device| device.sync_all());
                let flushed = flushed.map_err(|source| DiskError::Raw { path: disk.path().to_owned(), source });
                let kept = flushed.and_then(|()| kept::write(dir, disk.raw(), recipe(plan, options), &disk.geometry));
                kept.err().map(|error| chain(&error))
            }
            _ => Some("only one disk is kept".to_owned()),
        };
        let (mounts, fats) = filesystems::mount(plan, &disks, options)?;
        Ok((Self { mounts, fats, volumes, disks, raws, devices, image, epoch, sync }, note))
    }
}
