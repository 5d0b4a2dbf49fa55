//! Disks: [`assemble`] makes a partitioned, formatted, populated, mounted disk in a raw file; [`MountedDisk::finish`]
//! closes it. [`table`] reads and writes partition tables.
//!
//! All mounting happens in the caller's private mount namespace. It needs root, loop devices and the filesystems in the
//! host kernel (not vfat); it needs neither udev, partition nodes nor device-mapper.

mod assemble;
pub mod fstab;
mod mkfs;
pub mod populate;
pub mod table;
mod window;

pub use assemble::{DiskError, DiskOptions, MountedDisk, Progress, assemble};
pub use isotope_plan::geometry::{Content, ContentSizes, Geometry, GeometryError, Placed};
