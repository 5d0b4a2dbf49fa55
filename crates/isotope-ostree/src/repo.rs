//! A repository: made, opened, configured, its refs.

use crate::{Checksum, OstreeError};
use isotope_plan::Bytes;
use ostree::gio::Cancellable;
use ostree::glib;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// No operation here is cancelled half way: who wants that ends the process (libostree's transactions allow it).
pub(crate) const NEVER: Option<&Cancellable> = None;

/// How a repository keeps its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Compressed, with owners and extended attributes beside the content: what a web server serves.
    Archive,
    /// As they are in the tree, owners and attributes included: what deployments link to. Needs root.
    Bare,
    /// As they are, owners and attributes in an extended attribute: for unprivileged users.
    BareUser,
    /// As they are, without owners and attributes.
    BareUserOnly,
    /// As `Bare`, extended attributes beside the content.
    BareSplitXattrs,
}

impl Mode {
    fn to_library(self) -> ostree::RepoMode {
        match self {
            Self::Archive => ostree::RepoMode::Archive,
            Self::Bare => ostree::RepoMode::Bare,
            Self::BareUser => ostree::RepoMode::BareUser,
            Self::BareUserOnly => ostree::RepoMode::BareUserOnly,
            Self::BareSplitXattrs => ostree::RepoMode::BareSplitXattrs,
        }
    }

    fn from_library(mode: ostree::RepoMode) -> Self {
        match mode {
            ostree::RepoMode::Bare => Self::Bare,
            ostree::RepoMode::BareUser => Self::BareUser,
            ostree::RepoMode::BareUserOnly => Self::BareUserOnly,
            ostree::RepoMode::BareSplitXattrs => Self::BareSplitXattrs,
            _ => Self::Archive,
        }
    }
}

/// An ostree repository on this host's disk.
pub struct Repo {
    pub(crate) inner: ostree::Repo,
    path: PathBuf,
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Repo {
    /// Makes a repository of `mode` in `path` (made too), or opens the one that is there.
    ///
    /// # Errors
    /// `path` cannot be written, or holds something else.
    pub fn create(path: impl Into<PathBuf>, mode: Mode) -> Result<Self, OstreeError> {
        let path = absolute(path.into())?;
        if !path.join("config").exists() {
            std::fs::create_dir_all(&path).map_err(|source| OstreeError::Io {
                deed: "make the directory",
                path: path.clone(),
                source,
            })?;
            let inner = ostree::Repo::new_for_path(&path);
            inner.create(mode.to_library(), NEVER).map_err(|source| OstreeError::Libostree {
                deed: format!("make a repository of mode {mode:?}"),
                path: path.clone(),
                source,
            })?;
        }
        Self::open(path)
    }

    /// Opens the repository in `path`.
    ///
    /// # Errors
    /// There is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OstreeError> {
        let path = absolute(path.into())?;
        let inner = ostree::Repo::new_for_path(&path);
        inner.open(NEVER).map_err(|source| OstreeError::NotA {
            path: path.clone(),
            what: "ostree repository",
            source,
        })?;
        Ok(Self { inner, path })
    }

    /// Its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it keeps its files.
    #[must_use]
    pub fn mode(&self) -> Mode {
        Mode::from_library(self.inner.mode())
    }

    /// Whether what is written is flushed to the disk at once (it is, unless this is called): not needed where a power
    /// cut throws all of it away anyway, as in a build.
    pub fn set_fsync(&self, fsync: bool) {
        self.inner.set_disable_fsync(!fsync);
    }

