//! Remotes: where a repository pulls from, and whose signatures it wants.

use crate::repo::NEVER;
use crate::scratch::Scratch;
use crate::{CommitInfo, OstreeError, Pull, Repo, gpg_keys, sign};
use ostree::glib::VariantDict;
use ostree::glib::prelude::ToVariant as _;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whose signature a commit must have. There is no default: who wants none says [`Verify::None`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// A GPG signature.
    Gpg {
        /// Files of public keys (binary or armoured), imported into the repository: they stay with it. With none here and
        /// no `keypath`, libostree takes those of `/usr/share/ostree/trusted.gpg.d`.
        keys: Vec<PathBuf>,
        /// `gpgkeypath`: a file or directory of keys (more of them: separated by `;`), read at each pull, on this host now
        /// and later by the booted system.
        keypath: Option<String>,
    },
    /// An ed25519 signature, as libostree's sign API makes them. Here it is always checked; whether the booted system's own
    /// libostree can ([`Repo::tree_checks_ed25519`]) is another matter: Debian's cannot, and refuses to upgrade then.
    Ed25519 {
        /// Public keys, in base64; one of them must have signed.
        keys: Vec<String>,
        /// Files with one public key a line, in base64, read now.
        files: Vec<PathBuf>,
    },
    /// None.
    None,
}

/// A remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name in this repository.
    pub name: String,
    /// `http://…`, `https://…` or `file:///…`; a `mirrorlist=` before it makes it a list of mirrors.
    pub url: String,
    /// Whose signature is wanted.
    pub verify: Verify,
    /// The summary must be signed, too (by GPG only).
    pub verify_summary: bool,
    /// Branches to follow, for who pulls without naming one.
    pub branches: Vec<String>,
    /// More lines of the remote's section of the config, e.g. `contenturl`, `tls-ca-path`, `proxy`.
    pub options: BTreeMap<String, String>,
}

impl Remote {
    /// A remote with nothing but a name, a URL and whose signatures it wants.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>, verify: Verify) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            verify,
            verify_summary: false,
            branches: Vec::new(),
            options: BTreeMap::new(),
        }
    }
}

