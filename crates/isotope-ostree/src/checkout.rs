//! A commit becomes a directory.

use crate::repo::NEVER;
use crate::tree_files::Node;
use crate::{Checksum, OstreeError, Repo};
use rustix::fs::RenameFlags;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// How to check out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckoutOptions {
    /// Only what is below this path of the commit.
    pub subpath: Option<String>,
    /// Owners, set-uid bits and extended attributes as in the commit (needs root); else all belongs to the caller.
    pub owners: bool,
    /// Hard links to the repository's own files where it is of a bare mode: fast and small, and who writes to such a file
    /// damages the repository.
    pub links: bool,
}

impl Repo {
    /// Checks a commit out into `dest`, which must not exist; it appears when it is complete.
    ///
    /// # Errors
    /// `dest` exists, its parent cannot be written, or the commit is not there in full.
    pub fn checkout(&self, commit: &Checksum, dest: &Path, options: &CheckoutOptions) -> Result<(), OstreeError> {
        let io = |deed: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source: std::io::Error| OstreeError::Io { deed, path, source }
        };
        if dest.symlink_metadata().is_ok() {
            return Err(io("make the directory", dest)(std::io::ErrorKind::AlreadyExists.into()));
        }
        let subpath = options.subpath.as_deref().unwrap_or("/");
        if !matches!(self.node(commit, subpath)?, Some(Node::Directory(..))) {
            let what = format!("directory {subpath} in commit {commit}");
            return Err(OstreeError::NotThere { what, place: self.path().to_owned(), known: Vec::new() });
        }
        let parent = match dest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let scratch = tempfile::Builder::new()
            .prefix(".isotope-checkout.")
            .tempdir_in(parent)
            .map_err(io("make a directory in", parent))?;
        let dir = std::fs::File::open(scratch.path()).map_err(io("open", scratch.path()))?;
        let library = ostree::RepoCheckoutAtOptions {
            mode: if options.owners { ostree::RepoCheckoutMode::None } else { ostree::RepoCheckoutMode::User },
            force_copy: !options.links,
            subpath: options.subpath.as_ref().map(PathBuf::from),
            ..ostree::RepoCheckoutAtOptions::default()
        };
        self.inner
            .checkout_at(Some(&library), dir.as_raw_fd(), "tree", commit.as_str(), NEVER)
            .map_err(self.refused(format!("check out {commit}")))?;
        rustix::fs::renameat_with(&dir, "tree", rustix::fs::CWD, dest, RenameFlags::NOREPLACE)
            .map_err(|errno| io("make the directory", dest)(errno.into()))
    }
}