    /// Sets one line of the repository's `config`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_config(&self, section: &str, key: &str, value: &str) -> Result<(), OstreeError> {
        let config = self.inner.copy_config();
        config.set_string(section, key, value);
        self.write_config(&config, || format!("set {section}.{key} in"))
    }

    /// Takes one line out of the repository's `config`, if it is there.
    pub(crate) fn unset_config(&self, section: &str, key: &str) -> Result<(), OstreeError> {
        let config = self.inner.copy_config();
        match config.remove_key(section, key) {
            Ok(()) => self.write_config(&config, || format!("take {section}.{key} out of")),
            Err(_) => Ok(()),
        }
    }

    fn write_config(&self, config: &glib::KeyFile, deed: impl Fn() -> String) -> Result<(), OstreeError> {
        self.inner
            .write_config(config)
            .and_then(|()| self.inner.reload_config(NEVER))
            .map_err(self.refused(format!("{} the repository's config", deed())))
    }

    /// One line of the repository's `config`.
    #[must_use]
    pub fn config(&self, section: &str, key: &str) -> Option<String> {
        self.inner.copy_config().string(section, key).ok().map(Into::into)
    }

    /// The commit that a ref (`REF`, `REMOTE:REF`), a checksum or the beginning of one names; `REF^` is its parent.
    ///
    /// # Errors
    /// There is none; the error names the refs that exist.
    pub fn resolve(&self, rev: &str) -> Result<Checksum, OstreeError> {
        match self.inner.resolve_rev(rev, true) {
            Ok(Some(found)) => found.parse().map_err(|_| self.unknown(rev)),
            _ => Err(self.unknown(rev)),
        }
    }

    /// As [`Repo::resolve`], and `None` where there is none.
    #[must_use]
    pub fn find(&self, rev: &str) -> Option<Checksum> {
        self.inner.resolve_rev(rev, true).ok().flatten().and_then(|found| found.parse().ok())
    }

    pub(crate) fn unknown(&self, rev: &str) -> OstreeError {
        let place = self.path.display().to_string();
        if rev.len() >= 32 && rev.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return OstreeError::UnknownCommit { commit: rev.to_owned(), place, partial: false };
        }
        let known = self.refs().map(|refs| refs.into_keys().collect()).unwrap_or_default();
        OstreeError::UnknownRef { name: rev.to_owned(), place, known }
    }

    /// All refs, those of remotes as `REMOTE:REF`, and their commits.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn refs(&self) -> Result<BTreeMap<String, Checksum>, OstreeError> {
        let refs = self
            .inner
            .list_refs_ext(None, ostree::RepoListRefsExtFlags::NONE, NEVER)
            .map_err(self.refused("list the refs"))?;
        Ok(refs.into_iter().filter_map(|(name, commit)| Some((name, commit.parse().ok()?))).collect())
    }

    /// Points a ref (`REF` or `REMOTE:REF`) at a commit; `None` removes it.
    ///
    /// # Errors
    /// The name is not one, or the repository cannot be written.
    pub fn set_ref(&self, name: &str, commit: Option<&Checksum>) -> Result<(), OstreeError> {
        let deed = format!("set the ref {name}");
        let (remote, branch) = ostree::parse_refspec(name).map_err(self.refused(deed.clone()))?;
        self.inner
            .set_ref_immediate(remote.as_deref(), &branch, commit.map(Checksum::as_str), NEVER)
            .map_err(self.refused(deed))
    }

    /// Bytes free for ordinary users where the repository is.
    ///
    /// # Errors
    /// The file system cannot tell.
    pub fn free_space(&self) -> Result<Bytes, OstreeError> {
        free_space(&self.path)
    }

    /// What libostree refused, with the repository's path.
    pub(crate) fn refused(&self, deed: impl Into<String>) -> impl FnOnce(glib::Error) -> OstreeError {
        let (deed, path) = (deed.into(), self.path.clone());
        move |source| OstreeError::Libostree { deed, path, source }
    }
}

/// Bytes free below `path`.
pub(crate) fn free_space(path: &Path) -> Result<Bytes, OstreeError> {
    let stat = rustix::fs::statvfs(path).map_err(|errno| OstreeError::Io {
        deed: "ask the free space of",
        path: path.to_owned(),
        source: errno.into(),
    })?;
    Ok(Bytes(stat.f_bavail.saturating_mul(stat.f_frsize)))
}

pub(crate) fn absolute(path: PathBuf) -> Result<PathBuf, OstreeError> {
    std::path::absolute(&path).map_err(|source| OstreeError::Io { deed: "find", path, source })
}
