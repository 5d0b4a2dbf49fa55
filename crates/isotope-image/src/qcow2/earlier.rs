//! An image made before, with its index: clusters that it holds are copied from it, not compressed again.
//!
//! Neither file is trusted: the index has a digest, the image must have the size that the index says, and what is copied must have
//! its checksum. What fails is compressed, as if there were no earlier image.

use super::codec::{self, Codec};
use super::index::{self, Digest, Index, IndexError};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// An earlier image whose clusters may be used again.
#[derive(Debug)]
pub struct Earlier {
    file: File,
    index: Index,
}

impl Earlier {
    /// Opens an image and its index.
    ///
    /// # Errors
    /// One of them cannot be read, the index is damaged, or does not belong to this image.
    pub fn open(image: &Path, index: &Path) -> Result<Self, IndexError> {
        let index = Index::from_bytes(&std::fs::read(index)?)?;
        let file = File::open(image)?;
        if file.metadata()?.len() != index.size {
            return Err(IndexError::Damaged("the image has another size than it says"));
        }
        Ok(Self { file, index })
    }

    /// Whether an image made this way stores clusters the same way.
    pub(super) fn fits(&self, cluster_bits: u32, codec: Codec) -> Result<(), IndexError> {
        if self.index.cluster_bits != cluster_bits {
            return Err(IndexError::Foreign("cluster size"));
        }
        if self.index.fingerprint != codec::fingerprint(codec)? {
            return Err(IndexError::Foreign("compression"));
        }
        Ok(())
    }

    /// Puts the stored bytes of the cluster with this content into `target`, as long as a cluster, and says how many they are and
    /// their checksum.
    pub(super) fn copy(&self, digest: &Digest, target: &mut [u8]) -> Copied {
        let Some(place) = self.index.find(digest) else { return Copied::Unknown };
        let Some(target) = usize::try_from(place.length).ok().and_then(|length| target.get_mut(..length)) else {
            return Copied::Damaged;
        };
        if self.file.read_exact_at(target, place.offset).is_err() || index::checksum(target) != place.checksum {
            return Copied::Damaged;
        }
        Copied::Stored { length: target.len(), checksum: place.checksum }
    }
}

/// What an earlier image had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    /// It does not have this cluster.
    Unknown,
    /// It should have, but has not: a lost write, a bad disk, someone who changed it.
    Damaged,
    /// Its stored bytes.
    Stored { length: usize, checksum: u64 },
}
