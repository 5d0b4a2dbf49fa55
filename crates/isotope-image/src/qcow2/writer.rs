//! Writes a qcow2 image in one go: data clusters in ascending order, compressed on all cores, then the tables.
//!
//! The caller's chunks are compressed by worker threads; one thread takes the results in the order of the chunks, so that the
//! file is the same whatever the threads do. Layout: header, compressed clusters packed byte by byte, each L2 table behind the
//! clusters it maps, then the L1 table, refcount table and refcount blocks. The header is written last: its pointers are known
//! only then, which is also why digests are taken from the finished file (out of the page cache).
//!
//! With an [`Earlier`] image, clusters that it has are copied from it. The codec gives the same bytes for the same cluster, so the
//! image is what it would be without.
//!
//! At most [`IN_FLIGHT`] chunks a thread are in memory, 8 bytes a data cluster of the current L2 table, and 56 a data cluster
//! where an index is made.

pub use super::codec::Codec;
pub use crate::chunk::Chunk;

use super::assembler::Assembler;
use super::earlier::Earlier;
use super::format::Qcow2Error;
use super::index::{Index, IndexError};
use super::pack::{Indexing, Packed, Packer};
use crate::chunk::Pool;
use std::fs::File;
use std::io;
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
    /// Stored clusters that were copied from the earlier image.
    pub reused: u64,
    /// Clusters that the earlier image should have had, but had not.
    pub damaged: u64,
}

struct Job {
    data: Chunk,
    reply: Sender<io::Result<Packed>>,
}

/// A chunk on its way: where it lies and where its clusters will come from.
struct Pending {
    offset: u64,
    reply: Receiver<io::Result<Packed>>,
}

/// A qcow2 image being written.
pub struct Writer {
    options: Options,
    next: u64,
    jobs: Option<SyncSender<Job>>,
    order: Option<SyncSender<Pending>>,
    workers: Vec<JoinHandle<()>>,
    assembler: Option<JoinHandle<Result<(Summary, Index), Qcow2Error>>>,
}

impl Writer {
    /// Begins an image in `file`, which must be empty.
    ///
    /// # Errors
    /// Options out of range, or no threads.
    pub fn new(file: File, options: Options) -> Result<Self, Qcow2Error> {
        Self::start(file, options, &Indexing::Off)
    }

    /// The same, and its index is made ([`Writer::finish_indexed`]); clusters that `earlier` has are copied from there.
    ///
    /// # Errors
    /// As [`Writer::new`].
    pub fn indexed(file: File, options: Options, earlier: Option<Arc<Earlier>>) -> Result<Self, Qcow2Error> {
        Self::start(file, options, &Indexing::On(earlier))
    }

    /// Whether an image with these options can use clusters of `earlier`.
    ///
    /// # Errors
    /// It stores clusters in another way.
    pub fn can_use(earlier: &Earlier, options: &Options) -> Result<(), IndexError> {
        earlier.fits(options.cluster_bits, options.codec)
    }

    fn start(file: File, options: Options, indexing: &Indexing) -> Result<Self, Qcow2Error> {
        let options = options.check()?;
        if let Indexing::On(Some(earlier)) = indexing {
            let foreign = |error: IndexError| Qcow2Error::Options(format!("the earlier image does not fit: {error}"));
            Self::can_use(earlier, &options).map_err(foreign)?;
        }
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let (jobs, queue) = sync_channel::<Job>(threads * IN_FLIGHT);
        let (order, pending) = sync_channel::<Pending>(threads * IN_FLIGHT);
        let (queue, pool) = (Arc::new(Mutex::new(queue)), Pool::new());
        let spawn = |name: &str| std::thread::Builder::new().name(format!("qcow2-{name}"));
        let mut workers = Vec::new();
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let mut packer = Packer::new(&options, indexing.clone(), Arc::clone(&pool))?;
            workers.push(spawn("compress").spawn(move || work(&queue, &mut packer))?);
        }
        let assembler = spawn("write").spawn(move || assemble(Assembler::new(file, options)?, &options, &pending))?;
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
    pub fn finish(self) -> Result<Summary, Qcow2Error> {
        self.finish_indexed().map(|(summary, _)| summary)
    }

    /// The same, with the index of the image; it is empty where the image is not compressed, or none was wanted.
    ///
    /// # Errors
    /// The image could not be written.
    pub fn finish_indexed(mut self) -> Result<(Summary, Index), Qcow2Error> {
        self.join().unwrap_or_else(|| Err(Qcow2Error::Options("the writer was finished twice".to_owned())))
    }

    fn join(&mut self) -> Option<Result<(Summary, Index), Qcow2Error>> {
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

/// Packs chunks until there are no more.
fn work(queue: &Mutex<Receiver<Job>>, packer: &mut Packer) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { data, reply }) = job else { return };
        // Nobody waits when the writer failed or was dropped.
        reply.send(packer.pack(&data)).ok();
    }
}

/// Takes the packed chunks in their order.
fn assemble(
    mut assembler: Assembler,
    options: &Options,
    pending: &Receiver<Pending>,
) -> Result<(Summary, Index), Qcow2Error> {
    for chunk in pending {
        let packed = chunk.reply.recv().map_err(|_| Qcow2Error::Io(io::ErrorKind::BrokenPipe.into()))??;
        assembler.put(chunk.offset >> options.cluster_bits, &packed)?;
    }
    assembler.finish()
}
