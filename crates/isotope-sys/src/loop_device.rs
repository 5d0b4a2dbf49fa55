//! Loop devices: a part of a file as a block device, for as long as somebody holds it.
//!
//! A device is set up by one `LOOP_CONFIGURE` with offset, size, block size and autoclear, so there is no moment at which a killed
//! process leaves one behind: the kernel detaches it at the last close, and a mount counts as holder. That ioctl (Linux 5.8) is
//! our own, because the `loopdev` crate sets the file first (`LOOP_SET_FD`) and autoclear and offset afterwards, and a `kill -9` in
//! between leaks the device; the crate serves for the control device and for opening what it hands out.
//!
//! A device may have partitions: they are told to the kernel one by one ([`LoopDevice::add_partition`]), so that it needs no parser
//! for the table, and it drops them when it detaches the device. udev and device-mapper are not used. Where `/dev` is not a devtmpfs
//! and lacks `/dev/loopN`, the node is made, as devtmpfs would, and stays. Must not know: partition tables, filesystems.

mod close;
mod partition;

pub use partition::{LoopPartition, Slice};

use loopdev::LoopControl;
use rustix::fs::{FileType, Mode};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The loop driver's major device number.
const LOOP_MAJOR: u32 = 7;
/// Attempts to win a free device against others who look for one.
const ATTEMPTS: u32 = 100;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// The device may have partitions, and the kernel drops them when it is detached.
const LO_FLAGS_PARTSCAN: u32 = 8;

/// Why a loop device could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// No control device.
    #[error("cannot open /dev/loop-control: loop devices need root and the kernel module `loop` (modprobe loop)")]
    Control(#[source] std::io::Error),
    /// No free device could be had.
    #[error("cannot get a free loop device")]
    Free(#[source] std::io::Error),
    /// The device node is missing and cannot be made.
    #[error("cannot make the device node {}", path.display())]
    Node {
        /// The node.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Something else has the device's name.
    #[error("{} is not loop device {number}", path.display())]
    NotALoop {
        /// The node.
        path: PathBuf,
        /// The expected minor number.
        number: u32,
    },
    /// The kernel refuses the configuration.
    #[error("cannot attach {length} bytes at offset {offset} with blocks of {block_size} bytes as {} (needs Linux 5.8)", path.display())]
    Configure {
        /// The device.
        path: PathBuf,
        /// First byte of the part.
        offset: u64,
        /// Its length.
        length: u64,
        /// Logical block size.
        block_size: u32,
        /// The cause.
        source: std::io::Error,
    },
    /// The kernel takes no partition, or has another one of that number.
    #[error("cannot tell the kernel of partition {number} of {}: {length} bytes at {offset}{}", path.display(), other(*there))]
    Partition {
        /// The device.
        path: PathBuf,
        /// The partition's number.
        number: u32,
        /// Its first byte on the device.
        offset: u64,
        /// Its length.
        length: u64,
        /// Where the kernel has a partition of this number already: its first byte and its length.
        there: Option<(u64, u64)>,
        /// The cause.
        source: std::io::Error,
    },
    /// A partition was added, but what the kernel calls it cannot be found.
    #[error("the kernel has partition {number} of {}, but does not show it in /sys (is /sys mounted?)", path.display())]
    Hidden {
        /// The device.
        path: PathBuf,
        /// The partition's number.
        number: u32,
        /// The cause.
        source: std::io::Error,
    },
    /// The kernel refuses to say or to change how a device ends.
    #[error("cannot change when {} is detached", path.display())]
    Status {
        /// The device.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Somebody else still holds the device.
    #[error("{} is still attached after {seconds} s: something holds it or a filesystem on it", path.display())]
    Held {
        /// The device.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Others won every free device.
    #[error("no loop device could be attached in {ATTEMPTS} attempts: other programs took each free one; try again")]
    Contended,
}

fn other(there: Option<(u64, u64)>) -> String {
    there.map_or_else(String::new, |(offset, length)| format!("; it has one of {length} bytes at {offset}"))
}

/// The part of a file that becomes a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its first byte.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Logical block size of the device: 512 or 4096.
    pub block_size: u32,
    /// Whether writing is refused.
    pub read_only: bool,
}

/// An attached loop device. Dropping it closes it; the kernel detaches it when nobody else (a mount) holds it.
#[derive(Debug)]
#[must_use = "dropping it detaches the device"]
pub struct LoopDevice {
    device: File,
    path: PathBuf,
    number: u32,
}

impl LoopDevice {
    /// Attaches a part of `backing`, which must be open for writing unless the part is read-only.
    ///
    /// # Errors
    /// No free device, or the kernel refuses the configuration.
    pub fn attach(backing: &File, part: Part) -> Result<Self, LoopError> {
        Self::attach_with(backing, part, 0)
    }

    /// The same for a device that gets partitions. A kernel that reads partition tables shows those of the table at once.
    ///
    /// # Errors
    /// As [`LoopDevice::attach`].
    pub fn attach_disk(backing: &File, part: Part) -> Result<Self, LoopError> {
        Self::attach_with(backing, part, LO_FLAGS_PARTSCAN)
    }

    fn attach_with(backing: &File, part: Part, flags: u32) -> Result<Self, LoopError> {
        let control = LoopControl::open().map_err(LoopError::Control)?;
        for attempt in 0..ATTEMPTS {
            let found =
                free_device(&control).and_then(|device| configure(&device, backing, (part, flags)).map(|()| device));
            match found {
                Ok(device) => return Ok(device),
                Err(LoopError::Configure { source, .. } | LoopError::Free(source)) if is_contention(&source) => {
                    std::thread::sleep(Duration::from_millis(u64::from(attempt.min(20))));
                }
                Err(error) => return Err(error),
            }
        }
        Err(LoopError::Contended)
    }

    /// Its device node.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its number: N of `/dev/loopN`.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }
}

/// Another program was faster (EBUSY), removed the device (ENXIO, ENODEV), or the kernel still lets go of it (EAGAIN).
fn is_contention(error: &std::io::Error) -> bool {
    use nix::libc::{EAGAIN, EBUSY, EINTR, ENODEV, ENXIO};
    error.raw_os_error().is_some_and(|code| [EAGAIN, EBUSY, EINTR, ENODEV, ENXIO].contains(&code))
}

fn free_device(control: &LoopControl) -> Result<LoopDevice, LoopError> {
    let device = match control.next_free() {
        Ok(device) => device,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make_missing_node(control)?;
            control.next_free().map_err(LoopError::Free)?
        }
        Err(error) => return Err(LoopError::Free(error)),
    };
    // SAFETY: `into_raw_fd` gives up ownership of a descriptor that it had opened; nobody else has it.
    let device = File::from(unsafe { OwnedFd::from_raw_fd(device.into_raw_fd()) });
    let stat = rustix::fs::fstat(&device).map_err(|errno| LoopError::Free(errno.into()))?;
    let number = rustix::fs::minor(stat.st_rdev);
    let path = node_path(number);
    // The crate opens by name and follows links: what it opened must be the device of that name.
    let is_loop =
        FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice && rustix::fs::major(stat.st_rdev) == LOOP_MAJOR;
    let same = rustix::fs::lstat(&path).is_ok_and(|node| node.st_rdev == stat.st_rdev);
    if is_loop && same { Ok(LoopDevice { device, path, number }) } else { Err(LoopError::NotALoop { path, number }) }
}

fn node_path(number: u32) -> PathBuf {
    PathBuf::from(format!("/dev/loop{number}"))
}

fn make_missing_node(control: &LoopControl) -> Result<(), LoopError> {
    // SAFETY: LOOP_CTL_GET_FREE takes no argument and returns a number.
    let number = unsafe { ioctl::get_free(control.as_raw_fd()) }.map_err(|errno| LoopError::Free(errno.into()))?;
    let number = u32::try_from(number).map_err(|_| LoopError::Contended)?;
    let path = node_path(number);
    let device = rustix::fs::makedev(LOOP_MAJOR, number);
    let mode = Mode::from_raw_mode(0o660);
    match rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::BlockDevice, mode, device) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(errno) => Err(LoopError::Node { path, source: errno.into() }),
    }
}

