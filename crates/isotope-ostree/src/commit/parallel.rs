//! Commits to an archive on all cores: compressing is nearly all of the work, and libostree's own commit does it on one.
//!
//! Each core writes files in a transaction of its own, which ends before the directories are written: what is left by a
//! failure are objects that nothing names. A file whose object is there already is digested and not compressed again.

use super::scan::{Folder, Leaf, Scan, Tree};
use super::transaction;
use super::worker::Reporter;
use crate::repo::NEVER;
use crate::{OstreeError, Repo};
use ostree::glib::prelude::Cast as _;
use ostree::glib::{Bytes, Error, Variant};
use ostree::prelude::FileExt as _;
use ostree::{Checksum, ObjectType, gio};
use rustix::fs::{FileType, Stat};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files up to this size are read into memory once, and digested and compressed there.
const IN_MEMORY: u64 = 8 << 20;

/// The tree of a commit, written.
pub(super) struct Written {
    pub(super) root: ostree::RepoFile,
    /// Its metadata `ostree.sizes`.
    pub(super) sizes: Variant,
}

/// Writes all objects of a tree. `repo` has a transaction of its own, for directories.
pub(super) fn write_tree(
    repo: &Repo,
    path: &std::path::Path,
    reporter: &Reporter<u64>,
) -> Result<Written, OstreeError> {
    let tree = Tree::open(path)?;
    let scan = tree.scan()?;
    let sums = write_files(repo, &tree, &scan, reporter)?;
    let mut sizes = super::sizes::Sizes::default();
    for sum in &sums {
        sizes.add(repo, ObjectType::File, sum)?;
    }
    let mutable = ostree::MutableTree::new();
    write_folder(repo, &tree, &scan.root, &sums, &mutable)?;
    let failed = || repo.refused("write the directories to");
    let root = repo.inner.write_mtree(&mutable, NEVER).map_err(failed())?;
    let root = root.downcast::<ostree::RepoFile>().expect("write_mtree makes a RepoFile");
    sizes.add_directories(repo, &root)?;
    Ok(Written { root, sizes: sizes.variant() })
}

