//! What must be in /boot before the first deployment.

use crate::OstreeError;
use isotope_sys::target::TargetDir;

/// `/boot/boot` is `/boot` itself, so that the paths in boot entries are right for a boot loader that sees the root and
/// for one that sees /boot as a file system of its own (libostree's `sysroot.bootprefix`).
pub(super) fn prepare(target: &TargetDir) -> Result<(), OstreeError> {
    if target.symlink_metadata("/boot/boot")?.is_none() {
        target.symlink(".", "/boot/boot")?;
    }
    Ok(())
}

/// The syslinux backend is there for libostree when `/boot/syslinux/syslinux.cfg` is a link into `/boot/loader`, and it
/// reads the old file before it writes the new one: all of it must be there before the first deployment
/// (facts/boot.md §1; with a dangling link: "Bootloader write config: openat(boot/syslinux/syslinux.cfg)").
pub(super) fn prepare_syslinux(target: &TargetDir) -> Result<(), OstreeError> {
    if target.symlink_metadata("/boot/loader")?.is_none() {
        target.create_dir_all("/boot/loader.0", 0o755)?;
        target.symlink("loader.0", "/boot/loader")?;
    }
    target.create_dir_all("/boot/syslinux", 0o755)?;
    if !target.exists("/boot/loader/syslinux.cfg") {
        // libostree keeps lines that it did not write: one entry is booted at once, the menu is shown for a second.
        target.write("/boot/loader/syslinux.cfg", "PROMPT 1\nTIMEOUT 10\n", 0o644)?;
    }
    if target.symlink_metadata("/boot/syslinux/syslinux.cfg")?.is_none() {
        target.symlink("../loader/syslinux.cfg", "/boot/syslinux/syslinux.cfg")?;
    }
    Ok(())
}
