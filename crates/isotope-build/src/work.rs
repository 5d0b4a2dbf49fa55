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
    /// Where all plans of a build work: the directory `disk` if there is one, else a tmpfs mounted at `mount`.
    pub(crate) fn ground(disk: Option<&Path>, mount: &Path) -> Result<PathBuf, StepError> {
        if let Some(dir) = disk {
            return Ok(dir.to_owned());
        }
        // Not all: past this, a full tmpfs is an error with a remedy, where no memory would be a killed process.
        let size = (memory::available() / 4 * 3).max(64 << 20);
        mounts::tmpfs(mount, &format!("mode=0711,size={size}"), MountFlags::empty())
            .map_err(StepError::io("mount a tmpfs at", mount))?;
        Ok(mount.to_owned())
    }

    /// The directories of one plan, below `ground`.
    pub(crate) fn prepare(ground: &Path, name: &str) -> Result<Self, StepError> {
        let work = Self { dir: ground.join(name) };
        let all =
            [work.dir.clone(), work.tree(), work.scratch(), work.mountpoint(), work.host_directory(), work.view()];
        for path in all {
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

    /// Where a deployment is shown as the booted system sees it.
    pub(crate) fn view(&self) -> PathBuf {
        self.dir.join("deployment")
    }

    /// Working directory of hooks on the host, and room for package managers.
    pub(crate) fn host_directory(&self) -> PathBuf {
        self.dir.join("host")
    }

    /// `TMP_BUILD_DIR` of diskimage-builder's elements.
    pub(crate) fn dib(&self) -> PathBuf {
        self.dir.join("dib")
    }

    /// `TMP_IMAGE_DIR` of diskimage-builder's elements.
    pub(crate) fn dib_images(&self) -> PathBuf {
        self.dir.join("dib-image")
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
