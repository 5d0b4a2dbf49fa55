//! From the tree to a mounted disk.

use super::Run;
use crate::build::{Build, Stage};
use crate::deployment::Deployment;
use crate::error::StepError;
use crate::event::Events;
use crate::layers::disk::Begin;
use isotope_disk::{DiskOptions, Fstab, Incremental, Progress};
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
        let begin = Begin::of(build, build.dib.as_ref(), layout)?;
        let (earlier, keep) = match &begin {
            Some(begin) => match &begin.changes {
                Some(changes) => (Some((begin.dir(), changes)), None),
                None => (None, Some(begin.dir())),
            },
            None => (None, None),
        };
        if let (Some(begin), Some(_)) = (&begin, keep) {
            begin.forget()?;
        }
        let work = &build.work;
        let made = isotope_disk::assemble_from(
            &Incremental { earlier, keep },
            layout,
            &work.tree(),
            &work.raw(),
            &work.mountpoint(),
            &options,
            &mut told(&build.events),
        )?;
        made.notes.iter().for_each(|note| build.events.output(note));
        match &begin {
            Some(begin) if keep.is_some() && made.notes.is_empty() => begin.note()?,
            // The next build makes its disk at once, and keeps that.
            Some(begin) if made.copied.is_none() => begin.forget()?,
            _ => {}
        }
        let disk = made.disk;
        build.move_to(disk.root())?;
        build.stage = Stage::Mounted(Box::new(disk));
        build.work.empty_tree()
    }
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
