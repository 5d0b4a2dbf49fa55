//! Mounting the filesystems of a disk below one directory of the caller, parents first, and unmounting them again.
//!
//! Unmounting goes through `nix`: the `NOFOLLOW` of sys-mount 3.1 is that of open(2), which umount2(2) refuses.
//!
//! It happens in the caller's mount namespace, which must be private; nothing is unmounted that was not mounted here. A mount
//! point is never removed recursively.

use isotope_sys::target::{TargetDir, TargetPath};
use nix::mount::{MntFlags, umount2};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use sys_mount::{Mount, MountFlags};

/// How long a mount may stay busy: a scanner or an indexer that looks at each new mount is gone by then, a forgotten process is not.
const PATIENCE: Duration = Duration::from_secs(10);

/// What could not be mounted or unmounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// A mount point of the layout is not a directory in the tree.
    #[error("the mount point {path} is not a directory in the tree, or a link stands in its way; make it a directory")]
    Place {
        /// Path in the target.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The kernel refuses the mount.
    #[error("cannot mount {kind} ({device}) on {path} of the target{}", hint(kind, source))]
    Mount {
        /// The kernel's name of the filesystem.
        kind: &'static str,
        /// The device.
        device: String,
        /// Path in the target.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Something still uses the mount.
    #[error("{path} of the target is still in use after {} s{}", PATIENCE.as_secs(), list(holders))]
    Busy {
        /// Path in the target.
        path: String,
        /// Processes that have something open there.
        holders: Vec<String>,
    },
    /// What is at the mount point is not what was mounted there.
    #[error("the mount point {path} of the target was moved or replaced while the disk was mounted")]
    Moved {
        /// Path in the target.
        path: String,
    },
    /// The kernel refuses to unmount.
    #[error("cannot unmount {path} of the target")]
    Unmount {
        /// Path in the target.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}

fn hint(kind: &str, source: &std::io::Error) -> String {
    match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NODEV) => format!(": this kernel has no {kind} (modprobe {kind})"),
        Some(Errno::EXIST) => {
            ": a filesystem with the same UUID is mounted on this host; let that build end first".to_owned()
        }
        _ => String::new(),
    }
}

fn list(holders: &[String]) -> String {
    if holders.is_empty() { String::new() } else { format!(", by {}", holders.join(", ")) }
}

/// What is mounted.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A device with a filesystem of this kind, with these options.
    Device { device: PathBuf, kind: &'static str, options: &'static str },
    /// A staged directory in memory, of at most this many bytes, that says it comes from `source`.
    Staged { limit: u64, source: PathBuf },
}

/// Filesystems mounted below one directory. Dropping it detaches them all.
#[derive(Debug)]
#[must_use = "dropping it unmounts"]
pub(crate) struct Mounts {
    root: PathBuf,
    /// In the order of mounting.
    mounted: Vec<Held>,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Path in the target.
    path: String,
    /// Whether it is a filesystem of the disk, and not a staged directory.
    on_disk: bool,
    /// Mount id, by which it is known again.
    id: u64,
}

