//! Room: what a pull will take, by the sizes that commits list (`ostree.sizes`), before it begins.

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo};
use isotope_plan::Bytes;

/// What a file system gives away at least at a time.
const BLOCK: u64 = 4096;
/// Of `[core]`: what libostree leaves free of the file system that a repository is on, in percent (ostree.repo-config(5)).
const RESERVE: &str = "min-free-space-percent";

impl Repo {
    /// Bytes that the objects of a commit take that are not in this repository yet. `commits` holds the commit object;
    /// `None`: it does not list its sizes.
    ///
    /// # Errors
    /// `commits` does not hold it.
    pub fn room_needed(&self, commits: &Self, commit: &Checksum) -> Result<Option<Bytes>, OstreeError> {
        let (variant, _) =
            commits.inner.load_commit(commit.as_str()).map_err(commits.refused(format!("read commit {commit}")))?;
        let Ok(sizes) = ostree::commit_get_object_sizes(&variant) else { return Ok(None) };
        let archive = self.mode() == crate::Mode::Archive;
        let missing = sizes
            .iter()
            .filter(|entry| !self.inner.has_object(entry.objtype(), &entry.checksum(), NEVER).unwrap_or(false));
        let bytes = missing.map(|entry| if archive { entry.archived() } else { entry.unpacked() });
        Ok(Some(Bytes(bytes.map(|bytes| bytes.next_multiple_of(BLOCK)).sum())))
    }

    /// Lets the repository fill its file system, or no longer. A system that runs needs the reserve of libostree; a tree that is made in
    /// a cache, and copied to its own disk later, does not need a part of the host's disk free.
    ///
    /// # Errors
    /// The config cannot be written.
    pub fn fill_disk(&self, fill: bool) -> Result<(), OstreeError> {
        if fill { self.set_config("core", RESERVE, "0") } else { self.unset_config("core", RESERVE) }
    }

    /// Refuses commits that do not fit here. libostree leaves a part of the file system free
    /// (`core.min-free-space-percent` 3, or `-size`), and so do we.
    pub(crate) fn require_room(&self, commits: &Self, wanted: &[Checksum]) -> Result<(), OstreeError> {
        let mut need = 0_u64;
        for commit in wanted {
            need = need.saturating_add(self.room_needed(commits, commit)?.map_or(0, |bytes| bytes.0));
        }
        if need == 0 {
            return Ok(());
        }
        let reserve = self.inner.min_free_space_bytes().map_err(self.refused("read the config of"))?;
        let need = need.saturating_add(reserve);
        let available = self.free_space()?;
        if need <= available.0 {
            return Ok(());
        }
        let place = self.path().to_owned();
        Err(OstreeError::NoSpace { place, need: Some(Bytes(need)), available, commit: wanted.first().cloned() })
    }
}
