//! Output files from a finished disk ([`disk()`]) or from a tree ([`tree()`]): one reader feeds all formats at once, and every
//! file gets its name only when it is complete.
//!
//! A new format is one file here and one line in [`disk()`] or [`tree()`].

mod aci;
mod archive;
mod compress;
mod disk;
mod error;
pub mod kept;
mod oci;
mod qcow2;
mod qemu_img;
mod raw;
mod squashfs;
mod tree;

pub use disk::disk;
pub use error::ExportError;
pub use qcow2::Clusters;
pub use tree::tree;

use crate::digest::{self, Digest};
use isotope_plan::Format;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How outputs are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// Threads that compress; 0 is one a processor.
    pub threads: usize,
    /// No time stamp in an archive is later than this (SOURCE_DATE_EPOCH).
    pub epoch: u64,
    /// Whether outputs with clusters get an index of them ([`Exported::clusters`]).
    pub index: bool,
    /// A directory with outputs of the same names that were made before, each with its index (`NAME.clusters`): what they hold is
    /// copied from there, not compressed again. The outputs are what they would be without. Implies `index`.
    pub earlier: Option<PathBuf>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { threads: 0, epoch: u64::MAX, index: false, earlier: None }
    }
}

/// How far an export is. May come from any thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportProgress {
    /// Bytes of input read.
    pub done: u64,
    /// Bytes of input in all, without holes.
    pub total: u64,
}

/// A finished output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Where it is.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// Its size in bytes (apparent).
    pub size: u64,
    /// Bytes it takes on disk.
    pub allocated: u64,
    /// Its digests; each is also in a file beside it.
    pub digests: Vec<Digest>,
    /// Its clusters, where it has some and an index was wanted.
    #[serde(skip)]
    pub clusters: Option<Clusters>,
}
