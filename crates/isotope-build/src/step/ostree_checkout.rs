//! Begins a derived compose: a commit becomes a tree that package managers understand.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_ostree::{CheckoutOptions, Repo, tree};
use isotope_plan::{OstreeCheckout, Step};

/// The step.
pub(super) struct Unlay<'a>(pub &'a OstreeCheckout);

impl Run for Unlay<'_> {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let OstreeCheckout { repo, rev } = self.0;
        let repo = Repo::open(repo)?;
        let commit = repo.resolve(rev)?;
        let place = build.work.host_directory().join("commit");
        repo.checkout(&commit, &place, &CheckoutOptions { owners: true, ..CheckoutOptions::default() })?;
        build.target.move_to(&place)?;
        tree::undo(build.target.tree())?;
        // What other packages' tmpfiles.d make in /var, scripts of packages expect, too.
        let purpose = Purpose::default();
        build.scene.purpose = Some(purpose.clone());
        if build.target.tree().exists("/usr/bin/systemd-tmpfiles") {
            let sandbox = build.target.enter(&purpose)?;
            // 65, 73: a line that cannot be carried out, or does not fit; those of other machines' hardware do not.
            let tool = sandbox.tool("systemd-tmpfiles")?.args(["--create", "--prefix=/var"]).ok_codes(&[0, 65, 73]);
            sandbox.run(&tool, &build.events).map_err(|source| StepError::Command {
                what: "make what the tree's tmpfiles.d has in /var".to_owned(),
                source,
            })?;
            sandbox.leave()?;
        }
        Ok(())
    }
}
