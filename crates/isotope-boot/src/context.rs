//! What [`crate::install`] is given: the disk as it stands, and a way to run the target's own programs.

use isotope_plan::geometry::Geometry;
use isotope_plan::layout::Layout;
use std::fs::File;
use std::path::Path;

/// What a program in the target failed of.
pub type RunError = Box<dyn std::error::Error + Send + Sync>;

/// Runs a program inside the target, as the engine runs hooks there. Closures of the same shape are one.
pub trait RunInTarget {
    /// Runs `argv` (a program name or path, then its arguments) with the target as root directory; its output to
    /// stdout comes back. What it writes below `/boot` must be visible in [`BootContext::tree`] afterwards; `/tmp` need not.
    ///
    /// # Errors
    /// It is not there, or ended with a status other than 0.
    fn run(&self, argv: &[&str]) -> Result<Vec<u8>, RunError>;
}

impl<F: Fn(&[&str]) -> Result<Vec<u8>, RunError>> RunInTarget for F {
    fn run(&self, argv: &[&str]) -> Result<Vec<u8>, RunError> {
        self(argv)
    }
}

/// The disk on which a boot loader is installed.
#[derive(Clone, Copy)]
pub struct BootContext<'a> {
    /// What was asked for.
    pub layout: &'a Layout,
    /// Where it lies.
    pub geometry: &'a Geometry,
    /// The mounted target: root filesystem, `/boot` where it is one, and the EFI system partition's staging directory at
    /// its mount point.
    pub tree: &'a Path,
    /// The raw disk, open for reading and writing. Only the boot code of sector 0 and the BIOS boot partition (or the
    /// gap behind an MBR) are written.
    pub disk: &'a File,
    /// Runs the target's own grub-mkimage.
    pub target: &'a dyn RunInTarget,
    /// The build's clock, in seconds since 1970.
    pub epoch: u64,
}
