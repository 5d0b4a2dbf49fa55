//! The raw output: sparse, or as a stream compressed by gzip, zstd or xz.

use super::compress::Compressed;
use super::disk::Sink;
use super::{ExportError, ExportOptions};
use crate::output::{PendingOutput, is_full};
use isotope_plan::Export;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Zeros are left as holes of this granularity.
const HOLE: usize = 64 << 10;

/// A raw image in the making.
pub(super) struct RawOutput {
    output: PendingOutput,
    stream: Option<Compressed>,
    size: u64,
    /// How far the stream is.
    next: u64,
}

impl RawOutput {
    /// Begins one for a disk of `size` bytes.
    pub(super) fn new(path: &Path, export: &Export, size: u64, options: &ExportOptions) -> Result<Self, ExportError> {
        let output = PendingOutput::create(path)?;
        let file = output.file().try_clone().map_err(|error| output.error("write", error))?;
        let stream = Compressed::new(file, export, options, &output)?;
        if stream.is_none() {
            output.file().set_len(size).map_err(|error| output.error("set the size of", error))?;
        }
        Ok(Self { output, stream, size, next: 0 })
    }

    fn error(&self, source: io::Error) -> ExportError {
        let needed = is_full(&source).then_some(self.size);
        self.output.error_needing("write", source, needed).into()
    }

    fn zeros_to(&mut self, offset: u64) -> io::Result<()> {
        if let Some(stream) = &mut self.stream {
            io::copy(&mut io::Read::take(io::repeat(0), offset - self.next), stream)?;
            self.next = offset;
        }
        Ok(())
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.zeros_to(offset)?;
        match &mut self.stream {
            Some(stream) => stream.write_all(data)?,
            None => {
                for (index, part) in data.chunks(HOLE).enumerate() {
                    if !crate::sparse::is_zero(part) {
                        self.output.file().write_all_at(part, offset + (index * HOLE) as u64)?;
                    }
                }
            }
        }
        self.next = offset + data.len() as u64;
        Ok(())
    }
}

impl Sink for RawOutput {
    fn chunk(&mut self, offset: u64, data: &Arc<[u8]>) -> Result<(), ExportError> {
        self.put(offset, data).map_err(|error| self.error(error))
    }

    fn finish(mut self: Box<Self>) -> Result<PendingOutput, ExportError> {
        self.zeros_to(self.size).map_err(|error| self.error(error))?;
        if let Some(stream) = self.stream.take() {
            stream.finish().map_err(|error| self.error(error))?;
        }
        Ok(self.output)
    }
}
