//! Lock files: resolves what a plan would take from elsewhere, and checks and fetches what a lock names. Needs neither root nor namespaces:
//! nothing is made.

mod sources;

use crate::archives::{self, Ground};
use crate::cache::Cache;
use crate::error::StepError;
use crate::event::{Events, FailureClass};
use crate::options::BuildOptions;
use crate::package::{self, ArchiveCtx, Keep, PackageManager, Resolution};
use crate::report::BuildError;
use isotope_plan::lock::{Lock, LockedCommit, LockedPackage, LockedTree, installs, pulled, without_credentials};
use isotope_plan::{Bootstrap, DibAction, OstreeDeploy, Packages, Plan, Step, StepAction};
use std::path::Path;

/// What of a lock stays as it is when it is written anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Update {
    /// All that can: only what the plan wants and the lock does not have is resolved.
    #[default]
    Missing,
    /// All but these packages (or refs).
    Named(Vec<String>),
    /// Nothing: everything is resolved anew.
    All,
}

/// Resolves a plan into a lock. Of `old`, what [`Update`] says is kept.
///
/// # Errors
/// [`BuildError::Failed`]: an archive or a remote cannot be reached or verified, or does not have what is wanted.
pub fn lock(
    plan: &Plan,
    options: &BuildOptions,
    old: Option<&Lock>,
    update: &Update,
    events: &Events,
) -> Result<Lock, BuildError> {
    let cache = Cache::open(&options.cache_dir)?;
    let scratch = archives::scratch()?;
    let named: &[String] = if let Update::Named(names) = update { names } else { &[] };
    let old = old.filter(|_| *update != Update::All);
    unknown(old, named)?;
    let mut lock = Lock::new(&plan.name);
    for (number, plan) in plan.with_inputs().enumerate() {
        let dir = scratch.path().join(number.to_string());
        let work = Ground { plan, options, cache: &cache, scratch: &dir, events };
        if installs(plan) {
            let kept = kept(old.and_then(|lock| lock.tree(plan)), plan, named);
            let keep = Keep { packages: &kept, named: !named.is_empty() };
            let Resolution { archives, packages } =
                work.all(None, |manager, what, ctx| manager.lock(what, ctx, keep))?;
            let isotope_plan::Target { arch, distro, family: _, release } = plan.target.clone();
            lock.trees.push(LockedTree { name: plan.name.clone(), arch, distro, release, packages, archives });
        }
        for deploy in pulled(plan) {
            let same = old.and_then(|lock| lock.commit(&deploy.rev)).filter(|_| !named.contains(&deploy.rev));
            let commit = match same {
                Some(commit) => commit.clone(),
                None => commit_of(deploy, &dir, options).map_err(|error| work.failed(error, step_of(plan)))?,
            };
            lock.commits.push(commit);
        }
        let site = sources::Site { old, again: named, offline: options.offline, dir: &dir, events };
        for fetch in plan.dib().into_iter().flat_map(|dib| &dib.fetches) {
            site.lock(fetch, &mut lock).map_err(|error| work.failed(error, begin_of(plan)))?;
        }
    }
    lock.sort();
    Ok(lock)
}

/// Takes all packages of a lock into the cache.
///
/// # Errors
/// [`BuildError::Failed`]: packages are gone, or an archive cannot be reached.
pub fn fetch(plan: &Plan, options: &BuildOptions, lock: &Lock, events: &Events) -> Result<(), BuildError> {
    let cache = Cache::open(&options.cache_dir)?;
    let scratch = archives::scratch()?;
    for (number, plan) in plan.with_inputs().enumerate().filter(|(_, plan)| installs(plan)) {
        let dir = scratch.path().join(number.to_string());
        let work = Ground { plan, options, cache: &cache, scratch: &dir, events };
        work.all(lock.tree(plan), |manager, _, ctx| manager.fetch(ctx))?;
    }
    Ok(())
}

/// Names to update that the lock does not have.
fn unknown(old: Option<&Lock>, named: &[String]) -> Result<(), BuildError> {
    let known = |name: &String| old.is_some_and(|lock| lock.has(name));
    let unknown: Vec<_> = named.iter().filter(|name| !known(name)).cloned().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let message = format!("the lock does not have {}", unknown.join(", "));
    let hint = Some("name packages of the lock, or none to update all of them".to_owned());
    Err(BuildError::Preflight(vec![crate::report::Problem { message, hint }]))
}

/// The packages that keep their versions.
fn kept(old: Option<&LockedTree>, plan: &Plan, named: &[String]) -> Vec<LockedPackage> {
    // Another release has other versions of everything.
    let same = |tree: &&LockedTree| {
        tree.arch == plan.target.arch && tree.distro == plan.target.distro && tree.release == plan.target.release
    };
    let packages = old.filter(same).into_iter().flat_map(|tree| &tree.packages);
    packages.filter(|package| !named.contains(&package.name)).cloned().collect()
}

/// Asks a remote which commit a ref is; signatures are checked as by a build.
fn commit_of(deploy: &OstreeDeploy, dir: &Path, options: &BuildOptions) -> Result<LockedCommit, StepError> {
    let OstreeDeploy { url, rev, .. } = deploy;
    if options.offline && !url.starts_with("file:") {
        let message = format!("this build is offline, and {rev} is at {url}");
        return Err(StepError::Lacks { message, hint: "lock it while there is a network".to_owned() });
    }
    let info = archives::probe(deploy, dir)?;
    let (commit, version) = info.map_or_else(|| (rev.clone(), None), |info| (info.checksum.to_string(), info.version));
    Ok(LockedCommit { reference: rev.clone(), url: without_credentials(url), commit, version })
}

/// The step in whose name something fails.
fn step_of(plan: &Plan) -> Option<&Step> {
    plan.steps.iter().find(|step| matches!(step.action, StepAction::Bootstrap(_) | StepAction::OstreeDeploy(_)))
}

fn begin_of(plan: &Plan) -> Option<&Step> {
    plan.steps.iter().find(|step| matches!(step.action, StepAction::Dib(DibAction::Begin(_))))
}

impl Ground<'_> {
    /// The package manager, for all that the plan wants.
    fn all<T>(
        &self,
        lock: Option<&LockedTree>,
        run: impl FnOnce(&dyn PackageManager, &Bootstrap, &ArchiveCtx<'_>) -> Result<T, package::PackageError>,
    ) -> Result<T, BuildError> {
        let upcoming: Vec<&Packages> = self.plan.steps.iter().filter_map(Step::packages).collect();
        self.with(&upcoming, lock, run).map_err(|error| self.failed(error, step_of(self.plan)))
    }

    fn failed(&self, error: StepError, step: Option<&Step>) -> BuildError {
        let Some(step) = step else { return BuildError::Preflight(Vec::new()) };
        let mut failure = error.explain(step, Path::new(""));
        // No step was run, and there is no log.
        (failure.step, failure.title, failure.origin, failure.log) = (None, None, None, None);
        failure.hints.retain(|hint| !hint.starts_with("--on-error"));
        if failure.class == FailureClass::Internal {
            failure.hints.push("please report it".to_owned());
        }
        BuildError::Failed(Box::new(failure))
    }
}
