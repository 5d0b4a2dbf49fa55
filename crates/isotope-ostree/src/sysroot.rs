//! The physical root of an atomic system that is not running: made from nothing, stateroots, deployments.

mod boot_files;
mod deploy;
mod status;

pub use deploy::Deploy;
pub use status::Deployment;

use crate::repo::{NEVER, absolute};
use crate::{OstreeError, Repo};
use isotope_sys::target::TargetDir;
use std::path::{Path, PathBuf};

/// Who writes the boot loader's list of deployments (`sysroot.bootloader` of the repository's config).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bootloader {
    /// libostree keeps `/boot/loader/syslinux.cfg`, besides the BLS entries. A static grub.cfg can read it.
    Syslinux,
    /// Only BLS entries in `/boot/loader/entries`, read by a GRUB with blscfg, systemd-boot or zipl.
    None,
}

/// What a new sysroot is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SysrootOptions {
    /// `/sysroot` is read-only in the booted system (`sysroot.readonly`).
    pub readonly: bool,
    /// Who writes the list of deployments.
    pub bootloader: Bootloader,
    /// What is written is flushed to the disk at once. Not needed in a build: a power cut throws it away anyway.
    pub fsync: bool,
}

impl Default for SysrootOptions {
    fn default() -> Self {
        Self { readonly: true, bootloader: Bootloader::Syslinux, fsync: false }
    }
}

/// A physical root, by its path on this host.
#[derive(Debug)]
pub struct Sysroot {
    path: PathBuf,
    fsync: bool,
}

impl Sysroot {
    /// Makes the modern layout in `path`, an empty directory or an empty file system: `boot`, `ostree/repo` (bare),
    /// `ostree/deploy`, and what the boot loader's backend needs to be found by libostree. A second call changes nothing
    /// but the options.
    ///
    /// # Errors
    /// `path` cannot be written, or not as root.
    pub fn init(path: impl Into<PathBuf>, options: &SysrootOptions) -> Result<Self, OstreeError> {
        let path = absolute(path.into())?;
        let target = TargetDir::open(&path)?;
        target.create_dir_all("/boot", 0o755)?;
        let library = ostree::Sysroot::new(Some(&ostree::gio::File::for_path(&path)));
        library.ensure_initialized(NEVER).map_err(|source| OstreeError::Libostree {
            deed: "make the layout of an atomic system".to_owned(),
            path: path.clone(),
            source,
        })?;
        let sysroot = Self { path, fsync: options.fsync };
        let repo = sysroot.repo()?;
        repo.set_config("sysroot", "readonly", if options.readonly { "true" } else { "false" })?;
        match options.bootloader {
            Bootloader::Syslinux => {
                repo.set_config("sysroot", "bootloader", "syslinux")?;
                boot_files::prepare_syslinux(&target)?;
            }
            Bootloader::None => repo.set_config("sysroot", "bootloader", "none")?,
        }
        boot_files::prepare(&target)?;
        Ok(sysroot)
    }

    /// Opens the physical root in `path`; changes nothing in it.
    ///
    /// # Errors
    /// There is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OstreeError> {
        let path = absolute(path.into())?;
        let sysroot = Self { path, fsync: true };
        sysroot.repo().map_err(|error| match error {
            OstreeError::NotA { source, .. } => OstreeError::NotA {
                path: sysroot.path.clone(),
                what: "root of an atomic system (/ostree/repo)",
                source,
            },
            other => other,
        })?;
        Ok(sysroot)
    }

    /// Its path on this host.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its repository.
    ///
    /// # Errors
    /// It has none.
    pub fn repo(&self) -> Result<Repo, OstreeError> {
        let repo = Repo::open(self.path.join("ostree/repo"))?;
        repo.set_fsync(self.fsync);
        Ok(repo)
    }

    /// Makes a stateroot (`ostree admin os-init`): the directory of deployments that share one /var. One that is there
    /// already stays as it is.
    ///
    /// # Errors
    /// The name is not one, or the sysroot cannot be written.
    pub fn add_stateroot(&self, name: &str) -> Result<(), OstreeError> {
        check_stateroot(name)?;
        if self.path.join("ostree/deploy").join(name).join("var").is_dir() {
            return Ok(());
        }
        self.library()?.init_osname(name, NEVER).map_err(self.refused(format!("make the stateroot {name}")))
    }

    /// The names of the stateroots.
    ///
    /// # Errors
    /// The sysroot cannot be read.
    pub fn stateroots(&self) -> Result<Vec<String>, OstreeError> {
        let target = TargetDir::open(&self.path)?;
        let entries = target.read_dir("/ostree/deploy")?;
        Ok(entries.into_iter().filter_map(|entry| entry.name.into_string().ok()).collect())
    }

    /// libostree's view of it, loaded.
    fn library(&self) -> Result<ostree::Sysroot, OstreeError> {
        let library = ostree::Sysroot::new(Some(&ostree::gio::File::for_path(&self.path)));
        library.load(NEVER).map_err(self.refused("read the deployments"))?;
        library.repo().set_disable_fsync(!self.fsync);
        Ok(library)
    }

    fn refused(&self, deed: impl Into<String>) -> impl FnOnce(ostree::glib::Error) -> OstreeError {
        let (deed, path) = (deed.into(), self.path.clone());
        move |source| OstreeError::Libostree { deed, path, source }
    }
}

/// Whether `name` can name a stateroot: one path component that is no option, no hidden file and no shell word.
///
/// # Errors
/// [`OstreeError::BadStateroot`].
pub fn check_stateroot(name: &str) -> Result<(), OstreeError> {
    let start = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if start && rest && name.len() <= 64 { Ok(()) } else { Err(OstreeError::BadStateroot { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stateroots_are_plain_words() {
        for good in ["fedora-atomic", "debian", "os_1.2"] {
            assert!(check_stateroot(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "-x", "a b", "ä", "a\n", ".hidden", &"x".repeat(65)] {
            assert!(check_stateroot(bad).is_err(), "{bad}");
        }
    }
}
