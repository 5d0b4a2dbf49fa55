//! Writes a qcow2 image in one go: data clusters in ascending order, compressed on all cores, then the tables.
//!
//! The caller's chunks are compressed by worker threads; one thread takes the results in the order of the chunks, so that the
//! file is the same whatever the threads do. Layout: header, compressed clusters packed byte by byte, each L2 table behind the
//! clusters it maps, then the L1 table, refcount table and refcount blocks. The header is written last: its pointers are known
//! only then, which is also why digests are taken from the finished file (out of the page cache).
//!
//! At most [`IN_FLIGHT`] chunks a thread are in memory, and 8 bytes a data cluster of the current L2 table.

pub use super::codec::Codec;

use super::codec::Compressor;
use super::format::{self, Qcow2Error};
use super::refcount::Refcounts;
use crate::sparse;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Chunks a thread that wait to be compressed or written.
const IN_FLIGHT: usize = 4;

/// How an image is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Size of the virtual disk; rounded up to a sector of 512 bytes.
    pub virtual_size: u64,
    /// Clusters have 2 to the power of this many bytes: 9 to 21; 16 is usual.
    pub cluster_bits: u32,
    /// Compression of clusters.
    pub codec: Codec,
    /// Threads that compress; 0 is one a processor.
    pub threads: usize,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Size of the file.
    pub size: u64,
    /// Clusters stored compressed.
    pub compressed: u64,
    /// Clusters stored as they are.
    pub raw: u64,
    /// Clusters of the input that were all zeros.
    pub zero: u64,
}

/// A chunk of input: bytes that follow each other on the disk, shared with other consumers.
pub type Chunk = Arc<[u8]>;

struct Job {
    data: Chunk,
    reply: Sender<io::Result<Vec<Cluster>>>,
}

/// A cluster as it is to be stored.
enum Cluster {
    Zero,
    Raw(Vec<u8>),
    Compressed(Box<[u8]>),
}

/// A chunk on its way: where it lies and where its clusters will come from.
struct Pending {
    offset: u64,
    reply: Receiver<io::Result<Vec<Cluster>>>,
}

/// A qcow2 image being written.
pub struct Writer {
    options: Options,
    next: u64,
    jobs: Option<SyncSender<Job>>,
    order: Option<SyncSender<Pending>>,
    workers: Vec<JoinHandle<()>>,
    assembler: Option<JoinHandle<Result<Summary, Qcow2Error>>>,
}

impl Writer {
    /// Begins an image in `file`, which must be empty.
    ///
    /// # Errors
    /// Options out of range, or no threads.
    pub fn new(file: File, options: Options) -> Result<Self, Qcow2Error> {
        let options = options.check()?;
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let (jobs, queue) = sync_channel::<Job>(threads * IN_FLIGHT);
        let (order, pending) = sync_channel::<Pending>(threads * IN_FLIGHT);
        let queue = Arc::new(Mutex::new(queue));
        let spawn = |name: &str| std::thread::Builder::new().name(format!("qcow2-{name}"));
        let mut workers = Vec::new();
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let mut compressor = Compressor::new(options.codec)?;
            workers.push(spawn("compress").spawn(move || work(&queue, &mut compressor, 1 << options.cluster_bits))?);
        }
        let assembler = spawn("write").spawn(move || Assembler::new(file, options)?.run(&pending))?;
        Ok(Self { options, next: 0, jobs: Some(jobs), order: Some(order), workers, assembler: Some(assembler) })
    }

    /// The most bytes that an image with `data` bytes of data can take.
    #[must_use]
    pub fn worst_size(options: &Options, data: u64) -> u64 {
        let cluster = 1 << options.cluster_bits;
        // An L2 entry and a refcount a cluster, a table each at least, and L1.
        data + (data / cluster) * 10 + options.virtual_size / (cluster * cluster / 8) * 8 + 16 * cluster
    }

    /// Takes bytes at `offset`, which is a multiple of the cluster size and not before the end of the last chunk. Only the last
    /// chunk of a disk may end inside a cluster. What is never written reads as zeros.
    ///
    /// # Errors
    /// The image could not be written; [`Writer::finish`] says why. Or the chunk is out of order.
    pub fn write(&mut self, offset: u64, data: Chunk) -> Result<(), Qcow2Error> {
        let cluster = 1_u64 << self.options.cluster_bits;
        let end = offset + data.len() as u64;
        if !offset.is_multiple_of(cluster) || offset < self.next || end > self.options.virtual_size {
            let (next, size) = (self.next, self.options.virtual_size);
            return Err(Qcow2Error::Options(format!(
                "chunk {offset}..{end} is not aligned, not after {next}, or beyond {size}"
            )));
        }
        self.next = end.next_multiple_of(cluster);
        let gone = || Qcow2Error::Io(io::ErrorKind::BrokenPipe.into());
        let (reply, receiver) = channel();
        self.order.as_ref().ok_or_else(gone)?.send(Pending { offset, reply: receiver }).map_err(|_| gone())?;
        self.jobs.as_ref().ok_or_else(gone)?.send(Job { data, reply }).map_err(|_| gone())
    }

    /// Writes the tables and the header. Does not sync.
    ///
    /// # Errors
    /// The image could not be written.
    pub fn finish(mut self) -> Result<Summary, Qcow2Error> {
        self.join().unwrap_or_else(|| Err(Qcow2Error::Options("the writer was finished twice".to_owned())))
    }

    fn join(&mut self) -> Option<Result<Summary, Qcow2Error>> {
        self.jobs = None;
        self.order = None;
        let died = || Qcow2Error::Options("a thread of the qcow2 writer died".to_owned());
        let result = self.assembler.take()?.join().unwrap_or_else(|_| Err(died()));
        let lost = self.workers.drain(..).map(JoinHandle::join).filter(Result::is_err).count();
        Some(if lost > 0 { Err(died()) } else { result })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The file is worthless then; what matters is that no thread writes to it any more.
        drop(self.join());
    }
}

