//! What the planner may know about the host: gathered once by the caller, before anything else, and passed in as a value.

use isotope_element::{Arch, Bytes, Family};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The host, as far as plans depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Architecture; that of the target too.
    pub arch: Arch,
    /// The host's own package family, for remedies; `None`: neither dpkg nor rpm.
    pub family: Option<Family>,
    /// The host's own archives: `debian`, `debian-security`, `fedora` → base URL. `host:NAME` in a source means these.
    pub mirrors: BTreeMap<String, String>,
    /// Names of the tools of [`host_tools`](crate::host_tools) that are installed.
    pub tools: BTreeSet<String>,
    /// Key files that are there (`/usr/share/keyrings/*`, `/etc/pki/rpm-gpg/*`, …). Others are refused by preflight.
    pub keyrings: BTreeSet<PathBuf>,
    /// The caller's environment, of which only declared aliases are used.
    pub env: BTreeMap<String, String>,
    /// The one clock: SOURCE_DATE_EPOCH, or what the caller takes for it.
    pub source_date_epoch: u64,
    /// Whether the effective user is root.
    pub is_root: bool,
    /// Whether loop devices can be had.
    pub loop_devices: bool,
    /// Whether the kernel has the device mapper, which LVM needs.
    pub device_mapper: bool,
    /// Memory that is available.
    pub memory: Bytes,
    /// Where the tree and the raw disk are made, and what is free there; `None`: not known, not checked.
    pub work_space: Option<FreeSpace>,
    /// Where what outlives a build is kept; commits that a build composes are in `ostree/ELEMENT` below it.
    pub cache_dir: PathBuf,
    /// Where the outputs go, and what is free there; `None`: not known, not checked.
    pub output_space: Option<FreeSpace>,
}

/// Free space of a directory's filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeSpace {
    /// The directory.
    pub dir: PathBuf,
    /// What an ordinary user may still write.
    pub free: Bytes,
}

impl HostFacts {
    /// A host about which nothing is known but its architecture: enough to plan, not to build.
    #[must_use]
    pub fn unknown(arch: Arch) -> Self {
        Self {
            arch,
            family: None,
            mirrors: BTreeMap::new(),
            tools: BTreeSet::new(),
            keyrings: BTreeSet::new(),
            env: BTreeMap::new(),
            source_date_epoch: 0,
            is_root: false,
            loop_devices: false,
            device_mapper: false,
            memory: Bytes(0),
            work_space: None,
            cache_dir: PathBuf::from("/var/cache/isotope"),
            output_space: None,
        }
    }
}
