//! What a plan's package archives are, at the time of the build: resolved once, before any step.

use crate::archives::{self, Ground};
use crate::cache::Cache;
use crate::compose;
use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use isotope_ostree::Checksum;
use isotope_plan::{OstreeDeploy, Plan, StepAction};
use std::collections::BTreeMap;
use std::path::Path;

/// What a plan takes from outside of this host, and what it finds in repositories on it.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// Each suite's name, and what tells its state from any other: the date and digest of what is signed.
    pub suites: BTreeMap<String, String>,
    /// The commit of each ref that is deployed.
    pub commits: BTreeMap<String, String>,
    /// Digest of the users that the tree of a compose begins with.
    pub users: Option<String>,
}

/// The archives, refs and users of a plan, as they are now.
pub(super) fn identity(
    plan: &Plan,
    options: &BuildOptions,
    cache: &Cache,
    scratch: &Path,
    events: &Events,
) -> Result<Outside, StepError> {
    let mut known =
        Outside { users: compose::seeds(plan)?.map(|seeds| super::inputs::digest(&seeds)), ..Outside::default() };
    if let Some(deploy) = plan.deployment() {
        known.commits.insert(deploy.rev.clone(), commit(deploy, &scratch.join("refs"))?);
    }
    if !plan.steps.iter().any(|step| matches!(step.action, StepAction::Bootstrap(_))) {
        return Ok(known);
    }
    // A lock says which packages there are, whatever the archives have now.
    if let Some(tree) = options.lock.as_ref().and_then(|lock| lock.tree(plan)) {
        known.suites.insert("lock".to_owned(), super::inputs::digest(tree));
        return Ok(known);
    }
    let ground = Ground { plan, options, cache, scratch: &scratch.join("archive"), events };
    known.suites.extend(ground.with(&[], None, |manager, _, ctx| manager.archive(ctx))?);
    Ok(known)
}

/// The commit that a deployment will be of.
fn commit(deploy: &OstreeDeploy, scratch: &Path) -> Result<String, StepError> {
    if deploy.rev.parse::<Checksum>().is_ok() {
        return Ok(deploy.rev.clone());
    }
    let info = archives::probe(deploy, scratch)?.ok_or(StepError::Plan("a probe without its commit"))?;
    Ok(info.checksum.to_string())
}
