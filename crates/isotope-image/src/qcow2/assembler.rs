//! Puts packed clusters into the file, in order, and the tables behind them.

use super::codec::{self, Codec};
use super::earlier::Copied;
use super::format::{self, Qcow2Error};
use super::index::{Index, Place};
use super::pack::{Form, Packed, Stored};
use super::refcount::Refcounts;
use super::writer::{Options, Summary};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

/// An image being put together.
pub(super) struct Assembler {
    file: File,
    options: Options,
    /// Where the next byte goes.
    end: u64,
    refcounts: Refcounts,
    l1: Vec<u64>,
    /// Index in `l1` of the L2 table in the making.
    current: usize,
    l2: Vec<u64>,
    summary: Summary,
    places: Vec<Place>,
}

impl Assembler {
    pub(super) fn new(mut file: File, options: Options) -> Result<Self, Qcow2Error> {
        let cluster = 1_u64 << options.cluster_bits;
        file.seek(SeekFrom::Start(cluster))?;
        let mut refcounts = Refcounts::new(options.cluster_bits);
        refcounts.use_range(0, cluster)?;
        let too_large = |_| Qcow2Error::Options("the virtual disk is too large".to_owned());
        let l1 = usize::try_from(options.virtual_size.div_ceil(cluster * (cluster / 8))).map_err(too_large)?;
        Ok(Self {
            file,
            options,
            end: cluster,
            refcounts,
            l1: vec![0; l1],
            current: 0,
            l2: Vec::new(),
            summary: Summary::default(),
            places: Vec::new(),
        })
    }

    /// Stores the clusters of the disk from `number` on. What is stored compressed lies without gaps and goes out in one write.
    pub(super) fn put(&mut self, number: u64, packed: &Packed) -> Result<(), Qcow2Error> {
        let mut run = 0..0;
        for (number, stored) in (number..).zip(&packed.clusters) {
            if stored.form == Form::Zero {
                self.summary.zero += 1;
                continue;
            }
            let entries = 1_u64 << (self.options.cluster_bits - 3);
            let table = usize::try_from(number / entries).map_err(io::Error::other)?;
            if table != self.current {
                self.write(packed, &mut run)?;
                self.flush_l2()?;
                self.current = table;
            }
            if stored.form == Form::Raw {
                self.write(packed, &mut run)?;
                self.align()?;
            }
            let offset = self.reserve(stored.length as u64)?;
            run.end += stored.length;
            let entry = match stored.form {
                Form::Compressed => format::compressed_entry(offset, stored.length as u64, self.options.cluster_bits),
                Form::Raw | Form::Zero => offset | format::COPIED,
            };
            self.count(stored, offset)?;
            if self.l2.is_empty() {
                self.l2.resize(usize::try_from(entries).map_err(io::Error::other)?, 0);
            }
            self.l2[usize::try_from(number % entries).map_err(io::Error::other)?] = entry;
        }
        self.write(packed, &mut run)
    }

    fn count(&mut self, stored: &Stored, offset: u64) -> Result<(), Qcow2Error> {
        match stored.form {
            Form::Raw => self.summary.raw += 1,
            Form::Compressed => self.summary.compressed += 1,
            Form::Zero => {}
        }
        match stored.earlier {
            Copied::Stored { .. } => self.summary.reused += 1,
            Copied::Damaged => self.summary.damaged += 1,
            Copied::Unknown => {}
        }
        if let Some((digest, checksum)) = stored.known {
            let length = u32::try_from(stored.length).map_err(io::Error::other)?;
            self.places.push(Place { digest, checksum, offset, length });
        }
        Ok(())
    }

    /// Writes a run of the buffer, whose place is reserved, and begins the next behind it.
    fn write(&mut self, packed: &Packed, run: &mut Range<usize>) -> Result<(), Qcow2Error> {
        self.file.write_all(&packed.bytes[run.clone()])?;
        run.start = run.end;
        Ok(())
    }

    /// Counts the clusters used by the next bytes, and tells where these go.
    fn reserve(&mut self, length: u64) -> Result<u64, Qcow2Error> {
        let offset = self.end;
        self.refcounts.use_range(offset, length)?;
        self.end += length;
        Ok(offset)
    }

    /// Writes at the end.
    fn append(&mut self, data: &[u8]) -> Result<u64, Qcow2Error> {
        self.file.write_all(data)?;
        self.reserve(data.len() as u64)
    }

    /// Pads to the next cluster.
    fn align(&mut self) -> Result<(), Qcow2Error> {
        let target = self.end.next_multiple_of(1 << self.options.cluster_bits);
        let zeros = vec![0; usize::try_from(target - self.end).map_err(io::Error::other)?];
        self.file.write_all(&zeros)?;
        self.end = target;
        Ok(())
    }

    fn flush_l2(&mut self) -> Result<(), Qcow2Error> {
        if self.l2.is_empty() {
            return Ok(());
        }
        let bytes = table_bytes(&self.l2);
        self.l2.clear();
        self.align()?;
        self.l1[self.current] = self.append(&bytes)? | format::COPIED;
        Ok(())
    }

    /// Writes the tables and the header; the index of the clusters whose digests are known.
    pub(super) fn finish(mut self) -> Result<(Summary, Index), Qcow2Error> {
        self.flush_l2()?;
        self.align()?;
        let l1 = table_bytes(&self.l1);
        let l1_offset = if l1.is_empty() { 0 } else { self.append(&l1)? };
        self.align()?;
        let placed = self.refcounts.place(self.end)?;
        self.file.write_all(&placed.bytes)?;
        self.summary.size = self.end + placed.bytes.len() as u64;
        let header = format::Header {
            cluster_bits: self.options.cluster_bits,
            virtual_size: self.options.virtual_size,
            l1_entries: u32::try_from(self.l1.len()).map_err(io::Error::other)?,
            l1_offset,
            refcount_table_offset: placed.table_offset,
            refcount_table_clusters: placed.table_clusters,
            zstd: matches!(self.options.codec, Codec::Zstd { .. }),
        };
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header.to_bytes())?;
        let fingerprint = codec::fingerprint(self.options.codec)?;
        let index = Index::new(self.options.cluster_bits, fingerprint, self.summary.size, self.places);
        Ok((self.summary, index))
    }
}

fn table_bytes(entries: &[u64]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_be_bytes()).collect()
}
