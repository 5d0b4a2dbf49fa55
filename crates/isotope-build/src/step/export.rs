//! Writes outputs. All that are made of the disk are written at the first of their steps, by one reader.

use super::Run;
use super::disk::{of_disk, told};
use crate::build::{Build, Stage};
use crate::error::StepError;
use isotope_plan::Step;

/// The step: an index into the plan's exports.
pub(super) struct Export(pub usize);

impl Run for Export {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let export = build.plan.exports.get(self.0).ok_or(StepError::Plan("an export that is not in the plan"))?;
        build.seal(step)?;
        if of_disk(export.format) { self.disk(build) } else { self.tree(build) }
    }
}

impl Export {
    fn tree(&self, _build: &mut Build<'_>) -> Result<(), StepError> {
        Err(StepError::Plan("exports are not wired yet"))
    }

    fn disk(&self, build: &mut Build<'_>) -> Result<(), StepError> {
        close(build)?;
        Err(StepError::Plan("exports are not wired yet"))
    }
}

/// Closes the mounted disk.
fn close(build: &mut Build<'_>) -> Result<(), StepError> {
    if matches!(build.stage, Stage::Mounted(_)) {
        build.clamp()?;
        if let Stage::Mounted(disk) = std::mem::replace(&mut build.stage, Stage::Tree) {
            let geometry = disk.finish(&mut told(&build.events))?;
            build.stage = Stage::Closed(geometry);
        }
    }
    Ok(())
}
