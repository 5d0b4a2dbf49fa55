//! GRUB images, BLS entries and grub.cfg, written without grub-install.
//!
//! [`install`] makes a populated, mounted disk bootable: [`bios`] embeds boot.img and core.img, [`uefi`] fills the EFI
//! system partition, `menu` writes what GRUB shows, [`bls`] is the Boot Loader Specification's entry format, and
//! [`detect`] tells what boots in an image that is already there. Everything that boots comes from the target itself.
//! Must not know: how the disk was made or mounted, elements, package managers.

pub mod bios;
pub mod bls;
mod context;
pub mod detect;
mod error;
mod flavour;
mod ground;
mod install;
mod kernels;
mod menu;
mod mkimage;
mod modules;
pub mod ostree;
mod place;
mod quote;
pub mod syslinux;
mod tree;
mod uefi;
mod version;

pub use context::{BootContext, RunError, RunInTarget};
pub use error::BootError;
pub use install::{Installed, install};
pub use uefi::compiled_prefix;
