//! What a plan's package archives are, at the time of the build: resolved once, before any step.

use crate::cache::Cache;
use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use crate::package::{self, ArchiveCtx};
use crate::step::ostree_deploy;
use isotope_ostree::{Mode, Pull, Remote, Repo};
use isotope_plan::{OstreeDeploy, Plan, StepAction};
use std::collections::BTreeMap;
use std::path::Path;

/// The archives of a plan: each suite's name, and what tells its state from any other (the date and digest of what is signed). A plan
/// without archives has none.
pub(super) fn identity(
    plan: &Plan,
    options: &BuildOptions,
    cache: &Cache,
    scratch: &Path,
    events: &Events,
) -> Result<BTreeMap<String, String>, StepError> {
    let bootstrap = plan.steps.iter().find_map(|step| match &step.action {
        StepAction::Bootstrap(bootstrap) => Some(bootstrap),
        _ => None,
    });
    let mut known = BTreeMap::new();
    if let Some(deploy) = plan.deployment() {
        known.insert(format!("ref {}", deploy.rev), commit(deploy, scratch)?);
    }
    let Some(bootstrap) = bootstrap else { return Ok(known) };
    // A lock says which packages there are, whatever the archives have now.
    let lock = options.lock.as_ref().and_then(|lock| lock.tree(plan));
    if let Some(tree) = lock {
        known.insert("lock".to_owned(), super::inputs::json(tree));
        return Ok(known);
    }
    let scratch = scratch.join("archive");
    std::fs::create_dir_all(&scratch).map_err(StepError::io("make", &scratch))?;
    let family = plan.target.family;
    let cache_dir = cache.packages(package::directory(family)).map_err(|error| StepError::Cache(Box::new(error)))?;
    let ctx = ArchiveCtx {
        spec: &plan.target,
        sources: &bootstrap.sources,
        cache_dir: &cache_dir,
        scratch: &scratch,
        events,
        upcoming: &[],
        policy: &bootstrap.policy,
        proxy: &options.proxy,
        lock,
        offline: options.offline,
    };
    known.extend(package::manager(family)?.archive(&ctx)?);
    Ok(known)
}

/// The commit that a deployment will be of.
fn commit(deploy: &OstreeDeploy, scratch: &Path) -> Result<String, StepError> {
    let path = scratch.join("refs");
    let repo = Repo::create(&path, Mode::Archive)?;
    repo.set_remote(&Remote::new(&deploy.remote, &deploy.url, ostree_deploy::signers(&deploy.verify)))?;
    let mut found = repo.probe(&Pull::new(&deploy.remote, [&deploy.rev]))?;
    let info = found.remove(&deploy.rev).ok_or(StepError::Plan("a probe without its commit"))?;
    std::fs::remove_dir_all(&path).map_err(StepError::io("remove", &path))?;
    Ok(info.checksum.to_string())
}
