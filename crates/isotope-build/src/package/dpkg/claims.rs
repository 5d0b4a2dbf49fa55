//! Who unpacks which path, when many packages are unpacked at once.
//!
//! dpkg unpacks packages one after the other: the first one that ships a directory gives it owner and mode, and a file
//! that two packages ship needs its rules (Replaces, diversions). Claims keep the first rule whatever the threads do,
//! and find the cases of the second, which are then left to dpkg itself.

use rustix::fs::FileType;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use isotope_sys::target::{TargetDir, TargetError, TargetPath};

/// What a claim on a directory means for its claimant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirClaim {
    /// Nobody of this run has had it: make it, or find it there.
    New,
    /// Another package made it, but this one comes first: owner and mode are this one's.
    Earlier,
    /// It is another one's, or was there before.
    Taken,
}

/// Paths and their claimants (positions in the list of packages).
#[derive(Debug, Default)]
pub struct Claims {
    /// `/bin` → `/usr/bin`, where the target has such links.
    aliases: BTreeMap<Vec<u8>, Vec<u8>>,
    diverted: BTreeSet<Vec<u8>>,
    dirs: Mutex<HashMap<Vec<u8>, usize>>,
    files: Mutex<HashMap<Vec<u8>, usize>>,
    refused: Mutex<BTreeMap<usize, String>>,
}

impl Claims {
    /// Reads from the target what decides whether two paths are the same, and which ones are diverted.
    ///
    /// # Errors
    /// The target cannot be read.
    pub fn of(target: &TargetDir) -> Result<Self, TargetError> {
        let mut claims = Self::default();
        for entry in target.read_dir("/")?.iter().filter(|entry| entry.is_symlink) {
            let link = [b"/", entry.name.as_bytes()].concat();
            if let Some(to) = target.read_link(TargetPath::new(OsStr::from_bytes(&link)))? {
                let to = to.as_bytes().strip_prefix(b"/").unwrap_or(to.as_bytes());
                claims.aliases.insert(link, [b"/", to].concat());
            }
        }
        if target.exists("/var/lib/dpkg/diversions") {
            let text = target.read("/var/lib/dpkg/diversions")?;
            // Three lines each: the path, where it went, and for whom.
            claims.diverted = text
                .split(|byte| *byte == b'\n')
                .step_by(3)
                .filter(|path| !path.is_empty())
                .map(<[u8]>::to_vec)
                .collect();
        }
        Ok(claims)
    }

    /// The one name of a path that may be reached through a merged `/usr`.
    #[must_use]
    pub fn canonical(&self, path: &[u8]) -> Vec<u8> {
        let end = path.iter().skip(1).position(|byte| *byte == b'/').map_or(path.len(), |at| at + 1);
        match self.aliases.get(&path[..end]) {
            Some(real) if end < path.len() => [real, &path[end..]].concat(),
            _ => path.to_vec(),
        }
    }

    /// Claims a directory for package `index`.
    pub fn dir(&self, path: &[u8], index: usize) -> DirClaim {
        let mut dirs = locked(&self.dirs);
        match dirs.get_mut(&self.canonical(path)) {
            None => DirClaim::New,
            Some(owner) if *owner > index => {
                *owner = index;
                DirClaim::Earlier
            }
            Some(_) => DirClaim::Taken,
        }
    }

    /// Runs `make` for a directory that [`Claims::dir`] called new, unless another thread was faster. `make` says
    /// whether it made it; one that was there before belongs to nobody.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn make_dir<E>(
        &self,
        path: &[u8],
        index: usize,
        make: impl FnOnce() -> Result<bool, E>,
    ) -> Result<DirClaim, E> {
        let mut dirs = locked(&self.dirs);
        let key = self.canonical(path);
        if let Some(owner) = dirs.get_mut(&key) {
            let earlier = *owner > index;
            *owner = (*owner).min(index);
            return Ok(if earlier { DirClaim::Earlier } else { DirClaim::Taken });
        }
        let made = make()?;
        // What was there before is nobody's to change: the lowest position of all.
        dirs.insert(key, if made { index } else { 0 });
        Ok(if made { DirClaim::New } else { DirClaim::Taken })
    }

    /// Claims a file for package `index`. If another package has it, or it is diverted, both packages are refused.
    pub fn file(&self, path: &[u8], index: usize) -> bool {
        let shown = || String::from_utf8_lossy(path).into_owned();
        if self.diverted.contains(path) {
            self.refuse(index, format!("{} is diverted", shown()));
            return false;
        }
        let other = locked(&self.files).insert(self.canonical(path), index);
        match other {
            Some(other) if other != index => {
                self.refuse(index, format!("{} is in another package, too", shown()));
                self.refuse(other, format!("{} is in another package, too", shown()));
                false
            }
            _ => true,
        }
    }

    /// Leaves a package to dpkg.
    pub fn refuse(&self, index: usize, why: String) {
        locked(&self.refused).entry(index).or_insert(why);
    }

    /// The packages left to dpkg, and why.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<usize, String> {
        locked(&self.refused).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked ends the whole run; what it held does not matter any more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a mode is that of a directory.
#[must_use]
pub fn is_dir(mode: rustix::fs::RawMode) -> bool {
    FileType::from_raw_mode(mode) == FileType::Directory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_package_decides_about_a_directory() {
        let claims = Claims::default();
        let make = |index| claims.make_dir::<()>(b"/etc/x", index, || Ok(true)).unwrap();
        assert_eq!(claims.dir(b"/etc/x", 3), DirClaim::New);
        assert_eq!(make(3), DirClaim::New);
        assert_eq!(claims.dir(b"/etc/x", 5), DirClaim::Taken);
        assert_eq!(claims.dir(b"/etc/x", 1), DirClaim::Earlier);
        assert_eq!(claims.dir(b"/etc/x", 2), DirClaim::Taken);
    }

    #[test]
    fn a_shared_file_refuses_both_also_through_a_merged_usr() {
        let claims = Claims { aliases: [(b"/lib".to_vec(), b"/usr/lib".to_vec())].into(), ..Claims::default() };
        assert!(claims.file(b"/lib/x.so", 0));
        assert!(claims.file(b"/lib", 0) && claims.file(b"/libexec/x", 1));
        assert!(!claims.file(b"/usr/lib/x.so", 2));
        assert_eq!(claims.refused().into_keys().collect::<Vec<_>>(), [0, 2]);
    }
}
