//! Makes the mounted disk bootable.

use super::Run;
use crate::build::{Build, Stage};
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_boot::ostree::List;
use isotope_boot::{BootContext, RunError};
use isotope_ostree::Repo;
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
        let context = BootContext {
            layout,
            geometry: disk.geometry(),
            tree: build.target.tree().host_path(),
            disk: disk.disk(),
            target: &run,
            epoch: build.plan.source_date_epoch,
        };
        let installed = match build.plan.deployment() {
            None => isotope_boot::install(spec, &context)?,
            Some(deploy) => {
                let (installed, list) = isotope_boot::ostree::install(spec, &context, &deploy.kernel_args)?;
                if list == List::Bls {
                    // Nobody reads the other list: the booted system need not keep it.
                    let repo = Repo::open(disk.root().join("ostree/repo"))?;
                    repo.set_config("sysroot", "bootloader", "none")?;
                }
                installed
            }
        };
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
