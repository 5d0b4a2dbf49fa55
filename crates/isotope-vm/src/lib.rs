//! Boots an image under QEMU, watches it, logs in, asks it questions and gives a verdict.
//!
//! [`VmSpec`] says what to boot; [`Vm`] is one machine with its disks, seed and keys, which may be started several times
//! (also by another firmware). [`checks`] runs what the image's elements and this harness want to know and makes a
//! [`Verdict`]. [`accel`] decides between KVM and TCG by running a guest.
//!
//! Must not know: elements, plans, terminals. It reads `manifest.json` as a file format.
#![forbid(unsafe_code)]

pub mod accel;
mod cancel;
pub mod checks;
pub mod command_line;
pub mod console;
pub mod disk;
mod error;
mod evidence;
pub mod firmware;
pub mod http;
mod junit;
pub mod life;
pub mod manifest;
mod png;
mod probe;
pub mod qmp;
pub mod seed;
mod spec;
pub mod ssh;
mod verdict;
mod vm;
mod workdir;

pub use accel::Accel;
pub use cancel::Cancel;
pub use checks::{CheckSet, Expectations, Progress, examine};
pub use error::{ErrorKind, VmError};
pub use firmware::Firmware;
pub use junit::junit;
pub use manifest::Manifest;
pub use seed::{Seed, SeedKind};
pub use spec::{DirectKernel, Disk, DiskBus, Login, Network, NetworkBoot, VmSpec};
pub use verdict::{CheckResult, CheckStatus, Verdict, table};
pub use vm::Vm;