impl Mounts {
    /// Nothing mounted yet; `root` is an empty directory of the caller.
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), mounted: Vec::new() }
    }

    /// Mounts on `path` of the target. Its parents are mounted already; a missing directory is made.
    ///
    /// Nothing but mount points is on the filesystems yet, so there is no link that could lead astray.
    pub(crate) fn mount(
        &mut self,
        what: &What,
        path: &str,
        tree: Option<&TargetDir>,
        epoch: u64,
    ) -> Result<(), MountError> {
        let place = |source| MountError::Place { path: path.to_owned(), source };
        if !is_root(path) {
            make_mount_point(&self.root, path, tree, epoch).map_err(place)?;
        }
        let target = self.host_path(path);
        let (builder, source, kind, data): (_, PathBuf, _, _) = match what {
            What::Device { device, kind, options } => (Mount::builder(), device.clone(), *kind, (*options).to_owned()),
            What::Staged { limit, source } => {
                (Mount::builder(), source.clone(), "tmpfs", format!("size={limit},mode=0755"))
            }
        };
        let mounted = builder.fstype(kind).flags(MountFlags::NOATIME).data(&data).mount(&source, &target);
        let device = source.display().to_string();
        mounted.map_err(|source| MountError::Mount { kind, device, path: path.to_owned(), source })?;
        let id = mount_id(&target).map_err(|errno| place(errno.into()))?;
        let on_disk = matches!(what, What::Device { .. });
        self.mounted.push(Held { path: path.to_owned(), on_disk, id });
        Ok(())
    }

    /// What another process mounted, in the order of mounting.
    pub(crate) fn adopt(root: &Path, mounted: Vec<Held>) -> Self {
        Self { root: root.to_owned(), mounted }
    }

    /// What is mounted, in the order of mounting.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.mounted.clone()
    }

    /// Leaves everything mounted.
    pub(crate) fn forget(&mut self) {
        self.mounted.clear();
    }

    /// The filesystems of the disk: mount point in the target and on the host.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        self.mounted
            .iter()
            .filter(|mounted| mounted.on_disk)
            .map(|mounted| (mounted.path.as_str(), self.host_path(&mounted.path)))
    }

    /// A path of the target as the host sees it.
    pub(crate) fn host_path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Opens a mount point without following links.
    pub(crate) fn open(&self, path: &str) -> Result<OwnedFd, MountError> {
        let moved = |_| MountError::Moved { path: path.to_owned() };
        let root = open_directory(&self.root).map_err(moved)?;
        let fd = open_below(&root, path).map_err(moved)?;
        let expected = self.mounted.iter().find(|mounted| mounted.path == path).map(|mounted| mounted.id);
        let id = mount_id_of(&fd).map_err(moved)?;
        if Some(id) == expected { Ok(fd) } else { Err(MountError::Moved { path: path.to_owned() }) }
    }

    /// Unmounts all, children first. What is busy is waited for.
    pub(crate) fn close(self) -> Result<(), MountError> {
        self.close_each(&mut |_, _| Ok(()))
    }

    /// The same; before each is unmounted, when nothing is mounted in it any more, `before` gets its path in the target and on the
    /// host.
    pub(crate) fn close_each<E: From<MountError>>(
        mut self,
        before: &mut dyn FnMut(&str, &Path) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(last) = self.mounted.last() {
            // Hooks and maintainer scripts have worked in the tree: a link may stand where a directory was.
            drop(self.open(&last.path)?);
            let path = last.path.clone();
            before(&path, &self.host_path(&path))?;
            self.unmount(&path)?;
            self.mounted.pop();
        }
        Ok(())
    }

    fn unmount(&self, path: &str) -> Result<(), MountError> {
        let target = self.host_path(path);
        let start = Instant::now();
        loop {
            match umount2(&target, MntFlags::UMOUNT_NOFOLLOW) {
                Ok(()) => return Ok(()),
                Err(nix::errno::Errno::EBUSY) => {
                    if start.elapsed() >= PATIENCE {
                        return Err(MountError::Busy { path: path.to_owned(), holders: holders(&target) });
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(errno) => return Err(MountError::Unmount { path: path.to_owned(), source: errno.into() }),
            }
        }
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for mounted in self.mounted.drain(..).rev() {
            // After an error: let go of it lazily. The kernel finishes when the last user is gone, at the latest with the namespace.
            let target = self.root.join(mounted.path.trim_start_matches('/'));
            umount2(&target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW).ok();
        }
    }
}

/// Whether a mount point is an absolute path of plain names.
pub(crate) fn is_plain(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    path == "/" || (parts.first() == Some(&"") && parts.iter().skip(1).all(|part| !["", ".", ".."].contains(part)))
}

fn is_root(path: &str) -> bool {
    path.trim_matches('/').is_empty()
}

fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a directory below `root` without following any link.
fn open_below(root: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let path = path.trim_start_matches('/');
    let path = if path.is_empty() { "." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
}

fn mount_id(path: &Path) -> Result<u64, Errno> {
    mount_id_of(&open_directory(path)?)
}

fn mount_id_of(fd: &OwnedFd) -> Result<u64, Errno> {
    rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).map(|stat| stat.stx_mnt_id)
}

/// Makes the directories down to a mount point on the (still empty) disk, each with the mode and owner it has in the tree, if there
/// is one.
fn make_mount_point(root: &Path, path: &str, tree: Option<&TargetDir>, epoch: u64) -> std::io::Result<()> {
    let mut made = PathBuf::new();
    let mut fd = open_directory(root)?;
    for part in Path::new(path.trim_matches('/')) {
        made.push(part);
        let in_tree = match tree {
            Some(tree) => tree.symlink_metadata(TargetPath::new(&Path::new("/").join(&made))),
            None => Ok(None),
        };
        let in_tree = in_tree.map_err(std::io::Error::other)?;
        let is_directory = |mode| rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::Directory;
        if in_tree.as_ref().is_some_and(|stat| !is_directory(stat.st_mode)) {
            return Err(std::io::Error::from(std::io::ErrorKind::NotADirectory));
        }
        let new = match rustix::fs::mkdirat(&fd, part, Mode::from_raw_mode(0o755)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fd = rustix::fs::openat(&fd, part, flags, Mode::empty())?;
        if new {
            dress(&fd, in_tree.as_ref(), epoch)?;
        }
    }
    Ok(())
}

/// Gives a new mount point mode, owner and time of the directory of the tree; 0755 and the build's time where there is none.
fn dress(fd: &OwnedFd, stat: Option<&rustix::fs::Stat>, epoch: u64) -> Result<(), Errno> {
    let mut time = rustix::fs::Timespec { tv_sec: i64::try_from(epoch).unwrap_or(i64::MAX), tv_nsec: 0 };
    if let Some(stat) = stat {
        let (uid, gid) = (rustix::fs::Uid::from_raw(stat.st_uid), rustix::fs::Gid::from_raw(stat.st_gid));
        rustix::fs::fchown(fd, Some(uid), Some(gid))?;
        rustix::fs::fchmod(fd, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
        time = rustix::fs::Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or(0) };
    } else {
        rustix::fs::fchmod(fd, Mode::from_raw_mode(0o755))?;
    }
    rustix::fs::futimens(fd, &rustix::fs::Timestamps { last_access: time, last_modification: time })
}

/// Processes that have something open below `target`, as far as /proc tells.
fn holders(target: &Path) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut holders = Vec::new();
    for process in processes.flatten() {
        let dir = process.path();
        let links = ["cwd", "root", "exe"].map(|name| dir.join(name)).into_iter();
        let open = std::fs::read_dir(dir.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
        let inside = |link: PathBuf| std::fs::read_link(link).is_ok_and(|to| to.starts_with(target));
        if links.chain(open).any(inside) {
            let name = std::fs::read_to_string(dir.join("comm")).unwrap_or_default();
            holders.push(format!("{} (process {})", name.trim(), process.file_name().to_string_lossy()));
        }
    }
    holders.sort();
    holders
}
