//! The `/dev` of a sandbox: the few devices that every program may expect, and none of the host's.

use super::{SandboxError, mounts};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use sys_mount::MountFlags;

const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Makes it at `at`, an empty directory of the build's own.
pub(super) fn make(at: &Path) -> Result<(), SandboxError> {
    let mounting = |source| SandboxError::Mount { what: "/dev".to_owned(), source };
    mounts::tmpfs(at, "mode=0755,size=1m", MountFlags::NOSUID).map_err(mounting)?;
    for (name, major, minor) in DEVICES {
        let path = at.join(name);
        let made = mknodat(CWD, &path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(major, minor))
            .map_err(std::io::Error::from)
            .and_then(|()| std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)));
        made.map_err(|source| SandboxError::Io { path, source })?;
    }
    for (content, name) in LINKS {
        let path = at.join(name);
        symlink(content, &path).map_err(|source| SandboxError::Io { path, source })?;
    }
    for name in ["pts", "shm"] {
        let path = at.join(name);
        std::fs::create_dir(&path).map_err(|source| SandboxError::Io { path, source })?;
    }
    mounts::devpts(&at.join("pts")).map_err(mounting)?;
    mounts::tmpfs(&at.join("shm"), "mode=1777", MountFlags::NOSUID | MountFlags::NODEV).map_err(mounting)
}
