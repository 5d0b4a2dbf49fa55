//! Words that every floor above shares: byte counts, phases, architectures, where a thing came from.
//!
//! Pure values; nothing here reads the host.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A count of bytes. Text forms: `10 GiB` (1024-based: KiB MiB GiB TiB), `10 GB` (1000-based), plain bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// `n` mebibytes.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
    /// `n` gibibytes.
    #[must_use]
    pub const fn gib(n: u64) -> Self {
        Self(n << 30)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        for (unit, size) in UNITS {
            if self.0 >= size {
                let whole = self.0 / size;
                let tenths = (self.0 % size) * 10 / size;
                return if tenths == 0 { write!(f, "{whole} {unit}") } else { write!(f, "{whole}.{tenths} {unit}") };
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// The phases of a build, in the order in which they run (diskimage-builder's, then export).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Make the base tree. Host side.
    Root,
    /// Bring data from the host into the build. Host side.
    ExtraData,
    /// Before packages. In the target.
    PreInstall,
    /// Packages, then install hooks. In the target.
    Install,
    /// After packages. In the target.
    PostInstall,
    /// The finished tree, before a disk exists. Host side.
    PostRoot,
    /// The disk: table, filesystems, population. Host side.
    BlockDevice,
    /// On the mounted disk. Host side.
    PreFinalise,
    /// On the mounted disk. In the target.
    Finalise,
    /// Last changes to the mounted disk. Host side.
    Cleanup,
    /// Output files. No hooks.
    Export,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Self; 11] = [
        Self::Root,
        Self::ExtraData,
        Self::PreInstall,
        Self::Install,
        Self::PostInstall,
        Self::PostRoot,
        Self::BlockDevice,
        Self::PreFinalise,
        Self::Finalise,
        Self::Cleanup,
        Self::Export,
    ];

    /// The name used in hook directories (`<name>.d`), plans and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::ExtraData => "extra-data",
            Self::PreInstall => "pre-install",
            Self::Install => "install",
            Self::PostInstall => "post-install",
            Self::PostRoot => "post-root",
            Self::BlockDevice => "block-device",
            Self::PreFinalise => "pre-finalise",
            Self::Finalise => "finalise",
            Self::Cleanup => "cleanup",
            Self::Export => "export",
        }
    }

    /// Where hooks of this phase run.
    #[must_use]
    pub const fn place(self) -> Place {
        match self {
            Self::PreInstall | Self::Install | Self::PostInstall | Self::Finalise => Place::Target,
            _ => Place::Host,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// On the host, with the tree at `TARGET_ROOT`.
    Host,
    /// Inside the target, by chroot.
    Target,
}

/// A processor architecture, in the kernel's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// amd64 in Debian's words.
    X86_64,
    /// arm64 in Debian's words.
    Aarch64,
}

/// What kind of distribution a target is: decides the package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// dpkg and apt.
    Debian,
    /// rpm and dnf.
    Redhat,
}

/// What a target's root is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// Packages, installed into it: all of it may be written.
    Package,
    /// A deployment of an ostree commit: `/etc` and `/var` may be written, `/usr` is the commit's.
    Ostree,
}

/// Where a thing in a plan comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The element, or `recipe`, or `isotope` for what the tool adds itself.
    pub element: String,
    /// The file that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Its line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
