//! The bytes of a file: holes stay holes, everything else goes through a buffer of the thread.

use super::scan::data_extents;
use rustix::fs::{self, SeekFrom, Stat};
use rustix::io::{self, Errno};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// Copies the content of `from` (whose stat is given) to the new file `to`.
///
/// `copy_file_range` does not go from one filesystem to another (EXDEV since Linux 5.19), and a new filesystem is always another
/// one; `sendfile` does but was measured slower than read and write through a warm buffer.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat, buffer: &mut [u8], done: &AtomicU64) -> Result<(), Errno> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512) >= size {
        return stream(from, to, size, buffer, done);
    }
    for (start, end) in data_extents(from, size)? {
        fs::seek(from, SeekFrom::Start(start))?;
        fs::seek(to, SeekFrom::Start(start))?;
        stream(from, to, end - start, buffer, done)?;
    }
    fs::ftruncate(to, size)
}

fn stream(from: BorrowedFd<'_>, to: BorrowedFd<'_>, length: u64, buffer: &mut [u8], done: &AtomicU64) -> Result<(), Errno> {
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
