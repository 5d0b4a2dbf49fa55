//! The numbers of the format, its header, and what can be wrong with an image.

use std::io;

/// `QFI\xfb`.
pub const MAGIC: u32 = 0x5146_49fb;
/// Length of the header that the writer makes (with the compression type byte, padded to 8).
pub const HEADER_LENGTH: u32 = 112;
/// Bit of an L1 or L2 entry: the cluster's refcount is exactly one.
pub const COPIED: u64 = 1 << 63;
/// Bit of an L2 entry: compressed.
pub const COMPRESSED: u64 = 1 << 62;
/// Offset bits of an L1 entry or of a standard L2 entry.
pub const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;
/// Incompatible feature: refcounts may be stale (harmless to a reader).
pub const DIRTY: u64 = 1;
/// Incompatible feature: marked corrupt.
pub const CORRUPT: u64 = 1 << 1;
/// Incompatible feature: data in another file.
pub const EXTERNAL_DATA: u64 = 1 << 2;
/// Incompatible feature: compression type in the header.
pub const COMPRESSION_TYPE: u64 = 1 << 3;
/// Incompatible feature: subclusters.
pub const EXTENDED_L2: u64 = 1 << 4;

/// Why a qcow2 image cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Qcow2Error {
    /// The file cannot be read.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// Not qcow2.
    #[error("it does not begin with the qcow2 magic")]
    Magic,
    /// A feature that is not read here.
    #[error("it uses {0}, which isotope does not read; flatten it with `qemu-img convert -O qcow2`")]
    Unsupported(String),
    /// It contradicts itself.
    #[error("it is damaged: {0}; check it with `qemu-img check`")]
    Damaged(String),
    /// Options of the writer that make no image.
    #[error("{0}")]
    Options(String),
}
