//! What to boot: plain data, no effects.

use crate::accel::Accel;
use crate::firmware::Firmware;
use crate::seed::Seed;
use std::path::PathBuf;

/// A machine.
#[derive(Debug, Clone)]
pub struct VmSpec {
    /// Its disks in the guest's order; the first is what boots. None: a machine that boots from the network or by `kernel`.
    pub disks: Vec<Disk>,
    /// Its firmware.
    pub firmware: Firmware,
    /// How its processors are run.
    pub accel: Accel,
    /// QEMU's processor model; `None` takes what suits the accelerator.
    pub cpu: Option<String>,
    /// Number of processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// A kernel that QEMU loads itself instead of a boot loader.
    pub kernel: Option<DirectKernel>,
    /// What tells the guest who it is.
    pub seed: Option<Seed>,
    /// How the harness logs in.
    pub login: Login,
    /// The guest's network.
    pub network: Network,
    /// Where the temporary directory of the machine is made.
    pub work_parent: PathBuf,
}

impl VmSpec {
    /// A machine with one disk that boots `image` from a throw-away overlay.
    #[must_use]
    pub fn new(image: impl Into<PathBuf>, firmware: Firmware, accel: Accel) -> Self {
        Self {
            disks: vec![Disk::new(image)],
            firmware,
            accel,
            cpu: None,
            cpus: accel.default_cpus(),
            memory_mib: 2048,
            kernel: None,
            seed: None,
            login: Login::default(),
            network: Network::default(),
            work_parent: PathBuf::from("/var/tmp"),
        }
    }
}

/// A disk.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The image; `None` is an empty disk of `size`.
    pub image: Option<PathBuf>,
    /// Writes go to the image itself instead of a throw-away overlay.
    pub persist: bool,
    /// Size in bytes, at least the image's; `None` is the image's.
    pub size: Option<u64>,
    /// How the guest reaches it.
    pub bus: DiskBus,
    /// Bytes in a sector: 512 or 4096.
    pub sector_size: u32,
}

impl Disk {
    /// An image on virtio, with an overlay.
    #[must_use]
    pub fn new(image: impl Into<PathBuf>) -> Self {
        Self { image: Some(image.into()), persist: false, size: None, bus: DiskBus::VirtioBlk, sector_size: 512 }
    }

    /// An empty disk.
    #[must_use]
    pub fn empty(size: u64) -> Self {
        Self { image: None, persist: false, size: Some(size), bus: DiskBus::VirtioBlk, sector_size: 512 }
    }
}

/// How a guest reaches a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskBus {
    /// `/dev/vdX`.
    VirtioBlk,
    /// `/dev/sdX` by a virtio adapter.
    VirtioScsi,
    /// `/dev/sdX` by AHCI.
    Sata,
    /// `/dev/nvmeXn1`.
    Nvme,
}

/// A kernel that QEMU loads itself.
#[derive(Debug, Clone)]
pub struct DirectKernel {
    /// The kernel (bzImage).
    pub kernel: PathBuf,
    /// The initramfs.
    pub initrd: Option<PathBuf>,
    /// The kernel's arguments.
    pub cmdline: String,
}

/// How the harness logs in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user; everybody but root needs sudo without a password. A seed makes this user.
    pub user: String,
    /// A private key that the image knows; `None` makes one for this machine (the seed carries it into the guest).
    pub key: Option<PathBuf>,
}

impl Default for Login {
    fn default() -> Self {
        Self { user: "isotope".to_owned(), key: None }
    }
}

/// The guest's network: QEMU's user mode, the host is 10.0.2.2.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The guest reaches the host and the world; otherwise only the forwarded ports work.
    pub online: bool,
    /// Port of 127.0.0.1 that leads to the guest's SSH; `None` takes a free one.
    pub ssh_port: Option<u16>,
    /// More ports of 127.0.0.1: (host, guest).
    pub forwards: Vec<(u16, u16)>,
    /// Boot from the network.
    pub boot: Option<NetworkBoot>,
}

/// What QEMU's own TFTP server offers to a guest that boots from the network.
#[derive(Debug, Clone)]
pub struct NetworkBoot {
    /// Directory it serves.
    pub tftp: PathBuf,
    /// File that DHCP names.
    pub file: String,
}
