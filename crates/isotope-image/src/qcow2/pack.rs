//! A chunk's clusters, each as it is to be stored, one behind the other in one buffer. One [`Packer`] a thread.

use super::codec::{Codec, Compressor};
use super::earlier::{Copied, Earlier};
use super::index::{self, Digest};
use super::writer::Options;
use crate::chunk::{Buffer, Chunk, Pool};
use crate::sparse;
use std::io;
use std::sync::Arc;

/// What clusters are looked up in, and whether they are indexed at all.
#[derive(Debug, Clone)]
pub(super) enum Indexing {
    /// No digests are made.
    Off,
    /// Digests are made; clusters of the earlier image, if there is one, are copied.
    On(Option<Arc<Earlier>>),
}

/// How a cluster is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Not at all.
    Zero,
    /// As it is.
    Raw,
    /// Compressed.
    Compressed,
}

/// A cluster as it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub(super) form: Form,
    /// Bytes of it in the buffer.
    pub(super) length: usize,
    /// Digest of the content and checksum of the stored bytes, where they are wanted.
    pub(super) known: Option<(Digest, u64)>,
    /// What the earlier image had.
    pub(super) earlier: Copied,
}

/// All clusters of a chunk.
pub(super) struct Packed {
    pub(super) bytes: Buffer,
    pub(super) clusters: Vec<Stored>,
}

/// Packs chunks.
pub(super) struct Packer {
    compressor: Compressor,
    indexing: Indexing,
    cluster_size: usize,
    padded: Vec<u8>,
    pool: Arc<Pool>,
}

impl Packer {
    pub(super) fn new(options: &Options, indexing: Indexing, pool: Arc<Pool>) -> io::Result<Self> {
        let cluster_size = 1 << options.cluster_bits;
        // Storing is as fast as copying.
        let indexing = if options.codec == Codec::None { Indexing::Off } else { indexing };
        let compressor = Compressor::new(options.codec)?;
        Ok(Self { compressor, indexing, cluster_size, padded: vec![0; cluster_size], pool })
    }

    /// All clusters of a chunk; the last is filled up with zeros.
    pub(super) fn pack(&mut self, data: &Chunk) -> io::Result<Packed> {
        let mut bytes = self.pool.take(data.len().next_multiple_of(self.cluster_size));
        let mut clusters = Vec::with_capacity(bytes.len() / self.cluster_size);
        let mut at = 0;
        for part in data.chunks(self.cluster_size) {
            let target = bytes.get_mut(at..at + self.cluster_size).unwrap_or_default();
            let stored = if part.len() == self.cluster_size {
                store(&mut self.compressor, &self.indexing, part, target)?
            } else {
                self.padded.fill(0);
                self.padded[..part.len()].copy_from_slice(part);
                store(&mut self.compressor, &self.indexing, &self.padded, target)?
            };
            at += stored.length;
            clusters.push(stored);
        }
        Ok(Packed { bytes, clusters })
    }
}

fn store(compressor: &mut Compressor, indexing: &Indexing, cluster: &[u8], target: &mut [u8]) -> io::Result<Stored> {
    if sparse::is_zero(cluster) {
        return Ok(Stored { form: Form::Zero, length: 0, known: None, earlier: Copied::Unknown });
    }
    let form = |length| if length == cluster.len() { Form::Raw } else { Form::Compressed };
    let (mut digest, mut earlier) = (None, Copied::Unknown);
    if let Indexing::On(before) = indexing {
        let own = index::digest(cluster);
        if let Some(before) = before {
            earlier = before.copy(&own, target);
            if let Copied::Stored { length, checksum } = earlier {
                return Ok(Stored { form: form(length), length, known: Some((own, checksum)), earlier });
            }
        }
        digest = Some(own);
    }
    let length = match compressor.compress(cluster, target)? {
        Some(length) => length,
        None => {
            target.copy_from_slice(cluster);
            cluster.len()
        }
    };
    let known = digest.map(|digest| (digest, index::checksum(&target[..length])));
    Ok(Stored { form: form(length), length, known, earlier })
}
