//! The raw output: a clone of the disk where the filesystem shares blocks (ioctl_ficlone(2): Btrfs, XFS), else a sparse copy; or a
//! stream compressed by gzip, zstd or xz.

use super::compress::Compressed;
use super::disk::{Finished, Sink};
use super::{ExportError, ExportOptions};
use crate::chunk::Chunk;
use crate::output::{PendingOutput, is_full};
use isotope_plan::Export;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Zeros are left as holes of this granularity.
const HOLE: usize = 64 << 10;

/// A raw image in the making.
pub(super) struct RawOutput {
    output: PendingOutput,
    body: Body,
    size: u64,
    /// How far the stream is.
    next: u64,
}

/// How it is made.
enum Body {
    /// It shares the disk's blocks: there is nothing left to write.
    Clone,
    Sparse,
    Stream(Compressed),
}

impl RawOutput {
    /// Begins one for the disk `raw` of `size` bytes.
    pub(super) fn new(
        path: &Path,
        export: &Export,
        (raw, size): (&File, u64),
        options: &ExportOptions,
    ) -> Result<Self, ExportError> {
        let output = PendingOutput::create(path)?;
        let body = match Compressed::new(export, options, &output)? {
            Some(stream) => Body::Stream(stream),
            None if rustix::fs::ioctl_ficlone(output.file(), raw).is_ok() => Body::Clone,
            None => {
                output.file().set_len(size).map_err(|error| output.error("set the size of", error))?;
                Body::Sparse
            }
        };
        Ok(Self { output, body, size, next: 0 })
    }

    fn error(&self, source: io::Error) -> ExportError {
        let needed = is_full(&source).then_some(self.size);
        self.output.error_needing("write", source, needed).into()
    }

    fn zeros_to(&mut self, offset: u64) -> io::Result<()> {
        if let Body::Stream(stream) = &mut self.body {
            io::copy(&mut io::Read::take(io::repeat(0), offset - self.next), stream)?;
            self.next = offset;
        }
        Ok(())
    }

    fn put(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.zeros_to(offset)?;
        match &mut self.body {
            Body::Clone => {}
            Body::Stream(stream) => stream.write_all(data)?,
            Body::Sparse => {
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
    fn chunk(&mut self, offset: u64, data: &Chunk) -> Result<(), ExportError> {
        self.put(offset, data).map_err(|error| self.error(error))
    }

    fn finish(mut self: Box<Self>) -> Result<Finished, ExportError> {
        self.zeros_to(self.size).map_err(|error| self.error(error))?;
        match std::mem::replace(&mut self.body, Body::Clone) {
            Body::Stream(stream) => stream.finish().map_err(|error| self.error(error))?,
            Body::Clone | Body::Sparse => {}
        }
        Ok(self.output.into())
    }
}