/// Checksums of the files, in the scan's order.
fn write_files(repo: &Repo, tree: &Tree, scan: &Scan, reporter: &Reporter<u64>) -> Result<Vec<String>, OstreeError> {
    // The largest first: so no core is left with one of them at the end.
    let mut order: Vec<usize> = (0..scan.files.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(scan.files[*index].stat.st_size));
    let next = AtomicUsize::new(0);
    let sums = Mutex::new(vec![String::new(); scan.files.len()]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (path, fsync) = (repo.path(), !repo.inner.is_disable_fsync());
    let one = |reporter: Reporter<u64>| -> Result<(), OstreeError> {
        transaction::within(path, fsync, |own| {
            loop {
                let count = next.fetch_add(1, Ordering::Relaxed);
                let Some(index) = order.get(count) else { return Ok(()) };
                let sum = write_leaf(own, tree, &scan.files[*index])?;
                sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[*index] = sum;
                if count % 256 == 255 {
                    reporter.send(count as u64 + 1);
                }
            }
        })
    };
    let results: Vec<Result<(), OstreeError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                let reporter = reporter.clone();
                scope.spawn(|| {
                    let result = one(reporter);
                    if result.is_err() {
                        // The others need not go on.
                        next.store(scan.files.len(), Ordering::Relaxed);
                    }
                    result
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Writes one file or link, if it is not there.
fn write_leaf(repo: &Repo, tree: &Tree, leaf: &Leaf) -> Result<String, OstreeError> {
    let path = &leaf.path;
    let refused = |error: Error| repo.refused(format!("write /{path} to"))(error);
    if FileType::from_raw_mode(leaf.stat.st_mode) == FileType::Symlink {
        let (dir, name) = tree.parent(path)?;
        let xattrs = ostree::fs_get_all_xattrs_at(dir.as_raw_fd(), name, NEVER).map_err(refused)?;
        let target = tree.read_link(path)?;
        let sum = repo.inner.write_symlink(None, leaf.stat.st_uid, leaf.stat.st_gid, Some(&xattrs), &target, NEVER);
        return sum.map(Into::into).map_err(refused);
    }
    let fd = tree.open_at(path)?;
    // As it is now, not as it was when it was listed.
    let stat = rustix::fs::fstat(&fd).map_err(|errno| tree.unreadable(path, errno.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(tree.unreadable(path, std::io::Error::other("it has become something else")));
    }
    let xattrs = ostree::fs_get_all_xattrs(fd.as_raw_fd(), NEVER).map_err(refused)?;
    let info = info(&stat);
    let content = Content::of(fd, &stat).map_err(|error| tree.unreadable(path, error))?;
    let sum = digest(&info, &xattrs, &content).map_err(refused)?;
    if repo.inner.has_object(ObjectType::File, &sum, NEVER).map_err(refused)? {
        return Ok(sum);
    }
    let stream = content.stream().map_err(refused)?;
    let (stream, length) = ostree::raw_file_to_content_stream(&stream, &info, Some(&xattrs), NEVER).map_err(refused)?;
    repo.inner.write_content(Some(&sum), &stream, length, NEVER).map_err(refused)?;
    Ok(sum)
}

fn digest(info: &gio::FileInfo, xattrs: &Variant, content: &Content) -> Result<String, Error> {
    let sum: Result<Checksum, _> =
        ostree::checksum_file_from_input(info, Some(xattrs), Some(&content.stream()?), ObjectType::File, NEVER);
    sum.map(|sum| sum.to_hex()).map_err(|error| match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => Error::new(gio::IOErrorEnum::Failed, &other.to_string()),
    })
}

/// A file's bytes, to be read twice.
enum Content {
    Memory(Bytes),
    File(OwnedFd),
}

impl Content {
    fn of(fd: OwnedFd, stat: &Stat) -> std::io::Result<Self> {
        if stat.st_size.unsigned_abs() > IN_MEMORY {
            return Ok(Self::File(fd));
        }
        let size = usize::try_from(stat.st_size).unwrap_or_default();
        let mut data = Vec::with_capacity(size);
        std::fs::File::from(fd).read_to_end(&mut data)?;
        if data.len() != size {
            return Err(std::io::Error::other("it is being written to"));
        }
        Ok(Self::Memory(Bytes::from_owned(data)))
    }

    fn stream(&self) -> Result<gio::InputStream, Error> {
        match self {
            Self::Memory(data) => Ok(gio::MemoryInputStream::from_bytes(data).upcast()),
            // The open file itself, whatever its name is by now.
            Self::File(fd) => {
                let file = gio::File::for_path(format!("/proc/self/fd/{}", fd.as_raw_fd()));
                Ok(file.read(NEVER)?.upcast())
            }
        }
    }
}

/// What libostree makes of a `stat`.
fn info(stat: &Stat) -> gio::FileInfo {
    let info = gio::FileInfo::new();
    let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    info.set_file_type(if directory { gio::FileType::Directory } else { gio::FileType::Regular });
    info.set_is_symlink(false);
    info.set_attribute_uint32("unix::uid", stat.st_uid);
    info.set_attribute_uint32("unix::gid", stat.st_gid);
    info.set_attribute_uint32("unix::mode", stat.st_mode);
    if !directory {
        info.set_size(stat.st_size);
    }
    info
}

fn write_folder(
    repo: &Repo,
    tree: &Tree,
    folder: &Folder,
    sums: &[String],
    mutable: &ostree::MutableTree,
) -> Result<(), OstreeError> {
    let refused = |error: Error| repo.refused(format!("write /{} to", folder.path))(error);
    let fd = tree.open_at(&folder.path)?;
    let xattrs = ostree::fs_get_all_xattrs(fd.as_raw_fd(), NEVER).map_err(refused)?;
    let meta = ostree::create_directory_metadata(&info(&folder.stat), Some(&xattrs));
    let sum = repo.inner.write_metadata(ObjectType::DirMeta, None, &meta, NEVER).map_err(refused)?;
    mutable.set_metadata_checksum(&sum.to_hex());
    for (name, index) in &folder.files {
        mutable.replace_file(name, &sums[*index]).map_err(refused)?;
    }
    for (name, child) in &folder.folders {
        let below = mutable.ensure_dir(name).map_err(refused)?;
        write_folder(repo, tree, child, sums, &below)?;
    }
    Ok(())
}
