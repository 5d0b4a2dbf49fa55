//! Making filesystems: one file for each type that the kernel mounts (or swaps on). FAT is not here: `isotope-image` writes it.
//!
//! Everything that mkfs would take from the host (its configuration, its version's new defaults, the clock, random ids) is said
//! explicitly, so that the result depends on the layout alone and that GRUB 2.06 can read it.
//!
//! To add a filesystem: a file with a [`Format`], one line in [`format()`], its overhead in `isotope_plan::geometry::overhead`.

mod alone;
mod btrfs;
mod ext;
mod swap;
mod xfs;

use isotope_plan::geometry::Content;
use isotope_plan::layout::{Filesystem, FilesystemKind};
use isotope_sys::command::{CommandError, Tool};
use std::path::Path;

/// What a filesystem is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec<'a> {
    /// Type, label, UUID, more options.
    pub(crate) filesystem: &'a Filesystem,
    /// Length of its partition in bytes.
    pub(crate) length: u64,
    /// Logical sector size of the disk.
    pub(crate) sector_size: u64,
    /// What will go into it.
    pub(crate) content: Content,
    /// Seconds since 1970: the time of its making.
    pub(crate) epoch: u64,
}

/// A filesystem type, made by a host tool.
pub(crate) trait Format: Sync {
    /// The mkfs program.
    fn program(&self) -> &'static str;
    /// Which of its options there are: arguments that make it tell, and success whatever the exit status. What it prints goes to
    /// [`Format::args`].
    fn probe(&self) -> &'static [&'static str];
    /// Its arguments, without the device and the layout's own options. Pure.
    fn args(&self, spec: &Spec<'_>, probed: &str) -> Vec<String>;
    /// The layout's own options, as they stand behind the arguments. Pure.
    fn options(&self, spec: &Spec<'_>) -> Vec<String> {
        spec.filesystem.mkfs_options.clone()
    }
    /// Its environment. Pure.
    fn env(&self, spec: &Spec<'_>) -> Vec<(&'static str, String)>;
    /// The kernel's name of it and the mount options while it is filled; `None` for what is not mounted.
    fn mount(&self) -> Option<(&'static str, &'static str)>;
}

/// The format of a filesystem type; `None` for FAT.
pub(crate) fn format(kind: FilesystemKind) -> Option<&'static dyn Format> {
    match kind {
        FilesystemKind::Ext4 => Some(&ext::Ext { generation: 4 }),
        FilesystemKind::Ext3 => Some(&ext::Ext { generation: 3 }),
        FilesystemKind::Ext2 => Some(&ext::Ext { generation: 2 }),
        FilesystemKind::Xfs => Some(&xfs::Xfs),
        FilesystemKind::Btrfs => Some(&btrfs::Btrfs),
        FilesystemKind::Swap => Some(&swap::Swap),
        FilesystemKind::Fat => None,
    }
}

/// Makes a filesystem on a device.
pub(crate) fn make(format: &dyn Format, spec: &Spec<'_>, device: &Path) -> Result<(), CommandError> {
    let probed = Tool::new(format.program()).args(format.probe()).ok_codes(&[0, 1]).run()?;
    let probed = format!("{}\n{}", probed.text(), probed.stderr_tail);
    let mut tool = Tool::new(format.program()).args(format.args(spec, &probed)).args(format.options(spec)).arg(device);
    for (key, value) in format.env(spec) {
        tool = tool.env(key, value);
    }
    alone::run(&tool, device)
}

/// The first `major.minor` in what a tool says about its version.
fn version(probed: &str) -> (u32, u32) {
    let parse = |word: &str| {
        let mut parts = word.trim_start_matches('v').split(|c: char| !c.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    probed.split_whitespace().find_map(parse).unwrap_or((0, 0))
}

#[cfg(test)]
mod tests;
