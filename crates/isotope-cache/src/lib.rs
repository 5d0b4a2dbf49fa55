//! Layers: what steps of a build left behind, kept by the digest of everything that could change it.
//!
//! A layer is an overlayfs upper directory (Documentation/filesystems/overlayfs.rst of Linux) with a description. Its name is its
//! [`Key`]: made of the key of the layer below it and of all inputs of its steps. So a layer that is found under a key is what its
//! steps would make again, and no layer is ever changed.
//!
//! ```text
//! STORE/KEY/layer.json   the description, [`Layer`]
//!           upper/       what the steps left, as overlayfs keeps it: whiteouts are character devices 0/0
//!           used         empty; its mtime is that of the last use
//! STORE/.new-PID-N/      being made: locked by its maker, renamed to KEY when it is complete, swept when its maker is dead
//! ```
//! A layer in use is locked shared (flock(2) on its directory). Who removes one locks it exclusively first.

pub mod content;
mod evict;
mod key;
mod layer;
mod stack;
mod store;
mod upkeep;
mod verify;

pub use evict::{Bounds, Evicted};
pub use key::{Key, KeyError};
pub use layer::{FORMAT, Inputs, Layer, LayerStep};
pub use stack::Stack;
pub use store::{Held, Staging, Store};
pub use upkeep::{Damage, Entry};
pub use verify::Verdict;

use std::path::{Path, PathBuf};

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A file of the store.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A description that is not one.
    #[error("{} is no description of a layer: {message}; `isotope cache verify --repair` removes the layer", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Layers cannot be stacked.
    #[error("cannot mount layers at {}", at.display())]
    Mount {
        /// The mount point.
        at: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl CacheError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }

    pub(crate) fn errno(what: &'static str, path: &Path) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |errno| Self::Io { what, path: path.to_owned(), source: errno.into() }
    }
}
