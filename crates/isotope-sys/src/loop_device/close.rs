//! How a loop device outlives the process that attached it, and how its end is waited for.

use super::{LO_FLAGS_AUTOCLEAR, LO_FLAGS_READ_ONLY, LoopDevice, LoopError, LoopInfo64, ioctl, node_path};
use rustix::fs::FileType;
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long somebody else may still hold a device: a scanner that looks at each new one is gone by then.
const PATIENCE: Duration = Duration::from_secs(10);

impl LoopDevice {
    /// Lets go of the device and waits until the kernel has detached it, so that all of it is in the file.
    ///
    /// # Errors
    /// Somebody else holds it.
    pub fn close(self) -> Result<(), LoopError> {
        let backing = PathBuf::from(format!("/sys/block/loop{}/loop/backing_file", self.number));
        let ours = std::fs::read(&backing).ok();
        let path = self.path.clone();
        drop(self);
        let start = Instant::now();
        // Another program may get the same device at once, for a file of its own.
        while ours.is_some() && std::fs::read(&backing).ok() == ours {
            if start.elapsed() >= PATIENCE {
                return Err(LoopError::Held { path, seconds: PATIENCE.as_secs() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Whether the device goes with its last holder. One that does not stays until [`LoopDevice::adopt`] takes it over.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn set_autoclear(&self, yes: bool) -> Result<(), LoopError> {
        let change = || -> Result<(), Error> {
            let mut info = self.status()?;
            info.lo_flags = (info.lo_flags & !LO_FLAGS_AUTOCLEAR) | if yes { LO_FLAGS_AUTOCLEAR } else { 0 };
            // SAFETY: `info` has the layout of struct loop_info64 and outlives the call, which only reads it.
            unsafe { ioctl::set_status(self.device.as_raw_fd(), &raw const info) }.map(drop).map_err(Into::into)
        };
        change().map_err(|source| LoopError::Status { path: self.path.clone(), source })
    }

    /// Takes over an attached device by its number, to be detached with its last holder.
    ///
    /// # Errors
    /// It is not attached to a file of these numbers (device and inode), or not a loop device.
    pub fn adopt(number: u32, backing: &File) -> Result<Self, LoopError> {
        let path = node_path(number);
        let not = || LoopError::NotALoop { path: path.clone(), number };
        let device = File::options().read(true).write(true).open(&path).map_err(|_| not())?;
        let stat = rustix::fs::fstat(&device).map_err(|_| not())?;
        let is_loop = FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice
            && (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == (super::LOOP_MAJOR, number);
        let file = rustix::fs::fstat(backing).map_err(|_| not())?;
        let adopted = Self { device, path: path.clone(), number };
        let info = adopted.status().map_err(|_| not())?;
        if !is_loop || (info.lo_inode, info.lo_device) != (file.st_ino, file.st_dev) {
            return Err(not());
        }
        adopted.set_autoclear(true)?;
        Ok(adopted)
    }

    pub(super) fn read_only(&self) -> bool {
        self.status().is_ok_and(|info| info.lo_flags & LO_FLAGS_READ_ONLY != 0)
    }

    fn status(&self) -> Result<LoopInfo64, Error> {
        let mut info = LoopInfo64::default();
        // SAFETY: `info` has the layout of struct loop_info64, which the call fills.
        unsafe { ioctl::get_status(self.device.as_raw_fd(), &raw mut info) }?;
        if info.lo_number == self.number { Ok(info) } else { Err(ErrorKind::NotFound.into()) }
    }
}