impl Repo {
    /// Adds a remote, or replaces the one of that name with its keys.
    ///
    /// # Errors
    /// The name is not one, a key file is none, or the repository cannot be written.
    pub fn set_remote(&self, remote: &Remote) -> Result<(), OstreeError> {
        let Remote { name, url, verify, verify_summary, branches, options } = remote;
        let deed = |what: &str| self.refused(format!("{what} the remote {name:?}"));
        // Before a file is named after it.
        ostree::validate_remote_name(name).map_err(deed("add"))?;
        let dict = VariantDict::new(None);
        for (key, value) in options {
            dict.insert_value(key, &value.to_variant());
        }
        if !branches.is_empty() {
            dict.insert_value("branches", &branches.to_variant());
        }
        let gpg = matches!(verify, Verify::Gpg { .. });
        dict.insert_value("gpg-verify", &gpg.to_variant());
        dict.insert_value("gpg-verify-summary", &(gpg && *verify_summary).to_variant());
        let mut ring = None;
        match verify {
            Verify::Gpg { keys, keypath } => {
                if !keys.is_empty() {
                    let keys: Result<Vec<_>, _> = keys.iter().map(|key| gpg_keys::read(key)).collect();
                    ring = Some(keys?.concat());
                }
                if let Some(path) = keypath {
                    dict.insert_value("gpgkeypath", &path.to_variant());
                }
            }
            Verify::Ed25519 { keys, files } => {
                let keys = sign::public_keys(keys, files)?;
                sign::configure(self, name, &keys, &dict)?;
            }
            Verify::None => {}
        }
        if self.remotes().iter().any(|known| known == name) {
            self.inner.remote_delete(name, NEVER).map_err(deed("replace"))?;
        }
        // The keys first: a remote without its keys would trust those of the host.
        if let Some(ring) = ring {
            let file = self.keyring(name);
            std::fs::write(&file, ring).map_err(|source| OstreeError::Io {
                deed: "write the keys to",
                path: file.clone(),
                source,
            })?;
        }
        self.inner.remote_add(name, Some(url), Some(&dict.end()), NEVER).map_err(deed("add"))
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
        let (source, dest) = (from.keyring(remote), self.keyring(remote));
        match std::fs::copy(&source, dest) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source_error) => Err(OstreeError::Io { deed: "copy the keys of", path: source, source: source_error }),
        }
    }

    /// Where libostree looks for the GPG keys of a remote.
    pub(crate) fn keyring(&self, remote: &str) -> PathBuf {
        self.path().join(format!("{remote}.trustedkeys.gpg"))
    }

    /// The names of the remotes.
    #[must_use]
    pub fn remotes(&self) -> Vec<String> {
        let mut names: Vec<String> = self.inner.remote_list().into_iter().map(Into::into).collect();
        names.sort();
        names
    }

    /// A remote's URL.
    ///
    /// # Errors
    /// There is no such remote.
    pub fn remote_url(&self, name: &str) -> Result<String, OstreeError> {
        self.inner
            .remote_get_url(name)
            .map(Into::into)
            .map_err(self.refused(format!("tell the URL of the remote {name:?}")))
    }

    /// Makes a remote of a sysroot's repository ready for the booted system: another URL for upgrades, if there is one,
    /// and key files by the path that they have there.
    ///
    /// # Errors
    /// There is no such remote, or the config cannot be written.
    pub fn hand_over_remote(&self, name: &str, upgrade_url: Option<&str>) -> Result<(), OstreeError> {
        self.remote_url(name)?;
        let section = format!("remote \"{name}\"");
        if let Some(url) = upgrade_url {
            self.set_config(&section, "url", url)?;
        }
        if let Some(file) = self.config(&section, sign::KEY_FILE_OPTION)
            && let Ok(inside) = std::path::Path::new(&file).strip_prefix(self.path())
        {
            let path = std::path::Path::new("/ostree/repo").join(inside);
            self.set_config(&section, sign::KEY_FILE_OPTION, &path.display().to_string())?;
        }
        Ok(())
    }

    /// The GPG keys that a remote wants one of, for messages.
    pub(crate) fn wanted_gpg_keys(&self, remote: &str) -> Vec<String> {
        let paths = self.config(&format!("remote \"{remote}\""), "gpgkeypath").unwrap_or_default();
        let mut files = vec![self.keyring(remote)];
        for path in paths.split(';').filter(|path| !path.is_empty()).map(PathBuf::from) {
            match std::fs::read_dir(&path) {
                Ok(entries) => files.extend(entries.flatten().map(|entry| entry.path())),
                Err(_) => files.push(path),
            }
        }
        files.sort();
        let rings = files.iter().filter_map(|file| gpg_keys::read(file).ok());
        let keys = rings.filter_map(|ring| gpg_keys::describe(&ring)).flatten();
        keys.map(|key| format!("GPG {key}")).collect()
    }

    /// The refs of a remote with what their commits say of themselves, by its summary; of a `file:` remote by its refs.
    /// `None`: it has no summary, so it cannot tell.
    ///
    /// Signatures of commits are not checked here, that of the summary is if the remote wants one.
    ///
    /// # Errors
    /// There is no such remote, it cannot be reached, or its summary has not the wanted signature.
    pub fn remote_refs(&self, name: &str) -> Result<Option<BTreeMap<String, CommitInfo>>, OstreeError> {
        let url = self.remote_url(name)?;
        if let Some(path) = url.strip_prefix("file://") {
            return Self::open(path)?.described_refs().map(Some);
        }
        // A mirror of the commit objects alone. (The binding of ostree_repo_remote_fetch_summary panics where a summary
        // has no signature; that of ostree_repo_remote_list_refs is not there.)
        let scratch = Scratch::new()?;
        scratch.repo.copy_remote(self, name)?;
        let section = format!("remote \"{name}\"");
        scratch.repo.set_config(&section, "gpg-verify", "false")?;
        scratch.repo.set_config(&section, "sign-verify", "false")?;
        let pull = Pull { mirror: true, commit_only: true, ..Pull::new(name, [""; 0]) };
        match scratch.repo.pull(&pull, &mut |_| {}) {
            Ok(_) => scratch.repo.described_refs().map(Some),
            Err(OstreeError::NoSummary { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn described_refs(&self) -> Result<BTreeMap<String, CommitInfo>, OstreeError> {
        let refs = self.refs()?;
        refs.into_iter().map(|(name, commit)| Ok((name, self.metadata(&commit)?))).collect()
    }
}
