//! How much room content needs inside each filesystem: a model of what mkfs and the kernel keep for themselves.
//!
//! [`least`] is the smallest partition into which the content surely fits; [`comfortable`] adds the headroom of `auto`:
//!
//! | partition | headroom |
//! |---|---|
//! | root, `/boot` | 10 % of the content and 256 MiB: hooks that run on the mounted disk, one more kernel and initramfs |
//! | ESP | 10 % and 32 MiB, and at least 100 MiB (260 MiB with 4096-byte sectors), so that it is FAT32 to every firmware |
//! | others | 10 % and 32 MiB |
//!
//! The sizes of root and `/boot` are multiples of 32 MiB, those of others of 8 MiB: a hook that writes a little more than before changes
//! no partition, and the disk of the build before can be taken again. (An ESP above its floor as well.)
//!
//! The disk image is sparse, so headroom costs nothing but the figure. `isotope-disk` makes the filesystems with the parameters
//! given here ([`ext4_journal`], [`ext4_bytes_per_inode`]), so that the model and the filesystem cannot drift apart.

use super::{Content, MIB};
use crate::layout::{FilesystemKind, PartitionKind, SectorSize};
use isotope_element::Bytes;

/// The name of a filesystem, for messages.
#[must_use]
pub const fn name(kind: FilesystemKind) -> &'static str {
    match kind {
        FilesystemKind::Ext4 => "ext4",
        FilesystemKind::Ext3 => "ext3",
        FilesystemKind::Ext2 => "ext2",
        FilesystemKind::Xfs => "xfs",
        FilesystemKind::Btrfs => "btrfs",
        FilesystemKind::Fat => "FAT",
        FilesystemKind::Swap => "swap",
    }
}

/// The smallest size (in whole MiB) of a filesystem that holds `content`.
#[must_use]
pub fn least(kind: FilesystemKind, content: Content) -> Bytes {
    let room: fn(u64, Content) -> u64 = match kind {
        FilesystemKind::Ext4 | FilesystemKind::Ext3 | FilesystemKind::Ext2 => ext4_room,
        FilesystemKind::Xfs => xfs_room,
        FilesystemKind::Btrfs => btrfs_room,
        FilesystemKind::Fat => fat_room,
        FilesystemKind::Swap => |size, _| size,
    };
    let floor = match kind {
        FilesystemKind::Ext4 | FilesystemKind::Ext3 | FilesystemKind::Ext2 => 8 * MIB,
        FilesystemKind::Xfs => 300 * MIB,
        FilesystemKind::Btrfs => 128 * MIB,
        FilesystemKind::Fat | FilesystemKind::Swap => MIB,
    };
    let wanted = content.bytes.0;
    let (mut low, mut high) = (floor / MIB, floor / MIB);
    while room(high * MIB, content) < wanted && high < (1 << 40) {
        low = high;
        high *= 2;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if room(middle * MIB, content) < wanted { low = middle + 1 } else { high = middle }
    }
    Bytes(high * MIB)
}

/// The size that `auto` gives: the content, a tenth more, and headroom.
#[must_use]
pub fn comfortable(kind: PartitionKind, filesystem: FilesystemKind, content: Content, sector: SectorSize) -> Bytes {
    let (headroom, step) = match kind {
        PartitionKind::Root | PartitionKind::Boot => (256 * MIB, 32 * MIB),
        _ => (32 * MIB, 8 * MIB),
    };
    let bytes = content.bytes.0.saturating_add(content.bytes.0 / 10).saturating_add(headroom);
    let inodes = content.inodes.saturating_add(content.inodes / 10);
    let floor = match (kind, sector) {
        (PartitionKind::Esp, SectorSize::B512) => Bytes::mib(100),
        (PartitionKind::Esp, SectorSize::B4096) => Bytes::mib(260),
        _ => Bytes(0),
    };
    let size = least(filesystem, Content { bytes: Bytes(bytes), inodes });
    Bytes(size.0.next_multiple_of(step)).max(floor)
}

/// Size in MiB of the journal of an ext4 of `size` bytes: what mke2fs would choose.
#[must_use]
pub const fn ext4_journal(size: Bytes) -> u64 {
    match size.0 / MIB {
        0..128 => 4,
        128..1024 => 16,
        1024..2048 => 32,
        2048..16384 => 64,
        16384..32768 => 128,
        32768..65536 => 256,
        65536..131_072 => 512,
        _ => 1024,
    }
}

