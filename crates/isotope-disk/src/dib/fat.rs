//! FAT on a device of the disk: an empty one at first, and at the end one with what was put into its mount point.

use crate::window::Window;
use crate::{DiskError, fstab};
use isotope_image::fat::{self, Content, FatError, FatOptions};
use rustix::fs::FallocateFlags;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What a FAT filesystem is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StagedFat {
    /// The name of its device in the configuration.
    pub(super) device: String,
    /// Where the device is.
    pub(super) path: PathBuf,
    pub(super) sector_size: u32,
    /// Sectors before it on its disk.
    pub(super) hidden_sectors: u32,
    pub(super) uuid: Uuid,
    pub(super) label: Option<String>,
    /// Its mount point; empty where it is not mounted.
    pub(super) mount: String,
}

impl StagedFat {
    /// Makes it without files.
    pub(super) fn make_empty(&self, epoch: u64) -> Result<(), DiskError> {
        self.build(&BTreeMap::new(), epoch)
    }

    /// Makes it anew, with the files of a directory.
    pub(super) fn write(&self, staged: &Path, epoch: u64) -> Result<(), DiskError> {
        let files = fat::read_tree(staged).map_err(|source| self.failed(source))?;
        self.build(&files, epoch)
    }

    fn build(&self, files: &BTreeMap<String, Content>, epoch: u64) -> Result<(), DiskError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| self.failed(FatError::Write { what, source })
        };
        let (device, size) = self.open().map_err(io("opening its device"))?;
        zero(&device, size).map_err(io("emptying it"))?;
        let options = FatOptions {
            size,
            sector_size: self.sector_size,
            hidden_sectors: self.hidden_sectors,
            volume_id: fstab::fat_volume_id(self.uuid),
            label: self.label.clone(),
            epoch,
        };
        let mut window = Window::new(&device, 0, size);
        fat::build(&mut window, &options, files).map_err(|source| self.failed(source))?;
        device.sync_all().map_err(io("flushing it"))
    }

    /// Bytes of its device.
    pub(super) fn length(&self) -> Result<u64, DiskError> {
        let open = self
            .open()
            .map_err(|source| self.failed(FatError::Write { what: "opening its device".to_owned(), source }));
        open.map(|(_, size)| size)
    }

    fn open(&self) -> Result<(File, u64), Error> {
        let mut device = File::options().read(true).write(true).open(&self.path)?;
        let size = device.seek(SeekFrom::End(0))?;
        Ok((device, size))
    }

    fn failed(&self, source: FatError) -> DiskError {
        DiskError::Fat { partition: self.device.clone(), source }
    }
}

/// Makes a device read as zeros: by a hole in the file below, or, where that has none, by writing them.
fn zero(device: &File, size: u64) -> Result<(), Error> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let zeros = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(device, hole, 0, size)
        .or_else(|_| rustix::fs::fallocate(device, zeros, 0, size))
        .map_err(Into::into)
}
