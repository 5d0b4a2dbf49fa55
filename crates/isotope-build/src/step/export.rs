//! Writes outputs. Those of the tree are made while the disk is still mounted, those of the disk in one pass when it is
//! closed, all at the first export step; the later ones find their file there.

use super::Run;
use super::disk::{of_disk, told};
use crate::build::{Build, Stage};
use crate::error::StepError;
use crate::report::OutputFile;
use isotope_image::export::{self, ExportError, ExportOptions, ExportProgress, Exported};
use isotope_plan::Step;
use isotope_plan::blockdev::IMAGE_DISK;
use std::fs::File;
use std::path::Path;

/// The step: an index into the plan's exports.
pub(super) struct Export(pub usize);

impl Run for Export {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let export = build.plan.exports.get(self.0).ok_or(StepError::Plan("an export that is not in the plan"))?;
        build.seal(step)?;
        if build.products.outputs.is_empty() {
            crate::dib::make_way(build.plan, build.options, &build.events)?;
            trees(build)?;
            disks(build)?;
            // Those of the tree were made first; reports have them as they were asked for.
            let place =
                |made: &Exported| build.plan.exports.iter().position(|export| made.path.ends_with(&export.file_name));
            build.products.outputs.sort_by_key(place);
        }
        let path = build.options.out_dir.join(&export.file_name);
        match build.products.outputs.iter().find(|output| output.path == path) {
            Some(output) => build.events.output(&format!("{}: {} bytes", path.display(), output.size)),
            None => return Err(StepError::Plan("an output was not made")),
        }
        Ok(())
    }
}

/// Outputs of the tree: of the mounted disk if there is one, for what was done to it after the tree phases.
fn trees(build: &mut Build<'_>) -> Result<(), StepError> {
    build.clamp()?;
    let exports = wanted(build, false);
    if exports.is_empty() {
        return Ok(());
    }
    let (out_dir, root) = (&build.options.out_dir, build.physical());
    let made = export::tree(&root, &exports, out_dir, &options(build), &progress(build))?;
    record(build, made);
    Ok(())
}

/// Outputs of the disk, which is closed for them.
fn disks(build: &mut Build<'_>) -> Result<(), StepError> {
    // The disk's root must not be held open while it is unmounted.
    build.target.move_to(&build.work.tree())?;
    if let Some(deployment) = build.deployment.take()
        && let Some(warning) = deployment.finish(&build.physical())?
    {
        build.warn(warning);
    }
    match std::mem::replace(&mut build.stage, Stage::Lost) {
        Stage::Mounted(disk) => build.stage = Stage::Closed(disk.finish(&mut told(&build.events))?),
        Stage::Dib(disk) => {
            let images = disk.finish(&mut told(&build.events))?;
            let image = images.into_iter().find(|image| image.name == IMAGE_DISK);
            build.stage = Stage::DibClosed(image.map(|image| image.path));
        }
        other => build.stage = other,
    }
    let exports = wanted(build, true);
    if exports.is_empty() {
        return Ok(());
    }
    let raw = match &build.stage {
        Stage::Closed(_) => build.work.raw(),
        Stage::DibClosed(Some(raw)) => raw.clone(),
        _ => return Err(StepError::Plan("a disk output without a disk")),
    };
    let file = File::open(&raw).map_err(StepError::io("open", &raw))?;
    let made = export::disk(&file, &exports, &build.options.out_dir, &options(build), &progress(build))?;
    record(build, made);
    Ok(())
}

fn wanted(build: &Build<'_>, disk: bool) -> Vec<isotope_plan::Export> {
    build.plan.exports.iter().filter(|export| of_disk(export.format) == disk).cloned().collect()
}

fn options(build: &Build<'_>) -> ExportOptions {
    ExportOptions {
        threads: build.options.jobs.unwrap_or(0),
        epoch: build.plan.source_date_epoch,
        index: build.image.is_some(),
        earlier: build.image.as_ref().and_then(|image| image.before()).map(Path::to_owned),
    }
}

fn progress<'b>(build: &'b Build<'_>) -> impl Fn(ExportProgress) + Sync + 'b {
    |ExportProgress { done, total }| build.events.progress("writing outputs", done, Some(total))
}

fn record(build: &mut Build<'_>, made: Vec<Exported>) {
    build.products.outputs.extend(made);
}

impl From<Exported> for OutputFile {
    fn from(made: Exported) -> Self {
        let Exported { path, format, size, digests, .. } = made;
        let digests = digests.into_iter().map(|digest| (digest.algorithm, digest.hex)).collect();
        Self { path, format, size, digests }
    }
}

impl From<ExportError> for StepError {
    fn from(error: ExportError) -> Self {
        Self::Export(Box::new(error))
    }
}
