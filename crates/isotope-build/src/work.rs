//! Where a build works, as seen from inside its namespaces: on a tmpfs that vanishes with them, or in a locked directory.

use crate::dib::Dib;
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

/// The directories of a plan: those that steps leave something in for the next one, and `room` for what lives only as long as
/// the build does: mount points, devices, disks. The first are layers, where the build has some.
#[derive(Debug)]
pub(crate) struct Work {
    dir: PathBuf,
    room: PathBuf,
    layered: bool,
}

impl Work {
    /// Where all plans of a build work: at `mount`, where the directory `disk` is mounted if there is one, else a tmpfs.
    pub(crate) fn ground(disk: Option<&Path>, mount: &Path) -> Result<PathBuf, StepError> {
        // The same path for all builds: what hooks write down of it is in layers.
        if let Some(dir) = disk {
            mounts::plain_bind(dir, mount).map_err(StepError::io("mount the work directory at", mount))?;
            return Ok(mount.to_owned());
        }
        // Not all: past this, a full tmpfs is an error with a remedy, where no memory would be a killed process.
        let size = (memory::available() / 4 * 3).max(64 << 20);
        mounts::tmpfs(mount, &format!("mode=0711,size={size}"), MountFlags::empty())
            .map_err(StepError::io("mount a tmpfs at", mount))?;
        Ok(mount.to_owned())
    }

    /// The directories of one plan, below `ground`, as far as they are no layers.
    pub(crate) fn begin(ground: &Path, name: &str) -> Result<Self, StepError> {
        let work = Self { dir: ground.join(name), room: ground.join(format!("{name}.room")), layered: false };
        for path in [work.dir.clone(), work.room.clone(), work.mountpoint(), work.view(), work.devices()] {
            std::fs::create_dir(&path).map_err(StepError::io("make", &path))?;
        }
        Ok(work)
    }

    /// Those that are, once what is below them is mounted.
    pub(crate) fn furnish(&mut self, layered: bool) -> Result<(), StepError> {
        self.layered = layered;
        for path in [self.tree(), self.scratch(), self.host_directory()] {
            std::fs::create_dir_all(&path).map_err(StepError::io("make", &path))?;
        }
        Ok(())
    }

    /// The tree's path from where layers are mounted.
    pub(crate) fn layered_tree(&self, dib: Option<&Dib>) -> Option<PathBuf> {
        self.layered(&dib.filter(|dib| dib.owns_the_tree()).map_or_else(|| self.tree(), Dib::mount))
    }

    /// A path from where layers are mounted.
    pub(crate) fn layered(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.dir).ok().map(Path::to_owned)
    }

    /// Where layers are mounted.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A directory of the build's own that is no layer.
    pub(crate) fn room(&self) -> &Path {
        &self.room
    }

    /// What the engine itself remembers of steps.
    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// Objects of an earlier repository, if there are some, for the one that a deployment begins with.
    pub(crate) fn inherited(&self) -> PathBuf {
        self.dir.join("inherited")
    }

    /// The `/dev` of programs in the target.
    pub(crate) fn devices(&self) -> PathBuf {
        self.room.join("dev")
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
        self.room.join("disk")
    }

    /// Where a deployment is shown as the booted system sees it.
    pub(crate) fn view(&self) -> PathBuf {
        self.room.join("deployment")
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
        self.room.join("dib-image")
    }

    /// The raw disk.
    pub(crate) fn raw(&self) -> PathBuf {
        self.room.join("disk.raw")
    }

    /// Gives back the room that the tree takes: it is empty.
    pub(crate) fn empty_tree(&self) -> Result<(), StepError> {
        let tree = self.tree();
        self.give_back(&tree)?;
        std::fs::create_dir(&tree).map_err(StepError::io("make", &tree))
    }

    /// Gives back the room of a tree, which no step needs any more: it is not there.
    pub(crate) fn give_back(&self, tree: &Path) -> Result<(), StepError> {
        // What is in a layer takes no memory, and to remove it is a whiteout for each name.
        if self.layered {
            let aside = self.dir.join("given-back");
            return std::fs::rename(tree, aside).map_err(StepError::io("put aside", tree));
        }
        std::fs::remove_dir_all(tree).map_err(StepError::io("remove", tree))
    }
}
