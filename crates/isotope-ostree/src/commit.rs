//! A directory becomes a commit.

mod parallel;
mod scan;
mod sizes;
mod transaction;

use crate::info::{PACKAGES, packages_variant};
use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Package, Repo, worker};
use ostree::gio;
use ostree::glib::prelude::{Cast as _, ToVariant as _};
use ostree::glib::{Variant, VariantDict};
use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The commit before a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// The one that the ref points at now, if it exists.
    OfRef,
    /// None.
    None,
    /// This one.
    Commit(Checksum),
}

/// A commit to be made.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The directory whose content becomes the tree; owners, modes and extended attributes are kept.
    pub tree: &'a Path,
    /// The ref that will point at it.
    pub reference: String,
    /// The commit before it.
    pub parent: Parent,
    /// One line that describes it.
    pub subject: String,
    /// More lines; may be empty.
    pub body: String,
    /// Metadata `version`.
    pub version: Option<String>,
    /// The packages in it, listed in its metadata.
    pub packages: Vec<Package>,
    /// More metadata.
    pub metadata: BTreeMap<String, Variant>,
    /// Seconds since 1970; `None`: now.
    pub timestamp: Option<u64>,
    /// The tree holds a kernel: its version goes into the metadata, and a tree without one is refused.
    pub bootable: bool,
    /// Label the files by the tree's own SELinux policy, if it has one ([`Repo::has_policy`]).
    pub selinux: bool,
    /// Commits of this repository that were checked out by hard links and lie under `tree`: their files are known by
    /// inode and are not read again (only for repositories of a bare mode).
    pub linked: bool,
}

impl<'a> Commit<'a> {
    /// A bootable commit of `tree` to `reference` on top of what the ref points at, with no metadata but those libostree
    /// makes. Change the fields to your needs.
    #[must_use]
    pub fn new(tree: &'a Path, reference: impl Into<String>) -> Self {
        Self {
            tree,
            reference: reference.into(),
            parent: Parent::OfRef,
            subject: String::new(),
            body: String::new(),
            version: None,
            packages: Vec::new(),
            metadata: BTreeMap::new(),
            timestamp: None,
            bootable: true,
            selinux: false,
            linked: false,
        }
    }
}

impl Repo {
    /// Commits a directory, and points the ref at the commit. All or nothing: the ref moves last, in one transaction.
    ///
    /// `progress` hears how many files and directories have been read.
    ///
    /// # Errors
    /// The tree cannot be read, is said to be bootable and is not, or the repository cannot be written.
    pub fn commit(&self, commit: &Commit<'_>, progress: &mut dyn FnMut(u64)) -> Result<Checksum, OstreeError> {
        let fsync = !self.inner.is_disable_fsync();
        let path = self.path().to_owned();
        worker::run(move |reporter| transaction::within(&path, fsync, |repo| repo.write(commit, reporter)), progress)
    }

    /// Whether a tree has a SELinux policy to label its files by.
    ///
    /// # Errors
    /// The tree cannot be read, or its policy is broken.
    pub fn has_policy(&self, tree: &Path) -> Result<bool, OstreeError> {
        let dir = open_dir(tree)?;
        let policy = ostree::SePolicy::new_at(dir.as_raw_fd(), NEVER);
        let policy = policy.map_err(self.refused(format!("read the SELinux policy of {}", tree.display())))?;
        Ok(policy.name().is_some())
    }

    /// Writes the commit; the ref is set when the transaction ends.
    fn write(&self, commit: &Commit<'_>, reporter: &worker::Reporter<u64>) -> Result<Checksum, OstreeError> {
        let deed = |what: &str| self.refused(format!("{what} {} to {}", commit.tree.display(), commit.reference));
        ostree::validate_rev(&commit.reference).map_err(deed("commit"))?;
        let tree = open_dir(commit.tree)?;
        let metadata = VariantDict::new(None);
        let root = if self.mode() == crate::Mode::Archive && !commit.linked && !commit.selinux {
            let written = parallel::write_tree(self, commit.tree, reporter)?;
            metadata.insert_value("ostree.sizes", &written.sizes);
            written.root
        } else {
            self.write_tree(&tree, commit, reporter).map_err(deed("commit"))?
        };
        let parent = match &commit.parent {
            Parent::OfRef => self.find(&commit.reference),
            Parent::None => None,
            Parent::Commit(parent) => Some(parent.clone()),
        };
        for (key, value) in &commit.metadata {
            metadata.insert_value(key, value);
        }
        if let Some(version) = &commit.version {
            metadata.insert_value("version", &version.to_variant());
        }
        if !commit.packages.is_empty() {
            metadata.insert_value(PACKAGES, &packages_variant(&commit.packages));
        }
        metadata.insert_value("ostree.ref-binding", &vec![commit.reference.clone()].to_variant());
        if commit.bootable {
            ostree::commit_metadata_for_bootable(&root, &metadata, NEVER).map_err(deed("find a kernel for"))?;
        }
        let timestamp = commit.timestamp.unwrap_or_else(now);
        let written = self
            .inner
            .write_commit_with_time(
                parent.as_ref().map(Checksum::as_str),
                Some(&commit.subject),
                Some(&commit.body),
                Some(&metadata.end()),
                &root,
                timestamp,
                NEVER,
            )
            .map_err(deed("write the commit of"))?;
        self.inner.transaction_set_ref(None, &commit.reference, Some(&written));
        written.parse().map_err(|_| self.unknown(&written))
    }

    /// Writes the tree's objects by libostree's own commit, on one core: for bare repositories, where it only copies, and for labels by SELinux policy.
    fn write_tree(
        &self,
        tree: &std::fs::File,
        commit: &Commit<'_>,
        reporter: &worker::Reporter<u64>,
    ) -> Result<ostree::RepoFile, ostree::glib::Error> {
        let mut flags = ostree::RepoCommitModifierFlags::NONE;
        if commit.linked {
            flags |= ostree::RepoCommitModifierFlags::DEVINO_CANONICAL;
        }
        let (count, reporter) = (Arc::new(AtomicU64::new(0)), reporter.clone());
        let count_files = move |_: &ostree::Repo, _: &str, _: &gio::FileInfo| {
            let count = count.fetch_add(1, Ordering::Relaxed) + 1;
            if count % 256 == 0 {
                reporter.send(count);
            }
            ostree::RepoCommitFilterResult::Allow
        };
        let modifier = ostree::RepoCommitModifier::new(flags, Some(Box::new(count_files)));
        if commit.linked {
            self.inner.scan_hardlinks(NEVER)?;
        }
        if commit.selinux {
            let policy = ostree::SePolicy::new_at(tree.as_raw_fd(), NEVER)?;
            if policy.name().is_some() {
                modifier.set_sepolicy(Some(&policy));
            }
        }
        let mutable = ostree::MutableTree::new();
        self.inner.write_dfd_to_mtree(tree.as_raw_fd(), ".", &mutable, Some(&modifier), NEVER)?;
        let root = self.inner.write_mtree(&mutable, NEVER)?;
        Ok(root.downcast::<ostree::RepoFile>().expect("write_mtree makes a RepoFile"))
    }
}

fn open_dir(path: &Path) -> Result<std::fs::File, OstreeError> {
    let failed = |source| OstreeError::Io { deed: "open the tree", path: PathBuf::from(path), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let is_dir = file.metadata().map_err(failed)?.is_dir();
    if is_dir { Ok(file) } else { Err(failed(std::io::ErrorKind::NotADirectory.into())) }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
