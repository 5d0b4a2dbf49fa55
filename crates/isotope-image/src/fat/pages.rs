//! A sparse image in memory: FAT code writes a few bytes at a time and back and forth; the target gets each page once, in order.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

const PAGE: u64 = 64 << 10;
const PAGE_LEN: usize = 64 << 10;

/// An image of fixed size in memory; pages never written are zero and take no room.
#[derive(Debug)]
pub struct Pages {
    pages: BTreeMap<u64, Box<[u8]>>,
    size: u64,
    position: u64,
}

impl Pages {
    /// All zeros.
    pub const fn new(size: u64) -> Self {
        Self { pages: BTreeMap::new(), size, position: 0 }
    }

    /// Calls `write` for every page that is not all zeros, in order.
    pub fn for_each(&self, mut write: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        for (number, page) in &self.pages {
            let offset = number * PAGE;
            let length = usize::try_from(self.size - offset).unwrap_or(usize::MAX).min(PAGE_LEN);
            if !crate::sparse::is_zero(&page[..length]) {
                write(offset, &page[..length])?;
            }
        }
        Ok(())
    }

    /// Number of the page at the position, offset in it, and how many of `wanted` bytes lie in it.
    fn locate(&self, wanted: usize) -> (u64, usize, usize) {
        let within = usize::try_from(self.position % PAGE).unwrap_or(0);
        let left = usize::try_from(self.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        (self.position / PAGE, within, wanted.min(PAGE_LEN - within).min(left))
    }
}

impl Read for Pages {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (number, within, count) = self.locate(buf.len());
        match self.pages.get(&number) {
            Some(page) => buf[..count].copy_from_slice(&page[within..within + count]),
            None => buf[..count].fill(0),
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for Pages {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let (number, within, count) = self.locate(buf.len());
        if self.pages.contains_key(&number) || !crate::sparse::is_zero(&buf[..count]) {
            let page = self.pages.entry(number).or_insert_with(|| vec![0; PAGE_LEN].into_boxed_slice());
            page[within..within + count].copy_from_slice(&buf[..count]);
        }
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Pages {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.size.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
