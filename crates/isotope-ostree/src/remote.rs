//! Remotes: where a repository pulls from, and whose signatures it wants.

use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo, sign};
use isotope_plan::Bytes;
use ostree::gio;
use ostree::glib::prelude::ToVariant as _;
use ostree::glib::{Variant, VariantDict, VariantTy};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Whose signature a commit must have. There is no default: who wants none says [`Verify::None`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// A GPG signature.
    Gpg {
        /// Files of public keys (binary or armoured), imported into the repository: they stay with it.
        keys: Vec<PathBuf>,
        /// `gpgkeypath`: a file or directory of keys, read at each pull, on this host now and later by the booted system.
        keypath: Option<String>,
    },
    /// An ed25519 signature, as libostree's sign API makes them.
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

/// One ref of a remote, as its summary tells.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RemoteRef {
    /// Its commit.
    pub commit: Checksum,
    /// Seconds since 1970, if the summary says.
    pub timestamp: Option<u64>,
    /// The commit's version, if the summary says.
    pub version: Option<String>,
    /// Bytes of the commit object (not of its files).
    pub commit_size: Bytes,
}

impl Repo {
    /// Adds a remote, or replaces the one of that name with its keys.
    ///
    /// # Errors
    /// The name is not one, a key file is not one, or the repository cannot be written.
    pub fn set_remote(&self, remote: &Remote) -> Result<(), OstreeError> {
        let Remote { name, url, verify, verify_summary, branches, options } = remote;
        let deed = |what: &str| self.refused(format!("{what} the remote {name:?}"));
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
        match verify {
            Verify::Gpg { keypath, .. } => {
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
        self.inner.remote_add(name, Some(url), Some(&dict.end()), NEVER).map_err(deed("add"))?;
        if let Verify::Gpg { keys, .. } = verify {
            for key in keys {
                self.import_gpg_key(name, key)?;
            }
        }
        Ok(())
    }

    fn import_gpg_key(&self, remote: &str, file: &PathBuf) -> Result<(), OstreeError> {
        let data = std::fs::read(file).map_err(|source| OstreeError::Io {
            deed: "read the GPG key",
            path: file.clone(),
            source,
        })?;
        let bad = |why: String| OstreeError::BadKey { what: file.display().to_string(), kind: "GPG public", why };
        let stream = gio::MemoryInputStream::from_bytes(&ostree::glib::Bytes::from_owned(data));
        let imported =
            self.inner.remote_gpg_import(remote, Some(&stream), &[], NEVER).map_err(|error| bad(error.to_string()))?;
        // Zero are imported, too, when the same key is given twice.
        if imported == 0 && self.gpg_keys(remote).is_empty() {
            return Err(bad("there is no public key in it".to_owned()));
        }
        Ok(())
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

    /// Fingerprints of the GPG keys of a remote.
    pub(crate) fn gpg_keys(&self, remote: &str) -> Vec<String> {
        let keys = self.inner.remote_get_gpg_keys(Some(remote), &[], NEVER).unwrap_or_default();
        // `(aa{sv}aa{sv}a{sv})`: the subkeys, the primary first; user ids.
        keys.iter()
            .filter_map(|key| {
                let text = |list: usize, name: &str| {
                    let first = key.child_value(list).try_child_value(0)?;
                    VariantDict::new(Some(&first)).lookup::<String>(name).ok().flatten()
                };
                let fingerprint = text(0, "fingerprint")?;
                Some(match text(1, "uid") {
                    Some(uid) => format!("{fingerprint} ({uid})"),
                    None => fingerprint,
                })
            })
            .collect()
    }

    /// The refs of a remote, by its summary; of a `file:` remote by its refs. `None`: it has no summary, so it cannot tell.
    ///
    /// # Errors
    /// There is no such remote, it cannot be reached, or its summary has not the wanted signature.
    pub fn remote_refs(&self, name: &str) -> Result<Option<BTreeMap<String, RemoteRef>>, OstreeError> {
        let url = self.remote_url(name)?;
        if let Some(path) = url.strip_prefix("file://") {
            let other = Self::open(path)?;
            return other.local_refs().map(Some);
        }
        let (summary, _) = self
            .inner
            .remote_fetch_summary_with_options(name, None, NEVER)
            .map_err(|error| crate::wire::explain(self, name, &url, error))?;
        if summary.is_empty() {
            return Ok(None);
        }
        let kind = VariantTy::new(SUMMARY_TYPE).expect("a type string of ours");
        let summary = Variant::from_bytes_with_type(&summary, kind);
        Ok(Some(summary.child_value(0).iter().filter_map(|entry| summary_ref(&entry)).collect()))
    }

    fn local_refs(&self) -> Result<BTreeMap<String, RemoteRef>, OstreeError> {
        let mut found = BTreeMap::new();
        for (name, commit) in self.refs()? {
            let info = self.metadata(&commit)?;
            let size = self.inner.query_object_storage_size(ostree::ObjectType::Commit, commit.as_str(), NEVER);
            let commit_size = Bytes(size.unwrap_or_default());
            found.insert(
                name,
                RemoteRef { commit, timestamp: Some(info.timestamp), version: info.version, commit_size },
            );
        }
        Ok(found)
    }
}

/// Refs with size, checksum and metadata; metadata of the summary.
const SUMMARY_TYPE: &str = "(a(s(taya{sv}))a{sv})";

fn summary_ref(entry: &Variant) -> Option<(String, RemoteRef)> {
    let name = entry.child_value(0).get::<String>()?;
    let value = entry.child_value(1);
    let commit_size = Bytes(u64::from_be(value.child_value(0).get::<u64>()?));
    let commit = Checksum::from_bytes(&value.child_value(1).get::<Vec<u8>>()?)?;
    let metadata = VariantDict::new(Some(&value.child_value(2)));
    let timestamp = metadata.lookup::<u64>("ostree.commit.timestamp").ok().flatten().map(u64::from_be);
    let version = metadata.lookup::<String>("ostree.commit.version").ok().flatten();
    Some((name, RemoteRef { commit, timestamp, version, commit_size }))
}
