//! The caller's side of a build.

use crate::{BuildError, BuildOptions, Event, Report};
use isotope_plan::Plan;

/// Builds. The calling process must have one thread; SIGINT, SIGTERM and SIGHUP are handled meanwhile.
///
/// # Errors
/// See [`BuildError`]. Whatever the error, nothing stays mounted, attached, running or half written.
pub fn run(_plan: &Plan, _options: &BuildOptions, _on_event: &mut dyn FnMut(Event)) -> Result<Report, BuildError> {
    todo!()
}
