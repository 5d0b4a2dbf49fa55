//! A part of a file that reads, writes and seeks like a file of its own: a partition of a raw image, without a loop device.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

/// The bytes `start .. start + length` of a file. Nothing outside of them is read or written.
#[derive(Debug)]
pub struct Window<'a> {
    file: &'a File,
    start: u64,
    length: u64,
    position: u64,
}

impl<'a> Window<'a> {
    /// A window on a file that is open for reading and writing.
    #[must_use]
    pub const fn new(file: &'a File, start: u64, length: u64) -> Self {
        Self { file, start, length, position: 0 }
    }

    /// How much of `buffer` fits before the end of the window.
    fn room(&self, wanted: usize) -> usize {
        let left = self.length.saturating_sub(self.position);
        usize::try_from(left).map_or(wanted, |left| left.min(wanted))
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let room = self.room(buffer.len());
        let count = self.file.read_at(buffer.get_mut(..room).unwrap_or_default(), self.start + self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for Window<'_> {
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        let room = self.room(data.len());
        if room == 0 && !data.is_empty() {
            return Err(Error::new(ErrorKind::StorageFull, "the end of the partition is reached"));
        }
        let count = self.file.write_at(data.get(..room).unwrap_or_default(), self.start + self.position)?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position =
            target.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "seek before the start of the partition"))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_touched() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[1; 30], 0).unwrap();
        let mut window = Window::new(&file, 10, 10);
        window.seek(SeekFrom::End(-4)).unwrap();
        let error = window.write_all(&[2; 5]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let mut all = [0; 30];
        file.read_exact_at(&mut all, 0).unwrap();
        assert_eq!(all.map(u32::from).iter().sum::<u32>(), 34);
        assert!(all.get(20..).unwrap().iter().all(|byte| *byte == 1));
        window.seek(SeekFrom::Start(8)).unwrap();
        let mut tail = Vec::new();
        window.read_to_end(&mut tail).unwrap();
        assert_eq!(tail, [2, 2]);
    }
}
