//! Composes that need not be done: the repository has the commit that the same inputs gave.
//!
//! `CACHE/composes/KEY` names the commit; the key is made of all that the compose is made of, with the state of the package archives
//! in place of the packages that would be chosen from them.

use super::{archive, program};
use crate::build::Build;
use crate::compose;
use crate::engine::Orders;
use crate::error::StepError;
use isotope_cache::{Inputs, Key};
use isotope_ostree::Repo;
use isotope_plan::{OstreeCommit, StepAction};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a compose gave.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Composed {
    reference: String,
    commit: String,
}

/// Where what a compose gave is written down. `None`: it cannot be known beforehand what it will be made of.
pub(crate) fn place(build: &Build<'_>, orders: Orders<'_>) -> Result<Option<PathBuf>, StepError> {
    let derived = |action: &StepAction| match action {
        StepAction::OstreeCheckout(_) => true,
        StepAction::OstreeParent(parent) => parent.force || parent.parent.is_some(),
        _ => false,
    };
    if !orders.options.layers || build.plan.steps.iter().any(|step| derived(&step.action)) {
        return Ok(None);
    }
    let archives = archive::identity(build.plan, orders.options, orders.cache, build.work.room(), &build.events)?;
    let mut inputs: Inputs = archives.into_iter().map(|(suite, state)| (format!("archive {suite}"), state)).collect();
    inputs.insert("isotope".to_owned(), program()?);
    inputs.insert("compose".to_owned(), compose::inputs(build.plan, &[])?);
    if let Some(commit) = compose::commit_of(build.plan) {
        inputs.insert("repository".to_owned(), commit.repo.display().to_string());
    }
    Ok(Some(orders.cache.composes()?.join(Key::of(None, &inputs, &[]).as_str())))
}

/// Whether the commit that was made of the same inputs is still what its ref points at.
pub(crate) fn is_current(build: &Build<'_>, place: &Path) -> Result<bool, StepError> {
    let Ok(text) = std::fs::read(place) else { return Ok(false) };
    Ok(serde_json::from_slice(&text).ok() == head(build)?)
}

/// Notes what it has given.
pub(crate) fn note(build: &Build<'_>, place: &Path) -> Result<(), StepError> {
    let Some(composed) = head(build)? else { return Ok(()) };
    let text = serde_json::to_vec(&composed).map_err(std::io::Error::from).map_err(StepError::io("write", place))?;
    isotope_image::output::write_file(place, &text).map_err(StepError::Manifest)
}

fn head(build: &Build<'_>) -> Result<Option<Composed>, StepError> {
    let Some(OstreeCommit { repo, reference, .. }) = compose::commit_of(build.plan) else { return Ok(None) };
    if !repo.join("config").is_file() {
        return Ok(None);
    }
    let head = Repo::open(repo)?.find(reference);
    Ok(head.map(|commit| Composed { reference: reference.clone(), commit: commit.to_string() }))
}
