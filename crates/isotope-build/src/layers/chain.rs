//! The keys of a plan's steps: a chain, in which each is made of the one before it and of its own inputs.

use super::archive::Outside;
use super::inputs;
use super::sources::Sources;
use crate::error::StepError;
use isotope_cache::{Inputs, Key};
use isotope_plan::{DibAction, Plan, StepAction};

/// One link: a step, or the sealing of the tree after the last of them.
#[derive(Debug)]
pub(super) struct Link {
    /// `None`: it, or one before it, depends on what cannot be known.
    pub key: Option<Key>,
    /// Its own inputs.
    pub inputs: Inputs,
    /// Whether a layer ends with it: the step was work, and not a file or two.
    pub ends_layer: bool,
}

/// The links of a plan's tree steps, in order, and one more for the seal. Steps from the disk on are no layers.
pub(super) fn of(
    plan: &Plan,
    outside: &Outside,
    fixed_clock: bool,
    program: &str,
    sources: &mut Sources,
) -> Result<Vec<Link>, StepError> {
    let count = tree_steps(plan);
    let mut links = Vec::with_capacity(count + 1);
    let mut key = Some(Key::of(None, &inputs::of_plan(plan, fixed_clock, program), &[]));
    for step in &plan.steps[..count] {
        let gathered = inputs::of_step(plan, step, outside, sources, fixed_clock)?;
        key = match (&gathered, key) {
            (Some(gathered), Some(below)) => Some(Key::of(Some(&below), &gathered.inputs, &gathered.secrets)),
            _ => None,
        };
        let inputs = gathered.map(|gathered| gathered.inputs).unwrap_or_default();
        links.push(Link { key: key.clone(), inputs, ends_layer: ends_layer(&step.action) });
    }
    // Builds of diskimage-builder's elements alone seal their tree themselves; that of a compose is sealed before it is laid out.
    let sealed_by_steps =
        plan.is_of_hooks_alone() || plan.steps.iter().any(|step| matches!(step.action, StepAction::OstreeCommit(_)));
    if sealed_by_steps {
        if let Some(last) = links.last_mut() {
            last.ends_layer = true;
        }
    } else if count > 0 {
        let inputs: Inputs = [("seal".to_owned(), "1".to_owned())].into();
        links.push(Link { key: key.map(|below| Key::of(Some(&below), &inputs, &[])), inputs, ends_layer: true });
    }
    Ok(links)
}

/// How many steps, from the first on, work on the tree alone.
pub(super) fn tree_steps(plan: &Plan) -> usize {
    let ends = |action: &StepAction| {
        matches!(
            action,
            StepAction::Disk
                | StepAction::Bootloader
                | StepAction::Export { .. }
                | StepAction::OstreeTree(_)
                | StepAction::OstreeCommit(_)
                | StepAction::Dib(DibAction::Gather(_) | DibAction::Disk(_) | DibAction::CleanUp)
        )
    };
    plan.steps.iter().position(|step| ends(&step.action)).unwrap_or(plan.steps.len())
}

fn ends_layer(action: &StepAction) -> bool {
    match action {
        StepAction::Bootstrap(_)
        | StepAction::Packages(_)
        | StepAction::Hook(_)
        | StepAction::Script(_)
        | StepAction::OstreeDeploy(_)
        | StepAction::Initramfs
        | StepAction::OstreeKernel(_)
        | StepAction::Dib(DibAction::Hooks(_) | DibAction::Packages(_)) => true,
        StepAction::Files(_)
        | StepAction::Write(_)
        | StepAction::Services(_)
        | StepAction::Sysprep(_)
        | StepAction::Dib(_)
        | StepAction::OstreeParent(_)
        | StepAction::OstreeCheckout(_)
        | StepAction::OstreeTrim(_)
        | StepAction::OstreeTree(_)
        | StepAction::OstreeCommit(_)
        | StepAction::Disk
        | StepAction::Bootloader
        | StepAction::Export { .. } => false,
    }
}
