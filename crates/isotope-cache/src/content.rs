//! A digest of a directory's whole content: two that are equal hold the same names with the same types, modes, owners, times,
//! extended attributes, links and bytes.

use crate::CacheError;
use crate::key::hex;
use rustix::fs::{CWD, Mode, OFlags};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// overlayfs' own notes, which differ from one mount to the next and mean nothing once a layer is one. `opaque` is not among them.
const NOTES: [&str; 6] = ["origin", "impure", "nlink", "upper", "uuid", "protattr"];

struct Item {
    path: PathBuf,
    meta: Metadata,
    /// The first name of the same file.
    first: Option<PathBuf>,
}

/// What a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Names, the directory itself not counted.
    pub files: u64,
    /// Allocated bytes, each file once.
    pub bytes: u64,
}

/// Counts a directory.
///
/// # Errors
/// It cannot be read.
pub fn size(root: &Path) -> Result<Size, CacheError> {
    let mut size = Size::default();
    for item in walk(root)? {
        size.files += 1;
        size.bytes += if item.first.is_none() { item.meta.blocks() * 512 } else { 0 };
    }
    Ok(size)
}

/// SHA-256 in hexadecimal of everything below `root`. Directories' lengths and link counts do not count; times do.
///
/// # Errors
/// Something cannot be read.
pub fn digest(root: &Path) -> Result<String, CacheError> {
    digest_but(root, &[])
}

/// The same without some paths (absolute within `root`) and all below them.
///
/// # Errors
/// Something cannot be read.
pub fn digest_but(root: &Path, without: &[&str]) -> Result<String, CacheError> {
    let mut items = walk(root)?;
    let absent = |item: &Item| {
        let own = item.path.strip_prefix(root).unwrap_or(&item.path);
        without.iter().any(|path| own.starts_with(path.trim_start_matches('/')))
    };
    items.retain(|item| !absent(item));
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut lines: Vec<Option<Vec<u8>>> = vec![None; items.len()];
    let parts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut own = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(index) else { return Ok(own) };
                        own.push((index, line(root, item)?));
                    }
                })
            })
            .collect();
        let joined =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect::<Result<Vec<Vec<(usize, Vec<u8>)>>, CacheError>>()
    })?;
    for (index, text) in parts.into_iter().flatten() {
        lines[index] = Some(text);
    }
    let mut hash = Sha256::new();
    for text in lines.into_iter().flatten() {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    Ok(hex(&hash.finalize()))
}

/// Everything below `root`, sorted by path.
fn walk(root: &Path) -> Result<Vec<Item>, CacheError> {
    let mut found: Vec<(PathBuf, Metadata)> = Vec::new();
    let mut stack = vec![root.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in dir.read_dir().map_err(CacheError::io("list", &dir))? {
            let entry = entry.map_err(CacheError::io("list", &dir))?;
            let meta = entry.metadata().map_err(CacheError::io("look at", &entry.path()))?;
            if meta.is_dir() {
                stack.push(entry.path());
            }
            found.push((entry.path(), meta));
        }
    }
    found.sort_by(|a, b| a.0.as_os_str().as_bytes().cmp(b.0.as_os_str().as_bytes()));
    let mut first: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let items = found.into_iter().map(|(path, meta)| {
        // The kernel gives whiteouts one inode, as many as it likes (ovl_whiteout of Linux): that says nothing.
        let whiteout = meta.file_type().is_char_device() && meta.rdev() == 0;
        let known = (!meta.is_dir() && !whiteout && meta.nlink() > 1).then(|| {
            let known = first.entry((meta.dev(), meta.ino())).or_insert_with(|| path.clone());
            (*known != path).then(|| known.clone())
        });
        Item { path, meta, first: known.flatten() }
    });
    Ok(items.collect())
}

/// What counts of one name.
fn line(root: &Path, item: &Item) -> Result<Vec<u8>, CacheError> {
    let Item { path, meta, first } = item;
    let kind = meta.file_type();
    let mut text = path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes().to_vec();
    if let Some(first) = first {
        text.extend(b"\0same as ");
        text.extend(first.strip_prefix(root).unwrap_or(first).as_os_str().as_bytes());
        return Ok(text);
    }
    let device = if kind.is_block_device() || kind.is_char_device() { meta.rdev() } else { 0 };
    let own = format!(
        "\0{:o} {} {} {} {}.{:09}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        device,
        meta.mtime(),
        meta.mtime_nsec()
    );
    text.extend(own.bytes());
    for (name, value) in attributes(path)? {
        text.extend(format!("\0{}={}", String::from_utf8_lossy(&name), hex(&value)).bytes());
    }
    if kind.is_symlink() {
        text.extend(b"\0to ");
        text.extend(std::fs::read_link(path).map_err(CacheError::io("read", path))?.as_os_str().as_bytes());
    } else if kind.is_file() {
        text.extend(b"\0sha256 ");
        text.extend(file(path)?.bytes());
    }
    Ok(text)
}

