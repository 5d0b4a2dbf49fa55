//! Enables, disables and masks units of systemd, by the target's own systemctl.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_plan::{Services, Step};

/// The units.
pub(super) struct Units<'a>(pub &'a Services);

impl Run for Units<'_> {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let Services { enable, disable, mask } = self.0;
        let purpose = Purpose::default();
        build.scene.purpose = Some(purpose.clone());
        if !["/usr/bin/systemctl", "/bin/systemctl"].iter().any(|path| build.target.tree().exists(path)) {
            return Err(StepError::Lacks {
                message: "units are to be enabled, but the target has no systemctl".to_owned(),
                hint: "install systemd in the target, or leave out [[services]]".to_owned(),
            });
        }
        let sandbox = build.target.enter(&purpose)?;
        for (verb, units) in [("enable", enable), ("disable", disable), ("mask", mask)] {
            if units.is_empty() {
                continue;
            }
            // SYSTEMD_OFFLINE=1 is in the sandbox's environment: links are made, no manager is asked.
            let tool = sandbox.tool("systemctl")?.arg(verb).arg("--").args(units);
            sandbox
                .run(&tool, &build.events)
                .map_err(|source| StepError::Command { what: format!("{verb} {}", units.join(", ")), source })?;
        }
        Ok(sandbox.leave()?)
    }
}
