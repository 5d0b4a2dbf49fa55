//! Compressed streams: gzip, zstd, xz; the last two on all cores. The same bytes in give the same bytes out.

use super::{ExportError, ExportOptions};
use crate::output::PendingOutput;
use isotope_plan::{Compression, Export, Format};
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// A stream that compresses into a file.
pub(super) enum Compressed {
    /// As it is.
    Plain(BufWriter<File>),
    /// gzip, without a time stamp or name.
    Gzip(flate2::write::GzEncoder<BufWriter<File>>),
    /// zstd.
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
    /// xz.
    Xz(liblzma::write::XzEncoder<BufWriter<File>>),
}

impl Compressed {
    /// The stream that an export asks for; `None` for an uncompressed raw image, which is no stream.
    pub(super) fn new(
        export: &Export,
        options: &ExportOptions,
        output: &PendingOutput,
    ) -> Result<Option<Self>, ExportError> {
        let file = output.file().try_clone().map_err(|error| output.error("write", error))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let threads = u32::try_from(threads).unwrap_or(1);
        let failed = |error| output.error("compress", error);
        Ok(match export.compression {
            Compression::None if export.format == Format::Raw => None,
            Compression::None => Some(Self::Plain(file)),
            Compression::Gzip => Some(Self::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default()))),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(file, 3).map_err(failed)?;
                // With workers the output depends on their number being zero or not, never on how many there are.
                encoder.multithread(threads).map_err(failed)?;
                encoder.include_checksum(true).map_err(failed)?;
                Some(Self::Zstd(encoder))
            }
            Compression::Xz => {
                let stream = liblzma::stream::MtStreamBuilder::new()
                    .threads(threads)
                    .preset(6)
                    .check(liblzma::stream::Check::Crc64)
                    .block_size(24 << 20)
                    .encoder()
                    .map_err(|error| failed(error.into()))?;
                Some(Self::Xz(liblzma::write::XzEncoder::new_stream(file, stream)))
            }
            compression @ Compression::Zlib => {
                let (format, file_name) = (export.format, export.file_name.clone());
                return Err(ExportError::Compression {
                    format,
                    compression,
                    file_name,
                    takes: "none, gzip, zstd or xz",
                });
            }
        })
    }

    /// Ends the stream.
    pub(super) fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Self::Plain(file) => file,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Xz(encoder) => encoder.finish()?,
        };
        file.flush()
    }
}

impl Write for Compressed {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(data),
            Self::Gzip(encoder) => encoder.write(data),
            Self::Zstd(encoder) => encoder.write(data),
            Self::Xz(encoder) => encoder.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Xz(encoder) => encoder.flush(),
        }
    }
}
