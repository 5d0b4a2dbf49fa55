//! Which clusters a finished image holds: the digest of a cluster's plain content, and where its stored bytes lie in the file.
//!
//! A later image made by the same codec copies the stored bytes of clusters that it has too ([`Earlier`](super::Earlier)). The
//! index is a file beside a kept image. All numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic `isoclus` and a newline |
//! | 4, 4 | version 1; cluster bits |
//! | 32 | fingerprint of the codec ([`super::codec::fingerprint`]) |
//! | 8, 8 | size of the image; number of entries |
//! | 52 each | digest (32), checksum of the stored bytes (8), offset (8), length (4); sorted by digest |
//! | 32 | BLAKE3 of everything before |
//!
//! A cluster that is stored as it is has the length of a cluster. Digests are BLAKE3: cryptographic, so that two clusters with one
//! digest are one, and three times as fast as SHA-256 where that has instructions of its own. Checksums are its first eight bytes.

use std::io;

const MAGIC: [u8; 8] = *b"isoclus\n";
const VERSION: u32 = 1;
const HEAD: usize = 64;
const ENTRY: usize = 52;
const TAIL: usize = 32;

/// Digest of a cluster's plain content.
pub type Digest = [u8; 32];

/// Where a cluster's stored bytes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Of the plain content, zeros behind the end of the disk included.
    pub digest: Digest,
    /// Of the stored bytes: [`checksum`].
    pub checksum: u64,
    /// In the image file.
    pub offset: u64,
    /// Bytes stored.
    pub length: u32,
}

/// The clusters of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    pub(super) cluster_bits: u32,
    pub(super) fingerprint: Digest,
    /// Size of the image file.
    pub(super) size: u64,
    /// Sorted by digest, each digest once.
    places: Vec<Place>,
}

/// Why an index is of no use.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// It cannot be read.
    #[error("cannot read it")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is no index of clusters")]
    Magic,
    /// Another version of Isotope made it.
    #[error("it has version {0}, not {VERSION}")]
    Version(u32),
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// It belongs to another kind of image.
    #[error("the image was made with another {0}")]
    Foreign(&'static str),
}

/// Digest of a cluster.
#[must_use]
pub fn digest(cluster: &[u8]) -> Digest {
    *blake3::hash(cluster).as_bytes()
}

/// Checksum of stored bytes: against damage, where the digest of the content need not be computed.
#[must_use]
pub fn checksum(stored: &[u8]) -> u64 {
    let digest = digest(stored);
    u64::from_le_bytes(digest.first_chunk().copied().unwrap_or_default())
}

impl Index {
    /// The index of an image of `size` bytes; of clusters with the same content the first stays.
    pub(super) fn new(cluster_bits: u32, fingerprint: Digest, size: u64, mut places: Vec<Place>) -> Self {
        places.sort_unstable_by_key(|place| (place.digest, place.offset));
        places.dedup_by_key(|place| place.digest);
        Self { cluster_bits, fingerprint, size, places }
    }

    /// How many different clusters it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where the cluster with this content is stored.
    pub(super) fn find(&self, digest: &Digest) -> Option<&Place> {
        let at = self.places.binary_search_by(|place| place.digest.cmp(digest)).ok()?;
        self.places.get(at)
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + ENTRY * self.places.len() + TAIL);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.cluster_bits.to_le_bytes());
        bytes.extend(self.fingerprint);
        bytes.extend(self.size.to_le_bytes());
        bytes.extend((self.places.len() as u64).to_le_bytes());
        for Place { digest, checksum, offset, length } in &self.places {
            bytes.extend(digest);
            bytes.extend(checksum.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            bytes.extend(length.to_le_bytes());
        }
        bytes.extend(digest(&bytes));
        bytes
    }

    /// What [`Index::to_bytes`] made.
    ///
    /// # Errors
    /// It is no index, of another version, or not complete.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IndexError> {
        let damaged = || IndexError::Damaged("its length is wrong");
        let (magic, _) = bytes.split_first_chunk().ok_or(IndexError::Magic)?;
        if *magic != MAGIC {
            return Err(IndexError::Magic);
        }
        let (body, tail) = bytes.split_last_chunk::<TAIL>().ok_or_else(damaged)?;
        let mut fields = Fields(body.get(MAGIC.len()..).ok_or_else(damaged)?);
        let version = u32::from_le_bytes(fields.take()?);
        if version != VERSION {
            return Err(IndexError::Version(version));
        }
        if digest(body) != *tail {
            return Err(IndexError::Damaged("its digest is wrong"));
        }
        let cluster_bits = u32::from_le_bytes(fields.take()?);
        let fingerprint = fields.take()?;
        let size = u64::from_le_bytes(fields.take()?);
        let count = u64::from_le_bytes(fields.take()?);
        if count.checked_mul(ENTRY as u64) != Some(fields.0.len() as u64) || !(9..=21).contains(&cluster_bits) {
            return Err(damaged());
        }
        let mut places = Vec::with_capacity(fields.0.len() / ENTRY);
        while !fields.0.is_empty() {
            let (digest, checksum) = (fields.take()?, u64::from_le_bytes(fields.take()?));
            let (offset, length) = (u64::from_le_bytes(fields.take()?), u32::from_le_bytes(fields.take()?));
            let inside = offset.checked_add(length.into()).is_some_and(|end| end <= size);
            if !inside || length == 0 || length > 1 << cluster_bits {
                return Err(IndexError::Damaged("a cluster is outside of the image"));
            }
            places.push(Place { digest, checksum, offset, length });
        }
        Ok(Self { cluster_bits, fingerprint, size, places })
    }
}

/// Bytes taken from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], IndexError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(IndexError::Damaged("it is cut short"))?;
        self.0 = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let place = |n: u8, offset| Place { digest: [n; 32], checksum: 5, offset, length: 100 };
        Index::new(16, [9; 32], 10_000, vec![place(3, 400), place(1, 9_900), place(3, 70)])
    }

    #[test]
    fn there_and_back() {
        let index = index();
        assert_eq!((index.len(), index.find(&[3; 32]).unwrap().offset), (2, 70));
        assert_eq!(index.find(&[2; 32]), None);
        assert_eq!(Index::from_bytes(&index.to_bytes()).unwrap(), index);
    }

    #[test]
    fn every_damage_is_seen() {
        let good = index().to_bytes();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            Index::from_bytes(&bad).unwrap_err();
            Index::from_bytes(&good[..at]).unwrap_err();
        }
        Index::from_bytes(&[good.as_slice(), &[0]].concat()).unwrap_err();
        let mut newer = good;
        newer[8] = 2;
        assert!(matches!(Index::from_bytes(&newer), Err(IndexError::Version(2))));
    }

    #[test]
    fn places_outside_of_the_image_are_refused() {
        for (offset, length) in [(9_950, 100), (u64::MAX, 1), (0, 0), (0, 65_537)] {
            let place = Place { digest: [1; 32], checksum: 0, offset, length };
            let bytes = Index::new(16, [9; 32], 10_000, vec![place]).to_bytes();
            assert!(matches!(Index::from_bytes(&bytes), Err(IndexError::Damaged(_))));
        }
    }
}
