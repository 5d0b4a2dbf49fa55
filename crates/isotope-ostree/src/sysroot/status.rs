//! The deployments of a sysroot.

use super::Sysroot;
use crate::{Checksum, OstreeError};
use serde::Serialize;
use std::path::PathBuf;

/// One deployment: a commit checked out below a stateroot, and its boot entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// Its directory on this host, absolute: `SYSROOT/ostree/deploy/STATEROOT/deploy/COMMIT.SERIAL`. Its /etc is real and
    /// may be edited; nothing may write to its /usr.
    pub dir: PathBuf,
    /// The same, relative to the sysroot.
    pub path: PathBuf,
    /// Its stateroot.
    pub stateroot: String,
    /// Its commit.
    pub checksum: Checksum,
    /// 0, or more where the same commit is deployed again.
    pub serial: i32,
    /// Checksum of kernel and initramfs: `/boot/ostree/STATEROOT-BOOTCSUM`.
    pub bootcsum: String,
    /// Its place in the boot menu; 0 is booted by default.
    pub index: i32,
    /// Kernel arguments in the order of the boot entry, with `ostree=`.
    pub kargs: Vec<String>,
    /// What upgrades follow: `REMOTE:REF`.
    pub origin: Option<String>,
    /// The commit's version.
    pub version: Option<String>,
    /// The commit's time, seconds since 1970.
    pub timestamp: Option<u64>,
    /// The title of its boot entry.
    pub title: Option<String>,
    /// The kernel's path in its BLS entry, relative to /boot: `/ostree/STATEROOT-BOOTCSUM/vmlinuz-VERSION`.
    pub linux: Option<String>,
    /// The initramfs's path in its boot entry.
    pub initrd: Option<String>,
    /// It stays when newer ones come.
    pub pinned: bool,
    /// It is written when the system shuts down.
    pub staged: bool,
}

impl Sysroot {
    /// All deployments in the order of the boot menu: the default first.
    ///
    /// # Errors
    /// The sysroot cannot be read.
    pub fn status(&self) -> Result<Vec<Deployment>, OstreeError> {
        let library = self.library()?;
        library.deployments().iter().map(|one| self.describe(&library, one)).collect()
    }

    pub(super) fn describe(
        &self,
        library: &ostree::Sysroot,
        deployment: &ostree::Deployment,
    ) -> Result<Deployment, OstreeError> {
        let csum = deployment.csum();
        let checksum: Checksum = csum.parse().map_err(|_| OstreeError::NotThere {
            what: format!("commit {csum}"),
            place: self.path.clone(),
            known: Vec::new(),
        })?;
        let path = PathBuf::from(library.deployment_dirpath(deployment).as_str());
        let entry = |key: &str| deployment.bootconfig().and_then(|config| config.get(key)).map(String::from);
        let origin = deployment.origin();
        let info = self.repo()?.metadata(&checksum).ok();
        Ok(Deployment {
            dir: self.path.join(&path),
            path,
            stateroot: deployment.osname().into(),
            checksum,
            serial: deployment.deployserial(),
            bootcsum: deployment.bootcsum().into(),
            index: deployment.index(),
            kargs: entry("options").map(|line| split(&line)).unwrap_or_default(),
            origin: origin
                .and_then(|origin| {
                    origin.string("origin", "refspec").or_else(|_| origin.string("origin", "unconfigured-state")).ok()
                })
                .map(Into::into),
            version: info.as_ref().and_then(|info| info.version.clone()),
            timestamp: info.as_ref().map(|info| info.timestamp),
            title: entry("title"),
            linux: entry("linux"),
            initrd: entry("initrd"),
            pinned: deployment.is_pinned(),
            staged: deployment.is_staged(),
        })
    }
}

/// Words of a kernel command line: spaces between double quotes do not separate.
fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in line.chars() {
        quoted ^= letter == '"';
        match words.last_mut() {
            Some(word) if quoted || !letter.is_whitespace() => word.push(letter),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_spaces_together() {
        assert_eq!(split("a  b=\"c d\" e"), ["a", "b=\"c d\"", "e"]);
        assert_eq!(split(""), [""; 0]);
    }
}
