//! The target tree as this crate uses it: what it writes carries the build's clock.

use crate::error::BootError;
use isotope_sys::target::{Entry, TargetDir};
use std::path::Path;

/// A target tree and the clock of the build.
pub struct Tree {
    dir: TargetDir,
    epoch: i64,
}

impl Tree {
    /// Opens the tree.
    pub fn open(path: &Path, epoch: u64) -> Result<Self, BootError> {
        Ok(Self { dir: TargetDir::open(path)?, epoch: i64::try_from(epoch).unwrap_or(i64::MAX) })
    }

    /// Whether there is such a file or directory (links are followed inside the target).
    pub fn exists(&self, path: &str) -> bool {
        self.dir.exists(path)
    }

    /// The content of a file, `None` where it is not there.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, BootError> {
        if self.dir.metadata(path)?.is_none() {
            return Ok(None);
        }
        Ok(Some(self.dir.read(path)?))
    }

    /// As [`Tree::read`], as text.
    pub fn read_text(&self, path: &str) -> Result<Option<String>, BootError> {
        Ok(self.read(path)?.map(|data| String::from_utf8_lossy(&data).into_owned()))
    }

    /// The content of a file that a package brings.
    pub fn need(&self, path: &str, package: &'static str) -> Result<Vec<u8>, BootError> {
        self.read(path)?.ok_or_else(|| BootError::MissingFile { path: path.to_owned(), package })
    }

    /// Names in a directory that is there, sorted; none where it is not.
    pub fn list(&self, path: &str) -> Result<Vec<String>, BootError> {
        if self.dir.metadata(path)?.is_none() {
            return Ok(Vec::new());
        }
        let mut names: Vec<_> =
            self.dir.read_dir(path)?.into_iter().filter_map(|Entry { name, .. }| name.into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Writes a file, replacing what has its name; directories above it are made.
    pub fn write(&self, path: &str, data: impl AsRef<[u8]>, mode: u32) -> Result<(), BootError> {
        self.dir.write(path, data, mode)?;
        self.stamp(path)
    }

    /// Gives a file or directory the build's clock.
    pub fn stamp(&self, path: &str) -> Result<(), BootError> {
        Ok(self.dir.set_times(path, self.epoch)?)
    }

    /// Makes a directory and those above it.
    pub fn make_dir(&self, path: &str) -> Result<(), BootError> {
        Ok(self.dir.create_dir_all(path, 0o755)?)
    }

    /// Removes a file if it is there.
    pub fn remove(&self, path: &str) -> Result<(), BootError> {
        self.dir.remove(path)?;
        Ok(())
    }

    /// The first of `candidates` that is there. One path element may be `*`: the directory with the newest version.
    pub fn find(&self, candidates: &[String]) -> Result<Option<String>, BootError> {
        for candidate in candidates {
            let Some((before, after)) = candidate.split_once("/*/") else {
                if self.exists(candidate) {
                    return Ok(Some(candidate.clone()));
                }
                continue;
            };
            let mut names = self.list(before)?;
            names.sort_by(|a, b| crate::version::compare(b, a));
            if let Some(found) =
                names.iter().map(|name| format!("{before}/{name}/{after}")).find(|path| self.exists(path))
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
