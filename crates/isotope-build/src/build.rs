//! The state of a running build: what steps share.

use crate::cache::Cache;
use crate::compose::Compose;
use crate::deployment::Deployment;
use crate::dib::Dib;
use crate::error::StepError;
use crate::event::Events;
use crate::layers::Layers;
use crate::layers::image::Image;
use crate::options::BuildOptions;
use crate::package::{self, ArchiveCtx, InstalledPackage, PackageCtx, PackageManager};
use crate::report::{CommitReport, DeployedCommit};
use crate::sandbox::{Purpose, TargetRoot};
use crate::work::Work;
use isotope_disk::MountedDisk;
use isotope_disk::dib::DibDisk;
use isotope_image::export::Exported;
use isotope_plan::geometry::Geometry;
use isotope_plan::{Bootstrap, PackagePolicy, Packages, Plan, Source, Step, StepAction};
use isotope_sys::target::{TargetDir, TargetError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How far the disk is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// There is a tree only.
    Tree,
    /// The disk is mounted, and is what steps work on.
    Mounted(Box<MountedDisk>),
    /// The disks of diskimage-builder's block devices are mounted.
    Dib(Box<DibDisk>),
    /// They are closed; the raw file of the image, if it has one.
    DibClosed(Option<PathBuf>),
    /// The disk could not be closed; what is in it cannot be reached any more.
    Lost,
    /// The disk is closed.
    Closed(Geometry),
}

/// What a build has made so far.
#[derive(Debug, Default)]
pub(crate) struct Products {
    /// What is installed; known once the tree is sealed.
    pub packages: Vec<InstalledPackage>,
    /// Files.
    pub outputs: Vec<Exported>,
    /// The commit of a compose.
    pub commit: Option<CommitReport>,
    /// The commit that was deployed.
    pub deployed: Option<DeployedCommit>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// How the step that is running uses the sandbox: where a shell is opened if it fails.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// Its sandbox, if it runs in the target.
    pub purpose: Option<Purpose>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
}

/// A running build.
pub(crate) struct Build<'a> {
    pub plan: &'a Plan,
    pub options: &'a BuildOptions,
    pub cache: &'a Cache,
    pub events: Events,
    pub work: Work,
    /// The tree that steps work on: the plain one, then that of the mounted disk.
    pub target: TargetRoot,
    pub stage: Stage,
    /// What its steps leave, where that is kept.
    pub layers: Option<Layers>,
    /// Outputs of earlier builds.
    pub image: Option<Image>,
    /// The deployment that is the target, if it is one.
    pub deployment: Option<Deployment>,
    /// What a build from diskimage-builder's elements knows of itself.
    pub dib: Option<Dib>,
    /// Whether the tree has been cleaned, listed and its times clamped.
    pub sealed: bool,
    /// What a compose knows of the commit before it.
    pub compose: Option<Compose>,
    /// Nothing is left to do: the steps that follow are not run.
    pub done: bool,
    pub products: Products,
    pub scene: Scene,
}

