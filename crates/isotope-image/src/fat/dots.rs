//! The first two entries of every directory, as Microsoft's fatgen103 wants them: `.` and `..` without long names, `..` of a
//! directory in the root with cluster 0. fatfs 0.3 gives them long names and the root's own cluster, which fsck.fat refuses.

use super::pages::Pages;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes of a directory entry.
const ENTRY: usize = 32;
/// Attribute of a directory, and of an entry that is a part of a long name.
const DIRECTORY: u8 = 0x10;
const LONG_NAME: u8 = 0x0f;

/// Where things are, from the boot sector.
struct Geometry {
    fat32: bool,
    cluster_size: u64,
    fat: u64,
    /// First byte of cluster 2.
    data: u64,
    /// FAT16: first byte and length of the root directory. FAT32: its first cluster.
    root: Root,
}

enum Root {
    Fixed { start: u64, length: usize },
    Cluster(u32),
}

/// Mends all directories of a filesystem.
pub(super) fn mend(pages: &mut Pages, fat32: bool) -> io::Result<()> {
    let geometry = Geometry::read(pages, fat32)?;
    let mut stack = match geometry.root {
        Root::Fixed { start, length } => children(&bytes(pages, start, length)?),
        Root::Cluster(first) => children(&geometry.chain(pages, first)?),
    }
    .into_iter()
    .map(|child| (child, 0))
    .collect::<Vec<_>>();
    while let Some((first, parent)) = stack.pop() {
        geometry.mend_one(pages, first, parent)?;
        stack.extend(children(&geometry.chain(pages, first)?).into_iter().map(|child| (child, first)));
    }
    pages.rewind()
}

fn bytes(pages: &mut Pages, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    pages.seek(SeekFrom::Start(offset))?;
    pages.read_exact(&mut buffer)?;
    Ok(buffer)
}

fn u16_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// First clusters of the directories that a directory lists, but for `.` and `..`.
fn children(directory: &[u8]) -> Vec<u32> {
    directory
        .chunks_exact(ENTRY)
        .take_while(|entry| entry[0] != 0)
        .filter(|entry| entry[0] != 0xe5 && entry[0] != b'.' && entry[11] != LONG_NAME && entry[11] & DIRECTORY != 0)
        .map(|entry| u16_at(entry, 26) | u16_at(entry, 20) << 16)
        .collect()
}

impl Geometry {
    fn read(pages: &mut Pages, fat32: bool) -> io::Result<Self> {
        let boot = bytes(pages, 0, 512)?;
        let sector = u64::from(u16_at(&boot, 11));
        let large = |at: usize| u64::from(u16_at(&boot, at) | u16_at(&boot, at + 2) << 16);
        let fat = u64::from(u16_at(&boot, 14)) * sector;
        let fat_sectors = if fat32 { large(36) } else { u64::from(u16_at(&boot, 22)) };
        let after = fat + u64::from(boot[16]) * fat_sectors * sector;
        let length = u16_at(&boot, 17) as usize * ENTRY;
        let root = if fat32 {
            Root::Cluster(u32::try_from(large(44)).unwrap_or(2))
        } else {
            Root::Fixed { start: after, length }
        };
        let data = if fat32 { after } else { after + (length as u64).next_multiple_of(sector) };
        Ok(Self { fat32, cluster_size: u64::from(boot[13]) * sector, fat, data, root })
    }

    fn offset(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster.saturating_sub(2)) * self.cluster_size
    }

    /// All bytes of a chain of clusters.
    fn chain(&self, pages: &mut Pages, first: u32) -> io::Result<Vec<u8>> {
        let (mut all, mut cluster) = (Vec::new(), first);
        let end = if self.fat32 { 0x0fff_fff7 } else { 0xfff7 };
        while cluster >= 2 && cluster < end {
            all.extend(bytes(pages, self.offset(cluster), usize::try_from(self.cluster_size).unwrap_or(0))?);
            cluster = if self.fat32 {
                let entry = bytes(pages, self.fat + u64::from(cluster) * 4, 4)?;
                (u16_at(&entry, 0) | u16_at(&entry, 2) << 16) & 0x0fff_ffff
            } else {
                u16_at(&bytes(pages, self.fat + u64::from(cluster) * 2, 2)?, 0)
            };
        }
        Ok(all)
    }

    fn mend_one(&self, pages: &mut Pages, first: u32, parent: u32) -> io::Result<()> {
        let start = self.offset(first);
        let entries = bytes(pages, start, 4 * ENTRY)?;
        let named = |name: &[u8; 11]| entries.chunks_exact(ENTRY).find(|entry| entry[..11] == *name);
        let (Some(own), Some(up)) = (named(b".          "), named(b"..         ")) else {
            return Err(io::Error::other("a directory without `.` and `..`"));
        };
        let mut mended = vec![0; 4 * ENTRY];
        mended[..ENTRY].copy_from_slice(own);
        mended[ENTRY..2 * ENTRY].copy_from_slice(up);
        let (high, low) = ((parent >> 16) as u16, (parent & 0xffff) as u16);
        mended[ENTRY + 20..ENTRY + 22].copy_from_slice(&high.to_le_bytes());
        mended[ENTRY + 26..ENTRY + 28].copy_from_slice(&low.to_le_bytes());
        // What is freed is marked as such: entries may follow.
        let long_names = entries.chunks_exact(ENTRY).filter(|entry| entry[11] == LONG_NAME).count();
        if long_names == 2 {
            mended[2 * ENTRY] = 0xe5;
            mended[3 * ENTRY] = 0xe5;
            mended[2 * ENTRY + 11] = LONG_NAME;
            mended[3 * ENTRY + 11] = LONG_NAME;
            pages.seek(SeekFrom::Start(start))?;
            pages.write_all(&mended)?;
        }
        Ok(())
    }
}
