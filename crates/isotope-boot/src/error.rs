//! Why a disk could not be made bootable.

use crate::context::RunError;
use isotope_sys::target::TargetError;

/// Why a disk could not be made bootable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// Reading or writing the raw disk failed.
    #[error("cannot {deed} the disk's boot area at byte {offset}")]
    Disk {
        /// `read` or `write`.
        deed: &'static str,
        /// Where on the disk.
        offset: u64,
        /// The cause.
        source: std::io::Error,
    },
    /// Reading or writing the target failed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The layout lacks what a boot loader needs.
    #[error("{what}; {remedy}")]
    Layout {
        /// What is missing.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The target lacks a file that a package brings.
    #[error("{path} is not in the target: install {package} in it")]
    MissingFile {
        /// Where it was looked for.
        path: String,
        /// The package that brings it.
        package: &'static str,
    },
    /// Nobody has GRUB.
    #[error(
        "neither the tree nor this host has GRUB for {platform} (/usr/lib/grub/{platform} and grub-mkimage): put {package} into the tree, or install it on this host"
    )]
    NoGrub {
        /// `i386-pc`, `x86_64-efi`, …
        platform: &'static str,
        /// The package that brings it.
        package: &'static str,
    },
    /// A kernel argument that the menu of a deployment cannot carry.
    #[error(
        "the kernel argument {argument:?} has a character of GRUB's script language (one of ; & | < > {{ }} $ \" ' \\ #), and ostree writes arguments into the boot menu as they are: leave it out, or give it to the system in another way"
    )]
    NotInMenu {
        /// The argument.
        argument: String,
    },
    /// There is nothing to boot.
    #[error(
        "there is no kernel in the target's /boot (vmlinuz-VERSION): install a kernel package, or leave out the boot loader"
    )]
    NoKernel,
    /// Secure Boot was asked for, and the target cannot.
    #[error("secure_boot = \"required\", but the target lacks {}: install the distribution's signed shim and GRUB, or say secure_boot = \"auto\"", missing.join(" and "))]
    NotSigned {
        /// Files that are not there.
        missing: Vec<String>,
    },
    /// A program of the target failed.
    #[error("cannot make GRUB's image for {platform} with {program}")]
    Mkimage {
        /// `i386-pc`, `x86_64-efi`, …
        platform: &'static str,
        /// `grub-mkimage` or `grub2-mkimage`.
        program: &'static str,
        /// The cause.
        source: RunError,
    },
    /// boot.img or core.img is not what this crate knows how to place.
    #[error("GRUB's {file} is not of the form known here: {what}")]
    Unknown {
        /// Which image.
        file: &'static str,
        /// What is different.
        what: String,
    },
    /// core.img is too large.
    #[error("GRUB's core image needs {need} bytes, {place} has {room}: make it larger (1 MiB is enough)")]
    CoreTooLarge {
        /// Bytes of the image.
        need: u64,
        /// Bytes there are.
        room: u64,
        /// Where.
        place: String,
    },
    /// A value that GRUB's script language cannot carry.
    #[error("{what} {value:?} has a character that cannot stand in grub.cfg: leave out control characters")]
    Unquotable {
        /// What it is.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// A built-in template could not be rendered (a bug).
    #[error("cannot render {name}")]
    Template {
        /// Which one.
        name: &'static str,
        /// The cause.
        source: Box<handlebars::RenderError>,
    },
    /// A boot loader entry that breaks the specification.
    #[error(transparent)]
    Bls(#[from] crate::bls::BlsError),
}
