//! Pulls: commits with all their files from a remote, or from another repository on this host.

use crate::repo::NEVER;
use crate::{Checksum, CommitInfo, Mode, OstreeError, Repo, wire, worker};
use ostree::glib::VariantDict;
use ostree::glib::prelude::ToVariant as _;
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
    /// How often a file is asked for again after a network error.
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
    /// Objects that came, in static deltas not counted.
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
                let verified = repo.verify_before(pull, known.as_deref())?;
                repo.transfer(pull, known.as_deref().or(verified.as_deref()), reporter)
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
        let refs = if pull.refs.is_empty() { self.branches(&pull.remote) } else { pull.refs.clone() };
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
        let scratch = tempfile::tempdir().map_err(|source| OstreeError::Io {
            deed: "make a directory in",
            path: std::env::temp_dir(),
            source,
        })?;
        let other = Self::create(scratch.path().join("repo"), Mode::Archive)?;
        other.copy_remote(self, &pull.remote)?;
        let pull = Pull { commit_only: true, mirror: false, depth: 0, ..pull.clone() };
        let pulled = other.pull(&pull, &mut |_| {})?;
        pulled.commits.into_iter().map(|(name, commit)| Ok((name, other.metadata(&commit)?))).collect()
    }

    /// Takes over another repository's remote with its keys.
    pub(crate) fn copy_remote(&self, from: &Self, remote: &str) -> Result<(), OstreeError> {
        from.remote_url(remote)?;
        let section = format!("remote \"{remote}\"");
        let (config, theirs) = (self.inner.copy_config(), from.inner.copy_config());
        let keys = theirs.keys(&section).map_err(self.refused("read the remote of"))?;
        for key in keys.iter() {
            let value = theirs.value(&section, key.as_str()).map_err(self.refused("read the remote of"))?;
            config.set_value(&section, key.as_str(), &value);
        }
        self.inner
            .write_config(&config)
            .and_then(|()| self.inner.reload_config(NEVER))
            .map_err(self.refused("copy a remote to"))?;
        let keyring = format!("{remote}.trustedkeys.gpg");
        let (source, dest) = (from.path().join(&keyring), self.path().join(&keyring));
        match std::fs::copy(&source, dest) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source_error) => Err(OstreeError::Io { deed: "copy the keys of", path: source, source: source_error }),
        }
    }

    /// For a remote that wants ed25519: fetches the commit objects alone, checks them, and gives their checksums in the
    /// order of the refs; `None`: the remote wants none. (libostree itself checks GPG signatures, before it asks for files.)
    fn verify_before(&self, pull: &Pull, known: Option<&[Checksum]>) -> Result<Option<Vec<Checksum>>, OstreeError> {
        let Some(keys) = self.ed25519_keys(&pull.remote)? else { return Ok(None) };
        let scratch = tempfile::tempdir().map_err(|source| OstreeError::Io {
            deed: "make a directory in",
            path: std::env::temp_dir(),
            source,
        })?;
        let other = Self::create(scratch.path().join("repo"), Mode::Archive)?;
        other.copy_remote(self, &pull.remote)?;
        let section = format!("remote \"{}\"", pull.remote);
        other.set_config(&section, "sign-verify", "false")?;
        let probe = Pull { commit_only: true, mirror: false, depth: 0, ..pull.clone() };
        let (commits, _) = other.transfer(&probe, known, &worker::Reporter::deaf())?;
        let mut verified = Vec::new();
        for name in &pull.refs {
            let commit = &commits[name];
            if other.verify_ed25519(commit, &keys)?.is_none() {
                let signed = other.metadata(commit)?.signed.iter().any(|kind| kind == "ed25519");
                return Err(OstreeError::BadSignature {
                    commit: commit.to_string(),
                    remote: pull.remote.clone(),
                    signed,
                    wanted: keys.iter().map(|key| format!("ed25519 {key}")).collect(),
                    source: None,
                });
            }
            verified.push(commit.clone());
        }
        Ok(Some(verified))
    }

    /// The pull itself. In a worker thread: libostree iterates the thread's main context.
    fn transfer(
        &self,
        pull: &Pull,
        known: Option<&[Checksum]>,
        reporter: &worker::Reporter<Progress>,
    ) -> Result<(BTreeMap<String, Checksum>, Progress), OstreeError> {
        let url = match &pull.url {
            Some(url) => url.clone(),
            None => self.remote_url(&pull.remote)?,
        };
        let options = VariantDict::new(None);
        let mut flags = ostree::RepoPullFlags::NONE;
        if pull.mirror {
            flags |= ostree::RepoPullFlags::MIRROR;
        }
        if pull.commit_only {
            flags |= ostree::RepoPullFlags::COMMIT_ONLY;
        }
        options.insert_value("flags", &(flags.bits().cast_signed()).to_variant());
        if !pull.refs.is_empty() {
            options.insert_value("refs", &pull.refs.to_variant());
        }
        if let Some(known) = known {
            let commits: Vec<&str> = known.iter().map(Checksum::as_str).collect();
            options.insert_value("override-commit-ids", &commits.to_variant());
        }
        // Signatures of the sign API are checked by `verify_before`, also where libostree cannot.
        options.insert_value("disable-sign-verify", &true.to_variant());
        options.insert_value("disable-sign-verify-summary", &true.to_variant());
        if let Some(url) = &pull.url {
            options.insert_value("override-url", &url.to_variant());
        }
        options.insert_value("depth", &pull.depth.to_variant());
        options.insert_value("n-network-retries", &pull.retries.to_variant());
        options.insert_value("update-frequency", &250_u32.to_variant());
        let progress = ostree::AsyncProgress::new();
        let hear = reporter.clone();
        progress.connect_changed(move |progress| hear.send(read(progress)));
        let result = self.inner.pull_with_options(&pull.remote, &options.end(), Some(&progress), NEVER);
        progress.finish();
        let last = read(&progress);
        result.map_err(|error| self.explain_pull(pull, &url, error))?;
        let names = if pull.refs.is_empty() { self.branches(&pull.remote) } else { pull.refs.clone() };
        let mut commits = BTreeMap::new();
        for name in names {
            let local = match name.parse::<Checksum>() {
                Ok(_) => name.clone(),
                Err(_) if pull.mirror => name.clone(),
                Err(_) => format!("{}:{name}", pull.remote),
            };
            let commit = self.resolve(&local)?;
            commits.insert(name, commit);
        }
        Ok((commits, last))
    }

    fn branches(&self, remote: &str) -> Vec<String> {
        let list = self.inner.remote_list_option(remote, "branches").unwrap_or_default();
        list.into_iter().map(Into::into).collect()
    }

    /// An unknown ref is told with those that exist; all else as [`wire::explain`] has it.
    fn explain_pull(&self, pull: &Pull, url: &str, error: ostree::glib::Error) -> OstreeError {
        let explained = wire::explain(self, &pull.remote, url, error);
        if !matches!(explained, OstreeError::Remote { .. }) {
            return explained;
        }
        let known = match &pull.url {
            Some(url) => url.strip_prefix("file://").and_then(|path| Self::open(path).ok()).and_then(|other| {
                let refs = other.refs().ok()?;
                Some(refs.into_keys().collect::<Vec<_>>())
            }),
            None => self.remote_refs(&pull.remote).ok().flatten().map(|refs| refs.into_keys().collect()),
        };
        let Some(known) = known else { return explained };
        let missing = |name: &&String| name.parse::<Checksum>().is_err() && !known.contains(name);
        match pull.refs.iter().find(missing) {
            Some(name) => {
                OstreeError::UnknownRef { name: name.clone(), place: format!("{} ({url})", pull.remote), known }
            }
            None => explained,
        }
    }
}

fn read(progress: &ostree::AsyncProgress) -> Progress {
    Progress {
        bytes: progress.uint64("bytes-transferred"),
        objects: progress.uint("fetched"),
        requested: progress.uint("requested"),
        metadata: progress.uint("metadata-fetched"),
        delta_parts: progress.uint("fetched-delta-parts"),
        total_delta_parts: progress.uint("total-delta-parts"),
        total_delta_bytes: progress.uint64("total-delta-part-size"),
        writing: progress.uint("outstanding-writes"),
    }
}

/// `file://` and the path; libostree decodes percent signs in it.
fn file_url(path: &Path) -> String {
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
