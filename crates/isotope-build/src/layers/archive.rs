//! What a plan's package archives are, at the time of the build: resolved once, before any step.

use crate::archives::{self, Ground};
use crate::cache::Cache;
use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use isotope_ostree::Checksum;
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
    let mut known = BTreeMap::new();
    if let Some(deploy) = plan.deployment() {
        known.insert(format!("ref {}", deploy.rev), commit(deploy, &scratch.join("refs"))?);
    }
    if !plan.steps.iter().any(|step| matches!(step.action, StepAction::Bootstrap(_))) {
        return Ok(known);
    }
    // A lock says which packages there are, whatever the archives have now.
    if let Some(tree) = options.lock.as_ref().and_then(|lock| lock.tree(plan)) {
        known.insert("lock".to_owned(), super::inputs::digest(tree));
        return Ok(known);
    }
    let ground = Ground { plan, options, cache, scratch: &scratch.join("archive"), events };
    known.extend(ground.with(&[], None, |manager, _, ctx| manager.archive(ctx))?);
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
