//! Runs a script that stands in the plan, in the target.

use super::Run;
use super::hook::{common, with_env};
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_plan::{Script, Step};

/// The script.
pub(super) struct Text<'a>(pub &'a Script);

/// Where the target sees it: in the sandbox's own /run, never in the tree.
const PLACE: &str = "/run/isotope/script";

impl Run for Text<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let Script { name, content } = self.0;
        let mut env = common(build.plan);
        env.insert("ISOTOPE_PHASE".to_owned(), step.phase.to_string());
        let purpose = Purpose { defer_initramfs: build.initramfs_to_come(step), ..Purpose::default() };
        build.scene.env.clone_from(&env);
        build.scene.purpose = Some(purpose.clone());
        let sandbox = build.target.enter(&purpose)?;
        let text = if content.starts_with("#!") { content.clone() } else { format!("#!/bin/sh\nset -e\n{content}") };
        sandbox.dir().write(PLACE, text, 0o755)?;
        let tool = with_env(sandbox.tool(PLACE)?, &env);
        let ran = sandbox.run(&tool, &build.events);
        sandbox.dir().remove(PLACE)?;
        ran.map_err(|source| StepError::Hook { name: name.clone(), element: step.origin.element.clone(), source })?;
        Ok(sandbox.leave()?)
    }
}
