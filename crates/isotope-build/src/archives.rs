//! What can be asked of package archives and remotes before anything is made, without a tree and without root.

use crate::cache::Cache;
use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use crate::package::{self, ArchiveCtx, PackageManager};
use crate::report::BuildError;
use crate::step::signers;
use isotope_ostree::{CommitInfo, Mode, OstreeError, Pull, Remote, Repo};
use isotope_plan::lock::LockedTree;
use isotope_plan::{Bootstrap, OstreeDeploy, PackagePolicy, Packages, Plan, StepAction};
use std::path::Path;

/// A directory of one's own, gone when it is dropped.
pub(crate) fn scratch() -> Result<tempfile::TempDir, BuildError> {
    tempfile::tempdir().map_err(|source| BuildError::Io {
        what: "make a directory in",
        path: std::env::temp_dir(),
        source,
    })
}

/// Where a plan's archives are asked.
pub(crate) struct Ground<'a> {
    pub plan: &'a Plan,
    pub options: &'a BuildOptions,
    pub cache: &'a Cache,
    /// Made if it is not there.
    pub scratch: &'a Path,
    pub events: &'a Events,
}

impl Ground<'_> {
    /// The package manager, with what it works with: the plan's archives, and `upcoming` as all that will be wanted.
    pub(crate) fn with<T>(
        &self,
        upcoming: &[&Packages],
        lock: Option<&LockedTree>,
        run: impl FnOnce(&dyn PackageManager, &Bootstrap, &ArchiveCtx<'_>) -> Result<T, package::PackageError>,
    ) -> Result<T, StepError> {
        let bootstrap = self.plan.steps.iter().find_map(|step| match &step.action {
            StepAction::Bootstrap(bootstrap) => Some(bootstrap.clone()),
            _ => None,
        });
        let empty = Bootstrap { packages: Vec::new(), sources: Vec::new(), policy: PackagePolicy::default() };
        let bootstrap = bootstrap.unwrap_or(empty);
        let family = self.plan.target.family;
        let cache_dir =
            self.cache.packages(package::directory(family)).map_err(|error| StepError::Cache(Box::new(error)))?;
        std::fs::create_dir_all(self.scratch).map_err(StepError::io("make", self.scratch))?;
        let ctx = ArchiveCtx {
            spec: &self.plan.target,
            sources: &bootstrap.sources,
            cache_dir: &cache_dir,
            scratch: self.scratch,
            events: self.events,
            upcoming,
            policy: &bootstrap.policy,
            proxy: &self.options.proxy,
            lock,
            offline: self.options.offline,
        };
        Ok(run(package::manager(family)?.as_ref(), &bootstrap, &ctx)?)
    }
}

/// Asks a remote which commit a ref is; signatures are checked as by a build. `None`: the remote says nothing of it.
pub(crate) fn probe(deploy: &OstreeDeploy, dir: &Path) -> Result<Option<CommitInfo>, StepError> {
    let OstreeDeploy { remote, url, rev, verify, .. } = deploy;
    std::fs::create_dir_all(dir).map_err(StepError::io("make", dir))?;
    let ask = || -> Result<Option<CommitInfo>, OstreeError> {
        let repo = Repo::create(dir.join("commits"), Mode::Archive)?;
        repo.set_remote(&Remote::new(remote, url, signers(verify)))?;
        Ok(repo.probe(&Pull::new(remote, [rev]))?.remove(rev))
    };
    Ok(ask()?)
}
