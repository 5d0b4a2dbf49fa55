//! What the steps of a compose share: the commit before, what the new one is made of, and what differs.

use crate::error::StepError;
use crate::event::PackageDiff;
use crate::package::ResolvedPackage;
use isotope_ostree::tree::Users;
use isotope_ostree::{CommitInfo, Package, Repo};
use isotope_plan::compose::COMPOSE_FORMAT;
use isotope_plan::{OstreeParent, Plan, Step, StepAction};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Metadata of a commit: the digest of all it was made of.
pub(crate) const INPUTS_KEY: &str = "isotope.inputs";

/// The files of a commit that say which users there are.
const USER_FILES: [&str; 4] = ["passwd", "group", "shadow", "gshadow"];

/// A compose that has begun.
#[derive(Debug)]
pub(crate) struct Compose {
    /// The commit before.
    pub parent: Option<CommitInfo>,
    /// Digest of all that the new one is made of; `None` where that cannot be known beforehand.
    pub inputs: Option<String>,
    /// The new one's version.
    pub version: Option<String>,
    /// The users of the commit before, and those that files name.
    pub users: Users,
}

/// The digest of all that a tree is made of: the plan's steps, the files they name, and packages.
///
/// Where the commit goes, and who signs it, is no part of it; nor is the clock.
pub(crate) fn inputs(plan: &Plan, packages: &[ResolvedPackage]) -> Result<String, StepError> {
    let mut digest = Sha256::new();
    let mut add = |what: &[u8]| {
        digest.update(u64::try_from(what.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(what);
    };
    add(format!("isotope compose {COMPOSE_FORMAT}").as_bytes());
    add(&json(&plan.target));
    for step in &plan.steps {
        add(&json(&essence(&step.action)));
        match &step.action {
            StepAction::Files(files) => content(&files.source, &mut add)?,
            StepAction::Hook(hook) => content(&hook.script, &mut add)?,
            StepAction::OstreeParent(parent) => {
                parent.user_files.iter().try_for_each(|file| content(file, &mut add))?;
            }
            _ => {}
        }
    }
    for ResolvedPackage { name, digest } in packages {
        add(name.as_bytes());
        add(digest.as_bytes());
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A step's action without what says nothing about the tree.
fn essence(action: &StepAction) -> StepAction {
    let mut action = action.clone();
    match &mut action {
        StepAction::OstreeParent(parent) => {
            parent.repo = Path::new("").into();
            parent.parent = None;
            parent.force = false;
            parent.user_files.clear();
        }
        StepAction::OstreeCheckout(checkout) => checkout.repo = Path::new("").into(),
        StepAction::OstreeCommit(commit) => {
            commit.repo = Path::new("").into();
            commit.parent = None;
            commit.sign.clear();
            commit.delta = false;
        }
        // Their content counts, not their place on this host.
        StepAction::Files(files) => files.source = Path::new("").into(),
        StepAction::Hook(hook) => {
            hook.script = Path::new("").into();
            hook.element_dir = Path::new("").into();
        }
        _ => {}
    }
    action
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // A plan has a JSON form: it is printed by `isotope plan --json`.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Adds a file, or a directory with all in it.
fn content(path: &Path, add: &mut dyn FnMut(&[u8])) -> Result<(), StepError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |what| StepError::io(what, path);
    let kind = path.symlink_metadata().map_err(failed("look at"))?;
    add(path.file_name().unwrap_or_default().as_encoded_bytes());
    add(&(kind.permissions().mode() & 0o7777).to_le_bytes());
    if kind.is_symlink() {
        add(path.read_link().map_err(failed("read"))?.as_os_str().as_encoded_bytes());
    } else if kind.is_dir() {
        let names = path.read_dir().map_err(failed("list"))?.collect::<Result<Vec<_>, _>>();
        let mut names: Vec<_> = names.map_err(failed("list"))?.into_iter().map(|entry| entry.file_name()).collect();
        names.sort();
        names.iter().try_for_each(|name| content(&path.join(name), add))?;
    } else {
        let mut file = std::fs::File::open(path).map_err(failed("open"))?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut buffer).map_err(failed("read"))? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
        add(&hash.finalize());
    }
    Ok(())
}

/// The commit that a new one follows, and the commit that its ref points at now.
pub(crate) fn parent(
    parent: &OstreeParent,
    repo: &Repo,
) -> Result<(Option<CommitInfo>, Option<CommitInfo>), StepError> {
    let head = repo.find(&parent.reference).map(|head| repo.metadata(&head)).transpose()?;
    let before = match &parent.parent {
        Some(rev) => Some(repo.metadata(&repo.resolve(rev)?)?),
        None => head.clone(),
    };
    Ok((before, head))
}

/// The users that a new tree begins with, file by file: those of the commit before and of files. `None`: it begins with none.
pub(crate) fn seeds(plan: &Plan) -> Result<Option<BTreeMap<&'static str, String>>, StepError> {
    let begin = plan.steps.iter().find_map(|step| match &step.action {
        StepAction::OstreeParent(begin) => Some(begin),
        _ => None,
    });
    let Some(begin) = begin.filter(|begin| begin.keep_users) else { return Ok(None) };
    let users = if begin.repo.join("config").is_file() {
        let repo = Repo::open(&begin.repo)?;
        users(begin, &repo, parent(begin, &repo)?.0.as_ref())?
    } else {
        of_files(begin, Users::default())?
    };
    Ok((!users.is_empty()).then(|| users.seeds()))
}

/// The users of a commit, and those of files.
pub(crate) fn users(begin: &OstreeParent, repo: &Repo, commit: Option<&CommitInfo>) -> Result<Users, StepError> {
    let users = commit.map(|commit| of_commit(repo, commit)).transpose()?.unwrap_or_default();
    of_files(begin, users)
}

fn of_files(begin: &OstreeParent, mut users: Users) -> Result<Users, StepError> {
    for file in &begin.user_files {
        let text = std::fs::read_to_string(file).map_err(StepError::io("read", file))?;
        // A file of groups has fewer fields than one of users.
        let fields = text.lines().next().map_or(0, |line| line.split(':').count());
        users.add(if fields >= 7 { "passwd" } else { "group" }, &text);
    }
    Ok(users)
}

fn of_commit(repo: &Repo, commit: &CommitInfo) -> Result<Users, StepError> {
    let mut users = Users::default();
    for dir in ["/usr/etc", "/usr/lib"] {
        for name in USER_FILES {
            if let Some(data) = repo.read_file(&commit.checksum, &format!("{dir}/{name}"))? {
                users.add(name, &String::from_utf8_lossy(&data));
            }
        }
    }
    Ok(users)
}

/// What differs between two package lists.
pub(crate) fn difference(before: &[Package], now: &[Package]) -> PackageDiff {
    // Several versions or architectures of a package are one text.
    let table = |packages: &[Package]| {
        let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for package in packages {
            table.entry(package.name.clone()).or_default().push(package.version.clone());
        }
        let table = table.into_iter().map(|(name, mut versions)| {
            versions.sort();
            versions.dedup();
            (name, versions.join(", "))
        });
        table.collect::<BTreeMap<String, String>>()
    };
    let (before, mut now) = (table(before), table(now));
    let mut diff = PackageDiff::default();
    for (name, old) in before {
        match now.remove(&name) {
            Some(new) if new == old => {}
            Some(new) => diff.changed.push((name, old, new)),
            None => diff.removed.push((name, old)),
        }
    }
    diff.added = now.into_iter().collect();
    diff
}

/// The plan's commit.
pub(crate) fn commit_of(plan: &Plan) -> Option<&isotope_plan::OstreeCommit> {
    plan.steps.iter().find_map(|Step { action, .. }| match action {
        StepAction::OstreeCommit(commit) => Some(commit),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package { name: name.into(), version: version.into(), arch: "amd64".into() }
    }

    #[test]
    fn packages_come_go_and_change() {
        let before = [package("a", "1"), package("b", "1"), package("c", "1"), package("c", "2")];
        let now = [package("a", "2"), package("c", "2"), package("c", "1"), package("d", "1")];
        assert_eq!(
            difference(&before, &now),
            PackageDiff {
                added: vec![("d".into(), "1".into())],
                removed: vec![("b".into(), "1".into())],
                changed: vec![("a".into(), "1".into(), "2".into())],
            }
        );
    }
}
