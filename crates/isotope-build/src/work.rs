//! Where a build works, as seen from inside its namespaces: on a tmpfs that vanishes with them, or in a locked directory.

use crate::error::StepError;
use crate::memory;
use crate::options::WorkPlace;
use crate::sandbox::mounts;
use std::path::{Path, PathBuf};
use sys_mount::MountFlags;

/// With less available than this, work goes to the disk: a tree and the disk made of it, and room for the tools.
pub(crate) const MEMORY_NEEDED: u64 = 5 << 30;

/// Whether work goes to memory.
pub(crate) fn in_memory(place: WorkPlace) -> bool {
    match place {
        WorkPlace::Memory => true,
        WorkPlace::Disk => false,
        WorkPlace::Auto => memory::available() >= MEMORY_NEEDED,
    }
}

/// The directories of a build.
#[derive(Debug)]
pub(crate) struct Work {
    dir: PathBuf,
}

impl Work {
    /// In the directory `disk` if there is one, else on a tmpfs mounted at `mount`.
    pub(crate) fn prepare(disk: Option<&Path>, mount: &Path) -> Result<Self, StepError> {
        let dir = match disk {
            Some(dir) => dir.to_owned(),
            None => {
                // Not all: past this, a full tmpfs is an error with a remedy, where no memory would be a killed process.
                let size = (memory::available() / 4 * 3).max(64 << 20);
                mounts::tmpfs(mount, &format!("mode=0711,size={size}"), MountFlags::empty())
                    .map_err(StepError::io("mount a tmpfs at", mount))?;
                mount.to_owned()
            }
        };
        let work = Self { dir };
        for path in [work.tree(), work.scratch(), work.mountpoint(), work.host_directory()] {
            std::fs::create_dir(&path).map_err(StepError::io("make", &path))?;
        }
        Ok(work)
    }

    /// The tree; empty once there is a disk.
    pub(crate) fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    /// The sandbox's own.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.dir.join("sandbox")
    }

    /// Where the disk is mounted.
    pub(crate) fn mountpoint(&self) -> PathBuf {
        self.dir.join("disk")
    }

    /// Working directory of hooks on the host, and room for package managers.
    pub(crate) fn host_directory(&self) -> PathBuf {
        self.dir.join("host")
    }

    /// The raw disk.
    pub(crate) fn raw(&self) -> PathBuf {
        self.dir.join("disk.raw")
    }

    /// Gives back the room that the tree takes.
    pub(crate) fn empty_tree(&self) -> Result<(), StepError> {
        let tree = self.tree();
        std::fs::remove_dir_all(&tree).map_err(StepError::io("remove", &tree))?;
        std::fs::create_dir(&tree).map_err(StepError::io("make", &tree))
    }
}
