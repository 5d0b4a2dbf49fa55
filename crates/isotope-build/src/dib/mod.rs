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
//!
//! Beside elements of Isotope's, in a recipe, there are only the first and the last of these ([`beside`]).

mod base;
mod begin;
mod beside;
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
use crate::event::Events;
use crate::step::Run;
use isotope_plan::{DibAction, DibBuild, Step};
use isotope_sys::target::TargetDir;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A build that has begun.
#[derive(Debug)]
pub(crate) struct Dib {
    plan: DibBuild,
    /// `TMP_BUILD_DIR`.
    dir: PathBuf,
    /// `TMP_MOUNT_PATH`.
    mount: PathBuf,
    /// `TMP_IMAGE_DIR`.
    images: PathBuf,
    /// The build's own `/dev`.
    devices: PathBuf,
    /// What came to the environment since.
    vars: BTreeMap<String, String>,
    /// How large the image is to be, in bytes.
    image_size: Option<u64>,
    /// Mount points of the disk that is mounted, which stay.
    points: Vec<PathBuf>,
    /// /proc, /dev and /sys are mounted in the tree.
    furnished: bool,
    /// What hooks had mounted there when the last layer ended.
    bound: Vec<mounts::Bound>,
    /// Digests of the files that the merged hooks are made of.
    digests: BTreeMap<PathBuf, String>,
}

/// What is remembered of a build from phase to phase, beside its files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct DibState {
    vars: BTreeMap<String, String>,
    image_size: Option<u64>,
    furnished: bool,
    #[serde(default)]
    bound: Vec<mounts::Bound>,
    /// Digests of the files that the merged hooks were made of.
    hooks: BTreeMap<PathBuf, String>,
}

/// Nothing is mounted in the tree any more. `false`: something is that hooks have mounted and that cannot be mounted again: it stays.
pub(crate) fn leave(dib: &mut Dib, events: &Events) -> Result<bool, StepError> {
    if !dib.owns_the_tree() {
        return Ok(true);
    }
    let Some(bound) = mounts::bound(dib)? else { return Ok(false) };
    dib.bound = bound;
    mounts::release(dib, events)?;
    Ok(true)
}

/// As it was before [`leave`].
pub(crate) fn enter(dib: &Dib) -> Result<(), StepError> {
    if dib.furnished {
        mounts::furnish(dib)?;
    }
    mounts::bind_again(dib)
}

/// Takes up a build where a layer has left it: hooks of phases that are still to come are those of today.
pub(crate) fn resume(state: DibState, build: &mut Build<'_>) -> Result<(), StepError> {
    let begin = build.plan.dib().ok_or(StepError::Plan("a build of hooks that does not begin"))?;
    build.dib = Some(begin::resume(begin, state, build)?);
    Ok(())
}

impl Dib {
    pub(crate) fn state(&self) -> DibState {
        DibState {
            vars: self.vars.clone(),
            image_size: self.image_size,
            furnished: self.furnished,
            bound: self.bound.clone(),
            hooks: self.digests.clone(),
        }
    }

    /// `DIB_IMAGE_CACHE`.
    fn image_cache(&self) -> PathBuf {
        self.plan.environment.get("DIB_IMAGE_CACHE").map(|value| PathBuf::from(&value.value)).unwrap_or_default()
    }

    /// `TMP_HOOKS_PATH`.
    fn hooks(&self) -> PathBuf {
        self.dir.join("hooks")
    }

    /// `TMP_MOUNT_PATH`: the tree, and after the disk stage the mounted disk.
    pub(crate) fn mount(&self) -> PathBuf {
        self.mount.clone()
    }

    /// Whether the tree and the disk are those of its hooks alone, not of Isotope's elements.
    pub(crate) const fn owns_the_tree(&self) -> bool {
        !self.plan.beside
    }

    /// The finished tree, where it has been put aside under another name than it has in layers.
    pub(crate) fn put_aside(&self) -> Option<PathBuf> {
        Some(self.built()).filter(|built| self.owns_the_tree() && built.is_dir())
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
            DibAction::Hooks(hooks) if dib.plan.beside => beside::run(hooks, step, &mut dib, build),
            DibAction::Hooks(hooks) => hooks::run(hooks, &mut dib, build),
            DibAction::Base => base::settle(&mut dib, build),
            DibAction::Packages(packages) => hooks::packages(packages, step, &dib, build),
            DibAction::Gather(gather) => gather::gather(gather, &mut dib, build),
            DibAction::Disk(image) => disk::make(image, &mut dib, build),
            DibAction::CleanUp => clean::clean(&dib, build),
        };
        build.dib = Some(dib);
        done
    }
}
