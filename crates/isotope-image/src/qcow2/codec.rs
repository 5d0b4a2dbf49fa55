//! One cluster in, one compressed cluster out, and back. One value a thread.

use super::deflate::Deflate;
use flate2::{Decompress, FlushDecompress};
use std::io;

/// How clusters are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// Deflate: read by everything.
    Zlib {
        /// 1 to 9.
        level: u32,
    },
    /// Zstandard: read by QEMU 5.1 and later.
    Zstd {
        /// 1 to 19.
        level: i32,
    },
}

impl Codec {
    /// Our own deflate at the level whose images are no larger than those of `qemu-img convert -c` (docs/benchmarks.md).
    pub const ZLIB: Self = Self::Zlib { level: 4 };
    /// Zstandard at its library's default level, which is QEMU's too: smaller than zlib at a seventh of its CPU time.
    pub const ZSTD: Self = Self::Zstd { level: 3 };
}

/// A compressor of clusters.
pub enum Compressor {
    /// Stores.
    None,
    /// Deflate.
    Zlib(Box<Deflate>),
    /// Zstandard.
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl Compressor {
    /// Ready for many clusters.
    pub fn new(codec: Codec) -> io::Result<Self> {
        Ok(match codec {
            Codec::None => Self::None,
            Codec::Zlib { level } => Self::Zlib(Box::new(Deflate::new(level))),
            Codec::Zstd { level } => Self::Zstd(Box::new(zstd::bulk::Compressor::new(level)?)),
        })
    }

    /// Compresses `cluster` into `scratch` (as long as a cluster). `None` if that would save nothing.
    pub fn compress(&mut self, cluster: &[u8], scratch: &mut [u8]) -> io::Result<Option<usize>> {
        // One byte less than a cluster, or storing it is better.
        let Some(limit) = cluster.len().checked_sub(1) else { return Ok(None) };
        match self {
            Self::None => Ok(None),
            Self::Zlib(deflate) => Ok(deflate.compress(cluster, &mut scratch[..limit])),
            Self::Zstd(zstd) => {
                // The only error with valid parameters is a target that is too small: the data does not shrink.
                Ok(zstd.compress_to_buffer(cluster, &mut scratch[..limit]).ok())
            }
        }
    }
}

/// A digest of what a codec does: of its name and level, and of what it makes of a sample. A library of another version that
/// compresses otherwise has another.
pub fn fingerprint(codec: Codec) -> io::Result<[u8; 32]> {
    // Text of words that come again at various distances, with some noise: levels and versions differ in what they find there.
    let mut state = 1_u64;
    let mut sample = Vec::with_capacity(1 << 16);
    while sample.len() < 1 << 16 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sample.extend_from_slice(format!("{:x} word {:03}\n", state >> 61, state >> 57).as_bytes());
        sample.extend_from_slice(&(state >> 40).to_le_bytes()[..2]);
    }
    sample.truncate(1 << 16);
    let mut packed = vec![0; sample.len()];
    let length = Compressor::new(codec)?.compress(&sample, &mut packed)?.unwrap_or(0);
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{codec:?} {} ", zstd::zstd_safe::version_number()).as_bytes());
    hasher.update(&packed[..length]);
    Ok(*hasher.finalize().as_bytes())
}

/// How an image's compressed clusters are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionType {
    /// Raw deflate.
    Zlib,
    /// Zstandard frames.
    Zstd,
}

/// Decompresses one cluster: `target` is filled, what follows the stream in `source` is ignored.
pub fn decompress(kind: CompressionType, source: &[u8], target: &mut [u8]) -> io::Result<()> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a compressed cluster is damaged");
    match kind {
        CompressionType::Zlib => {
            // A window of 15 bits reads what writers that ignored the rule of 12 made.
            let mut inflate = Decompress::new_with_window_bits(false, 15);
            inflate.decompress(source, target, FlushDecompress::Finish).map_err(|_| damaged())?;
            if inflate.total_out() == target.len() as u64 { Ok(()) } else { Err(damaged()) }
        }
        CompressionType::Zstd => {
            let mut decoder = zstd::stream::raw::Decoder::new()?;
            let (mut input, mut output) =
                (zstd::stream::raw::InBuffer::around(source), zstd::stream::raw::OutBuffer::around(target));
            use zstd::stream::raw::Operation;
            while output.pos() < output.capacity() {
                let before = (input.pos(), output.pos());
                decoder.run(&mut input, &mut output)?;
                if before == (input.pos(), output.pos()) {
                    return Err(damaged());
                }
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Vec<u8> {
        b"a cluster of words, and of more words; ".iter().copied().cycle().take(length).collect()
    }

    #[test]
    fn there_and_back() {
        for (codec, kind) in [(Codec::ZLIB, CompressionType::Zlib), (Codec::ZSTD, CompressionType::Zstd)] {
            let mut compressor = Compressor::new(codec).unwrap();
            for length in [512, 65536, 2 << 20] {
                let data = text(length);
                let mut scratch = vec![0; length];
                let size = compressor.compress(&data, &mut scratch).unwrap().unwrap();
                assert!(size < length / 4);
                let mut back = vec![0; length];
                // Readers get whole sectors: bytes of the next cluster follow.
                scratch[size..].fill(0xa5);
                decompress(kind, &scratch[..(size + 300).min(length)], &mut back).unwrap();
                assert_eq!(data, back);
                decompress(kind, &scratch[..size / 2], &mut back).unwrap_err();
            }
        }
    }

    #[test]
    fn fingerprints_tell_codecs_and_levels_apart() {
        let codecs = [Codec::None, Codec::ZLIB, Codec::Zlib { level: 7 }, Codec::ZSTD, Codec::Zstd { level: 4 }];
        let fingerprints: std::collections::BTreeSet<_> =
            codecs.iter().map(|codec| fingerprint(*codec).unwrap()).collect();
        assert_eq!(fingerprints.len(), codecs.len());
        assert_eq!(fingerprint(Codec::ZSTD).unwrap(), fingerprint(Codec::ZSTD).unwrap());
    }

    #[test]
    fn noise_is_left_alone() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(65536)
        .collect();
        for codec in [Codec::None, Codec::ZLIB, Codec::ZSTD] {
            assert_eq!(
                Compressor::new(codec).unwrap().compress(&noise, &mut vec![0; 65536]).unwrap(),
                None,
                "{codec:?}"
            );
        }
    }
}
