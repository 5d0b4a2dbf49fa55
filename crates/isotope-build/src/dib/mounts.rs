//! What is mounted in the tree: /proc, /dev, /sys, the hooks; and what hooks have mounted there.

use super::Dib;
use super::hooks::IN_TARGET;
use crate::error::StepError;
use crate::event::Events;
use crate::sandbox::{Access, mounts};
use isotope_sys::target::{TargetDir, TargetPath};
use serde::{Deserialize, Serialize};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
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

/// A directory of `DIB_IMAGE_CACHE` that a hook has bound into the tree: packages that are downloaded stay there. A layer can end and
/// begin with it: it is bound again. Nothing else of the host comes back by what a layer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bound {
    /// From the image cache.
    from: PathBuf,
    /// From the root of the tree.
    at: PathBuf,
}

/// What hooks have mounted below the tree that is still there, the first one first. `None`: something is among it that cannot be mounted
/// again.
pub(super) fn bound(dib: &Dib) -> Result<Option<Vec<Bound>>, StepError> {
    let (own, mount) = (own(dib), dib.mount());
    let mut found = Vec::new();
    for Mounted { root, at } in mounted_below(&mount)?.into_iter().rev().filter(|it| !own.contains(&it.at)) {
        let Some(from) = in_cache(&dib.image_cache(), &root, &at) else { return Ok(None) };
        found.push(Bound { from, at: at.strip_prefix(&mount).unwrap_or(&at).to_owned() });
    }
    Ok(Some(found))
}

/// The path from the image cache of the directory that is mounted at `at`, and that its filesystem knows as `root`.
fn in_cache(cache: &Path, root: &Path, at: &Path) -> Option<PathBuf> {
    let file = |path: &Path| path.metadata().ok().filter(std::fs::Metadata::is_dir).map(|it| (it.dev(), it.ino()));
    let mounted = file(at)?;
    // Where the filesystem of the cache is mounted does not matter so.
    let parts: Vec<Component<'_>> = root.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let ends = (0..parts.len()).map(|first| parts[first..].iter().collect::<PathBuf>());
    ends.into_iter().find(|end| file(&cache.join(end)) == Some(mounted))
}

/// Mounts it again, in another place or another build.
pub(super) fn bind_again(dib: &Dib) -> Result<(), StepError> {
    let (tree, cache) = (dib.tree()?, dib.image_cache());
    for Bound { from, at } in &dib.bound {
        if from.components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(StepError::Plan("a layer that binds what is not in the image cache"));
        }
        let from = cache.join(from);
        std::fs::create_dir_all(&from).map_err(StepError::io("make", &from))?;
        mounts::bind(&tree, &from, &TargetPath::new("/").join(at), Access::ReadWrite)?;
    }
    Ok(())
}

fn own(dib: &Dib) -> [PathBuf; 5] {
    ["proc", "dev", "dev/pts", "dev/shm", "sys"].map(|dir| dib.mount().join(dir))
}

/// A line of mountinfo: what is mounted, from the root of its filesystem, and where.
#[derive(Debug, PartialEq, Eq)]
struct Mounted {
    root: PathBuf,
    at: PathBuf,
}

/// Mount points below a directory, the last one first.
fn below(dir: &Path) -> Result<Vec<PathBuf>, StepError> {
    Ok(mounted_below(dir)?.into_iter().map(|mounted| mounted.at).collect())
}

fn mounted_below(dir: &Path) -> Result<Vec<Mounted>, StepError> {
    let table = Path::new("/proc/self/mountinfo");
    let text = std::fs::read(table).map_err(StepError::io("read", table))?;
    let all = text.split(|byte| *byte == b'\n').filter_map(mounted);
    let mut found: Vec<Mounted> = all.filter(|it| it.at.starts_with(dir) && it.at != dir).collect();
    found.reverse();
    Ok(found)
}

/// Fields 4 and 5 of a line (proc_pid_mountinfo(5)).
fn mounted(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|byte| *byte == b' ').skip(3);
    Some(Mounted { root: unquoted(fields.next()?), at: unquoted(fields.next()?) })
}

/// Blanks and the like are octal.
fn unquoted(field: &[u8]) -> PathBuf {
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
    PathBuf::from(std::ffi::OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_blanks() {
        let line = br"36 35 98:0 / /mnt/a\040b rw,noatime - ext4 /dev/root rw";
        assert_eq!(mounted(line), Some(Mounted { root: "/".into(), at: "/mnt/a b".into() }));
        assert_eq!(mounted(b"36 35"), None);
    }

    #[test]
    fn what_is_bound_is_found_in_the_image_cache() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("home/cache");
        std::fs::create_dir_all(cache.join("apt/debian")).unwrap();
        std::fs::create_dir_all(dir.path().join("elsewhere/apt/debian")).unwrap();
        let at = |path: &str| dir.path().join(path);
        // A bind of a directory is that directory.
        let found = |root: &str, at: &Path| in_cache(&cache, Path::new(root), at);
        assert_eq!(found("/v/home/cache/apt/debian", &cache.join("apt/debian")), Some("apt/debian".into()));
        assert_eq!(found("/v/elsewhere/apt/debian", &at("elsewhere/apt/debian")), None);
        assert_eq!(found("/", &cache), None);
    }
}
