//! A lock as the only archive that apt knows: an index of exactly the locked packages, whose files are in the cache, each with the digest
//! that the lock has for it.
//!
//! apt chooses among them as it would among those of an archive. It never reads the place that the index is said to be from.

use super::fetch::Fetcher;
use super::{index, lists, words};
use crate::package::deb::Deb;
use crate::package::digest::mismatched;
use crate::package::{ArchiveCtx, PackageError};
use isotope_plan::Source;
use isotope_plan::lock::{LockedPackage, LockedTree, without_credentials};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Downloads a URL with a digest, in apt's own way (proxies, retries).
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// The lock as a source for apt.
#[must_use]
pub fn source() -> Source {
    Source {
        uri: "file:/isotope-lock".into(),
        suite: "./".into(),
        components: Vec::new(),
        keyring: None,
        verify: false,
    }
}

/// Where apt reads its index.
#[must_use]
pub fn list(lists: &Path) -> PathBuf {
    lists.join(format!("{}Packages", lists::prefix(&source())))
}

/// A word that is the same for the same packages only.
#[must_use]
pub fn identity(tree: &LockedTree) -> String {
    let mut hash = Sha256::new();
    for LockedPackage { name, version, arch, sha256, .. } in &tree.packages {
        hash.update(format!("{name} {version} {arch} {sha256}\n"));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A locked package and its place in the cache.
#[derive(Debug, Clone)]
pub struct Cached<'a> {
    /// The package.
    pub package: &'a LockedPackage,
    /// Its file.
    pub file: PathBuf,
}

/// Packages with their places, parted: those that are in the cache as the lock wants them, and the others.
///
/// # Errors
/// A file cannot be read.
pub fn look<'a>(
    packages: impl Iterator<Item = &'a LockedPackage>,
    archives: &Path,
) -> Result<(Vec<Cached<'a>>, Vec<Cached<'a>>), PackageError> {
    let place = |package: &'a LockedPackage| {
        let LockedPackage { name, version, arch, .. } = package;
        Cached { package, file: archives.join(index::file_name(name, version, arch)) }
    };
    let (there, mut absent): (Vec<_>, Vec<_>) = packages.map(place).partition(|cached| {
        let meta = cached.file.symlink_metadata();
        meta.is_ok_and(|meta| meta.is_file() && meta.len() == cached.package.size)
    });
    let wanted: Vec<_> =
        there.iter().map(|cached| (cached.file.clone(), vec![cached.package.sha256.clone()])).collect();
    let other: BTreeSet<PathBuf> = mismatched(&wanted)?.into_iter().collect();
    let (other, good): (Vec<_>, Vec<_>) = there.into_iter().partition(|cached| other.contains(&cached.file));
    absent.extend(other);
    Ok((good, absent))
}

