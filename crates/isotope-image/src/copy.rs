//! Copies of sparse files: shared blocks where the filesystem has them, else all cores; with a digest of the content.
//!
//! The digest does not depend on where a filesystem keeps holes: the file is cut into pieces of [`PIECE`] bytes, and it is the BLAKE3
//! of the size and of number and BLAKE3 of each piece that is not all zeros. So it is computed in the same pass, in any order.

use crate::sparse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes that are read and hashed at once.
pub const PIECE: u64 = 1 << 20;
/// Runs of zeros of this many bytes become holes: the block of most filesystems.
const BLOCK: usize = 4096;

/// Digest of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentDigest(blake3::Hash);

impl std::fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.to_hex().fmt(f)
    }
}

/// Copies the content of `from` to the empty file `to`.
///
/// # Errors
/// One of them cannot be read or written.
pub fn copy(from: &File, to: &File) -> io::Result<ContentDigest> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return digest(from);
    }
    let size = from.metadata()?.len();
    to.set_len(size)?;
    pieces(from, size, &|offset, data| write_data(to, offset, data))
}

/// Digest of a file's content.
///
/// # Errors
/// It cannot be read.
pub fn digest(file: &File) -> io::Result<ContentDigest> {
    pieces(file, file.metadata()?.len(), &|_, _| Ok(()))
}

/// Reads all that is no hole, in any order.
fn pieces(file: &File, size: u64, each: &(dyn Fn(u64, &[u8]) -> io::Result<()> + Sync)) -> io::Result<ContentDigest> {
    let mut numbers = Vec::new();
    for extent in sparse::extents(file, size)? {
        let first = (extent.start / PIECE).max(numbers.last().map_or(0, |last| last + 1));
        numbers.extend(first..extent.end.div_ceil(PIECE));
    }
    let (next, digests) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let worker = || -> io::Result<()> {
        let mut buffer = vec![0; usize::try_from(PIECE.min(size)).map_err(io::Error::other)?];
        while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
            let start = number * PIECE;
            let length = usize::try_from(PIECE.min(size - start)).map_err(io::Error::other)?;
            let data = buffer.get_mut(..length).unwrap_or_default();
            file.read_exact_at(data, start)?;
            if sparse::is_zero(data) {
                continue;
            }
            each(start, data)?;
            digests.lock().unwrap_or_else(PoisonError::into_inner).insert(*number, blake3::hash(data));
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(numbers.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        let died = |_| Err(io::Error::other("a thread that copied died"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).fold(own, Result::and)
    })?;
    let mut all = blake3::Hasher::new();
    all.update(&size.to_le_bytes());
    for (number, digest) in digests.into_inner().unwrap_or_else(PoisonError::into_inner) {
        all.update(&number.to_le_bytes());
        all.update(digest.as_bytes());
    }
    Ok(ContentDigest(all.finalize()))
}

/// Writes what is not zeros.
fn write_data(to: &File, offset: u64, data: &[u8]) -> io::Result<()> {
    let blocks: Vec<&[u8]> = data.chunks(BLOCK).collect();
    let mut at = 0;
    for run in blocks.chunk_by(|one, other| sparse::is_zero(one) == sparse::is_zero(other)) {
        let length = run.iter().map(|block| block.len()).sum::<usize>();
        if run.first().is_some_and(|block| !sparse::is_zero(block)) {
            to.write_all_at(data.get(at..at + length).unwrap_or_default(), offset + at as u64)?;
        }
        at += length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn file(size: u64, data: &[(u64, &[u8])]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        data.iter().for_each(|(at, data)| file.write_all_at(data, *at).unwrap());
        file
    }

    #[test]
    fn copies_are_the_same_and_sparse() {
        let noise: Vec<u8> = (0..1_500_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 1).collect();
        let size = (64 << 20) + 77;
        let from = file(size, &[(5000, &noise), (20 << 20, &[0; 300_000]), (size - 3, b"end")]);
        let to = tempfile::tempfile().unwrap();
        let made = copy(&from, &to).unwrap();
        let (mut a, mut b) = (vec![0; size as usize], vec![0; size as usize]);
        from.read_exact_at(&mut a, 0).unwrap();
        to.read_exact_at(&mut b, 0).unwrap();
        assert!(a == b && to.metadata().unwrap().blocks() * 512 < 2 << 20);
        assert_eq!(digest(&to).unwrap(), made);
        assert_eq!(digest(&from).unwrap(), made);
    }

    #[test]
    fn the_digest_is_of_the_content_alone() {
        let of = |size, data: &[(u64, &[u8])]| digest(&file(size, data)).unwrap().to_string();
        let plain = of(10 << 20, &[(5 << 20, b"x")]);
        assert_eq!(plain, of(10 << 20, &[(0, &[0; 2 << 20]), (5 << 20, b"x")]));
        for other in [
            of((10 << 20) + 1, &[(5 << 20, b"x")]),
            of(10 << 20, &[(6 << 20, b"x")]),
            of(10 << 20, &[(5 << 20, b"y")]),
            of(0, &[]),
        ] {
            assert_ne!(plain, other);
        }
    }
}
