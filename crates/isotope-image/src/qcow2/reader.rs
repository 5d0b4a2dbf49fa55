//! Reads any qcow2 image, version 2 or 3, that stands alone: zlib and zstd, zero and stored clusters.
//!
//! The image is not trusted: every offset and size is checked before it is used.

use super::codec::{CompressionType, decompress};
use super::format::{self, Qcow2Error};
use crate::reader::ReadAt;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

/// Largest L1 table that is read: QEMU's own limit.
const MAX_L1_BYTES: u64 = 32 << 20;
/// Tables and decompressed clusters kept.
const CACHE: usize = 32;

/// A qcow2 image as a disk.
#[derive(Debug)]
pub struct Reader {
    file: File,
    file_size: u64,
    size: u64,
    cluster_bits: u32,
    compression: CompressionType,
    l1: Vec<u64>,
    tables: Mutex<Cache<Vec<u64>>>,
    clusters: Mutex<Cache<Vec<u8>>>,
}

/// A small cache of the most recently used, by host offset.
#[derive(Debug)]
struct Cache<T> {
    entries: VecDeque<(u64, Arc<T>)>,
}

impl<T> Cache<T> {
    const fn new() -> Self {
        Self { entries: VecDeque::new() }
    }

    fn get(&mut self, key: u64) -> Option<Arc<T>> {
        let at = self.entries.iter().position(|(held, _)| *held == key)?;
        let entry = self.entries.remove(at)?;
        let value = Arc::clone(&entry.1);
        self.entries.push_front(entry);
        Some(value)
    }

    fn put(&mut self, key: u64, value: Arc<T>) {
        self.entries.truncate(CACHE - 1);
        self.entries.push_front((key, value));
    }
}

/// What a cluster of the disk is.
enum Place {
    Zero,
    Raw(u64),
    Compressed(u64),
}

impl Reader {
    /// Opens an image.
    ///
    /// # Errors
    /// It is no qcow2, contradicts itself, or uses a feature that is not read here (named in the error).
    pub fn new(file: File) -> Result<Self, Qcow2Error> {
        let file_size = file.metadata()?.len();
        let mut header = [0; 112];
        let got = read_some(&file, &mut header)?;
        let u32_at = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
        if got < 72 || u32_at(0) != format::MAGIC {
            return Err(Qcow2Error::Magic);
        }
        let version = u32_at(4);
        if !(2..=3).contains(&version) {
            return Err(Qcow2Error::Unsupported(format!("qcow2 version {version}")));
        }
        let (backing, backing_length) = (u64_at(8), u32_at(16));
        if backing != 0 {
            let mut name = vec![0; backing_length.min(1023) as usize];
            file.read_exact_at(&mut name, backing)?;
            return Err(Qcow2Error::Unsupported(format!("the backing file `{}`", String::from_utf8_lossy(&name))));
        }
        let cluster_bits = u32_at(20);
        if !(9..=21).contains(&cluster_bits) {
            return Err(Qcow2Error::Damaged(format!("cluster bits are 9 to 21, not {cluster_bits}")));
        }
        if u32_at(32) != 0 {
            return Err(Qcow2Error::Unsupported("encryption".to_owned()));
        }
        let features = if version == 3 { u64_at(72) } else { 0 };
        check_features(features)?;
        let compression = match (features & format::COMPRESSION_TYPE != 0, header[104]) {
            (false, _) | (true, 0) => CompressionType::Zlib,
            (true, 1) => CompressionType::Zstd,
            (true, other) => return Err(Qcow2Error::Unsupported(format!("compression type {other}"))),
        };
        let size = u64_at(24);
        let l1_bytes = u64::from(u32_at(36)) * 8;
        let (cluster, l1_offset) = (1_u64 << cluster_bits, u64_at(40));
        let l1_needed = size.div_ceil(cluster * (cluster / 8)) * 8;
        if l1_bytes > MAX_L1_BYTES
            || l1_bytes < l1_needed
            || l1_offset.checked_add(l1_bytes).is_none_or(|end| end > file_size)
        {
            let what = format!("an L1 table of {l1_bytes} bytes at {l1_offset} for a disk of {size} bytes");
            return Err(Qcow2Error::Damaged(what));
        }
        let l1 = read_table(&file, l1_offset, usize::try_from(l1_needed).map_err(io::Error::other)?)?;
        let (tables, clusters) = (Mutex::new(Cache::new()), Mutex::new(Cache::new()));
        Ok(Self { file, file_size, size, cluster_bits, compression, l1, tables, clusters })
    }