/// Takes what is missing of the lock into the cache.
///
/// # Errors
/// Packages that are gone, all of them; or the archive cannot be reached.
pub fn complete(fetcher: &Fetcher<'_>, ctx: &ArchiveCtx<'_>, tree: &LockedTree) -> Result<(), PackageError> {
    let archives = &fetcher.places().archives;
    let (_, missing) = look(tree.packages.iter(), archives)?;
    if missing.is_empty() {
        return Ok(());
    }
    for Cached { file, .. } in missing.iter().filter(|cached| cached.file.exists()) {
        let text = format!("{} in the cache is not the package that the lock wants, and is not used", file.display());
        ctx.events.warning(text);
    }
    if ctx.offline {
        return Err(gone(tree, ctx, archives, &missing));
    }
    let size: u64 = missing.iter().map(|cached| cached.package.size).sum();
    let text = format!("{} packages of the lock are not in the cache: {}", missing.len(), isotope_plan::Bytes(size));
    ctx.events.output(&text);
    let partial = |cached: &Cached<'_>| archives.join("partial").join(format!("{}.deb", cached.package.sha256));
    let mut words: Vec<String> = vec!["download-file".into()];
    for cached in &missing {
        let url = encoded(&tree.url(cached.package, ctx.sources));
        words.extend([url, partial(cached).display().to_string(), format!("SHA256:{}", cached.package.sha256)]);
    }
    let (lines, ended) = fetcher.run(&fetcher.tool(HELPER).args(&words), "downloading packages");
    // Whatever it says: what counts is which files are there now.
    let mut left = Vec::new();
    for cached in missing {
        if !take(&partial(&cached), &cached)? {
            left.push(cached);
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let absent = |cached: &Cached<'_>| {
        let url = without_credentials(&encoded(&tree.url(cached.package, ctx.sources)));
        lines.iter().any(|line| line.contains(&url) && is_not_there(line))
    };
    // Where some cannot be had for another reason, that is what is wrong.
    match ended {
        Err(error) if !left.iter().all(absent) => {
            Err(words::explain("cannot download the packages of the lock", &lines, ctx.sources, error))
        }
        _ => Err(gone(tree, ctx, archives, &left)),
    }
}

/// Whether a complaint means that the server does not have the file: it says so, or has another one in its place.
fn is_not_there(line: &str) -> bool {
    line.starts_with("E: Failed to fetch ")
        && ["  404 ", "  410 ", "File not found", "Hash Sum mismatch"].iter().any(|mark| line.contains(mark))
}

/// Moves a download to its place if it is what the lock wants.
fn take(partial: &Path, cached: &Cached<'_>) -> Result<bool, PackageError> {
    // Of a local archive apt makes a link.
    let Ok(real) = partial.canonicalize() else { return Ok(false) };
    if !mismatched(&[(real.clone(), vec![cached.package.sha256.clone()])])?.is_empty() {
        return Ok(false);
    }
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| PackageError::Io { what, path, source }
    };
    if real != partial {
        let copy = partial.with_extension("copy");
        std::fs::copy(&real, &copy).map_err(io("write", &copy))?;
        std::fs::rename(&copy, partial).map_err(io("rename", &copy))?;
    }
    std::fs::rename(partial, &cached.file).map_err(io("rename", partial))?;
    Ok(true)
}

fn gone(tree: &LockedTree, ctx: &ArchiveCtx<'_>, archives: &Path, missing: &[Cached<'_>]) -> PackageError {
    let told = |cached: &Cached<'_>| {
        let LockedPackage { name, version, arch, .. } = cached.package;
        let url = without_credentials(&tree.url(cached.package, ctx.sources));
        let asked = if ctx.offline { "it was at" } else { "the archive no longer has" };
        format!("{name} {version} ({arch}): not in {}; {asked} {url}", archives.display())
    };
    let of_missing: BTreeSet<&str> = missing.iter().map(|cached| cached.package.archive.as_str()).collect();
    let date = |id: &str| tree.archive(id).and_then(|archive| archive.date.clone());
    PackageError::Gone {
        packages: missing.iter().map(told).collect(),
        names: missing.iter().map(|cached| cached.package.name.clone()).collect(),
        dates: of_missing.into_iter().filter_map(date).collect(),
        offline: ctx.offline,
    }
}

/// The index of these packages, as apt reads it.
///
/// # Errors
/// A package file is damaged.
pub fn index_of(packages: &[Cached<'_>]) -> Result<String, PackageError> {
    let mut text = String::new();
    for Cached { package, file } in packages {
        let mut paragraph = Deb::open(file)?.control;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        paragraph.set("Filename", format!("./{name}"));
        paragraph.set("Size", package.size.to_string());
        paragraph.set("SHA256", package.sha256.clone());
        text.push_str(&paragraph.to_text());
    }
    Ok(text)
}

/// A URL as apt writes it: what is special in its path is quoted.
#[must_use]
pub fn encoded(url: &str) -> String {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/@%?=&".contains(&byte);
    let byte = |byte: u8| if fine(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    url.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_a_flat_archive() {
        assert_eq!(list(Path::new("/l")), Path::new("/l/_isotope-lock_._Packages"));
        assert_eq!(encoded("http://h:1/pool/a_1.0~x+b.deb"), "http://h:1/pool/a_1.0%7ex%2bb.deb");
    }

    #[test]
    fn what_a_server_does_not_have_is_told_from_what_it_cannot_deliver() {
        assert!(is_not_there("E: Failed to fetch http://h/x.deb  404  File not found [IP: 127.0.0.1 8123]"));
        assert!(!is_not_there("E: Failed to fetch http://h/x.deb  Could not connect to 127.0.0.1:9"));
    }
}
