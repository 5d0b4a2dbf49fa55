//! The base tree, and package transactions.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_plan::{Bootstrap, Packages, Step};

/// Makes the base tree.
pub(super) struct Base<'a>(pub &'a Bootstrap);

impl Run for Base<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        set_scene(step, build);
        build.with_packages(step, |manager, ctx| manager.bootstrap(self.0, ctx))
    }
}

/// Installs and removes packages.
pub(super) struct Transaction<'a>(pub &'a Packages);

impl Run for Transaction<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        set_scene(step, build);
        build.with_packages(step, |manager, ctx| manager.transaction(self.0, ctx))
    }
}

fn set_scene(step: &Step, build: &mut Build<'_>) {
    let purpose = Purpose { packages: true, defer_initramfs: build.initramfs_to_come(step), ..Purpose::default() };
    build.scene.purpose = Some(purpose);
}
