//! `NAME.manifest.json` beside the outputs: what the image is made of, for machines.

use crate::error::StepError;
use crate::options::BuildOptions;
use crate::report::Report;
use isotope_plan::Plan;
use isotope_plan::geometry::Geometry;
use std::path::PathBuf;

/// Writes it. Nothing is written for a plan without exports.
pub(crate) fn write(
    _plan: &Plan,
    _options: &BuildOptions,
    _geometry: Option<&Geometry>,
    _report: &Report,
) -> Result<Option<PathBuf>, StepError> {
    Ok(None)
}
