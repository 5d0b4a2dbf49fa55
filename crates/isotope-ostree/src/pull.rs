//! Pulls: commits with all their files from a remote, or from another repository on this host.

mod transfer;

use crate::repo::NEVER;
use crate::scratch::Scratch;
use crate::{Checksum, CommitInfo, OstreeError, Repo, worker};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// The remote's name; its keys decide what is accepted.
    pub remote: String,
    /// Branches or commits. None: the remote's `branches`.
    pub refs: Vec<String>,
    /// Another place than the remote's URL, with the remote's keys all the same.
    pub url: Option<String>,
    /// How many ancestors to pull, too; -1: all.
    pub depth: i32,
    /// The refs become the repository's own (`REF`), not those of a remote (`REMOTE:REF`).
    pub mirror: bool,
    /// Only commit objects, no files.
    pub commit_only: bool,
    /// Only what is in these directories of the commits (and the directories themselves); none: all. Such commits stay
    /// partial.
    pub subdirs: Vec<String>,
    /// How often the transfer goes on after a network error, by libostree itself for a file, by us as a whole.
    pub retries: u32,
}

impl Pull {
    /// Some refs of a remote, without ancestors.
    #[must_use]
    pub fn new(remote: impl Into<String>, refs: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            remote: remote.into(),
            refs: refs.into_iter().map(Into::into).collect(),
            url: None,
            depth: 0,
            mirror: false,
            commit_only: false,
            subdirs: Vec::new(),
            retries: 5,
        }
    }
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that came over the wire.
    pub bytes: u64,
    /// Objects that came.
    pub objects: u32,
    /// Objects asked for so far; grows while directories are read.
    pub requested: u32,
    /// Directories and other metadata of `objects`.
    pub metadata: u32,
    /// Parts of static deltas that came.
    pub delta_parts: u32,
    /// Parts of static deltas there are; 0: none is used.
    pub total_delta_parts: u32,
    /// Bytes of all parts of static deltas.
    pub total_delta_bytes: u64,
    /// Objects being written.
    pub writing: u32,
}

/// What a pull brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// For each ref or commit asked for, its commit.
    pub commits: BTreeMap<String, Checksum>,
    /// Bytes that came over the wire.
    pub bytes: u64,
    /// Objects that came, in static deltas not counted. Where the transfer broke off and went on, some are not counted.
    pub objects: u32,
    /// Parts of static deltas that came.
    pub delta_parts: u32,
}

impl Repo {
    /// Pulls. A pull that broke off before goes on where it was; refs move last, when all files are there.
    ///
    /// Signatures are checked as the remote says, before any file is asked for.
    ///
    /// # Errors
    /// Unknown ref, no or wrong signature, damaged object, remote that broke off or cannot be reached, no room.
    pub fn pull(&self, pull: &Pull, progress: &mut dyn FnMut(Progress)) -> Result<Pulled, OstreeError> {
        self.pull_commits(pull, None, progress)
    }

