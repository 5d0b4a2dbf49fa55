//! Makes the mounted disk bootable.

use super::Run;
use crate::build::{Build, Stage};
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_boot::{BootContext, RunError};
use isotope_plan::Step;

/// The step.
pub(super) struct Install;

impl Run for Install {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let spec = build.plan.boot.as_ref().ok_or(StepError::Plan("a boot loader step without a boot loader"))?;
        let layout = build.plan.layout.as_ref().ok_or(StepError::Plan("a boot loader without a layout"))?;
        let Stage::Mounted(disk) = &build.stage else {
            return Err(StepError::Plan("a boot loader without a mounted disk"));
        };
        build.scene.purpose = Some(Purpose::default());
        let sandbox = build.target.enter(&Purpose::default())?;
        let run = |argv: &[&str]| -> Result<Vec<u8>, RunError> {
            let (program, args) = argv.split_first().ok_or("a program without a name")?;
            Ok(sandbox.tool(program)?.args(args).run()?.stdout)
        };
        let installed = isotope_boot::install(
            spec,
            &BootContext {
                layout,
                geometry: disk.geometry(),
                tree: disk.root(),
                disk: disk.disk(),
                target: &run,
                epoch: build.plan.source_date_epoch,
            },
        )?;
        sandbox.leave()?;
        for entry in &installed.entries {
            build.events.output(&format!("menu entry: {entry}"));
        }
        for warning in installed.warnings {
            build.warn(warning);
        }
        Ok(())
    }
}
