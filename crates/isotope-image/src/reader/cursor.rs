//! A window of a [`ReadAt`] as `Read + Seek` for libraries that want a stream. `Write` is refused.

use super::ReadAt;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// A read-only stream over a part of a disk, buffered by blocks.
pub struct Cursor<'a> {
    disk: &'a dyn ReadAt,
    start: u64,
    length: u64,
    position: u64,
    block: Vec<u8>,
    block_start: Option<u64>,
}

const BLOCK: u64 = 64 << 10;

impl<'a> Cursor<'a> {
    /// `length` bytes of `disk` from `start`, cut at the end of the disk.
    #[must_use]
    pub fn new(disk: &'a dyn ReadAt, start: u64, length: u64) -> Self {
        let length = length.min(disk.size().saturating_sub(start));
        Self { disk, start, length, position: 0, block: Vec::new(), block_start: None }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length || buf.is_empty() {
            return Ok(0);
        }
        let begin = self.position - self.position % BLOCK;
        if self.block_start != Some(begin) {
            self.block_start = None;
            self.block.resize(usize::try_from(BLOCK.min(self.length - begin)).map_err(io::Error::other)?, 0);
            self.disk.read_exact_at(&mut self.block, self.start + begin)?;
            self.block_start = Some(begin);
        }
        let from = usize::try_from(self.position - begin).map_err(io::Error::other)?;
        let count = buf.len().min(self.block.len() - from);
        buf[..count].copy_from_slice(&self.block[from..from + count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.length.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

impl Write for Cursor<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