/// SHA-256 of a file's bytes, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn file(path: &Path) -> Result<String, CacheError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file =
        File::from(rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(CacheError::errno("open", path))?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).map_err(CacheError::io("read", path))? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// An extended attribute: name and value.
pub type Attribute = (Vec<u8>, Vec<u8>);

/// Extended attributes of a name, sorted; not overlayfs' own notes.
///
/// # Errors
/// They cannot be read.
pub fn attributes(path: &Path) -> Result<Vec<Attribute>, CacheError> {
    let names = |buffer: &mut Vec<u8>| rustix::fs::llistxattr(path, buffer);
    let Some(names) = grown(names, path)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(text) = CStr::from_bytes_with_nul(name) else { continue };
        let text = text.to_bytes();
        let note = text.strip_prefix(b"trusted.overlay.").or_else(|| text.strip_prefix(b"user.overlay."));
        if note.is_some_and(|note| NOTES.iter().any(|known| known.as_bytes() == note)) {
            continue;
        }
        let value = |buffer: &mut Vec<u8>| rustix::fs::lgetxattr(path, OsStr::from_bytes(text), buffer);
        if let Some(value) = grown(value, path)? {
            found.push((text.to_vec(), value));
        }
    }
    found.sort();
    Ok(found)
}

/// What a call fills a buffer with, whatever its length; nothing where the filesystem has no attributes or this one has gone.
fn grown(
    mut call: impl FnMut(&mut Vec<u8>) -> rustix::io::Result<usize>,
    path: &Path,
) -> Result<Option<Vec<u8>>, CacheError> {
    let mut buffer = vec![0; 512];
    loop {
        match call(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(Some(buffer));
            }
            Err(rustix::io::Errno::RANGE) => {
                let longer = buffer.len() * 4;
                buffer.resize(longer, 0);
            }
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NODATA) => return Ok(None),
            Err(errno) => return Err(CacheError::errno("read the attributes of", path)(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn every_kind_of_difference_counts_and_the_order_of_making_does_not() {
        let make = |order: [&str; 2]| {
            let dir = tempfile::tempdir().unwrap();
            for name in order {
                std::fs::create_dir(dir.path().join(name)).unwrap();
                std::fs::write(dir.path().join(name).join("f"), name).unwrap();
            }
            symlink("a/f", dir.path().join("l")).unwrap();
            std::fs::hard_link(dir.path().join("a/f"), dir.path().join("h")).unwrap();
            for name in ["a", "b", "a/f", "b/f"] {
                let file = File::open(dir.path().join(name)).unwrap();
                file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(7)).unwrap();
            }
            let times = rustix::fs::Timestamps {
                last_access: rustix::fs::Timespec { tv_sec: 7, tv_nsec: 0 },
                last_modification: rustix::fs::Timespec { tv_sec: 7, tv_nsec: 0 },
            };
            rustix::fs::utimensat(CWD, dir.path().join("l"), &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
            dir
        };
        let (one, two) = (make(["a", "b"]), make(["b", "a"]));
        let before = digest(one.path()).unwrap();
        assert_eq!(before, digest(two.path()).unwrap());
        assert_eq!(size(one.path()).unwrap().files, 6);
        std::fs::set_permissions(two.path().join("a/f"), PermissionsExt::from_mode(0o600)).unwrap();
        assert_ne!(before, digest(two.path()).unwrap());
        std::fs::remove_file(one.path().join("h")).unwrap();
        let linked = digest(one.path()).unwrap();
        assert_ne!(before, linked);
        std::fs::remove_file(one.path().join("l")).unwrap();
        symlink("b/f", one.path().join("l")).unwrap();
        assert_ne!(linked, digest(one.path()).unwrap());
        assert_eq!(digest_but(one.path(), &["/l", "/a"]).unwrap(), {
            std::fs::remove_file(one.path().join("l")).unwrap();
            std::fs::remove_dir_all(one.path().join("a")).unwrap();
            digest(one.path()).unwrap()
        });
    }
}
