//! Composes that need not be done: the repository has the commit that the same inputs gave.
//!
//! `CACHE/composes/KEY` names the commit; the key is made of all that the compose is made of, with the state of the package archives
//! in place of the packages that would be chosen from them.

use super::{Outside, program};
use crate::compose;
use crate::engine::Orders;
use crate::error::StepError;
use isotope_cache::{Inputs, Key};
use isotope_ostree::Repo;
use isotope_plan::{OstreeCommit, Plan, StepAction};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a compose gave.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Composed {
    reference: String,
    commit: String,
}

/// Where what a compose gave is written down. `None`: it cannot be known beforehand what it will be made of.
pub(crate) fn place(plan: &Plan, orders: Orders<'_>, outside: Option<&Outside>) -> Result<Option<PathBuf>, StepError> {
    let chosen = |action: &StepAction| matches!(action, StepAction::OstreeParent(parent) if parent.force || parent.parent.is_some());
    let Some(outside) = outside.filter(|_| !plan.steps.iter().any(|step| chosen(&step.action))) else {
        return Ok(None);
    };
    let suites = outside.suites.iter();
    let mut inputs: Inputs = suites.map(|(suite, state)| (format!("archive {suite}"), state.clone())).collect();
    inputs.insert("isotope".to_owned(), program()?);
    inputs.insert("compose".to_owned(), compose::inputs(plan, &[])?);
    if let Some(commit) = compose::commit_of(plan) {
        inputs.insert("repository".to_owned(), commit.repo.display().to_string());
    }
    Ok(Some(orders.cache.composes()?.join(Key::of(None, &inputs, &[]).as_str())))
}

/// Whether the commit that was made of the same inputs is still what its ref points at.
pub(crate) fn is_current(plan: &Plan, place: &Path) -> Result<bool, StepError> {
    let Ok(text) = std::fs::read(place) else { return Ok(false) };
    Ok(serde_json::from_slice(&text).ok() == head(plan)?)
}

/// Notes what it has given.
pub(crate) fn note(plan: &Plan, place: &Path) -> Result<(), StepError> {
    let Some(composed) = head(plan)? else { return Ok(()) };
    let text = serde_json::to_vec(&composed).map_err(std::io::Error::from).map_err(StepError::io("write", place))?;
    isotope_image::output::write_file(place, &text).map_err(StepError::Manifest)
}

fn head(plan: &Plan) -> Result<Option<Composed>, StepError> {
    let Some(OstreeCommit { repo, reference, .. }) = compose::commit_of(plan) else { return Ok(None) };
    if !repo.join("config").is_file() {
        return Ok(None);
    }
    let head = Repo::open(repo)?.find(reference);
    Ok(head.map(|commit| Composed { reference: reference.clone(), commit: commit.to_string() }))
}
