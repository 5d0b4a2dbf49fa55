//! The qcow2 output.

use super::disk::{Finished, Sink};
use super::{ExportError, ExportOptions};
use crate::chunk::Chunk;
use crate::output::{PendingOutput, is_full};
use crate::qcow2::{Codec, Earlier, Index, IndexError, Options, Qcow2Error, Writer};
use isotope_plan::{Compression, Export};
use std::path::Path;
use std::sync::Arc;

/// Clusters of 64 KiB, qemu-img's default.
const CLUSTER_BITS: u32 = 16;

/// What stands behind the name of an image in the name of its index.
pub(crate) const INDEX: &str = ".clusters";

/// The clusters of an output, for later outputs to be made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// Where each is.
    pub index: Index,
    /// Clusters with data.
    pub stored: u64,
    /// Those among them that were copied from the earlier output.
    pub reused: u64,
    /// Why the earlier output could not be used, or not for all that it should have had.
    pub note: Option<String>,
}

/// A qcow2 image in the making.
pub(super) struct Qcow2Output {
    output: PendingOutput,
    writer: Writer,
    /// Whether the index is wanted.
    index: bool,
    note: Option<String>,
    /// The most that the image can take.
    worst: u64,
}

impl Qcow2Output {
    /// Begins one for a disk of `size` bytes with `data` bytes of data.
    pub(super) fn new(
        path: &Path,
        export: &Export,
        size: u64,
        data: u64,
        options: &ExportOptions,
    ) -> Result<Self, ExportError> {
        let codec = match export.compression {
            Compression::None => Codec::None,
            Compression::Zlib => Codec::ZLIB,
            Compression::Zstd => Codec::ZSTD,
            compression @ (Compression::Xz | Compression::Gzip) => {
                let (format, file_name) = (export.format, export.file_name.clone());
                return Err(ExportError::Compression { format, compression, file_name, takes: "none, zlib or zstd" });
            }
        };
        let output = PendingOutput::create(path)?;
        let how = Options { virtual_size: size, cluster_bits: CLUSTER_BITS, codec, threads: options.threads };
        let worst = Writer::worst_size(&how, data);
        let file = output.file().try_clone().map_err(|error| output.error("write", error))?;
        let index = codec != Codec::None && (options.index || options.earlier.is_some());
        let (earlier, note) = match options.earlier.as_ref().filter(|_| index) {
            Some(dir) => earlier(&dir.join(&export.file_name), &how),
            None => (None, None),
        };
        let writer = if index { Writer::indexed(file, how, earlier) } else { Writer::new(file, how) };
        let writer = writer.map_err(|error| failed(&output, worst, error))?;
        Ok(Self { output, writer, index, note, worst })
    }
}

/// The earlier output at `image`, or why it cannot be used. That there is none needs no words.
fn earlier(image: &Path, options: &Options) -> (Option<Arc<Earlier>>, Option<String>) {
    let mut index = image.as_os_str().to_owned();
    index.push(INDEX);
    let opened = Earlier::open(image, Path::new(&index));
    match opened.and_then(|earlier| Writer::can_use(&earlier, options).map(|()| earlier)) {
        Ok(earlier) => (Some(Arc::new(earlier)), None),
        Err(IndexError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => (None, None),
        Err(error) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            (None, Some(format!("the earlier image `{}` is not used: {error}{source}", image.display())))
        }
    }
}

impl Sink for Qcow2Output {
    fn chunk(&mut self, offset: u64, data: &Chunk) -> Result<(), ExportError> {
        // Why the writer stopped is told by finish, which always follows.
        drop(self.writer.write(offset, data.clone()));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished, ExportError> {
        let Self { output, writer, index, mut note, worst } = *self;
        let (summary, made) = writer.finish_indexed().map_err(|error| failed(&output, worst, error))?;
        if summary.damaged > 0 {
            note = Some(format!("{} clusters of the earlier image are damaged, and were made anew", summary.damaged));
        }
        let stored = summary.compressed + summary.raw;
        let clusters = index.then_some(Clusters { index: made, stored, reused: summary.reused, note });
        Ok(Finished { output, clusters })
    }
}

fn failed(output: &PendingOutput, worst: u64, error: Qcow2Error) -> ExportError {
    let source = match error {
        Qcow2Error::Io(source) => source,
        other => std::io::Error::other(other),
    };
    let needed = is_full(&source).then_some(worst);
    output.error_needing("write", source, needed).into()
}
