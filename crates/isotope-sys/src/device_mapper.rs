//! Devices of the device mapper that go with their last user, as loop devices with autoclear do.
//!
//! The kernel keeps a mapped device until somebody removes it, so that a killed build would leave its logical volumes. One that is to
//! be removed later (`DM_DEFERRED_REMOVE`, Linux 3.13) may still be opened and mounted; it goes when its last holder does. Must not know:
//! LVM's names.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

const CONTROL: &str = "/dev/mapper/control";
/// Version of the interface that this speaks; the kernel takes any with the same first number.
const VERSION: [u32; 3] = [4, 0, 0];
/// "Remove it when nobody has it open."
const DEFERRED_REMOVE: u32 = 1 << 17;

/// Whether the kernel has it. Looking loads the module, where there is one.
#[must_use]
pub fn is_there() -> bool {
    Path::new("/sys/class/misc/device-mapper").exists() || File::open(CONTROL).is_ok()
}

/// A mapped device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Its name, unique on the host.
    pub name: String,
    /// What its owner calls it for good.
    pub uuid: String,
}

/// The devices whose UUID begins like this.
#[must_use]
pub fn with_uuid(prefix: &str) -> Vec<Mapped> {
    let Ok(entries) = std::fs::read_dir("/sys/block") else { return Vec::new() };
    let read = |path: PathBuf| std::fs::read_to_string(path).map(|text| text.trim_end().to_owned());
    let mapped = entries.flatten().filter_map(|entry| {
        let dir = entry.path().join("dm");
        Some(Mapped { name: read(dir.join("name")).ok()?, uuid: read(dir.join("uuid")).ok()? })
    });
    mapped.filter(|mapped| mapped.uuid.starts_with(prefix)).collect()
}

/// Has the kernel remove a device when its last holder lets go of it; at once, if nobody has it.
///
/// # Errors
/// There is no device mapper, or no device of this UUID.
pub fn remove_with_last_holder(uuid: &str) -> Result<(), Error> {
    let control = File::options().read(true).write(true).open(CONTROL)?;
    let mut request = Request {
        version: VERSION,
        data_size: u32::try_from(size_of::<Request>()).unwrap_or(u32::MAX),
        data_start: 0,
        target_count: 0,
        open_count: 0,
        flags: DEFERRED_REMOVE,
        event: 0,
        padding: 0,
        device: 0,
        name: [0; 128],
        uuid: [0; 129],
        data: [0; 7],
    };
    // The last byte stays zero.
    let room = request.uuid.get_mut(..128).and_then(|room| room.get_mut(..uuid.len()));
    room.ok_or(ErrorKind::InvalidInput)?.copy_from_slice(uuid.as_bytes());
    // SAFETY: `request` has the layout of struct dm_ioctl and says its size; the call writes no more than that.
    unsafe { ioctl::remove(control.as_raw_fd(), &raw mut request) }.map(drop).map_err(Into::into)
}

mod ioctl {
    nix::ioctl_readwrite!(
        /// `DM_DEV_REMOVE`.
        remove,
        0xfd,
        4,
        super::Request
    );
}

/// `struct dm_ioctl` of linux/dm-ioctl.h.
#[repr(C)]
#[derive(Debug)]
pub struct Request {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event: u32,
    padding: u32,
    device: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_has_the_kernels_size() {
        assert_eq!(size_of::<Request>(), 312);
    }

    #[test]
    fn a_uuid_that_is_too_long_is_refused_or_there_is_no_device_mapper() {
        assert!(remove_with_last_holder(&"x".repeat(129)).is_err());
        assert_eq!(with_uuid("no device has such a UUID"), []);
    }
}
