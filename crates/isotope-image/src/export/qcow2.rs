//! The qcow2 output.

use super::disk::Sink;
use super::{ExportError, ExportOptions};
use crate::output::{PendingOutput, is_full};
use crate::qcow2::Qcow2Error;
use crate::qcow2::{Codec, Options, Writer};
use isotope_plan::{Compression, Export};
use std::path::Path;
use std::sync::Arc;

/// Clusters of 64 KiB, qemu-img's default.
const CLUSTER_BITS: u32 = 16;

/// A qcow2 image in the making.
pub(super) struct Qcow2Output {
    output: PendingOutput,
    writer: Writer,
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
        let options = Options { virtual_size: size, cluster_bits: CLUSTER_BITS, codec, threads: options.threads };
        let worst = Writer::worst_size(&options, data);
        let file = output.file().try_clone().map_err(|error| output.error("write", error))?;
        let writer = Writer::new(file, options).map_err(|error| failed(&output, worst, error))?;
        Ok(Self { output, writer, worst })
    }
}

impl Sink for Qcow2Output {
    fn chunk(&mut self, offset: u64, data: &Arc<[u8]>) -> Result<(), ExportError> {
        // Why the writer stopped is told by finish, which always follows.
        drop(self.writer.write(offset, Arc::clone(data)));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<PendingOutput, ExportError> {
        let Self { output, writer, worst } = *self;
        match writer.finish() {
            Ok(_) => Ok(output),
            Err(error) => Err(failed(&output, worst, error)),
        }
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
