//! What a plan's package archives are, at the time of the build: resolved once, before any step.

use crate::cache::Cache;
use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use crate::package::{self, PackageCtx};
use crate::sandbox::TargetRoot;
use crate::work::Work;
use crate::step::ostree_deploy;
use isotope_ostree::{Mode, Pull, Remote, Repo};
use isotope_plan::{OstreeDeploy, Plan, StepAction};
use std::collections::BTreeMap;

/// The archives of a plan: each suite's name, and what tells its state from any other (the date and digest of what is signed). A plan
/// without archives has none.
pub(super) fn identity(
    plan: &Plan,
    options: &BuildOptions,
    cache: &Cache,
    work: &Work,
    events: &Events,
) -> Result<BTreeMap<String, String>, StepError> {
    let bootstrap = plan.steps.iter().find_map(|step| match &step.action {
        StepAction::Bootstrap(bootstrap) => Some(bootstrap),
        _ => None,
    });
    let mut known = BTreeMap::new();
    if let Some(deploy) = plan.deployment() {
        known.insert(format!("ref {}", deploy.rev), commit(deploy, work)?);
    }
    let Some(bootstrap) = bootstrap else { return Ok(known) };
    let place = work.room().join("archive");
    let dirs = ["tree", "sandbox", "dev", "packages"].map(|name| place.join(name));
    for dir in &dirs {
        std::fs::create_dir_all(dir).map_err(StepError::io("make", dir))?;
    }
    let [tree, sandbox, devices, scratch] = dirs;
    let target = TargetRoot::new(&tree, &sandbox, &devices)?;
    let cache_dir = cache
        .packages(package::directory(plan.target.family))
        .map_err(|error| StepError::Cache(Box::new(error)))?;
    let ctx = PackageCtx {
        target: &target,
        spec: &plan.target,
        sources: &bootstrap.sources,
        cache_dir: &cache_dir,
        scratch: &scratch,
        events,
        epoch: plan.source_date_epoch,
        upcoming: &[],
        defer_initramfs: false,
        policy: &bootstrap.policy,
        proxy: &options.proxy,
    };
    known.extend(package::manager(plan.target.family)?.archive(&ctx)?);
    Ok(known)
}

/// The commit that a deployment will be of.
fn commit(deploy: &OstreeDeploy, work: &Work) -> Result<String, StepError> {
    let path = work.room().join("refs");
    let repo = Repo::create(&path, Mode::Archive)?;
    repo.set_remote(&Remote::new(&deploy.remote, &deploy.url, ostree_deploy::signers(&deploy.verify)))?;
    let mut found = repo.probe(&Pull::new(&deploy.remote, [&deploy.rev]))?;
    let info = found.remove(&deploy.rev).ok_or(StepError::Plan("a probe without its commit"))?;
    std::fs::remove_dir_all(&path).map_err(StepError::io("remove", &path))?;
    Ok(info.checksum.to_string())
}
