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

/// An L2 entry for `length` compressed bytes at `offset`.
#[must_use]
pub const fn compressed_entry(offset: u64, length: u64, cluster_bits: u32) -> u64 {
    let sectors = ((offset + length - 1) >> 9) - (offset >> 9);
    COMPRESSED | (sectors << offset_bits(cluster_bits)) | offset
}

/// Offset and number of bytes (to the end of the last sector) of a compressed cluster.
#[must_use]
pub const fn compressed_place(entry: u64, cluster_bits: u32) -> (u64, u64) {
    let bits = offset_bits(cluster_bits);
    let entry = entry & !(COPIED | COMPRESSED);
    let offset = entry & ((1 << bits) - 1);
    (offset, ((entry >> bits) + 1) * 512 - offset % 512)
}

/// Bits of the offset in an L2 entry of a compressed cluster.
const fn offset_bits(cluster_bits: u32) -> u32 {
    62 - (cluster_bits - 8)
}

/// What the writer says about an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Cluster size is 2 to the power of this.
    pub cluster_bits: u32,
    /// Bytes of the disk.
    pub virtual_size: u64,
    /// Entries of the L1 table.
    pub l1_entries: u32,
    /// Where it is.
    pub l1_offset: u64,
    /// Where the refcount table is.
    pub refcount_table_offset: u64,
    /// Its clusters.
    pub refcount_table_clusters: u32,
    /// Clusters are compressed by zstd, not by zlib.
    pub zstd: bool,
}

impl Header {
    /// Version 3, refcounts of 16 bits, no header extension.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LENGTH as usize + 8);
        let mut u32 = |values: &[u32]| values.iter().for_each(|value| bytes.extend_from_slice(&value.to_be_bytes()));
        let halves = |value: u64| [(value >> 32) as u32, (value & 0xffff_ffff) as u32];
        u32(&[MAGIC]);
        u32(&[3]);
        u32(&[0, 0, 0]); // no backing file: offset, length
        u32(&[self.cluster_bits]);
        u32(&halves(self.virtual_size));
        u32(&[0]); // no encryption
        u32(&[self.l1_entries]);
        u32(&halves(self.l1_offset));
        u32(&halves(self.refcount_table_offset));
        u32(&[self.refcount_table_clusters]);
        u32(&[0, 0, 0]); // no snapshots: number, offset
        u32(&halves(if self.zstd { COMPRESSION_TYPE } else { 0 }));
        u32(&[0, 0, 0, 0]); // compatible, autoclear features
        u32(&[4]); // refcount order
        u32(&[HEADER_LENGTH]);
        u32(&[u32::from(self.zstd) << 24]); // compression type, padding
        u32(&[0]);
        u32(&[0, 0]); // end of header extensions
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_entries_there_and_back() {
        for bits in [9, 16, 21] {
            for (offset, length) in [(1 << 16, 1), (65_537, 511), (65_537, 512), (66_047, 2), (1 << 40, 500)] {
                let entry = compressed_entry(offset, length, bits);
                let (back, room) = compressed_place(entry, bits);
                assert_eq!(back, offset);
                assert!(room >= length && room - length < 512 && (back + room) % 512 == 0);
            }
        }
    }

    #[test]
    fn the_header_has_its_length() {
        let header = Header {
            cluster_bits: 16,
            virtual_size: 1 << 33,
            l1_entries: 16,
            l1_offset: 1 << 16,
            refcount_table_offset: 2 << 16,
            refcount_table_clusters: 1,
            zstd: true,
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes.len(), HEADER_LENGTH as usize + 8);
        assert_eq!((bytes[104], bytes[79]), (1, 8));
    }
}
