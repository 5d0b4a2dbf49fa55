//! What differs between two locks.

use super::{Lock, LockedPackage};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Its version, commit or digest in the lock before; none: it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The one in the lock now; none: it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
}

/// The difference between two locks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LockDiff {
    /// Packages. Where the name does not tell it, the tree and the architecture come with it.
    pub packages: Vec<Change>,
    /// ostree commits, git repositories, downloads.
    pub sources: Vec<Change>,
    /// Package archives. An archive that has moved on changes nothing by itself.
    pub archives: Vec<Change>,
}

impl LockDiff {
    /// What makes `now` of `before`.
    #[must_use]
    pub fn of(before: &Lock, now: &Lock) -> Self {
        Self {
            packages: changes(&packages(before), &packages(now)),
            sources: changes(&sources(before), &sources(now)),
            archives: changes(&archives(before), &archives(now)),
        }
    }

    /// Whether an image built from either lock is the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.sources.is_empty()
    }
}

impl fmt::Display for LockDiff {
    /// A line for each package and source: `+` added, `-` removed, `~` changed; then archives that have moved on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packages, sources, archives } = self;
        let mut lines: Vec<String> = packages.iter().chain(sources).map(ToString::to_string).collect();
        if lines.is_empty() {
            lines.push("the same packages and sources".to_owned());
        }
        lines.extend(archives.iter().map(|change| format!("archive {change}")));
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, before, now } = self;
        match (before, now) {
            (Some(before), Some(now)) => write!(f, "~ {name} {before} → {now}"),
            (Some(before), None) => write!(f, "- {name} {before}"),
            (None, Some(now)) => write!(f, "+ {name} {now}"),
            (None, None) => Ok(()),
        }
    }
}

/// What differs: the value shown, and what tells values apart that look alike.
type Table = BTreeMap<String, (String, String)>;

fn changes(before: &Table, now: &Table) -> Vec<Change> {
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&String| before.get(*name) != now.get(*name);
    let change = |name: &String| {
        let (old, new) = (before.get(name), now.get(name));
        // Another file of the same version: the digests show it.
        let alike = matches!((old, new), (Some(old), Some(new)) if old.0 == new.0);
        let shown = |value: &(String, String)| match value.1.get(..12) {
            Some(digest) if alike => format!("{} ({digest})", value.0),
            _ => value.0.clone(),
        };
        Change { name: name.clone(), before: old.map(shown), now: new.map(shown) }
    };
    names.into_iter().filter(differs).map(change).collect()
}

fn packages(lock: &Lock) -> Table {
    let mut table = Table::new();
    for tree in &lock.trees {
        for LockedPackage { name, version, arch, sha256, .. } in &tree.packages {
            let several = tree.packages.iter().filter(|other| other.name == *name).count() > 1;
            let tree = if lock.trees.len() > 1 { format!("{}: ", tree.name) } else { String::new() };
            let arch = if several { format!(":{arch}") } else { String::new() };
            table.insert(format!("{tree}{name}{arch}"), (version.clone(), sha256.clone()));
        }
    }
    table
}

fn sources(lock: &Lock) -> Table {
    let commits = lock.commits.iter().map(|locked| {
        let version = locked.version.clone().unwrap_or_else(|| short(&locked.commit));
        (format!("commit {}", locked.reference), (version, locked.commit.clone()))
    });
    let gits = lock
        .gits
        .iter()
        .map(|git| (format!("git {} {}", git.name, git.reference), (short(&git.commit), git.commit.clone())));
    let downloads = lock
        .downloads
        .iter()
        .map(|file| (format!("download {} {}", file.name, file.url), (short(&file.sha256), file.sha256.clone())));
    commits.chain(gits).chain(downloads).collect()
}

fn archives(lock: &Lock) -> Table {
    let of_tree = lock.trees.iter().flat_map(|tree| &tree.archives);
    let archive = of_tree.map(|archive| {
        let release = archive.release.clone().unwrap_or_default();
        (archive.id.clone(), (archive.date.clone().unwrap_or_else(|| short(&release)), release))
    });
    archive.collect()
}

fn short(digest: &str) -> String {
    digest.get(..12).unwrap_or(digest).to_owned()
}
