//! One walk before the copy: how much there is for each mount point, so that the disk can be sized and the copy has a total.

use super::tree::{self, Kind, Tree};
use super::{MountPoint, Points, PopulateError, queue};
use isotope_plan::Bytes;
use isotope_plan::geometry::{Content, ContentSizes};
use rustix::fs::{self, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const BLOCK: u64 = 4096;
/// Longer links do not fit into an inode.
const LONGEST_INLINE_LINK: u64 = 59;

/// What a tree holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// For each mount point.
    pub sizes: ContentSizes,
    /// Bytes of file content that a copy moves (holes not counted).
    pub data: u64,
}

#[derive(Default)]
struct Tally {
    points: Vec<Content>,
    data: u64,
    /// Names of files that have several, by device, inode and mount point.
    linked: BTreeSet<(u64, u64, usize)>,
}

struct Found {
    point: usize,
    bytes: u64,
    data: u64,
    linked: Option<(u64, u64)>,
}

/// Measures `tree` for a disk with these mount points.
///
/// # Errors
/// The tree cannot be read.
pub fn scan(tree: &Path, mounts: &[MountPoint]) -> Result<Scan, PopulateError> {
    let points = Points::new(mounts);
    let source = Tree::open(tree)?;
    let tally = Mutex::new(Tally { points: vec![Content::default(); points.len()], ..Tally::default() });
    let work = |_: &mut (), (path, point): (PathBuf, usize), queue: &queue::Queue<_, _>| {
        let failed = |errno| PopulateError::new("read the directory", &path, errno);
        let dir = match source.dir_on_same_mount(&path) {
            // Something is mounted here; it is no part of the tree.
            Err(Errno::XDEV) => return Ok(()),
            dir => dir.map_err(failed)?,
        };
        let mut found = Vec::new();
        let mut names = 24;
        for entry in tree::list(dir.as_fd()).map_err(failed)? {
            let path = tree::join(&path, &entry.name);
            names += (8 + entry.name.count_bytes() as u64).next_multiple_of(4);
            if entry.kind == Kind::Directory {
                let point = points.enter(&path, point);
                queue.push((path, point));
            } else if entry.kind != Kind::Socket {
                found.push(
                    measure(dir.as_fd(), &entry, point).map_err(|errno| PopulateError::new("look at", &path, errno))?,
                );
            }
        }
        // A directory's blocks are three quarters full.
        found.push(Found { point, bytes: (names * 4 / 3).next_multiple_of(BLOCK), data: 0, linked: None });
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().for_each(|found| tally.add(&found));
        Ok(())
    };
    let root = (PathBuf::new(), points.enter(Path::new(""), 0));
    queue::run(super::jobs(), vec![root], &|| Ok(()), &work, &mut || ())?;
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mounts = points.paths().zip(tally.points).collect();
    Ok(Scan { sizes: ContentSizes { mounts }, data: tally.data })
}

impl Tally {
    fn add(&mut self, found: &Found) {
        if let Some((device, inode)) = found.linked
            && !self.linked.insert((device, inode, found.point))
        {
            return;
        }
        self.data += found.data;
        if let Some(content) = self.points.get_mut(found.point) {
            content.bytes = Bytes(content.bytes.0.saturating_add(found.bytes));
            content.inodes += 1;
        }
    }
}

fn measure(dir: BorrowedFd<'_>, entry: &tree::Name, point: usize) -> Result<Found, Errno> {
    let stat = tree::stat(dir, &entry.name)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let linked = (stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino));
    let bytes = match entry.kind {
        Kind::File if u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512) < size => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = fs::openat(dir, &entry.name, flags, Mode::empty())?;
            data_extents(file.as_fd(), size)?
                .iter()
                .map(|(start, end)| end.next_multiple_of(BLOCK) - start / BLOCK * BLOCK)
                .sum()
        }
        Kind::File => size.next_multiple_of(BLOCK),
        Kind::Symlink if size > LONGEST_INLINE_LINK => BLOCK,
        _ => 0,
    };
    let data = if entry.kind == Kind::File { bytes.min(size) } else { 0 };
    Ok(Found { point, bytes, data, linked })
}

/// The parts of a file that are not holes: start and end of each.
pub(super) fn data_extents(file: BorrowedFd<'_>, size: u64) -> Result<Vec<(u64, u64)>, Errno> {
    let mut extents = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(errno) => return Err(errno),
        };
        let end = fs::seek(file, SeekFrom::Hole(start))?.min(size);
        if start >= end {
            break;
        }
        extents.push((start, end));
        at = end;
    }
    fs::seek(file, SeekFrom::Start(0))?;
    Ok(extents)
}
