//! Begins a compose: looks at the commit before it, resolves the packages, and ends the build if nothing would change.

use super::Run;
use super::ostree_commit::publish;
use crate::build::Build;
use crate::compose::{self, Compose, INPUTS_KEY};
use crate::error::StepError;
use crate::layers::Layers;
use crate::report::CommitReport;
use isotope_ostree::{CommitInfo, Mode, Repo};
use isotope_plan::{OstreeParent, Step};

/// The step.
pub(super) struct Begin<'a>(pub &'a OstreeParent);

impl Run for Begin<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let OstreeParent { repo, keep_users, force, reference: _, parent: _, user_files: _ } = self.0;
        let commit = compose::commit_of(build.plan).ok_or(StepError::Plan("a compose without a commit"))?;
        let repo = Repo::create(repo, Mode::Archive)?;
        let (parent, head) = compose::parent(self.0, &repo)?;
        // What a package manager inside the target will choose cannot be known before it has run.
        let inputs = match build.bootstrap() {
            Some(bootstrap) => {
                let packages = build.with_packages(step, |manager, ctx| manager.resolve(bootstrap, ctx))?;
                build.events.output(&format!("{} packages are needed", packages.len()));
                Some(compose::inputs(build.plan, &packages)?)
            }
            None => None,
        };
        if let (Some(inputs), Some(head)) = (&inputs, head.as_ref().filter(|_| !force))
            && head.metadata.get(INPUTS_KEY) == Some(inputs)
            && !head.partial
        {
            return unchanged(build, &repo, commit, head);
        }
        build.events.output(&dirty(head.as_ref(), inputs.as_deref(), *force));
        let users = compose::users(self.0, &repo, parent.as_ref())?;
        // Layers of an earlier build began with them.
        let resumed = build.layers.as_ref().is_some_and(Layers::is_resumed);
        if *keep_users && !users.is_empty() && !resumed {
            users.seed(build.target.tree())?;
            build.events.output(&format!("{} users keep their numbers", users.count()));
        }
        let version = commit.version.after(parent.as_ref().and_then(|parent| parent.version.as_deref()));
        build.compose = Some(Compose { parent, inputs, version, users });
        Ok(())
    }
}

/// The commit that is there is the one that would be made.
fn unchanged(
    build: &mut Build<'_>,
    repo: &Repo,
    commit: &isotope_plan::OstreeCommit,
    head: &CommitInfo,
) -> Result<(), StepError> {
    publish(build, repo, commit, &head.checksum, head.parent.as_ref())?;
    let why = "nothing has changed: the same treefile, files, scripts and packages".to_owned();
    build.events.output(&why);
    build.products.commit = Some(CommitReport {
        repo: repo.path().to_owned(),
        reference: commit.reference.clone(),
        checksum: head.checksum.to_string(),
        version: head.version.clone(),
        parent: head.parent.as_ref().map(ToString::to_string),
        unchanged: Some(why),
        packages: None,
    });
    build.done = true;
    Ok(())
}

/// Why there is something to do, in words.
fn dirty(head: Option<&CommitInfo>, inputs: Option<&str>, force: bool) -> String {
    match (head, inputs) {
        (None, _) => "there is no commit yet".to_owned(),
        _ if force => "a new commit is wanted in any case".to_owned(),
        (Some(_), None) => "what packages the target's own package manager will choose is not known yet".to_owned(),
        (Some(head), Some(inputs)) => match head.metadata.get(INPUTS_KEY) {
            None => format!("commit {} does not say what it was made of", head.checksum.short()),
            Some(before) => format!(
                "treefile, files, scripts or packages have changed (inputs {} → {})",
                before.get(..12).unwrap_or(before),
                inputs.get(..12).unwrap_or(inputs)
            ),
        },
    }
}
