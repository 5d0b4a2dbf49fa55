//! The bytes of a file: holes stay holes, everything else goes from page cache to page cache.
//!
//! `copy_file_range` does not go from one filesystem to another (EXDEV since Linux 5.19), and a new filesystem is always another
//! one. `sendfile` does, saves one of two copies in memory, and took a fifth less processor time than read and write when measured
//! (1.1 GB in 47,000 files). Where a source cannot be spliced from, it is read and written.

use super::scan::data_extents;
use rustix::fs::{self, SeekFrom, Stat};
use rustix::io::{self, Errno};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much goes in one call, so that progress is seen and a kill is heeded.
const CHUNK: u64 = 4 << 20;

/// Copies the content of `from` (whose stat is given) to the new file `to`.
pub(super) fn copy(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    stat: &Stat,
    buffer: &mut [u8],
    done: &AtomicU64,
) -> Result<(), Errno> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512) >= size {
        return send(from, to, size, buffer, done);
    }
    for (start, end) in data_extents(from, size)? {
        fs::seek(from, SeekFrom::Start(start))?;
        fs::seek(to, SeekFrom::Start(start))?;
        send(from, to, end - start, buffer, done)?;
    }
    fs::ftruncate(to, size)
}

fn send(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    length: u64,
    buffer: &mut [u8],
    done: &AtomicU64,
) -> Result<(), Errno> {
    let mut left = length;
    while left > 0 {
        match fs::sendfile(to, from, None, usize::try_from(left.min(CHUNK)).unwrap_or(usize::MAX)) {
            // The file has become shorter.
            Ok(0) => return Ok(()),
            Ok(count) => {
                done.fetch_add(count as u64, Ordering::Relaxed);
                left -= (count as u64).min(left);
            }
            Err(Errno::INTR) => {}
            Err(Errno::INVAL | Errno::NOSYS) => return stream(from, to, left, buffer, done),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn stream(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    length: u64,
    buffer: &mut [u8],
    done: &AtomicU64,
) -> Result<(), Errno> {
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        let count = match io::read(from, &mut *chunk) {
            Ok(0) => break,
            Err(Errno::INTR) => continue,
            count => count?,
        };
        let mut rest = chunk.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let written = match io::write(to, rest) {
                Err(Errno::INTR) => continue,
                written => written?,
            };
            rest = rest.get(written..).unwrap_or_default();
        }
        done.fetch_add(count as u64, Ordering::Relaxed);
        left -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;

    #[test]
    fn reading_and_writing_copies_the_same() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let content: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[1]).collect();
        from.write_all_at(&content, 0).unwrap();
        let done = AtomicU64::new(0);
        stream(from.as_fd(), to.as_fd(), 100_000, &mut [0; 999], &done).unwrap();
        let mut copy = vec![0; 100_000];
        to.read_exact_at(&mut copy, 0).unwrap();
        assert!(copy == content && done.into_inner() == 100_000);
    }
}
