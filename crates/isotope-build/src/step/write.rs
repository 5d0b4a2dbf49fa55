//! Writes a rendered template into the target.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use isotope_plan::{Step, Write};

/// The text.
pub(super) struct Text<'a>(pub &'a Write);

impl Run for Text<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let Write { dest, content, mode } = self.0;
        build.events.output(&format!("{} bytes -> {dest}", content.value.len()));
        build.target.tree().write(dest, &content.value, *mode).map_err(|error| build.refused(step, error))
    }
}
