//! Disks: [`assemble()`] makes a partitioned, formatted, populated, mounted disk in a raw file; [`MountedDisk::finish`]
//! closes it. [`Incremental`] begins with the disk of an earlier build. [`table`] reads and writes partition tables.
//!
//! All mounting happens in the caller's private mount namespace. It needs root, loop devices and the filesystems in the
//! host kernel (not vfat); it needs neither udev, partition nodes nor device-mapper.
//!
//! Each partition is a loop device of its own, attached with autoclear: whatever kills the process, the kernel unmounts with the
//! namespace and detaches with the last close. [`dib`] makes disks for diskimage-builder's hooks, with partitions that the kernel
//! knows. Must not know elements, recipes, boot loaders or terminals.

#![forbid(unsafe_code)]

mod assemble;
pub mod dib;
mod error;
pub mod fstab;
mod incremental;
mod kept;
pub mod lvm;
mod mkfs;
mod mount;
mod mounted;
pub mod populate;
pub mod table;
mod window;

pub use assemble::{DiskOptions, Progress, assemble};
pub use error::DiskError;
pub use fstab::Fstab;
pub use incremental::{Assembly, Incremental, Made, Making};
pub use isotope_plan::geometry::{Content, ContentSizes, Geometry, GeometryError, Placed};
pub use mount::MountError;
pub use mounted::MountedDisk;
pub use window::Window;