/// Bytes per inode of an ext4 of `size` bytes: 16384 as everywhere, fewer where the content has many small files.
#[must_use]
pub fn ext4_bytes_per_inode(size: Bytes, inodes: u64) -> u64 {
    let enough = |ratio: &u64| size.0 / ratio / 8 * 7 >= inodes.saturating_add(64);
    [16384, 8192, 4096, 2048].into_iter().find(enough).unwrap_or(1024)
}

fn ext4_room(size: u64, content: Content) -> u64 {
    let ratio = ext4_bytes_per_inode(Bytes(size), content.inodes);
    if size / ratio < content.inodes.saturating_add(64) {
        return 0;
    }
    let inode_tables = size / ratio * 256;
    // Bitmaps, descriptors and the descriptors reserved for growth in each backup group (at most 4 MiB each).
    let groups = size.div_ceil(128 * MIB);
    let backups = 2 + (groups.ilog2() as u64) * 2;
    let descriptors = (groups * 64 * 1024).min(4 * MIB) * backups.min(groups) + groups * 16 * 1024;
    // What the kernel never gives to data, so that it can always split an extent: 2 %, at most 16 MiB.
    let reserve = (size / 50).min(16 * MIB);
    // Extent blocks and hashed directories: one part in 200.
    let kept = inode_tables + ext4_journal(Bytes(size)) * MIB + descriptors + reserve + content.bytes.0 / 200 + 4 * MIB;
    size.saturating_sub(kept)
}

fn xfs_room(size: u64, content: Content) -> u64 {
    // The log, the reserve pool (at most 32 MiB), inodes of 512 bytes in chunks, per-group reservations, free space B-trees.
    let log = (64 * MIB).max(size / 2048);
    let kept = log + 32 * MIB + content.inodes.saturating_mul(640) + size / 50 + 8 * MIB;
    size.saturating_sub(kept)
}

fn btrfs_room(size: u64, content: Content) -> u64 {
    // Metadata is kept twice: about 1 KiB an inode and one part in 512 for checksums, in chunks; the system chunks and the reserve.
    let metadata = content.inodes.saturating_mul(1024).saturating_add(content.bytes.0 / 512);
    let kept = metadata.saturating_mul(2) + size / 20 + 96 * MIB;
    size.saturating_sub(kept)
}

fn fat_room(size: u64, content: Content) -> u64 {
    // Two tables of four bytes a cluster of at least 512 bytes, reserved sectors, long names.
    let kept = size / 64 + content.inodes.saturating_mul(128) + MIB / 2;
    size.saturating_sub(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(mib: u64, inodes: u64) -> Content {
        Content { bytes: Bytes::mib(mib), inodes }
    }

    #[test]
    fn empty_filesystems_have_their_floors() {
        let least = |kind| least(kind, Content::default());
        assert_eq!(least(FilesystemKind::Xfs), Bytes::mib(300));
        assert_eq!(least(FilesystemKind::Btrfs), Bytes::mib(128));
        assert!(least(FilesystemKind::Ext4) <= Bytes::mib(16));
        assert_eq!(least(FilesystemKind::Fat), Bytes::mib(1));
    }

    #[test]
    fn an_esp_of_size_auto_is_fat32_to_every_firmware() {
        let esp = |sector| comfortable(PartitionKind::Esp, FilesystemKind::Fat, content(4, 10), sector);
        assert_eq!(esp(SectorSize::B512), Bytes::mib(100));
        assert_eq!(esp(SectorSize::B4096), Bytes::mib(260));
    }

    #[test]
    fn a_little_more_content_changes_no_size() {
        let root = |mib| comfortable(PartitionKind::Root, FilesystemKind::Ext4, content(mib, 20_000), SectorSize::B512);
        let sizes: std::collections::BTreeSet<_> = (400..500).map(|mib| root(mib).0).collect();
        assert!(sizes.len() <= 5 && sizes.iter().all(|size| size.is_multiple_of(32 * MIB)), "{sizes:?}");
    }

    #[test]
    fn many_small_files_get_inodes() {
        let many = content(400, 100_000);
        let size = least(FilesystemKind::Ext4, many);
        assert!(size.0 / ext4_bytes_per_inode(size, many.inodes) > 100_000, "{size}");
        assert!(size < Bytes::mib(600), "{size}");
    }

    #[test]
    fn more_content_never_needs_less() {
        for kind in [FilesystemKind::Ext4, FilesystemKind::Xfs, FilesystemKind::Btrfs, FilesystemKind::Fat] {
            let mut last = Bytes(0);
            for mib in (0..4000).step_by(37) {
                let now = least(kind, content(mib, mib * 40));
                assert!(now >= last && now >= Bytes::mib(mib), "{} {mib}", name(kind));
                last = now;
            }
        }
    }
}
