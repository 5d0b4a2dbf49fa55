//! The temporary directory of a machine: sockets, overlays, keys, logs.
//!
//! It is removed when the machine goes. A process that was killed cannot remove it, so each directory holds a lock that
//! dies with its owner, and whoever makes the next one sweeps those whose lock is free.

use crate::error::VmError;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::{Path, PathBuf};

const PREFIX: &str = "isotope-vm-";
const LOCK: &str = "lock";

/// A directory that goes with its owner.
#[derive(Debug)]
pub struct WorkDir {
    // Dropped first: the directory must be gone before the lock is free, or a sweeper would race with the removal.
    dir: tempfile::TempDir,
    _lock: Flock<File>,
}

impl WorkDir {
    /// Makes one below `parent`, after sweeping what killed processes left there.
    pub fn new(parent: &Path) -> Result<Self, VmError> {
        sweep(parent);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .map_err(VmError::io(format!("make a directory in {}", parent.display())))?;
        let file = File::create(dir.path().join(LOCK)).map_err(VmError::io("make a lock file"))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| VmError::Io { what: "lock the work directory".to_owned(), source: errno.into() })?;
        Ok(Self { dir, _lock: lock })
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes directories whose owner is gone. One without a lock file is being made right now, or is not ours.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(file) = File::open(entry.path().join(LOCK)) else { continue };
        if let Ok(_lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            // Best effort: somebody else's directory stays, and so does one that another sweeper is removing.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_owners_directory_is_swept_and_a_live_ones_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let live = WorkDir::new(parent.path()).unwrap();
        let dead = parent.path().join("isotope-vm-dead");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        std::fs::write(dead.join("disk0.qcow2"), "x").unwrap();
        let other = parent.path().join("somebody-elses");
        std::fs::create_dir(&other).unwrap();
        let second = WorkDir::new(parent.path()).unwrap();
        assert!(!dead.exists() && live.path().exists() && second.path().exists() && other.exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
