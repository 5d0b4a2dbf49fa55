//! Directories of the cache, and how much is in them.

use anyhow::Context as _;
use std::path::Path;

/// One part of the cache: a directory directly below it.
#[derive(Debug, serde::Serialize)]
pub(super) struct Part {
    pub name: String,
    pub files: u64,
    pub bytes: u64,
}

/// All parts but this one, sorted by name.
pub(super) fn parts(dir: &Path, but: &str) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for entry in entries(dir)?.into_iter().filter(|entry| entry.file_name() != but) {
        let mut part = Part { name: entry.file_name().to_string_lossy().into_owned(), files: 0, bytes: 0 };
        measure(&entry.path(), &mut part)?;
        parts.push(part);
    }
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(parts)
}

pub(super) fn entries(dir: &Path) -> anyhow::Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(dir) {
        Ok(entries) => entries.collect::<Result<_, _>>().with_context(|| format!("cannot list {}", dir.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", dir.display())),
    }
}

pub(super) fn measure(path: &Path, part: &mut Part) -> anyhow::Result<()> {
    let own = match path.symlink_metadata() {
        // A build that ends takes its files with it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        own => own.with_context(|| format!("cannot look at {}", path.display()))?,
    };
    if own.is_dir() {
        for entry in entries(path)? {
            measure(&entry.path(), part)?;
        }
    } else {
        part.files += 1;
        part.bytes += own.len();
    }
    Ok(())
}
