//! All outputs of a disk in one pass: one reader hands each chunk to every output that is made by us; what a tool makes
//! (vmdk, vhd, vhdx, vdi) follows from the same file, which the page cache then holds.

use super::raw::RawOutput;
use super::{Clusters, ExportError, ExportOptions, ExportProgress, Exported, qcow2, qemu_img};
use crate::chunk::{Chunk, Pool};
use crate::digest;
use crate::output::PendingOutput;
use crate::sparse;
use isotope_plan::{Export, Format};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Bytes that are read at once; a multiple of every cluster size in use.
const CHUNK: u64 = 2 << 20;

/// An output that takes the disk's chunks as they are read. Chunks come in order; what is left out is zeros.
pub(super) trait Sink {
    /// Takes bytes at `offset`.
    fn chunk(&mut self, offset: u64, data: &Chunk) -> Result<(), ExportError>;
    /// The disk has ended.
    fn finish(self: Box<Self>) -> Result<Finished, ExportError>;
}

/// A complete output that has no name yet.
pub(super) struct Finished {
    pub(super) output: PendingOutput,
    /// Where an index of clusters was made.
    pub(super) clusters: Option<Clusters>,
}

impl From<PendingOutput> for Finished {
    fn from(output: PendingOutput) -> Self {
        Self { output, clusters: None }
    }
}

/// Makes all outputs of the raw disk image `raw` in `out_dir`; a single reader feeds all of them.
///
/// # Errors
/// The first output that failed; none of them remains.
pub fn disk(
    raw: &File,
    exports: &[Export],
    out_dir: &Path,
    options: &ExportOptions,
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<Vec<Exported>, ExportError> {
    let input = |source| ExportError::Input { what: "the raw disk", path: "the work file".into(), source };
    let size = raw.metadata().map_err(input)?.len();
    let total = sparse::data_size(raw, size).map_err(input)?;
    let mut sinks: Vec<(usize, Box<dyn Sink>)> = Vec::new();
    for (index, export) in exports.iter().enumerate() {
        let path = out_dir.join(&export.file_name);
        match export.format {
            _ if qemu_img::makes(export) => qemu_img::check(export)?,
            Format::Qcow2 => {
                sinks.push((index, Box::new(qcow2::Qcow2Output::new(&path, export, size, total, options)?)))
            }
            Format::Raw => sinks.push((index, Box::new(RawOutput::new(&path, export, (raw, size), options)?))),
            format => {
                return Err(ExportError::Kind { format, needs: "a tree", file_name: export.file_name.clone() });
            }
        }
    }
    feed(raw, size, total, &mut sinks, progress)?;
    let mut pending = Vec::new();
    for (index, sink) in sinks {
        pending.push((index, sink.finish()?));
    }
    for (index, export) in exports.iter().enumerate() {
        if qemu_img::makes(export) {
            pending.push((index, qemu_img::convert(raw, export, &out_dir.join(&export.file_name))?.into()));
        }
    }
    pending.sort_by_key(|(index, _)| *index);
    pending.into_iter().map(|(index, output)| name(output, &exports[index])).collect()
}

/// Reads the disk once, leaving out holes and zeros, and hands it to all outputs.
fn feed(
    raw: &File,
    size: u64,
    total: u64,
    sinks: &mut [(usize, Box<dyn Sink>)],
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<(), ExportError> {
    let input = |source| ExportError::Input { what: "the raw disk", path: "the work file".into(), source };
    let pool = Pool::new();
    let (mut offset, mut done) = (0, 0);
    while let Some(data) = sparse::next_data(raw, offset, size).map_err(input)? {
        // Chunks lie on a grid, so that clusters are whole whatever the extents are.
        let mut start = (data.start / CHUNK * CHUNK).max(offset);
        while start < data.end {
            let end = (start + CHUNK).min(size);
            let mut buffer = pool.take(usize::try_from(end - start).unwrap_or_default());
            raw.read_exact_at(&mut buffer, start).map_err(input)?;
            let chunk = Chunk::from(buffer);
            if !sparse::is_zero(&chunk) {
                for (_, sink) in &mut *sinks {
                    sink.chunk(start, &chunk)?;
                }
            }
            done = (done + end - start).min(total);
            progress(ExportProgress { done, total });
            start = end;
        }
        offset = start;
    }
    Ok(())
}

/// Digests, name, and the files with the digests beside it. The digests are computed while the file goes to stable storage.
pub(super) fn name(finished: impl Into<Finished>, export: &Export) -> Result<Exported, ExportError> {
    let Finished { output, clusters } = finished.into();
    let path = output.final_path();
    let input = |source| ExportError::Input { what: "the finished output", path: path.clone(), source };
    let meta = output.file().metadata().map_err(input)?;
    let (synced, digests) = std::thread::scope(|scope| {
        let sync = scope.spawn(|| output.file().sync_data());
        let digests = digest::of_file(output.file(), &export.checksums).map_err(input);
        (sync.join(), digests)
    });
    let synced = synced.unwrap_or_else(|_| Err(std::io::Error::other("the thread died")));
    synced.map_err(|error| output.error("sync", error))?;
    let digests = digests?;
    let path = output.commit()?;
    digest::write_beside(&path, &digests)?;
    Ok(Exported { path, format: export.format, size: meta.len(), allocated: meta.blocks() * 512, digests, clusters })
}
