//! Commits the tree, signs the commit, and tells web servers' clients of it.

use super::Run;
use super::ostree_kernel::is_bootable;
use crate::build::Build;
use crate::compose::{INPUTS_KEY, difference};
use crate::error::StepError;
use crate::event::Event;
use crate::report::CommitReport;
use isotope_ostree::{Checksum, Commit, CommitInfo, Ed25519Secret, GpgKey, Package, Parent, Repo, ToVariant, Variant};
use isotope_plan::{OstreeCommit, SignKey, Step};
use std::collections::BTreeMap;

/// So often the count of files is told; a multiple of what the repository reports.
const FILES_TOLD: u64 = 4096;

/// The step.
pub(super) struct Write<'a>(pub &'a OstreeCommit);

impl Run for Write<'_> {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let compose = build.compose.take().ok_or(StepError::Plan("a commit without a beginning"))?;
        let repo = Repo::open(&self.0.repo)?;
        let packages: Vec<Package> = build
            .products
            .packages
            .iter()
            .map(|own| Package { name: own.name.clone(), version: own.version.clone(), arch: own.arch.clone() })
            .collect();
        let diff = compose
            .parent
            .as_ref()
            .filter(|parent| !parent.packages.is_empty())
            .map(|parent| (difference(&parent.packages, &packages), since(parent)));
        if let Some((diff, since)) = &diff {
            build.events.send(Event::Packages { diff: diff.clone(), since: since.clone() });
        }
        let bootable = is_bootable(build.target.tree())?;
        if !bootable {
            build.warn("the tree has no kernel, so the commit cannot be booted".to_owned());
        }
        let selinux = self.0.selinux && repo.has_policy(build.target.tree().host_path())?;
        if self.0.selinux && !selinux {
            build.warn(
                "the tree has no SELinux policy, so its files have no labels; `selinux: false` says that this is meant"
                    .to_owned(),
            );
        }
        let parent = compose.parent.as_ref().map(|parent| parent.checksum.clone());
        let commit = Commit {
            parent: parent.clone().map_or(Parent::None, Parent::Commit),
            subject: self.0.subject.clone(),
            version: compose.version.clone(),
            packages,
            metadata: self.metadata(build, compose.inputs.as_deref()),
            timestamp: Some(build.plan.source_date_epoch),
            bootable,
            selinux,
            ..Commit::new(build.target.tree().host_path(), self.0.reference.clone())
        };
        let events = build.events.clone();
        let head = repo.find(&self.0.reference);
        let made = repo.commit(&commit, &mut |files| {
            if files % FILES_TOLD == 0 {
                events.output(&format!("{files} files are committed"));
            }
        })?;
        let info = repo.metadata(&made)?;
        let mut report = CommitReport {
            repo: repo.path().to_owned(),
            reference: self.0.reference.clone(),
            checksum: made.to_string(),
            version: info.version.clone(),
            parent: parent.as_ref().map(ToString::to_string),
            unchanged: None,
            packages: diff.map(|(diff, _)| diff),
        };
        if let Some(same) = head.and_then(|head| same_content(&repo, &head, &info)) {
            // The ref goes back; nothing points at the new commit, and the next prune removes it.
            repo.set_ref(&self.0.reference, Some(&same.checksum))?;
            let why = "the new tree is the old one, byte for byte".to_owned();
            build.events.output(&why);
            report.checksum = same.checksum.to_string();
            report.version = same.version;
            report.parent = same.parent.map(|parent| parent.to_string());
            report.unchanged = Some(why);
            build.products.commit = Some(report);
            return Ok(());
        }
        build.events.output(&format!("commit {made}"));
        publish(build, &repo, self.0, &made, parent.as_ref())?;
        build.products.commit = Some(report);
        Ok(())
    }
}

impl Write<'_> {
    fn metadata(&self, build: &Build<'_>, inputs: Option<&str>) -> BTreeMap<String, Variant> {
        let mut metadata: BTreeMap<String, Variant> =
            self.0.metadata.iter().map(|(key, value)| (key.clone(), value.to_variant())).collect();
        metadata.insert("isotope.tool".to_owned(), build.options.tool_version.to_variant());
        if let Some(inputs) = inputs {
            metadata.insert(INPUTS_KEY.to_owned(), inputs.to_variant());
        }
        metadata
    }
}

/// What a commit is called among people.
fn since(commit: &CommitInfo) -> String {
    commit.version.clone().unwrap_or_else(|| commit.checksum.short().to_owned())
}

/// The commit `head`, if it has the very tree and version of `made`.
fn same_content(repo: &Repo, head: &Checksum, made: &CommitInfo) -> Option<CommitInfo> {
    let head = repo.metadata(head).ok()?;
    let same = head.checksum != made.checksum && head.content.is_some() && head.content == made.content;
    // The version is part of what people see, but one that counts itself does not make a new tree.
    same.then_some(head)
}

/// Signs a commit, makes its delta, and writes the summary: what is there already is not made again.
pub(super) fn publish(
    build: &Build<'_>,
    repo: &Repo,
    commit: &OstreeCommit,
    made: &Checksum,
    parent: Option<&Checksum>,
) -> Result<(), StepError> {
    for key in &commit.sign {
        match key {
            SignKey::Ed25519 { file } => {
                let secret = Ed25519Secret::read(file)?;
                repo.sign_ed25519(made, &secret)?;
                build.events.output(&format!("signed by ed25519 key {}", secret.public()));
            }
            SignKey::Gpg { key, home } => {
                let homedir = home.clone().unwrap_or_else(|| "/root/.gnupg".into());
                repo.sign_gpg(made, &GpgKey { id: key.clone(), homedir })?;
                build.events.output(&format!("signed by GPG key {key}"));
            }
        }
    }
    if commit.delta {
        match parent {
            Some(parent) => {
                let size = repo.static_delta(Some(parent), made)?;
                build.events.output(&format!("static delta from {}: {size}", parent.short()));
            }
            None => build.events.output("there is no commit before, so there is no delta from it"),
        }
    }
    Ok(repo.update_summary()?)
}