    /// `known`: the commits of the refs, where they need not be asked of the remote.
    fn pull_commits(
        &self,
        pull: &Pull,
        known: Option<Vec<Checksum>>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Pulled, OstreeError> {
        let fsync = !self.inner.is_disable_fsync();
        let path = self.path().to_owned();
        let (tip, last) = worker::run(
            move |reporter| {
                let repo = Self::open(path)?;
                repo.set_fsync(fsync);
                // This thread has a reporter, so it is a worker already.
                let names = repo.names(pull)?;
                // Of commits alone nothing is known before them but what libostree checks itself.
                if names.is_empty() || (pull.commit_only && repo.ed25519_keys(&pull.remote)?.is_none()) {
                    return repo.transfer_again(pull, known.as_deref(), reporter);
                }
                let (scratch, found) = repo.look_before(pull, known.as_deref(), &names)?;
                if !pull.commit_only && pull.subdirs.is_empty() {
                    repo.require_room(&scratch.repo, &found)?;
                }
                drop(scratch);
                let pull = Pull { refs: names, ..pull.clone() };
                repo.transfer_again(&pull, Some(&found), reporter)
            },
            progress,
        )?;
        self.inner.reload_config(NEVER).map_err(self.refused("read the config of"))?;
        Ok(Pulled { commits: tip, bytes: last.bytes, objects: last.objects, delta_parts: last.delta_parts })
    }

    /// Pulls from another repository on this host, by hard links where both are on one file system and of one mode.
    /// `pull.remote` must be a remote of this repository: its keys decide what is accepted.
    ///
    /// # Errors
    /// As [`Repo::pull`].
    pub fn pull_local(
        &self,
        source: &Self,
        pull: &Pull,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Pulled, OstreeError> {
        let refs = self.names(pull)?;
        // Its summary may be out of date, its refs are not.
        let known = refs.iter().map(|name| source.resolve(name)).collect::<Result<_, _>>()?;
        let pull = Pull { url: Some(file_url(source.path())), refs, ..pull.clone() };
        self.pull_commits(&pull, Some(known), progress)
    }

    /// What a remote's commits say of themselves, signatures checked, nothing but the commit objects fetched, this
    /// repository unchanged. For checks before a pull: is the ref there, how much room will it take.
    ///
    /// # Errors
    /// As [`Repo::pull`].
    pub fn probe(&self, pull: &Pull) -> Result<BTreeMap<String, CommitInfo>, OstreeError> {
        let path = self.path().to_owned();
        worker::run::<(), _>(
            move |_| {
                let repo = Self::open(path)?;
                let names = repo.names(pull)?;
                let (scratch, found) = repo.look_before(pull, None, &names)?;
                names.into_iter().zip(&found).map(|(name, commit)| Ok((name, scratch.repo.metadata(commit)?))).collect()
            },
            &mut |()| {},
        )
    }

    /// The refs and commits that a pull asks for; empty: all there are.
    fn names(&self, pull: &Pull) -> Result<Vec<String>, OstreeError> {
        if !pull.refs.is_empty() {
            return Ok(pull.refs.clone());
        }
        let branches = self.branches(&pull.remote);
        if branches.is_empty() && pull.mirror && self.ed25519_keys(&pull.remote)?.is_some() {
            // Each must be known to be checked.
            let refs = self.remote_refs(&pull.remote)?;
            let url = || OstreeError::NoSummary { url: pull.url.clone().unwrap_or_else(|| pull.remote.clone()) };
            return refs.map(|refs| refs.into_keys().collect()).ok_or_else(url);
        }
        Ok(branches)
    }

    /// What can be known before the first file is asked for: whether the refs are there, and signed by whom they should be.
    /// Fetches the commit objects to another place; gives them with their checksums in the order of the refs.
    fn look_before(
        &self,
        pull: &Pull,
        known: Option<&[Checksum]>,
        names: &[String],
    ) -> Result<(Scratch, Vec<Checksum>), OstreeError> {
        let scratch = Scratch::new()?;
        let other = &scratch.repo;
        other.copy_remote(self, &pull.remote)?;
        let probe = Pull { commit_only: true, mirror: false, depth: 0, refs: names.to_vec(), ..pull.clone() };
        let (commits, _) = other.transfer_again(&probe, known, &worker::Reporter::deaf())?;
        let found: Vec<Checksum> = names.iter().filter_map(|name| commits.get(name).cloned()).collect();
        if let Some(keys) = self.ed25519_keys(&pull.remote)? {
            for commit in &found {
                other.require_ed25519(commit, &pull.remote, &keys)?;
            }
        }
        Ok((scratch, found))
    }
}

/// `file://` and the path; libostree decodes percent signs in it.
pub(crate) fn file_url(path: &Path) -> String {
    let path = PathBuf::from(path).display().to_string();
    let quoted: String = path
        .chars()
        .map(|letter| match letter {
            '%' => "%25".to_owned(),
            '#' => "%23".to_owned(),
            '?' => "%3F".to_owned(),
            ' ' => "%20".to_owned(),
            other => other.to_string(),
        })
        .collect();
    format!("file://{quoted}")
}