fn configure(device: &LoopDevice, backing: &File, (part, flags): (Part, u32)) -> Result<(), LoopError> {
    let refused = |source| LoopError::Configure {
        path: device.path.clone(),
        offset: part.offset,
        length: part.length,
        block_size: part.block_size,
        source,
    };
    let fd = u32::try_from(backing.as_raw_fd()).map_err(|_| refused(std::io::ErrorKind::InvalidInput.into()))?;
    let flags = flags | LO_FLAGS_AUTOCLEAR | if part.read_only { LO_FLAGS_READ_ONLY } else { 0 };
    let info =
        LoopInfo64 { lo_offset: part.offset, lo_sizelimit: part.length, lo_flags: flags, ..LoopInfo64::default() };
    let config = LoopConfig { fd, block_size: part.block_size, info, reserved: [0; 8] };
    // SAFETY: `config` has the layout of struct loop_config and outlives the call, which only reads it.
    unsafe { ioctl::configure(device.device.as_raw_fd(), &raw const config) }
        .map(drop)
        .map_err(|errno| refused(errno.into()))
}

/// The system calls themselves.
mod ioctl {
    nix::ioctl_none_bad!(
        /// `LOOP_CTL_GET_FREE`: the number of a free device.
        get_free,
        0x4C82
    );
    nix::ioctl_write_ptr_bad!(
        /// `LOOP_CONFIGURE`: everything at once.
        configure,
        0x4C0A,
        super::LoopConfig
    );
    nix::ioctl_write_ptr_bad!(
        /// `BLKPG`: adds or removes a partition.
        blkpg,
        0x1269,
        super::partition::BlkpgArg
    );
    nix::ioctl_read_bad!(
        /// `LOOP_GET_STATUS64`.
        get_status,
        0x4C05,
        super::LoopInfo64
    );
    nix::ioctl_write_ptr_bad!(
        /// `LOOP_SET_STATUS64`.
        set_status,
        0x4C04,
        super::LoopInfo64
    );
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
#[derive(Debug)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo64,
    reserved: [u64; 8],
}

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
#[derive(Debug)]
struct LoopInfo64 {
    lo_device: u64,
    lo_inode: u64,
    lo_rdevice: u64,
    lo_offset: u64,
    lo_sizelimit: u64,
    lo_number: u32,
    lo_encrypt_type: u32,
    lo_encrypt_key_size: u32,
    lo_flags: u32,
    lo_file_name: [u8; 64],
    lo_crypt_name: [u8; 64],
    lo_encrypt_key: [u8; 32],
    lo_init: [u64; 2],
}

impl Default for LoopInfo64 {
    fn default() -> Self {
        Self {
            lo_device: 0,
            lo_inode: 0,
            lo_rdevice: 0,
            lo_offset: 0,
            lo_sizelimit: 0,
            lo_number: 0,
            lo_encrypt_type: 0,
            lo_encrypt_key_size: 0,
            lo_flags: 0,
            lo_file_name: [0; 64],
            lo_crypt_name: [0; 64],
            lo_encrypt_key: [0; 32],
            lo_init: [0; 2],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<LoopInfo64>(), 232);
        assert_eq!(size_of::<LoopConfig>(), 304);
    }
}
