//! Turns the tree into the layout that ostree commits.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use isotope_ostree::tree::{self, Laid, Users};
use isotope_plan::{OstreeTree, Step, UserCheck};

/// The step.
pub(super) struct Lay<'a>(pub &'a OstreeTree);

impl Run for Lay<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        build.seal(step)?;
        self.check_users(build)?;
        let Laid { lines, special, altfiles } = tree::postprocess(build.target.tree(), self.0)?;
        build.events.output(&format!("/var is made at boot by {lines} lines of tmpfiles.d"));
        if altfiles {
            build.events.output("users of the system are in /usr/lib/passwd and /usr/lib/group");
        }
        if special > 0 {
            build.events.output(&format!("{special} device nodes, sockets or FIFOs were removed"));
        }
        Ok(())
    }
}

impl Lay<'_> {
    /// Files on machines belong to numbers: those of the commit before must mean the same users.
    fn check_users(&self, build: &Build<'_>) -> Result<(), StepError> {
        let Some(compose) = &build.compose else { return Ok(()) };
        let now = Users::of_tree(build.target.tree())?;
        let OstreeTree { check_users, check_groups, ignore_removed_users, ignore_removed_groups, .. } = self.0;
        let mut changes = Vec::new();
        if *check_users == UserCheck::Previous {
            changes.extend(now.changes(&compose.users, "passwd", ignore_removed_users));
        }
        if *check_groups == UserCheck::Previous {
            changes.extend(now.changes(&compose.users, "group", ignore_removed_groups));
        }
        if changes.is_empty() {
            return Ok(());
        }
        Err(StepError::Lacks {
            message: format!("users differ from those of the commit before: {}", changes.join("; ")),
            hint: "leave preserve-passwd at true; name users that may go in ignore-removed-users, groups in \
                   ignore-removed-groups; check-passwd and check-groups with `type: none` switch the check off"
                .to_owned(),
        })
    }
}
