//! The transfer itself: libostree's asynchronous fetcher, iterated in a worker's main context, again where it broke off.

use super::{Progress, Pull};
use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo, wire, worker};
use ostree::glib::VariantDict;
use ostree::glib::prelude::ToVariant as _;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to wait before a pull that broke off goes on; twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Repo {
    /// The pull, again where it broke off: what has come is kept, so each attempt goes on. libostree itself asks again
    /// only after timeouts and where the host cannot be found.
    pub(super) fn transfer_again(
        &self,
        pull: &Pull,
        known: Option<&[Checksum]>,
        reporter: &worker::Reporter<Progress>,
    ) -> Result<(BTreeMap<String, Checksum>, Progress), OstreeError> {
        let mut pause = FIRST_PAUSE;
        let mut came = Progress::default();
        for _ in 0..pull.retries {
            match self.transfer(pull, known, &mut came, reporter) {
                Err(OstreeError::BrokenOff { .. }) => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                result => return result.map(|commits| (commits, came)),
            }
        }
        self.transfer(pull, known, &mut came, reporter).map(|commits| (commits, came))
    }

    /// One attempt, in a worker thread: libostree iterates the thread's main context. `came`: what earlier attempts
    /// brought; becomes what this one brought, too.
    fn transfer(
        &self,
        pull: &Pull,
        known: Option<&[Checksum]>,
        came: &mut Progress,
        reporter: &worker::Reporter<Progress>,
    ) -> Result<BTreeMap<String, Checksum>, OstreeError> {
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
        // Signatures of the sign API are checked by `look_before`, also where libostree cannot.
        options.insert_value("disable-sign-verify", &true.to_variant());
        options.insert_value("disable-sign-verify-summary", &true.to_variant());
        if let Some(url) = &pull.url {
            options.insert_value("override-url", &url.to_variant());
        }
        if !pull.subdirs.is_empty() {
            options.insert_value("subdirs", &pull.subdirs.to_variant());
        }
        options.insert_value("depth", &pull.depth.to_variant());
        options.insert_value("n-network-retries", &pull.retries.to_variant());
        options.insert_value("update-frequency", &250_u32.to_variant());
        let progress = ostree::AsyncProgress::new();
        let hear = reporter.clone();
        let before = *came;
        progress.connect_changed(move |progress| hear.send(read(progress, before)));
        let result = self.inner.pull_with_options(&pull.remote, &options.end(), Some(&progress), NEVER);
        progress.finish();
        *came = read(&progress, before);
        result.map_err(|error| self.explain_pull(pull, &url, came.bytes > 0, error))?;
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
        Ok(commits)
    }

    pub(super) fn branches(&self, remote: &str) -> Vec<String> {
        let list = self.inner.remote_list_option(remote, "branches").unwrap_or_default();
        list.into_iter().map(Into::into).collect()
    }

    /// An unknown ref is told with those that exist; all else as [`wire::explain`] has it.
    fn explain_pull(&self, pull: &Pull, url: &str, begun: bool, error: ostree::glib::Error) -> OstreeError {
        let explained = wire::explain(self, &pull.remote, url, begun, error);
        // A pull of all refs is how the refs are asked for.
        if pull.refs.is_empty() || !matches!(explained, OstreeError::Remote { .. }) {
            return explained;
        }
        let local = pull.url.as_deref().or(Some(url)).and_then(|url| url.strip_prefix("file://"));
        let known = match local {
            Some(path) => Self::open(path).and_then(|other| other.refs()).map(|refs| Some(refs.into_keys().collect())),
            None => self.remote_refs(&pull.remote).map(|refs| refs.map(|refs| refs.into_keys().collect::<Vec<_>>())),
        };
        let asked = || pull.refs.iter();
        let incomplete = known.is_err();
        let known = known.ok().flatten().unwrap_or_default();
        let missing = |name: &&String| name.parse::<Checksum>().is_err() && !known.contains(name);
        if !incomplete && let Some(name) = asked().find(missing) {
            let place = format!("{} ({url})", pull.remote);
            return OstreeError::UnknownRef { name: name.clone(), place, known };
        }
        let absent = |name: &&String| name.parse::<Checksum>().is_ok_and(|commit| !self.has_commit(&commit));
        if let Some(commit) = asked().find(absent) {
            return OstreeError::UnknownCommit { commit: commit.clone(), place: url.to_owned(), partial: false };
        }
        match explained {
            OstreeError::Remote { url, source, .. } if source.message().contains("HTTP 404") => {
                OstreeError::Incomplete { url, source }
            }
            other => other,
        }
    }

    fn has_commit(&self, commit: &Checksum) -> bool {
        self.inner.has_object(ostree::ObjectType::Commit, commit.as_str(), NEVER).unwrap_or(false)
    }
}

/// What has come, with what came in earlier attempts.
fn read(progress: &ostree::AsyncProgress, before: Progress) -> Progress {
    Progress {
        bytes: before.bytes + progress.uint64("bytes-transferred"),
        objects: before.objects + progress.uint("fetched"),
        requested: before.objects + progress.uint("requested"),
        metadata: before.metadata + progress.uint("metadata-fetched"),
        delta_parts: before.delta_parts + progress.uint("fetched-delta-parts"),
        total_delta_parts: before.delta_parts + progress.uint("total-delta-parts"),
        total_delta_bytes: progress.uint64("total-delta-part-size"),
        writing: progress.uint("outstanding-writes"),
    }
}
