//! What would end the build late, told before it begins.

use super::Input;
use crate::blockdev::{self, LayoutPlan};
use crate::{DibAction, Plan, Problem, StepAction};
use isotope_element::Phase;
use isotope_element::Severity;
use isotope_element::dib::environment::{OF_OPERATING_SYSTEM, unset};
use isotope_element::dib::run_parts::NameFilter;
use std::collections::BTreeSet;

/// Variables named `DIB_…` that files of `environment.d` read where nothing has set them: bash ends the build there.
pub(super) fn environment(input: &Input<'_>) -> Vec<Problem> {
    let files = input.tree.environment_files();
    let mut known: BTreeSet<String> = input.request.environment.keys().cloned().collect();
    known.extend(OF_OPERATING_SYSTEM.iter().map(|name| (*name).to_owned()));
    known.insert("DIB_DEFAULT_INSTALLTYPE".to_owned());
    let found = unset(&files, &known);
    let fatal = found.iter().filter(|one| one.variable.starts_with("DIB_"));
    fatal
        .map(|one| Problem { class: crate::ProblemClass::Configuration, ..one.diagnostic(Severity::Error).into() })
        .collect()
}

/// Files of phases that look like hooks and never run.
pub(super) fn ignored(input: &Input<'_>, filter: &NameFilter) -> Vec<String> {
    let phases = Phase::ALL.iter().filter(|phase| **phase != Phase::Export);
    let listings = phases.map(|phase| input.tree.scripts(&format!("{phase}.d"), filter));
    let told = listings.flat_map(|listing| listing.ignored).map(|one| one.diagnostic());
    told.filter(|one| one.severity == Severity::Warning).map(|one| one.to_string()).collect()
}

/// The disk of a plan made by [`plan`](super::plan), if it has one.
#[must_use]
pub fn layout(plan: &Plan) -> Option<&LayoutPlan> {
    plan.steps.iter().find_map(|step| match &step.action {
        StepAction::Dib(DibAction::Disk(image)) => image.layout.as_ref(),
        _ => None,
    })
}

/// What this host lacks for the disk of a plan, beside what [`preflight`](crate::preflight) tells.
#[must_use]
pub fn preflight(plan: &Plan, facts: &crate::HostFacts) -> Vec<Problem> {
    let mut problems = crate::preflight(plan, facts);
    problems.extend(layout(plan).into_iter().flat_map(|layout| blockdev::preflight(layout, facts)));
    problems
}
