//! Where the data of a sparse file lies, and whether a buffer is all zeros.

use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;

/// The next range of `file` at or after `offset` that is no hole, cut at `size`. A filesystem without holes says that all
/// is data. Moves the file's position.
///
/// # Errors
/// The file cannot be read.
pub fn next_data(file: &File, offset: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    if offset >= size {
        return Ok(None);
    }
    let start = match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // Block devices and some filesystems do not know holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::SPIPE) => return Ok(Some(offset..size)),
        Err(error) => return Err(error.into()),
    };
    if start >= size {
        return Ok(None);
    }
    let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
        Ok(end) => end.min(size),
        Err(_) => size,
    };
    Ok(Some(start..end.max(start + 1)))
}

/// All ranges of `file` up to `size` that are no holes.
///
/// # Errors
/// The file cannot be read.
pub fn extents(file: &File, size: u64) -> io::Result<Vec<Range<u64>>> {
    let mut extents = Vec::new();
    let mut offset = 0;
    while let Some(range) = next_data(file, offset, size)? {
        offset = range.end;
        extents.push(range);
    }
    Ok(extents)
}

/// Bytes of `file` that are no holes.
///
/// # Errors
/// The file cannot be read.
pub fn data_size(file: &File, size: u64) -> io::Result<u64> {
    Ok(extents(file, size)?.iter().map(|range| range.end - range.start).sum())
}

/// Whether all bytes are zero.
#[must_use]
pub fn is_zero(data: &[u8]) -> bool {
    // Most data differs at once; comparing a slice with itself shifted by one runs at memory speed.
    match data {
        [] => true,
        [first, rest @ ..] => *first == 0 && rest == &data[..rest.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn zeros_are_told() {
        assert!(is_zero(&[]) && is_zero(&[0]) && is_zero(&[0; 4096]));
        let mut data = [0; 4096];
        for at in [0, 1, 2048, 4095] {
            data[at] = 1;
            assert!(!is_zero(&data), "{at}");
            data[at] = 0;
        }
    }

    #[test]
    fn holes_are_skipped() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(64 << 20).unwrap();
        assert!(extents(&file, 64 << 20).unwrap().is_empty());
        file.write_all_at(&[1; 4096], 16 << 20).unwrap();
        let found = extents(&file, 64 << 20).unwrap();
        assert!(found.len() == 1 && found[0].start <= 16 << 20 && found[0].end >= (16 << 20) + 4096, "{found:?}");
    }
}
