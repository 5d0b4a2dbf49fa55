//! Layers as one directory.

use crate::{CacheError, Held, Staging};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use sys_mount::{Mount, UnmountFlags, unmount};

/// How the layers of a build are mounted. A renamed directory of a lower layer is a note in the upper one (`redirect_dir`): programs
/// expect that rename(2) works. `volatile`: nothing waits for the disk; a layer says of itself whether its bytes are there.
const OPTIONS: &str = "redirect_dir=on,index=off,metacopy=off,xino=off,volatile";

/// A mounted stack of layers, and the directory that takes what is written. Needs a mount namespace of its own: the mount goes with it.
#[derive(Debug)]
pub struct Stack {
    at: PathBuf,
    /// Locked as long as they are mounted.
    layers: Vec<Held>,
    staging: Staging,
}

impl Stack {
    /// Mounts `layers`, the first one at the bottom, at `at`, an empty directory; what is written goes to `staging`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn mount(at: &Path, layers: Vec<Held>, staging: Staging) -> Result<Self, CacheError> {
        // Short names for the kernel, whose options are a page at most; and nothing in a path has a meaning for it.
        let open = |path: PathBuf| File::open(&path).map_err(CacheError::io("open", &path));
        let mut lower = Vec::with_capacity(layers.len() + 1);
        for layer in layers.iter().rev() {
            lower.push(open(layer.upper())?);
        }
        if lower.is_empty() {
            lower.push(open(staging.nothing())?);
        }
        let (upper, work) = (open(staging.upper())?, open(staging.work())?);
        let name = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
        let lower: Vec<String> = lower.iter().map(name).collect();
        let data = format!("lowerdir={},upperdir={},workdir={},{OPTIONS}", lower.join(":"), name(&upper), name(&work));
        Mount::builder()
            .fstype("overlay")
            .data(&data)
            .mount("isotope", at)
            .map_err(|source| CacheError::Mount { at: at.to_owned(), source })?;
        Ok(Self { at: at.to_owned(), layers, staging })
    }

    /// Unmounts.
    ///
    /// # Errors
    /// Something is still open there: the stack stays as it is.
    pub fn unmount(&self) -> Result<(), CacheError> {
        unmount(&self.at, UnmountFlags::empty()).map_err(CacheError::io("unmount", &self.at))
    }

    /// The layers, and what was written, once it is unmounted.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Held>, Staging) {
        (self.layers, self.staging)
    }

    /// Where what is written goes; only to look at.
    #[must_use]
    pub fn written(&self) -> PathBuf {
        self.staging.upper()
    }

    /// The layers, the first one at the bottom.
    #[must_use]
    pub fn layers(&self) -> &[Held] {
        &self.layers
    }
}
