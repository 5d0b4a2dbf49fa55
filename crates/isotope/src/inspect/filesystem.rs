//! Filesystems by their superblocks: type, label, UUID.
//!
//! Offsets are those of the kernel's headers: ext4 (Documentation/filesystems/ext4/super.rst), XFS (fs/xfs/libxfs/xfs_format.h),
//! Btrfs (btrfs_tree.h), FAT (Microsoft's fatgen103), swap (mkswap(8), include/linux/swap.h), squashfs (squashfs_fs.h).

use isotope_image::reader::ReadAt;
use serde::Serialize;

/// A filesystem.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Filesystem {
    /// `ext4`, `xfs`, `btrfs`, `fat`, `swap`, `squashfs`.
    pub kind: &'static str,
    /// Its label.
    pub label: Option<String>,
    /// Its UUID, or FAT's volume id as `1234-ABCD`.
    pub uuid: Option<String>,
}

/// Looks at the superblocks of a part of the disk.
pub fn probe(disk: &dyn ReadAt, start: u64, length: u64) -> Option<Filesystem> {
    let read = |offset: u64, count: usize| {
        let mut bytes = vec![0; count];
        (offset + count as u64 <= length).then_some(())?;
        disk.read_exact_at(&mut bytes, start + offset).ok()?;
        Some(bytes)
    };
    let ext = read(1024, 264)?;
    if ext[56..58] == [0x53, 0xef] {
        return Some(named("ext4", &ext[120..136], &ext[104..120]));
    }
    let first = read(0, 512)?;
    if first.starts_with(b"XFSB") {
        return Some(named("xfs", &first[108..120], &first[32..48]));
    }
    if first.starts_with(b"hsqs") {
        return Some(Filesystem { kind: "squashfs", label: None, uuid: None });
    }
    if let Some(block) = read(65536, 0x22b).filter(|block| block[64..72] == *b"_BHRfS_M") {
        return Some(named("btrfs", &block[0x12b..], &block[32..48]));
    }
    if let Some(page) = read(0, 4096).filter(|page| page[4086..] == *b"SWAPSPACE2") {
        return Some(named("swap", &page[1052..1068], &page[1036..1052]));
    }
    fat(&first)
}

fn fat(first: &[u8]) -> Option<Filesystem> {
    (first[510..512] == [0x55, 0xaa]).then_some(())?;
    let at = [(82, 67), (54, 39)].into_iter().find(|(kind, _)| first[*kind..].starts_with(b"FAT"))?.1;
    let id = u32::from_le_bytes(first[at..at + 4].try_into().ok()?);
    let label = text(&first[at + 4..at + 15]).filter(|label| label != "NO NAME");
    Some(Filesystem { kind: "fat", label, uuid: Some(format!("{:04X}-{:04X}", id >> 16, id & 0xffff)) })
}

fn named(kind: &'static str, label: &[u8], uuid: &[u8]) -> Filesystem {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Filesystem { kind, label: text(label), uuid: Some(parts.join("-")) }
}

fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}
