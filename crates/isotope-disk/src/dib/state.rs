//! What other processes know of disks that are attached: the state of `dib-block-device`, in upstream's place and with its names.
//!
//! A build writes it so that hooks can ask (`getval image-block-device`). Disks that `dib-block-device create` has made outlive its
//! process: they are left attached, and taken over by the one that unmounts or removes them.

use super::attached::Attached;
use super::{DibDisk, DibDiskOptions, Raws, filesystems, named, path_of};
use crate::DiskError;
use crate::lvm::Volumes;
use crate::mount::{Held, Mounts};
use isotope_plan::blockdev::{Device, IMAGE_DISK, LayoutPlan, place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Its file in the state directory.
const FILE: &str = "state.json";

/// Disks that are attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DibState {
    /// Every device by its name in the configuration.
    pub blockdev: BTreeMap<String, DibDevice>,
    /// The same names in the order of the configuration.
    pub order: Vec<String>,
    /// Who takes them down.
    pub owner: Owner,
    /// What is mounted, in the order of mounting.
    mounts: Vec<Held>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DibDevice {
    /// Its node.
    pub device: PathBuf,
    /// A whole disk's raw file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// A whole disk's loop device.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
}

/// Who takes disks down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The build that made them, when it is done with them.
    Build,
    /// Who asks for it.
    Caller,
    /// Nobody: it is done.
    Finished,
}

impl DibState {
    /// Writes it into the state directory, which is made.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(directory)?;
        let text = serde_json::to_vec(self).map_err(Error::other)?;
        let new = directory.join(format!("{FILE}.new"));
        std::fs::write(&new, text)?;
        std::fs::rename(new, directory.join(FILE))
    }

    /// Reads it; `None` where nothing was made yet.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn load(directory: &Path) -> Result<Option<Self>, Error> {
        match std::fs::read(directory.join(FILE)) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(Error::other),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The image's device and file.
    #[must_use]
    pub fn image(&self) -> Option<(&Path, &Path)> {
        let disk = self.blockdev.get(IMAGE_DISK)?;
        Some((&disk.device, disk.image.as_deref()?))
    }

    /// IMAGE_BLOCK_DEVICES: each device in brackets by its name, for a bash array.
    #[must_use]
    pub fn image_block_devices(&self) -> String {
        let devices = self.order.iter().filter_map(|name| Some((name, self.blockdev.get(name)?)));
        devices.map(|(name, device)| format!(" [{name}]={} ", device.device.display())).collect()
    }
}

impl DibDisk {
    /// What hooks may ask of disks that this process holds.
    #[must_use]
    pub fn state(&self) -> DibState {
        let device = |(name, path): &(String, PathBuf)| {
            let disk = self.disks.iter().find(|disk| disk.name == *name && disk.device.path() == path);
            let image = disk.map(|disk| disk.path().to_owned());
            (name.clone(), DibDevice { device: path.clone(), image, number: disk.map(|disk| disk.device.number()) })
        };
        DibState {
            blockdev: self.devices.iter().map(device).collect(),
            order: self.devices.iter().map(|(name, _)| name.clone()).collect(),
            owner: Owner::Build,
            mounts: self.mounts.held(),
        }
    }

    /// Leaves the disks attached and mounted when this process ends, until [`DibDisk::take_over`]. A logical volume that is not mounted
    /// (swap) goes from the kernel; the disk keeps it.
    ///
    /// # Errors
    /// The kernel refuses to keep a device; then everything is taken down.
    pub fn leave(mut self) -> Result<DibState, DiskError> {
        let state = DibState { owner: Owner::Caller, ..self.state() };
        for disk in &self.disks {
            let failed = |source| DiskError::Loop { partition: disk.name.clone(), source };
            disk.device.set_autoclear(false).map_err(failed)?;
        }
        self.mounts.forget();
        if let Some(volumes) = &mut self.volumes {
            volumes.forget();
        }
        self.raws.keep();
        for partition in self.disks.iter_mut().flat_map(|disk| &mut disk.partitions) {
            partition.keep_node();
        }
        Ok(state)
    }

    /// Takes over what another process left. From here on the devices go with this one.
    ///
    /// # Errors
    /// They are not what the layout and the state say.
    pub fn take_over(plan: &LayoutPlan, state: &DibState, options: &DibDiskOptions<'_>) -> Result<Self, DiskError> {
        let mut raws = Raws::default();
        let mut disks = Vec::new();
        for disk in &plan.disks {
            let known = state.blockdev.get(&disk.name);
            let (Some(number), Some(path)) =
                (known.and_then(|known| known.number), known.and_then(|known| known.image.clone()))
            else {
                return Err(DiskError::Mounts(format!("disk `{}` is not among those that were made", disk.name)));
            };
            disks.push(Attached::adopt(disk, place(disk, options.image_size)?, number, path)?);
        }
        for disk in &disks {
            raws.add(disk.path().to_owned());
        }
        let path = |device: &Device| path_of(device, &disks);
        let volumes = if plan.lvm.is_empty() { None } else { Some(Volumes::take_over(&plan.lvm, &path)?) };
        let mounts = Mounts::adopt(options.mount_base, state.mounts.clone());
        let fats = filesystems::fats(plan, &disks);
        let image = path_of(&Device::Disk { disk: IMAGE_DISK.to_owned() }, &disks);
        let devices = named(plan, &disks);
        Ok(Self { mounts, fats, volumes, disks, raws, devices, image, epoch: options.epoch, sync: options.sync })
    }
}
