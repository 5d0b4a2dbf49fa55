//! Copies a file or directory of an element into the target.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use isotope_plan::{Files, Step};
use isotope_sys::target::{FileMode, TargetPath};

/// The copy.
pub(super) struct Copy<'a>(pub &'a Files);

impl Run for Copy<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let Files { source, dest, mode } = self.0;
        let mode = mode.map_or(FileMode::Checkout, FileMode::Fixed);
        build.events.output(&format!("{} -> {dest}", source.display()));
        // A file goes into a directory that is named with a slash at its end, as with cp.
        let into = if dest.ends_with('/') && !source.is_dir() { source.file_name() } else { None };
        let copied = match into {
            Some(name) => build.target.tree().copy_in(source, &*TargetPath::new(dest).join(name), mode),
            None => build.target.tree().copy_in(source, dest, mode),
        };
        copied.map_err(|error| build.refused(step, error))
    }
}
