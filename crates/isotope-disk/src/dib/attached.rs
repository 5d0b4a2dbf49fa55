//! A raw file with its table, as a loop device with partitions.

use super::RawImage;
use crate::{DiskError, table};
use isotope_plan::blockdev::DiskPlan;
use isotope_plan::geometry::Geometry;
use isotope_sys::loop_device::{LoopDevice, LoopPartition, Part, Slice};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// A disk that is attached.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) name: String,
    pub(super) geometry: Geometry,
    // The order of the fields is that of dropping: partitions before the device that they lie on.
    pub(super) partitions: Vec<LoopPartition>,
    pub(super) device: LoopDevice,
    raw: File,
    path: PathBuf,
}

impl Attached {
    /// Makes the file and its table, and attaches it. The table is there first: a kernel that can read it shows the same partitions.
    pub(super) fn make(plan: &DiskPlan, geometry: Geometry) -> Result<Self, DiskError> {
        let path = plan.file();
        let raw =
            create(&path, geometry.total_bytes().0).map_err(|source| DiskError::Raw { path: path.clone(), source })?;
        table::write_planned(plan, &geometry, &raw)?;
        Self::attach(plan, geometry, raw, path)
    }

    /// Attaches a file that has its table.
    pub(super) fn attach(plan: &DiskPlan, geometry: Geometry, raw: File, path: PathBuf) -> Result<Self, DiskError> {
        let failed = |source| DiskError::Loop { partition: plan.name.clone(), source };
        let device = LoopDevice::attach_disk(&raw, whole(&geometry)).map_err(failed)?;
        let mut partitions = Vec::new();
        for placed in &geometry.partitions {
            let (offset, length) = (geometry.offset(placed), geometry.length(placed));
            let slice = Slice { number: placed.number, offset, length };
            partitions.push(device.add_partition(slice).map_err(failed)?);
        }
        Ok(Self { name: plan.name.clone(), geometry, partitions, device, raw, path })
    }

    /// Takes over a disk that another process left attached.
    pub(super) fn adopt(plan: &DiskPlan, geometry: Geometry, number: u32, path: PathBuf) -> Result<Self, DiskError> {
        let raw = OpenOptions::new().read(true).write(true).open(&path);
        let raw = raw.map_err(|source| DiskError::Raw { path: path.clone(), source })?;
        let failed = |source| DiskError::Loop { partition: plan.name.clone(), source };
        let device = LoopDevice::adopt(number, &raw).map_err(failed)?;
        let partitions = geometry.partitions.iter().map(|placed| device.partition(placed.number));
        let partitions = partitions.collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { name: plan.name.clone(), geometry, partitions, device, raw, path })
    }

    /// The file, opened.
    pub(super) const fn raw(&self) -> &File {
        &self.raw
    }

    /// Its raw file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Detaches it and waits until the kernel has.
    pub(super) fn close(self, sync: bool) -> Result<RawImage, DiskError> {
        let Self { name, geometry, partitions, device, raw, path } = self;
        drop(partitions);
        device.close().map_err(|source| DiskError::Loop { partition: name.clone(), source })?;
        if sync {
            raw.sync_all().map_err(DiskError::Sync)?;
        }
        Ok(RawImage { name, path, bytes: geometry.total_bytes().0 })
    }
}

fn whole(geometry: &Geometry) -> Part {
    Part { offset: 0, length: geometry.total_bytes().0, block_size: geometry.sector_size.into(), read_only: false }
}

fn create(path: &Path, length: u64) -> std::io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let raw = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    raw.set_len(length)?;
    Ok(raw)
}

/// Raw files that go when the disk is not finished.
#[derive(Debug, Default)]
pub(super) struct Raws(Vec<PathBuf>);

impl Raws {
    pub(super) fn add(&mut self, path: PathBuf) {
        self.0.push(path);
    }

    pub(super) fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Raws {
    fn drop(&mut self) {
        for path in &self.0 {
            std::fs::remove_file(path).ok();
        }
    }
}
