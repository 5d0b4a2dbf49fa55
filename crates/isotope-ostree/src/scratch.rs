//! A repository for a moment: to look at what a remote has without writing it anywhere.

use crate::{Mode, OstreeError, Repo};

/// An empty archive, removed when dropped.
pub(crate) struct Scratch {
    pub(crate) repo: Repo,
    _dir: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, OstreeError> {
        let made = tempfile::Builder::new().prefix("isotope-ostree.").tempdir();
        let dir =
            made.map_err(|source| OstreeError::Io { deed: "make a directory in", path: std::env::temp_dir(), source })?;
        let repo = Repo::create(dir.path().join("repo"), Mode::Archive)?;
        repo.set_fsync(false);
        Ok(Self { repo, _dir: dir })
    }
}
