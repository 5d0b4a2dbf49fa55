//! What is mounted in the tree: /proc, /dev, /sys, the hooks; and what hooks have mounted there.

use super::Dib;
use super::hooks::IN_TARGET;
use crate::error::StepError;
use crate::event::Events;
use crate::sandbox::{Access, mounts};
use isotope_sys::target::{TargetDir, TargetPath};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use sys_mount::MountFlags;

/// Mounts /proc, /dev and /sys (read-only, by which programs know a container) in the tree. The /dev is the build's own, and has no
/// device of the host's but what every program may expect.
pub(super) fn furnish(dib: &Dib) -> Result<(), StepError> {
    let tree = dib.tree()?;
    for dir in ["/proc", "/dev", "/sys"] {
        tree.create_dir_all(dir, 0o755)?;
    }
    mounts::filesystem(&tree, "proc", "/proc", MountFlags::empty())?;
    mounts::bind(&tree, &dib.devices, TargetPath::new("/dev"), Access::ReadWrite)?;
    mounts::filesystem(&tree, "sysfs", "/sys", MountFlags::RDONLY)?;
    Ok(())
}

/// The hooks, seen in the target.
#[must_use = "they are taken back by `take_back`"]
pub(super) struct Lent {
    tree: TargetDir,
    at: PathBuf,
}

pub(super) fn lend_hooks(dib: &Dib) -> Result<Lent, StepError> {
    let tree = dib.tree()?;
    if !tree.exists("/tmp") {
        tree.create_dir_all("/tmp", 0o1777)?;
    }
    tree.create_dir_all(IN_TARGET, 0o755)?;
    mounts::bind(&tree, &dib.hooks(), TargetPath::new(IN_TARGET), Access::ReadOnly)?;
    Ok(Lent { tree, at: dib.mount().join(IN_TARGET.trim_start_matches('/')) })
}

impl Lent {
    pub(super) fn take_back(self) -> Result<(), StepError> {
        // By the kernel's own list: the target has no say in what a path means.
        for at in below(&self.at)?.into_iter().chain([self.at]) {
            mounts::detach(&at).map_err(StepError::io("unmount", &at))?;
        }
        self.tree.remove(IN_TARGET)?;
        Ok(())
    }
}

/// Unmounts everything below the tree but the disk's own filesystems, the deepest first. What hooks have mounted is told.
pub(super) fn release(dib: &Dib, events: &Events) -> Result<(), StepError> {
    let mount = dib.mount();
    let own = own(dib);
    for at in below(&mount)? {
        if dib.points.contains(&at) {
            continue;
        }
        if !own.contains(&at) {
            events.output(&format!("Unmount {}", at.display()));
        }
        match mounts::detach(&at) {
            // A mount below another that has gone with it.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {}
            ended => ended.map_err(StepError::io("unmount", &at))?,
        }
    }
    Ok(())
}

/// Whether hooks have mounted something below the tree that is still there.
pub(super) fn others(dib: &Dib) -> Result<bool, StepError> {
    let own = own(dib);
    Ok(below(&dib.mount())?.iter().any(|at| !own.contains(at)))
}

fn own(dib: &Dib) -> [PathBuf; 5] {
    ["proc", "dev", "dev/pts", "dev/shm", "sys"].map(|dir| dib.mount().join(dir))
}

/// Mount points below a directory, the last one first.
fn below(dir: &Path) -> Result<Vec<PathBuf>, StepError> {
    let table = Path::new("/proc/self/mountinfo");
    let text = std::fs::read(table).map_err(StepError::io("read", table))?;
    let points = text.split(|byte| *byte == b'\n').filter_map(point);
    let mut points: Vec<PathBuf> = points.filter(|point| point.starts_with(dir) && point != dir).collect();
    points.reverse();
    Ok(points)
}

/// The mount point of a line (proc_pid_mountinfo(5), field 5), in which blanks and the like are octal.
fn point(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|byte| *byte == b' ').nth(4)?;
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, behind @ ..] = rest {
        let octal = behind.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                path.push(byte);
                rest = &behind[3..];
            }
            None => {
                path.push(*first);
                rest = behind;
            }
        }
    }
    Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_blanks() {
        let line = br"36 35 98:0 / /mnt/a\040b rw,noatime - ext4 /dev/root rw";
        assert_eq!(point(line), Some(PathBuf::from("/mnt/a b")));
        assert_eq!(point(b"36 35"), None);
    }
}
