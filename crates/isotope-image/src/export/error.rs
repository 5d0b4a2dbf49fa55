//! Why an export failed.

use crate::output::OutputError;
use isotope_plan::{Compression, Format};
use isotope_sys::command::CommandError;
use std::io;
use std::path::PathBuf;

/// Why an export failed. Nothing remains of it.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The output cannot be written or named.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The disk or the tree cannot be read.
    #[error("cannot read {what} `{}`", path.display())]
    Input {
        /// What it is.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A host tool failed.
    #[error("cannot make the {} output `{file_name}`", format_name(*format))]
    Tool {
        /// The format.
        format: Format,
        /// The output.
        file_name: String,
        /// The cause.
        source: CommandError,
    },
    /// The format does not go with the compression.
    #[error("format {} does not go with compression {compression:?} (`{file_name}`); it takes {takes}", format_name(*format))]
    Compression {
        /// The format.
        format: Format,
        /// What was asked for.
        compression: Compression,
        /// The output.
        file_name: String,
        /// What is possible.
        takes: &'static str,
    },
    /// The format is made from the other kind of input.
    #[error("format {} is made from {needs} (`{file_name}`)", format_name(*format))]
    Kind {
        /// The format.
        format: Format,
        /// `a disk` or `a tree`.
        needs: &'static str,
        /// The output.
        file_name: String,
    },
    /// A thread of the export died.
    #[error("a thread that made `{0}` ended without a result; this is a defect of isotope")]
    Thread(String),
}

/// The name of a format as recipes write it.
pub(crate) const fn format_name(format: Format) -> &'static str {
    match format {
        Format::Raw => "raw",
        Format::Qcow2 => "qcow2",
        Format::Vmdk => "vmdk",
        Format::Vhd => "vhd",
        Format::Vhdx => "vhdx",
        Format::Vdi => "vdi",
        Format::Tar => "tar",
        Format::Squashfs => "squashfs",
        Format::Oci => "oci",
        Format::Aci => "aci",
    }
}
