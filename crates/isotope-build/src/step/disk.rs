//! From the tree to a mounted disk.

use super::Run;
use crate::build::{Build, Stage};
use crate::deployment::Deployment;
use crate::error::StepError;
use crate::event::Events;
use crate::layers::disk::Begin;
use isotope_disk::{Assembly, DiskOptions, Fstab, MountedDisk, Progress};
use isotope_plan::layout::Layout;
use isotope_plan::{Format, Step};

/// The step.
pub(super) struct Assemble;

impl Run for Assemble {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let layout = build.plan.layout.as_ref().ok_or(StepError::Plan("a disk without a layout"))?;
        build.seal(step)?;
        let options = DiskOptions {
            arch: build.plan.target.arch,
            fstab: build.deployment.as_ref().map_or_else(Fstab::default, Deployment::fstab),
            ..DiskOptions::new(build.plan.source_date_epoch, build.plan.seed)
        };
        let disk = assemble(layout, &options, build)?;
        build.move_to(disk.root())?;
        build.stage = Stage::Mounted(Box::new(disk));
        build.work.empty_tree()
    }
}

/// The disk with the tree on it, mounted.
fn assemble(layout: &Layout, options: &DiskOptions, build: &Build<'_>) -> Result<MountedDisk, StepError> {
    let begin = Begin::of(build, build.dib.as_ref(), layout)?;
    let work = &build.work;
    let (tree, raw, mountpoint) = (&work.tree(), &work.raw(), &work.mountpoint());
    let progress = &mut told(&build.events);
    Begin::make(begin.as_ref(), &mut Assembly { layout, tree, raw, mountpoint, options, progress }, &build.events)
}

/// Progress of the disk as events.
pub(crate) fn told(events: &Events) -> impl FnMut(Progress) + '_ {
    |progress| match progress {
        Progress::Stage(text) => events.stage(&text),
        Progress::Copy { done, total } => events.progress("copying the tree", done, Some(total)),
    }
}

/// Whether a format is made of the disk (and not of the tree).
pub(super) const fn of_disk(format: Format) -> bool {
    match format {
        Format::Raw | Format::Qcow2 | Format::Vmdk | Format::Vhd | Format::Vhdx | Format::Vdi => true,
        Format::Tar | Format::Squashfs | Format::Oci | Format::Aci => false,
    }
}