impl Build<'_> {
    /// Index of a step in the plan.
    pub(crate) fn position(&self, step: &Step) -> usize {
        self.plan.steps.iter().position(|other| other.id == step.id).unwrap_or(self.plan.steps.len())
    }

    /// Whether an initramfs is made by a step after this one.
    pub(crate) fn initramfs_to_come(&self, step: &Step) -> bool {
        let after = self.plan.steps.iter().skip(self.position(step) + 1);
        after.into_iter().any(|step| matches!(step.action, StepAction::Initramfs | StepAction::OstreeKernel(_)))
    }

    /// The target's package manager, with what it works with.
    pub(crate) fn with_packages<T>(
        &self,
        step: &Step,
        run: impl FnOnce(&dyn PackageManager, &PackageCtx<'_>) -> Result<T, package::PackageError>,
    ) -> Result<T, StepError> {
        let family = self.plan.target.family;
        let manager = package::manager(family)?;
        let cache_dir =
            self.cache.packages(package::directory(family)).map_err(|error| StepError::Cache(Box::new(error)))?;
        // Resolves for all steps, and is done again with each build.
        let resolves = matches!(step.action, StepAction::OstreeParent(_));
        let own = if resolves { self.work.room().to_owned() } else { self.work.host_directory() };
        let scratch = own.join("packages");
        std::fs::create_dir_all(&scratch).map_err(StepError::io("make", &scratch))?;
        let upcoming: Vec<&Packages> = self
            .plan
            .steps
            .iter()
            .skip(self.position(step) + 1)
            .filter_map(|step| if let StepAction::Packages(packages) = &step.action { Some(packages) } else { None })
            // In layers, what comes later is no input of a step: each chooses by itself.
            .filter(|_| self.layers.is_none() || resolves)
            .collect();
        let archives = ArchiveCtx {
            spec: &self.plan.target,
            sources: self.sources(),
            cache_dir: &cache_dir,
            scratch: &scratch,
            events: &self.events,
            upcoming: &upcoming,
            policy: self.policy(),
            proxy: &self.options.proxy,
            lock: self.options.lock.as_ref().and_then(|lock| lock.tree(self.plan)),
            offline: self.options.offline,
        };
        let ctx = PackageCtx {
            archives,
            target: &self.target,
            epoch: self.plan.source_date_epoch,
            defer_initramfs: self.initramfs_to_come(step),
        };
        Ok(run(manager.as_ref(), &ctx)?)
    }

    /// Whether the plan installs packages at all.
    pub(crate) fn has_packages(&self) -> bool {
        let of_packages = |step: &Step| matches!(step.action, StepAction::Bootstrap(_) | StepAction::Packages(_));
        self.plan.steps.iter().any(of_packages)
    }

    /// The step that makes the base tree, if there is one.
    pub(crate) fn bootstrap(&self) -> Option<&Bootstrap> {
        self.plan.steps.iter().find_map(|step| match &step.action {
            StepAction::Bootstrap(bootstrap) => Some(bootstrap),
            _ => None,
        })
    }

    fn sources(&self) -> &[Source] {
        self.bootstrap().map(|bootstrap| bootstrap.sources.as_slice()).unwrap_or_default()
    }

    fn policy(&self) -> &PackagePolicy {
        const NONE: &PackagePolicy = &PackagePolicy { exclude: Vec::new(), no_documentation: false, languages: None };
        self.bootstrap().map_or(NONE, |bootstrap| &bootstrap.policy)
    }

    /// Ends the tree phases, once: the package manager's dirt goes, what is installed is written down, and no file is
    /// younger than the build's clock.
    pub(crate) fn seal(&mut self, step: &Step) -> Result<(), StepError> {
        if std::mem::replace(&mut self.sealed, true) {
            return Ok(());
        }
        if self.has_packages() {
            self.with_packages(step, |manager, ctx| manager.clean(ctx))?;
            self.products.packages = self.with_packages(step, |manager, ctx| manager.installed(ctx.target.tree()))?;
        }
        self.clamp()
    }

    /// No file is younger than the build's clock, on any of the target's filesystems.
    pub(crate) fn clamp(&self) -> Result<(), StepError> {
        if self.dib.as_ref().is_some_and(|dib| !dib.clamps_times()) {
            return Ok(());
        }
        self.clamp_below(&self.physical())?;
        let epoch = self.epoch();
        if let (Stage::Mounted(disk), Some(layout)) = (&self.stage, &self.plan.layout) {
            let filesystems = layout.partitions.iter().filter_map(|partition| partition.filesystem.as_ref());
            for mount in
                filesystems.filter_map(|filesystem| filesystem.mount.as_ref()).filter(|mount| mount.path != "/")
            {
                TargetDir::open(disk.root().join(mount.path.trim_start_matches('/')))?.clamp_times(epoch)?;
            }
        }
        Ok(())
    }

    /// The same below one directory, wherever it is.
    pub(crate) fn clamp_below(&self, dir: &Path) -> Result<(), StepError> {
        if self.dib.as_ref().is_some_and(|dib| !dib.clamps_times()) {
            return Ok(());
        }
        Ok(TargetDir::open(dir)?.clamp_times(self.epoch())?)
    }

    fn epoch(&self) -> i64 {
        i64::try_from(self.plan.source_date_epoch).unwrap_or(i64::MAX)
    }

    /// Where the filesystems of what is made begin: the tree itself, and for a deployment the physical root that it lies in.
    pub(crate) fn physical(&self) -> PathBuf {
        if let Some(dib) = self.dib.as_ref().filter(|dib| dib.owns_the_tree()) {
            return dib.mount();
        }
        match &self.stage {
            Stage::Mounted(disk) => disk.root().to_owned(),
            _ => self.work.tree(),
        }
    }

    /// Steps work on the physical root at `root` from now on, or on the deployment in it.
    pub(crate) fn move_to(&mut self, root: &Path) -> Result<(), StepError> {
        let place = match &mut self.deployment {
            Some(deployment) => deployment.show(root)?,
            None => root.to_owned(),
        };
        Ok(self.target.move_to(&place)?)
    }

    /// An error of writing to the target, told in the words of the element that wanted it.
    pub(crate) fn refused(&self, step: &Step, error: TargetError) -> StepError {
        let read_only = error.source.kind() == std::io::ErrorKind::ReadOnlyFilesystem;
        if read_only && self.deployment.is_some() {
            let (element, path) = (step.origin.element.clone(), error.path.clone());
            return StepError::ReadOnly { element, path, source: error };
        }
        error.into()
    }

    /// Whether there is a tree to look into (there is none once the disk is closed).
    pub(crate) const fn has_tree(&self) -> bool {
        matches!(self.stage, Stage::Tree | Stage::Mounted(_) | Stage::Dib(_))
    }

    /// Notes and tells something the user should know.
    pub(crate) fn warn(&mut self, message: String) {
        self.events.warning(message.clone());
        self.products.warnings.push(message);
    }
}
