//! Partitions of a loop device, told to the kernel from user space by `BLKPG`.
//!
//! The kernel need not know the table (many have no parser for MBR or GPT built in), and neither kpartx nor device-mapper is
//! needed: `/dev/loopNpM` is a partition of `/dev/loopN` to the kernel and to whoever asks it (lsblk, grub-install). On a kernel
//! that has read the table by itself, the partition is there already; that is right if it lies where it should.

use super::{LoopDevice, LoopError, ioctl};
use rustix::fs::{FileType, Mode};
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const ADD_PARTITION: i32 = 1;
/// Sectors in /sys, whatever those of the device are.
const SECTOR: u64 = 512;
/// How often a node is looked for that udev has just made or taken away, and a partition that somebody is just reading.
const ATTEMPTS: u32 = 50;

/// Where a partition lies on its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Its number, from 1.
    pub number: u32,
    /// Its first byte on the device.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// A partition of an attached loop device, held open: nobody can make the kernel forget it meanwhile. It keeps its device attached.
#[derive(Debug)]
#[must_use = "dropping it lets go of the partition"]
pub struct LoopPartition {
    device: File,
    path: PathBuf,
    number: u32,
    /// Whether this has made the node, which then goes with it.
    made: bool,
}

impl LoopPartition {
    /// Its device node.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Leaves a node that this has made where it is.
    pub const fn keep_node(&mut self) {
        self.made = false;
    }

    /// The open device.
    #[must_use]
    pub const fn device(&self) -> &File {
        &self.device
    }
}

impl Drop for LoopPartition {
    fn drop(&mut self) {
        if self.made {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

impl LoopDevice {
    /// Adds a partition to a device from [`LoopDevice::attach_disk`]. One of this number that lies in the same place is taken as it is.
    ///
    /// # Errors
    /// The kernel refuses it (it overlaps another one), or has another one of this number.
    pub fn add_partition(&self, slice: Slice) -> Result<LoopPartition, LoopError> {
        let Slice { number, offset, length } = slice;
        let refused =
            |there, source| LoopError::Partition { path: self.path.clone(), number, offset, length, there, source };
        let mut result = self.blkpg(slice);
        for _ in 0..ATTEMPTS {
            let Err(error) = &result else { break };
            // EBUSY: it is there already, or another program has the kernel read the table just now.
            if error.kind() != ErrorKind::ResourceBusy {
                break;
            }
            match self.place_of(number) {
                Some(there) if there == (offset, length) => result = Ok(()),
                Some(there) => return Err(refused(Some(there), Error::from(ErrorKind::AlreadyExists))),
                None => {
                    std::thread::sleep(Duration::from_millis(20));
                    result = self.blkpg(slice);
                }
            }
        }
        result.map_err(|source| refused(None, source))?;
        self.partition(number)
    }

    /// A partition that the kernel has already.
    ///
    /// # Errors
    /// It has none of this number, or its node cannot be made.
    pub fn partition(&self, number: u32) -> Result<LoopPartition, LoopError> {
        let device = self.device_number(number)?;
        let path = PathBuf::from(format!("/dev/loop{}p{number}", self.number));
        let made = ensure_node(&path, device).map_err(|source| LoopError::Node { path: path.clone(), source })?;
        let open = || {
            let file = File::options().read(true).write(!self.read_only()).open(&path)?;
            if file.metadata()?.rdev() == device { Ok(file) } else { Err(Error::from(ErrorKind::NotFound)) }
        };
        match open() {
            Ok(file) => Ok(LoopPartition { device: file, path, number, made }),
            Err(source) => Err(LoopError::Node { path, source }),
        }
    }

    fn blkpg(&self, slice: Slice) -> Result<(), Error> {
        let number = |value: u64| i64::try_from(value).map_err(|_| Error::from(ErrorKind::InvalidInput));
        let partition = BlkpgPartition {
            start: number(slice.offset)?,
            length: number(slice.length)?,
            number: i32::try_from(slice.number).map_err(|_| Error::from(ErrorKind::InvalidInput))?,
            names: [0; 128],
        };
        let length = i32::try_from(size_of::<BlkpgPartition>()).unwrap_or(i32::MAX);
        let arg = BlkpgArg { op: ADD_PARTITION, flags: 0, length, data: &raw const partition };
        // SAFETY: `arg` and the `partition` that it points to have the layouts of struct blkpg_ioctl_arg and struct
        // blkpg_partition and outlive the call, which only reads them.
        unsafe { ioctl::blkpg(self.device.as_raw_fd(), &raw const arg) }.map(drop).map_err(Into::into)
    }

    fn sysfs(&self, number: u32) -> PathBuf {
        let disk = self.number;
        PathBuf::from(format!("/sys/block/loop{disk}/loop{disk}p{number}"))
    }

    /// Where the kernel has a partition: first byte and length.
    fn place_of(&self, number: u32) -> Option<(u64, u64)> {
        let dir = self.sysfs(number);
        let sectors = |name: &str| std::fs::read_to_string(dir.join(name)).ok()?.trim().parse::<u64>().ok();
        Some((sectors("start")?.checked_mul(SECTOR)?, sectors("size")?.checked_mul(SECTOR)?))
    }

    fn device_number(&self, number: u32) -> Result<u64, LoopError> {
        let hidden = |source| LoopError::Hidden { path: self.path.clone(), number, source };
        let text = std::fs::read_to_string(self.sysfs(number).join("dev")).map_err(hidden)?;
        let parse = || {
            let (major, minor) = text.trim().split_once(':')?;
            Some(rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?))
        };
        parse().ok_or_else(|| hidden(ErrorKind::InvalidData.into()))
    }
}

/// Makes the node where it is missing, and in the place of one for a device that is gone. Returns whether it was made.
fn ensure_node(path: &Path, device: u64) -> Result<bool, Error> {
    for _ in 0..ATTEMPTS {
        match std::fs::symlink_metadata(path) {
            Ok(node) if node.file_type().is_block_device() && node.rdev() == device => return Ok(false),
            // Left by a build that was killed where /dev is no devtmpfs.
            Ok(node) if node.file_type().is_block_device() => std::fs::remove_file(path)?,
            Ok(_) => return Err(ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match rustix::fs::mknodat(rustix::fs::CWD, path, FileType::BlockDevice, Mode::from_raw_mode(0o660), device) {
            Ok(()) => return Ok(true),
            Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// `struct blkpg_ioctl_arg` of linux/blkpg.h.
#[repr(C)]
#[derive(Debug)]
pub(super) struct BlkpgArg {
    op: i32,
    flags: i32,
    length: i32,
    data: *const BlkpgPartition,
}

/// `struct blkpg_partition` of linux/blkpg.h; its two names are unused.
#[repr(C)]
#[derive(Debug)]
struct BlkpgPartition {
    start: i64,
    length: i64,
    number: i32,
    names: [u8; 128],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<BlkpgArg>(), 24);
        assert_eq!(size_of::<BlkpgPartition>(), 152);
    }
}
