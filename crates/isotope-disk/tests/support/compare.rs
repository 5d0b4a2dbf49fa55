//! Are two trees the same? Names, types, modes, owners, times, sizes, content, holes, devices, attributes, groups of hard links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What one name is, in a form that can be compared and read.
pub type Facts = Vec<String>;

/// The differences, empty if there is none. Names in `ignored` (and below) are left out.
pub fn differences(one: &Path, other: &Path, ignored: &[&str]) -> Vec<String> {
    compare(&facts(one, ignored), &facts(other, ignored))
}

/// The differences between two trees that were looked at.
pub fn compare(a: &BTreeMap<PathBuf, Facts>, b: &BTreeMap<PathBuf, Facts>) -> Vec<String> {
    let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        if a.get(name) != b.get(name) {
            differences.push(format!("{}: {:?} — {:?}", name.display(), a.get(name), b.get(name)));
        }
    }
    differences
}

/// All that is compared.
pub fn facts(root: &Path, ignored: &[&str]) -> BTreeMap<PathBuf, Facts> {
    let mut all = BTreeMap::new();
    let mut inodes: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(path) = todo.pop() {
        let name = path.strip_prefix(root).unwrap().to_owned();
        if ignored.iter().any(|ignored| name.starts_with(ignored)) {
            continue;
        }
        let meta = fs::symlink_metadata(&path).unwrap();
        let kind = meta.file_type();
        if kind.is_socket() {
            continue;
        }
        let mut facts = vec![
            format!("{:o} {}:{}", meta.mode(), meta.uid(), meta.gid()),
            format!("{}.{:09}", meta.mtime(), meta.mtime_nsec()),
        ];
        if kind.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            facts.push(format!("{} bytes, {} links", meta.size(), meta.nlink()));
        }
        if kind.is_file() {
            let blocks = meta.blocks() * 512;
            facts.push(if meta.size() > 1 << 20 && blocks < meta.size() / 2 { "sparse".into() } else { "full".into() });
            if meta.size() < 100 << 20 {
                facts.push(format!("content {:08x}", crc32fast::hash(&fs::read(&path).unwrap())));
            }
        } else if kind.is_symlink() {
            facts.push(format!("-> {}", fs::read_link(&path).unwrap().display()));
        } else if !kind.is_dir() {
            facts.push(format!("device {:x}", meta.rdev()));
        }
        facts.push(format!("{:?}", attributes(&path)));
        all.insert(name.clone(), facts);
        if meta.nlink() > 1 && !kind.is_dir() {
            let first = inodes.entry((meta.dev(), meta.ino())).or_insert(name.clone());
            *first = name.min(first.clone());
        }
    }
    // The least name of each group of hard links stands at all of its names.
    for (name, facts) in &mut all {
        let path = root.join(name);
        let meta = fs::symlink_metadata(path).unwrap();
        if let Some(first) = inodes.get(&(meta.dev(), meta.ino())) {
            facts.push(format!("linked to {}", first.display()));
        }
    }
    all
}

fn attributes(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut list = vec![0u8; 4096];
    let size = rustix::fs::llistxattr(path, &mut list).unwrap_or(0);
    list.truncate(size);
    let mut all = Vec::new();
    // XFS shows ACLs a second time under names of its own.
    let own = |name: &&[u8]| !name.is_empty() && !name.starts_with(b"trusted.SGI_ACL_");
    for name in list.split(|byte| *byte == 0).filter(own) {
        let mut value = vec![0u8; 4096];
        let size = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
        value.truncate(size);
        all.push((std::ffi::OsStr::from_bytes(name).to_string_lossy().into_owned(), value));
    }
    all.sort();
    all
}
