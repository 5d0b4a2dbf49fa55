//! The mounts of a sandbox. Places inside the target are descriptors, opened without following any link; the kernel is
//! given them as `/proc/self/fd/N`.

use super::{Access, SandboxError};
use isotope_sys::target::{TargetDir, TargetPath};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys_mount::{Mount, MountFlags};

/// Mounts a kernel file system at a place of the target.
pub(crate) fn filesystem(root: &TargetDir, kind: &str, at: &str, flags: MountFlags) -> Result<(), SandboxError> {
    let place = root.open_mount_point(at)?;
    Mount::builder().fstype(kind).flags(flags).mount(kind, by_descriptor(&place)).map(drop).map_err(failed(kind))
}

/// Binds a directory or file of the host, with all mounted below it, to a place of the target.
pub(crate) fn bind(root: &TargetDir, host: &Path, at: &TargetPath, access: Access) -> Result<(), SandboxError> {
    let what = format!("{} on {at}", host.display());
    let place = root.open_mount_point(at)?;
    plain_bind(host, &by_descriptor(&place)).map_err(failed(&what))?;
    if access == Access::ReadOnly {
        // A bind takes no flags; they are set on the mount it made, which is what the name means now.
        let mounted = root.open_mount_point(at)?;
        read_only(&by_descriptor(&mounted)).map_err(failed(&format!("{what} read-only")))?;
    }
    Ok(())
}

/// Binds between two places of the host.
pub(crate) fn plain_bind(from: &Path, to: &Path) -> std::io::Result<()> {
    Mount::builder().fstype("none").flags(MountFlags::BIND | MountFlags::REC).mount(from, to).map(drop)
}

/// Makes the mount at a place of the host read-only.
pub(crate) fn read_only(at: &Path) -> std::io::Result<()> {
    let flags = MountFlags::BIND | MountFlags::REMOUNT | MountFlags::RDONLY;
    Mount::builder().fstype("none").flags(flags).mount("none", at).map(drop)
}

/// A tmpfs at a place of the host.
pub(crate) fn tmpfs(at: &Path, options: &str, flags: MountFlags) -> std::io::Result<()> {
    Mount::builder().fstype("tmpfs").data(options).flags(flags).mount("tmpfs", at).map(drop)
}

/// A new instance of devpts at a place of the host.
pub(super) fn devpts(at: &Path) -> std::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    Mount::builder()
        .fstype("devpts")
        .data("newinstance,ptmxmode=0666,mode=0620,gid=5")
        .flags(flags)
        .mount("devpts", at)
        .map(drop)
}

/// Detaches the mount at a place of the host, and all below it.
pub(crate) fn detach(at: &Path) -> std::io::Result<()> {
    // Not by sys-mount: its NOFOLLOW is open's flag, which umount2 refuses (EINVAL).
    let flags = rustix::mount::UnmountFlags::DETACH | rustix::mount::UnmountFlags::NOFOLLOW;
    Ok(rustix::mount::unmount(at, flags)?)
}

fn by_descriptor(descriptor: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

fn failed(what: &str) -> impl FnOnce(std::io::Error) -> SandboxError {
    move |source| SandboxError::Mount { what: what.to_owned(), source }
}
