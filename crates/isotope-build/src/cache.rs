//! The cache directory: what outlives a build, and where a build works.
//!
//! ```text
//! format            version of this arrangement
//! packages/FAMILY/  a package manager's downloads
//! logs/             trace logs
//! layers/           what steps left behind (`isotope_cache`)
//! images/KEY/       outputs of earlier builds
//! disks/KEY/        disks of earlier builds, without what boot loaders and later hooks do
//! composes/KEY      what a compose of the same inputs gave
//! mount/            empty; where a build mounts its work in its own namespace
//! work/NAME/        a build's work on disk; locked while the build lives
//! ```
//! A work directory whose build is dead is removed when the next one starts.

use crate::deployment;
use crate::error::StepError;
use crate::report::BuildError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Version of the arrangement. A directory of another version is not touched.
const FORMAT: &str = "1\n";

/// An opened cache directory.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    move |source| BuildError::Io { what, path: path.to_owned(), source }
}

fn make(path: &Path) -> Result<(), BuildError> {
    // 0711: hooks and package managers that drop privileges must be able to reach what is below.
    DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(failed("make directory", path))
}

impl Cache {
    /// Opens the directory, makes what is missing, removes what dead builds left.
    pub(crate) fn open(dir: &Path) -> Result<Self, BuildError> {
        make(dir)?;
        let version = dir.join("format");
        match std::fs::read_to_string(&version) {
            Ok(text) if text == FORMAT => {}
            Ok(text) => {
                let text = format!("it is of format {}, this Isotope knows format {}", text.trim(), FORMAT.trim());
                return Err(failed("use the cache directory", dir)(std::io::Error::other(text)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::write(&version, FORMAT).map_err(failed("write", &version))?;
            }
            Err(error) => return Err(failed("read", &version)(error)),
        }
        let cache = Self { dir: dir.to_owned() };
        for name in ["packages", "logs", "mount", "work"] {
            make(&dir.join(name))?;
        }
        cache.sweep()?;
        Ok(cache)
    }

    /// Trace logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Layers.
    pub(crate) fn layers(&self) -> PathBuf {
        self.dir.join("layers")
    }

    /// Outputs of earlier builds.
    pub(crate) fn images(&self) -> Result<PathBuf, StepError> {
        self.part("images")
    }

    /// Disks of earlier builds.
    pub(crate) fn disks(&self) -> Result<PathBuf, StepError> {
        self.part("disks")
    }

    /// What composes gave.
    pub(crate) fn composes(&self) -> Result<PathBuf, StepError> {
        self.part("composes")
    }

    fn part(&self, name: &str) -> Result<PathBuf, StepError> {
        let path = self.dir.join(name);
        make(&path).map_err(|error| StepError::Cache(Box::new(error)))?;
        Ok(path)
    }

    /// The mount point for work in memory.
    pub(crate) fn mount(&self) -> PathBuf {
        self.dir.join("mount")
    }

    /// A package manager's own directory.
    pub(crate) fn packages(&self, family: &str) -> Result<PathBuf, BuildError> {
        let path = self.dir.join("packages").join(family);
        make(&path)?;
        Ok(path)
    }

    /// A new, locked work directory on disk.
    pub(crate) fn work(&self, name: &str) -> Result<WorkDir, BuildError> {
        let _lock = self.lock()?;
        let path = self.dir.join("work").join(format!("{name}-{}", std::process::id()));
        make(&path)?;
        let lock = File::open(&path).map_err(failed("open", &path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|errno| failed("lock", &path)(errno.into()))?;
        Ok(WorkDir { path, _lock: lock })
    }

    /// Removes the work of builds that are dead.
    fn sweep(&self) -> Result<(), BuildError> {
        let _lock = self.lock()?;
        let work = self.dir.join("work");
        for entry in work.read_dir().map_err(failed("list", &work))? {
            let path = entry.map_err(failed("list", &work))?.path();
            if !path.is_dir() || path.is_symlink() {
                continue;
            }
            let directory = File::open(&path).map_err(failed("open", &path))?;
            if flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() {
                release(&path);
                std::fs::remove_dir_all(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Held while work directories are made and removed: one is never seen between the two.
    fn lock(&self) -> Result<File, BuildError> {
        let path = self.dir.join("work/.lock");
        let file = File::create(&path).map_err(failed("create", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|errno| failed("lock", &path)(errno.into()))?;
        Ok(file)
    }
}

/// A work directory on disk. Removed when dropped, by the process that made it, after the build's namespace has gone.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    _lock: File,
}

/// Deployments that a killed build left cannot be removed as they are.
fn release(work: &Path) {
    for plan in work.read_dir().into_iter().flatten().flatten() {
        deployment::release(&plan.path().join("tree"));
    }
}

impl WorkDir {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the sweep of the next build.
        release(&self.path);
        drop(std::fs::remove_dir_all(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_work_directory_survives_a_sweep_and_a_stale_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let work = cache.work("image").unwrap();
        let stale = dir.path().join("work/dead-1");
        std::fs::create_dir_all(stale.join("tree/etc")).unwrap();
        Cache::open(dir.path()).unwrap();
        assert!(work.path().exists() && !stale.exists());
        let path = work.path().to_owned();
        drop(work);
        assert!(!path.exists());
    }

    #[test]
    fn a_cache_of_another_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("format"), "99\n").unwrap();
        let error = Cache::open(dir.path()).unwrap_err();
        let text = std::error::Error::source(&error).unwrap().to_string();
        assert!(text.contains("format 99"), "{text}");
    }
}
