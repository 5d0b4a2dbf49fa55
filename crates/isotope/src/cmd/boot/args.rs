//! The arguments of `isotope boot`.

use isotope_vm::{DiskBus, Firmware, SeedKind};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `boot`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image: qcow2, raw, vmdk, vdi, vhd or vhdx
    pub image: PathBuf,
    /// Boot by BIOS (the default)
    #[arg(long, group = "firmware")]
    pub bios: bool,
    /// Boot by UEFI
    #[arg(long, group = "firmware")]
    pub uefi: bool,
    /// Boot by UEFI that enforces Secure Boot with Microsoft's keys
    #[arg(long, group = "firmware")]
    pub secure_boot: bool,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub memory: u32,
    /// Number of processors [default: 1 when emulated, 2 under KVM]
    #[arg(long, value_name = "N")]
    pub cpus: Option<u32>,
    /// QEMU's processor model [default: qemu64 when emulated, host under KVM]
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// How the processors are run
    #[arg(long, value_enum, default_value = "auto")]
    pub accel: AccelArg,
    /// Size of the disk, at least the image's: `20GiB`, `20G`, bytes; the guest's root should grow into it
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub disk_size: Option<u64>,
    /// How the guest reaches its disk
    #[arg(long, value_enum, default_value = "virtio")]
    pub bus: BusArg,
    /// Bytes in a sector of the disk
    #[arg(long, value_name = "BYTES", default_value_t = 512)]
    pub sector_size: u32,
    /// How the guest learns its name and its SSH key
    #[arg(long, value_enum, default_value = "nocloud")]
    pub seed: SeedArg,
    /// The guest's name [default: made up]
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,
    /// The user to log in as; a seed makes it, with sudo [default: isotope]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A private key to log in with [default: one made for this run, put into the seed]
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,
    /// The port of 127.0.0.1 that leads to the guest's SSH [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub ssh_port: Option<u16>,
    /// Connect this terminal to the serial console
    #[arg(long, conflicts_with_all = ["test", "json"])]
    pub shell: bool,
    /// Run the checks of the image's elements and the harness's own; the exit code is the verdict
    #[arg(long)]
    pub test: bool,
    /// Write the verdict as JUnit XML
    #[arg(long, value_name = "FILE", requires = "test")]
    pub junit: Option<PathBuf>,
    /// Where console, journal and screenshot go: always with this option, else on failure below the cache directory
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// How long the guest may take to let us in, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub timeout: u64,
    /// Repository that has the image's commit: its checks of kind `ostree-life` serve newer commits from it, to which the guest
    /// upgrades, rolls back and rebases
    #[arg(long, value_name = "DIR", requires = "test")]
    pub tree_repo: Option<PathBuf>,
    /// A ref of that repository whose commit has more packages, and a command that one of them brings
    #[arg(long, value_name = "REF=COMMAND", requires = "tree_repo", value_parser = parse_layer)]
    pub tree_layer: Option<(String, String)>,
    /// Let the guest reach the network under --test too
    #[arg(long)]
    pub online: bool,
    /// Write to the image itself
    #[arg(long, conflicts_with = "snapshot")]
    pub persist: bool,
    /// Forget what the guest writes (the default)
    #[arg(long)]
    pub snapshot: bool,
}

impl Args {
    /// The firmware; BIOS unless told otherwise.
    pub fn firmware(&self) -> Firmware {
        match (self.secure_boot, self.uefi) {
            (true, _) => Firmware::UefiSecureBoot,
            (_, true) => Firmware::Uefi,
            _ => Firmware::Bios,
        }
    }

    /// Somebody's key gets into the guest.
    pub fn can_log_in(&self) -> bool {
        self.seed.kind().is_some() || self.ssh_key.is_some()
    }

    /// How long the guest may take to let us in.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// How the processors are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AccelArg {
    /// KVM if a guest really runs under it, else TCG
    Auto,
    /// The host's processors
    Kvm,
    /// Translation
    Tcg,
}

/// How the guest learns its name and its SSH key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SeedArg {
    /// cloud-init's NoCloud
    Nocloud,
    /// OpenStack's configuration drive
    ConfigDrive,
    /// Not at all
    None,
}

impl SeedArg {
    /// The form of the seed.
    pub fn kind(self) -> Option<SeedKind> {
        match self {
            Self::Nocloud => Some(SeedKind::NoCloud),
            Self::ConfigDrive => Some(SeedKind::ConfigDrive),
            Self::None => None,
        }
    }
}

/// How the guest reaches its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BusArg {
    /// /dev/vda
    Virtio,
    /// /dev/sda by a virtio adapter
    Scsi,
    /// /dev/sda by AHCI
    Sata,
    /// /dev/nvme0n1
    Nvme,
}

impl From<BusArg> for DiskBus {
    fn from(bus: BusArg) -> Self {
        match bus {
            BusArg::Virtio => Self::VirtioBlk,
            BusArg::Scsi => Self::VirtioScsi,
            BusArg::Sata => Self::Sata,
            BusArg::Nvme => Self::Nvme,
        }
    }
}

/// `REF=COMMAND`.
fn parse_layer(text: &str) -> Result<(String, String), String> {
    let (reference, command) = text.split_once('=').ok_or("a layer is REF=COMMAND")?;
    Ok((reference.to_owned(), command.to_owned()))
}

/// `20GiB`, `20 GiB`, `20G` and `20g` are 1024-based, `20GB` is 1000-based, a bare number is bytes.
fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; expected something like 20GiB, 20G or a number of bytes");
    let text_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(text_end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim().to_ascii_lowercase();
    let factor = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).filter(|size| *size > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, size) in
            [("20GiB", 20 << 30), ("20 GiB", 20 << 30), ("20g", 20 << 30), ("1GB", 1_000_000_000), ("512", 512)]
        {
            assert_eq!(parse_size(text), Ok(size));
        }
        for text in ["", "GiB", "20 apples", "-1", "99999999999T", "0"] {
            assert!(parse_size(text).unwrap_err().contains("expected something like"), "{text}");
        }
    }
}