    const fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// The L2 table of entry `index` of L1, if there is one.
    fn table(&self, index: u64) -> io::Result<Option<Arc<Vec<u64>>>> {
        let entry = usize::try_from(index).ok().and_then(|index| self.l1.get(index)).copied().unwrap_or(0);
        let offset = entry & format::OFFSET_MASK;
        if offset == 0 {
            return Ok(None);
        }
        if let Some(table) = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(offset) {
            return Ok(Some(table));
        }
        self.check_range(offset, self.cluster(), "an L2 table")?;
        let table =
            Arc::new(read_table(&self.file, offset, usize::try_from(self.cluster()).map_err(io::Error::other)?)?);
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).put(offset, Arc::clone(&table));
        Ok(Some(table))
    }

    fn place(&self, entry: u64) -> Place {
        if entry & format::COMPRESSED != 0 {
            return Place::Compressed(entry);
        }
        match entry & format::OFFSET_MASK {
            // Bit 0: reads as zeros whatever is allocated.
            offset if offset == 0 || entry & 1 != 0 => Place::Zero,
            offset => Place::Raw(offset),
        }
    }

    fn check_range(&self, offset: u64, length: u64, what: &str) -> io::Result<()> {
        if offset.is_multiple_of(512) && offset.checked_add(length).is_some_and(|end| end <= self.file_size) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the qcow2 image is damaged: {what} at {offset} is outside the file"),
        ))
    }

    fn read_cluster(&self, number: u64, within: usize, buf: &mut [u8]) -> io::Result<()> {
        let entries = self.cluster() / 8;
        let Some(table) = self.table(number / entries)? else {
            buf.fill(0);
            return Ok(());
        };
        let entry = table[usize::try_from(number % entries).map_err(io::Error::other)?];
        match self.place(entry) {
            Place::Zero => buf.fill(0),
            Place::Raw(offset) => {
                // The last cluster of a file may be cut where the data ends.
                let start = offset + within as u64;
                if start >= self.file_size {
                    self.check_range(offset, self.cluster(), "a cluster")?;
                }
                let room = usize::try_from(self.file_size - start).unwrap_or(usize::MAX).min(buf.len());
                self.file.read_exact_at(&mut buf[..room], start)?;
                buf[room..].fill(0);
            }
            Place::Compressed(entry) => {
                let data = self.decompressed(entry)?;
                buf.copy_from_slice(&data[within..within + buf.len()]);
            }
        }
        Ok(())
    }

    fn decompressed(&self, entry: u64) -> io::Result<Arc<Vec<u8>>> {
        let (offset, length) = format::compressed_place(entry, self.cluster_bits);
        if let Some(data) = self.clusters.lock().unwrap_or_else(PoisonError::into_inner).get(offset) {
            return Ok(data);
        }
        if offset >= self.file_size {
            self.check_range(offset & !511, 512, "a compressed cluster")?;
        }
        let length = length.min(self.file_size.saturating_sub(offset));
        let mut source = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut source, offset)?;
        let mut data = vec![0; usize::try_from(self.cluster()).map_err(io::Error::other)?];
        decompress(self.compression, &source, &mut data)?;
        let data = Arc::new(data);
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner).put(offset, Arc::clone(&data));
        Ok(data)
    }

    /// Whether cluster `number` may hold data, and how many clusters from it are surely alike.
    fn run(&self, number: u64) -> io::Result<(bool, u64)> {
        let entries = self.cluster() / 8;
        match self.table(number / entries)? {
            None => Ok((false, entries - number % entries)),
            Some(table) => {
                let from = usize::try_from(number % entries).map_err(io::Error::other)?;
                let is_data = |entry: &u64| !matches!(self.place(*entry), Place::Zero);
                let first = is_data(&table[from]);
                let count = table[from..].iter().take_while(|entry| is_data(entry) == first).count();
                Ok((first, count as u64))
            }
        }
    }
}

impl ReadAt for Reader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut rest, mut at) = (buf, offset);
        while !rest.is_empty() {
            let within = usize::try_from(at % self.cluster()).map_err(io::Error::other)?;
            let count = rest.len().min(usize::try_from(self.cluster()).map_err(io::Error::other)? - within);
            let (part, next) = rest.split_at_mut(count);
            self.read_cluster(at >> self.cluster_bits, within, part)?;
            (rest, at) = (next, at + count as u64);
        }
        Ok(())
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<Range<u64>>> {
        let clusters = self.size.div_ceil(self.cluster());
        let mut number = offset >> self.cluster_bits;
        while number < clusters {
            let (data, mut count) = self.run(number)?;
            if data {
                while number + count < clusters {
                    let (more, next) = self.run(number + count)?;
                    if !more {
                        break;
                    }
                    count += next;
                }
                let start = (number << self.cluster_bits).max(offset);
                let end = ((number + count) << self.cluster_bits).min(self.size);
                return Ok((start < end).then_some(start..end));
            }
            number += count;
        }
        Ok(None)
    }
}

fn check_features(features: u64) -> Result<(), Qcow2Error> {
    if features & format::CORRUPT != 0 {
        return Err(Qcow2Error::Damaged("it is marked corrupt".to_owned()));
    }
    if features & format::EXTERNAL_DATA != 0 {
        return Err(Qcow2Error::Unsupported("an external data file".to_owned()));
    }
    if features & format::EXTENDED_L2 != 0 {
        return Err(Qcow2Error::Unsupported("subclusters (extended_l2)".to_owned()));
    }
    match features & !(format::DIRTY | format::COMPRESSION_TYPE) {
        0 => Ok(()),
        unknown => Err(Qcow2Error::Unsupported(format!("unknown incompatible features ({unknown:#x})"))),
    }
}

fn read_some(file: &File, buf: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buf.len() {
        match file.read_at(&mut buf[got..], got as u64)? {
            0 => break,
            count => got += count,
        }
    }
    Ok(got)
}

fn read_table(file: &File, offset: u64, bytes: usize) -> io::Result<Vec<u64>> {
    let mut raw = vec![0; bytes];
    file.read_exact_at(&mut raw, offset)?;
    let (entries, _) = raw.as_chunks::<8>();
    Ok(entries.iter().map(|entry| u64::from_be_bytes(*entry)).collect())
}
