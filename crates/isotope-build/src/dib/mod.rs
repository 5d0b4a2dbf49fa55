//! Builds from diskimage-builder's elements: what its `disk-image-create` does between and around hooks.
//!
//! In: [`DibAction`]s, one a step. Every phase is run by `dib-run-parts`, on the host or in the tree by chroot. Unlike in the
//! sandbox of our own elements, /proc, /dev and /sys are mounted in the tree itself, and stay from phase to phase, as do the mounts
//! that hooks make: hooks on the host rely on it. All of it is in the build's own mount namespace, and goes with it.
//!
//! ```text
//! TMP_BUILD_DIR/hooks   TMP_HOOKS_PATH: the merged elements; /tmp/in_target.d inside
//!               mnt     TMP_MOUNT_PATH: the tree, then the mounted disk
//!               built   the finished tree, until it is on the disk
//!               lib     _LIB, and bin/ with `sudo` and dib-block-device, first in PATH
//! ```

mod base;
mod begin;
mod breaks;
mod clean;
mod disk;
mod environment;
mod follow;
mod gather;
mod hooks;
pub mod lib;
mod mounts;
mod outputs;

pub(crate) use outputs::make_way;

use crate::build::Build;
use crate::error::StepError;
use crate::step::Run;
use isotope_plan::{DibAction, DibBuild, Step};
use isotope_sys::target::TargetDir;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A build that has begun.
#[derive(Debug)]
pub(crate) struct Dib {
    plan: DibBuild,
    /// `TMP_BUILD_DIR`.
    dir: PathBuf,
    /// `TMP_IMAGE_DIR`.
    images: PathBuf,
    /// The sandbox's own directories, of which `dev` is mounted.
    scratch: PathBuf,
    /// What came to the environment since.
    vars: BTreeMap<String, String>,
    /// How large the image is to be, in bytes.
    image_size: Option<u64>,
    /// Mount points of the disk that is mounted, which stay.
    points: Vec<PathBuf>,
}

impl Dib {
    /// `TMP_HOOKS_PATH`.
    fn hooks(&self) -> PathBuf {
        self.dir.join("hooks")
    }

    /// `TMP_MOUNT_PATH`: the tree, and after the disk stage the mounted disk.
    pub(crate) fn mount(&self) -> PathBuf {
        self.dir.join("mnt")
    }

    /// The finished tree, until it is on the disk.
    fn built(&self) -> PathBuf {
        self.dir.join("built")
    }

    /// `_LIB`.
    fn lib(&self) -> PathBuf {
        self.dir.join("lib")
    }

    /// `DIB_BLOCK_DEVICE_PARAMS_YAML`.
    fn parameters(&self) -> PathBuf {
        self.dir.join("block-device/params.yaml")
    }

    /// The tree, to write into.
    fn tree(&self) -> Result<TargetDir, StepError> {
        Ok(TargetDir::open(self.mount())?)
    }

    /// Whether times of files are those of the build's clock.
    pub(crate) const fn clamps_times(&self) -> bool {
        self.plan.clamp_times
    }
}

/// A step.
pub(crate) struct Action<'a>(pub &'a DibAction);

impl Run for Action<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        if let DibAction::Begin(plan) = self.0 {
            build.dib = Some(begin::begin(plan, build)?);
            return Ok(());
        }
        let mut dib = build.dib.take().ok_or(StepError::Plan("a step of hooks before the first one"))?;
        let done = match self.0 {
            DibAction::Begin(_) => Ok(()),
            DibAction::Hooks(hooks) => hooks::run(hooks, &mut dib, build),
            DibAction::Base => base::settle(&dib, build),
            DibAction::Packages(packages) => hooks::packages(packages, step, &dib, build),
            DibAction::Gather(gather) => gather::gather(gather, &mut dib, build),
            DibAction::Disk(image) => disk::make(image, &mut dib, build),
            DibAction::CleanUp => clean::clean(&dib, build),
        };
        build.dib = Some(dib);
        done
    }
}
