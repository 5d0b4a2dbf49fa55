//! What differs between two commits: files by kind and aspect, and packages.

use crate::tree_files::Node;
use crate::{Checksum, CommitInfo, OstreeError, Package, Repo, TreeEntry};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What differs about one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// It is only in the second commit.
    Added,
    /// It is only in the first commit.
    Removed,
    /// File, directory, link.
    Kind,
    /// Its bytes, or where the link leads.
    Content,
    /// Permissions.
    Mode,
    /// Owner or group.
    Owner,
    /// Extended attributes.
    Xattrs,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// What differs.
    pub aspects: Vec<Aspect>,
    /// In the first commit.
    pub old: Option<TreeEntry>,
    /// In the second commit.
    pub new: Option<TreeEntry>,
}

/// Packages that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PackageDiff {
    /// Only in the second.
    pub added: Vec<Package>,
    /// Only in the first.
    pub removed: Vec<Package>,
    /// Of another version, old and new.
    pub changed: Vec<(Package, Package)>,
}

/// All that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Files, in order of their paths.
    pub files: Vec<FileChange>,
    /// Packages; empty where one of the commits lists none.
    pub packages: PackageDiff,
}

impl Diff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.packages.is_empty()
    }
}

impl PackageDiff {
    /// Compares two lists. A package is known by name and architecture; several versions of one count one by one.
    #[must_use]
    pub fn between(old: &[Package], new: &[Package]) -> Self {
        let group = |list: &[Package]| {
            let mut groups: BTreeMap<(String, String), BTreeSet<Package>> = BTreeMap::new();
            for one in list {
                groups.entry((one.name.clone(), one.arch.clone())).or_default().insert(one.clone());
            }
            groups
        };
        let (old, new) = (group(old), group(new));
        let mut diff = Self::default();
        for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let none = BTreeSet::new();
            let (old, new) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
            let gone: Vec<Package> = old.difference(new).cloned().collect();
            let come: Vec<Package> = new.difference(old).cloned().collect();
            match (gone.as_slice(), come.as_slice()) {
                ([gone], [come]) => diff.changed.push((gone.clone(), come.clone())),
                _ => {
                    diff.removed.extend(gone);
                    diff.added.extend(come);
                }
            }
        }
        diff
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The two sides.
struct Sides<'a> {
    old: (&'a Repo, &'a Checksum),
    new: (&'a Repo, &'a Checksum),
    files: Vec<FileChange>,
}

impl Repo {
    /// Compares a commit of this repository with one of `other` (which may be this one). Directories whose objects are the
    /// same are not read.
    ///
    /// # Errors
    /// A commit, or an object of it that is needed, is not there.
    pub fn diff(&self, old: &Checksum, other: &Self, new: &Checksum) -> Result<Diff, OstreeError> {
        let mut sides = Sides { old: (self, old), new: (other, new), files: Vec::new() };
        let roots = (self.root_node(old)?, other.root_node(new)?);
        sides.compare("", Some(&roots.0), Some(&roots.1))?;
        let infos = (self.metadata(old)?, other.metadata(new)?);
        let listed = |info: &CommitInfo| !info.packages.is_empty();
        let packages = if listed(&infos.0) && listed(&infos.1) {
            PackageDiff::between(&infos.0.packages, &infos.1.packages)
        } else {
            PackageDiff::default()
        };
        Ok(Diff { files: sides.files, packages })
    }
}

impl Sides<'_> {
    /// Compares what is at one path on both sides, and below.
    fn compare(&mut self, path: &str, old: Option<&Node>, new: Option<&Node>) -> Result<(), OstreeError> {
        if old == new {
            return Ok(());
        }
        let shown = || if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        let entry = |side: (&Repo, &Checksum), node: Option<&Node>| {
            node.map(|node| side.0.describe(side.1, shown(), node)).transpose()
        };
        let (was, is) = (entry(self.old, old)?, entry(self.new, new)?);
        let aspects = aspects(was.as_ref(), is.as_ref());
        if !aspects.is_empty() {
            self.files.push(FileChange { path: shown(), aspects, old: was, new: is });
        }
        let below = |side: (&Repo, &Checksum), node: Option<&Node>| match node {
            Some(Node::Directory(tree, _)) => side.0.children(side.1, tree),
            _ => Ok(BTreeMap::new()),
        };
        if let (Some(Node::Directory(a, _)), Some(Node::Directory(b, _))) = (old, new)
            && a == b
        {
            return Ok(());
        }
        let (olds, news) = (below(self.old, old)?, below(self.new, new)?);
        for name in olds.keys().chain(news.keys()).collect::<BTreeSet<_>>() {
            self.compare(&format!("{path}/{name}"), olds.get(name), news.get(name))?;
        }
        Ok(())
    }
}

fn aspects(old: Option<&TreeEntry>, new: Option<&TreeEntry>) -> Vec<Aspect> {
    let (Some(old), Some(new)) = (old, new) else {
        return match (old, new) {
            (None, Some(_)) => vec![Aspect::Added],
            (Some(_), None) => vec![Aspect::Removed],
            _ => Vec::new(),
        };
    };
    if old.kind != new.kind {
        return vec![Aspect::Kind];
    }
    let mut found = Vec::new();
    let directory = old.kind == crate::FileKind::Directory;
    let rest = [
        (old.mode != new.mode, Aspect::Mode),
        ((old.uid, old.gid) != (new.uid, new.gid), Aspect::Owner),
        (old.xattrs != new.xattrs, Aspect::Xattrs),
    ];
    found.extend(rest.into_iter().filter(|(differs, _)| *differs).map(|(_, aspect)| aspect));
    // An object's name covers content and attributes. Where no attribute differs, the content does; where one does, sizes
    // and targets may tell, and else it is not said.
    let content = old.size != new.size || old.target != new.target || found.is_empty();
    if !directory && content {
        found.insert(0, Aspect::Content);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package { name: name.to_owned(), version: version.to_owned(), arch: "amd64".to_owned() }
    }

    #[test]
    fn packages_are_added_removed_or_of_another_version() {
        let old = [package("a", "1"), package("b", "1"), package("kernel", "5"), package("kernel", "6")];
        let new = [package("b", "2"), package("c", "1"), package("kernel", "6"), package("kernel", "7")];
        let diff = PackageDiff::between(&old, &new);
        assert_eq!(diff.added, [package("c", "1")]);
        assert_eq!(diff.removed, [package("a", "1")]);
        let changed = [(package("b", "1"), package("b", "2")), (package("kernel", "5"), package("kernel", "7"))];
        assert_eq!(diff.changed, changed);
        assert!(PackageDiff::between(&old, &old).is_empty());
    }
}
