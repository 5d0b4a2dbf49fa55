//! `NAME.manifest.json` beside the outputs: what the image is made of, for machines (publishers, the test harness, audits).
//!
//! It holds nothing of the host and no time but the build's clock: the same image has the same manifest.

use crate::error::StepError;
use crate::options::BuildOptions;
use crate::package::InstalledPackage;
use crate::report::{DeployedCommit, Report};
use isotope_image::output;
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::Layout;
use isotope_plan::{BootSpec, Check, Checksum, Format, Plan, PlannedElement, Target};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

/// Version of this structure.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Manifest<'a> {
    format: u32,
    name: &'a str,
    tool: Tool<'a>,
    target: &'a Target,
    source_date_epoch: u64,
    seed: Uuid,
    elements: Vec<Element<'a>>,
    layout: Option<&'a Layout>,
    geometry: Option<&'a Geometry>,
    boot: Option<&'a BootSpec>,
    outputs: Vec<Output<'a>>,
    properties: &'a BTreeMap<String, String>,
    checks: &'a [Check],
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ostree: Option<&'a DeployedCommit>,
    packages: &'a [InstalledPackage],
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct Element<'a> {
    name: &'a str,
    summary: &'a str,
    requires: &'a [String],
    /// Without the secret ones.
    vars: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Output<'a> {
    file: String,
    format: Format,
    size: u64,
    digests: &'a BTreeMap<Checksum, String>,
}

impl<'a> From<&'a PlannedElement> for Element<'a> {
    fn from(element: &'a PlannedElement) -> Self {
        let PlannedElement { name, dir: _, summary, requires, vars } = element;
        let shown = vars.iter().filter(|(_, value)| !value.secret);
        Self {
            name,
            summary,
            requires,
            vars: shown.map(|(name, value)| (name.as_str(), value.value.as_str())).collect(),
        }
    }
}

/// Writes it, complete or not at all. A plan without exports has none.
pub(crate) fn write(
    plan: &Plan,
    options: &BuildOptions,
    geometry: Option<&Geometry>,
    report: &Report,
) -> Result<Option<PathBuf>, StepError> {
    if report.outputs.is_empty() {
        return Ok(None);
    }
    let Some(path) = path(plan, options) else { return Ok(None) };
    let mut text = serde_json::to_string_pretty(&describe(plan, options, geometry, report))
        .map_err(|error| StepError::Io { what: "describe the image in", path: path.clone(), source: error.into() })?;
    text.push('\n');
    output::write_file(&path, text.as_bytes())?;
    Ok(Some(path))
}

/// Where it is. Who builds from diskimage-builder's elements expects its outputs, and no others.
pub(crate) fn path(plan: &Plan, options: &BuildOptions) -> Option<PathBuf> {
    (!plan.is_of_hooks_alone()).then(|| options.out_dir.join(format!("{}.manifest.json", plan.name)))
}

fn describe<'a>(
    plan: &'a Plan,
    options: &'a BuildOptions,
    geometry: Option<&'a Geometry>,
    report: &'a Report,
) -> Manifest<'a> {
    Manifest {
        format: FORMAT,
        name: &plan.name,
        tool: Tool { name: "isotope", version: &options.tool_version },
        target: &plan.target,
        source_date_epoch: plan.source_date_epoch,
        seed: plan.seed,
        elements: plan.elements.iter().map(Element::from).collect(),
        layout: plan.layout.as_ref(),
        geometry,
        boot: plan.boot.as_ref(),
        outputs: report
            .outputs
            .iter()
            .map(|output| Output {
                file: output.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                format: output.format,
                size: output.size,
                digests: &output.digests,
            })
            .collect(),
        properties: &plan.properties,
        checks: &plan.checks,
        warnings: &report.warnings,
        ostree: report.deployed.as_ref(),
        packages: &report.packages,
    }
}