impl Options {
    fn check(mut self) -> Result<Self, Qcow2Error> {
        if !(9..=21).contains(&self.cluster_bits) {
            return Err(Qcow2Error::Options(format!("qcow2 cluster bits are 9 to 21, not {}", self.cluster_bits)));
        }
        let clusters_in_l1 = 32_u64 << 20 >> 3 << (self.cluster_bits - 3);
        let limit = clusters_in_l1.saturating_mul(1 << self.cluster_bits);
        if self.virtual_size > limit.min(1 << 60) {
            return Err(Qcow2Error::Options(format!(
                "a qcow2 image with clusters of {} bytes has at most {limit} bytes, not {}; use larger clusters",
                1 << self.cluster_bits,
                self.virtual_size
            )));
        }
        self.virtual_size = self.virtual_size.next_multiple_of(512);
        Ok(self)
    }
}

/// Compresses chunks until there are no more.
fn work(queue: &Mutex<Receiver<Job>>, compressor: &mut Compressor, cluster_size: usize) {
    let mut scratch = vec![0; cluster_size];
    let mut padded = vec![0; cluster_size];
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { data, reply }) = job else { return };
        let mut one = |part: &[u8]| {
            if sparse::is_zero(part) {
                return Ok(Cluster::Zero);
            }
            let cluster = if part.len() == cluster_size {
                part
            } else {
                padded.fill(0);
                padded[..part.len()].copy_from_slice(part);
                &padded
            };
            Ok(match compressor.compress(cluster, &mut scratch)? {
                Some(size) => Cluster::Compressed(scratch[..size].into()),
                None => Cluster::Raw(cluster.to_vec()),
            })
        };
        let clusters = data.chunks(cluster_size).map(&mut one).collect();
        // Nobody waits when the writer failed or was dropped.
        reply.send(clusters).ok();
    }
}

/// Puts clusters into the file, in order.
struct Assembler {
    file: BufWriter<File>,
    options: Options,
    /// Where the next byte goes.
    end: u64,
    refcounts: Refcounts,
    l1: Vec<u64>,
    /// Index in `l1` of the L2 table in the making.
    current: usize,
    l2: Vec<u64>,
    summary: Summary,
}

impl Assembler {
    fn new(mut file: File, options: Options) -> Result<Self, Qcow2Error> {
        let cluster = 1_u64 << options.cluster_bits;
        file.seek(SeekFrom::Start(cluster))?;
        let mut refcounts = Refcounts::new(options.cluster_bits);
        refcounts.use_range(0, cluster)?;
        let too_large = |_| Qcow2Error::Options("the virtual disk is too large".to_owned());
        let l1 = usize::try_from(options.virtual_size.div_ceil(cluster * (cluster / 8))).map_err(too_large)?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
            options,
            end: cluster,
            refcounts,
            l1: vec![0; l1],
            current: 0,
            l2: Vec::new(),
            summary: Summary::default(),
        })
    }

    fn run(mut self, pending: &Receiver<Pending>) -> Result<Summary, Qcow2Error> {
        for chunk in pending {
            let clusters = chunk.reply.recv().map_err(|_| Qcow2Error::Io(io::ErrorKind::BrokenPipe.into()))??;
            for (number, cluster) in (chunk.offset >> self.options.cluster_bits..).zip(clusters) {
                self.put(number, cluster)?;
            }
        }
        self.flush_l2()?;
        self.finish()
    }

    /// Stores cluster `number` of the disk.
    fn put(&mut self, number: u64, cluster: Cluster) -> Result<(), Qcow2Error> {
        let entries = 1_u64 << (self.options.cluster_bits - 3);
        let entry = match cluster {
            Cluster::Zero => {
                self.summary.zero += 1;
                return Ok(());
            }
            cluster => {
                let table = usize::try_from(number / entries).map_err(io::Error::other)?;
                if table != self.current {
                    self.flush_l2()?;
                    self.current = table;
                }
                match cluster {
                    Cluster::Raw(data) => {
                        self.summary.raw += 1;
                        self.align()?;
                        self.append(&data)? | format::COPIED
                    }
                    Cluster::Compressed(data) => {
                        self.summary.compressed += 1;
                        let offset = self.append(&data)?;
                        format::compressed_entry(offset, data.len() as u64, self.options.cluster_bits)
                    }
                    Cluster::Zero => 0,
                }
            }
        };
        if self.l2.is_empty() {
            self.l2.resize(usize::try_from(entries).map_err(io::Error::other)?, 0);
        }
        self.l2[usize::try_from(number % entries).map_err(io::Error::other)?] = entry;
        Ok(())
    }

    /// Writes at the end, counts the clusters used, and tells where.
    fn append(&mut self, data: &[u8]) -> Result<u64, Qcow2Error> {
        let offset = self.end;
        self.file.write_all(data)?;
        self.refcounts.use_range(offset, data.len() as u64)?;
        self.end += data.len() as u64;
        Ok(offset)
    }

    /// Pads to the next cluster.
    fn align(&mut self) -> Result<(), Qcow2Error> {
        let target = self.end.next_multiple_of(1 << self.options.cluster_bits);
        io::copy(&mut io::Read::take(io::repeat(0), target - self.end), &mut self.file)?;
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

    fn finish(mut self) -> Result<Summary, Qcow2Error> {
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
        self.file.flush()?;
        Ok(self.summary)
    }
}

fn table_bytes(entries: &[u64]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_be_bytes()).collect()
}
