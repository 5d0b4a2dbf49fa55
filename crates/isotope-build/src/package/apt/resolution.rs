//! What apt would install, written down so that exactly that can be had again.

use super::fetch::{Fetcher, Request};
use super::lists::{self, Entry};
use super::locked::{self, Cached};
use crate::package::{ArchiveCtx, Keep, PackageError, Resolution};
use isotope_plan::Source;
use isotope_plan::lock::{LockedArchive, LockedPackage, without_credentials};
use std::collections::{BTreeMap, BTreeSet};

/// Resolves `request`. Packages of `keep` keep their versions where they can be had.
///
/// # Errors
/// As [`Fetcher::choose`]; or the index has no SHA-256 of a package.
pub fn resolve(
    fetcher: &Fetcher<'_>,
    ctx: &ArchiveCtx<'_>,
    request: &Request,
    keep: Keep<'_>,
) -> Result<Resolution, PackageError> {
    let lists = fetcher.lists();
    // A version that the archive has given up, and the cache has not, can be had all the same.
    let archives = archives(&lists, ctx.sources)?;
    let known = |package: &&LockedPackage| archives.iter().any(|archive| archive.id == package.archive);
    let (kept, _) = locked::look(keep.packages.iter().filter(known), &fetcher.places().archives)?;
    fetcher.keep(keep.packages, &kept)?;
    let files = fetcher.would_fetch(request, true);
    fetcher.let_go()?;
    let files = files?;
    let wanted: BTreeSet<String> = files.iter().map(|(_, file)| file.clone()).collect();
    let entries = lists::entries(&lists, ctx.sources, &wanted)?;
    let mut packages = Vec::new();
    let mut without_digest = Vec::new();
    for (url, file) in &files {
        let from_cache = kept.iter().find(|cached| url.starts_with(&locked::source().uri) && is_called(cached, file));
        if let Some(Cached { package, .. }) = from_cache {
            packages.push((*package).clone());
            continue;
        }
        let entry = pick(&entries, url, file, ctx.sources);
        let entry = entry.ok_or_else(|| PackageError::Remote(format!("no index of a package archive has {file}")))?;
        let Entry { source, name, version, arch, path, size, sha256 } = entry.clone();
        if sha256.is_empty() {
            without_digest.push(name);
            continue;
        }
        let archive = archives[source].id.clone();
        packages.push(LockedPackage { name, version, arch, archive, path, size, sha256 });
    }
    if !without_digest.is_empty() {
        let names = without_digest.join(", ");
        return Err(PackageError::Unsupported(format!(
            "the index of the archive has no SHA-256 of {names}, so that they cannot be locked"
        )));
    }
    packages.sort();
    packages.dedup_by(|a, b| a.key() == b.key());
    Ok(Resolution { archives, packages })
}

fn is_called(cached: &Cached<'_>, file: &str) -> bool {
    cached.file.file_name().is_some_and(|name| name == file)
}

/// Of several archives that have a file of that name, the one that apt would take it from.
fn pick<'a>(entries: &'a BTreeMap<String, Vec<Entry>>, url: &str, file: &str, sources: &[Source]) -> Option<&'a Entry> {
    let found = entries.get(file)?;
    let bare = without_credentials(url);
    let at = |entry: &&Entry| {
        let uri = without_credentials(&sources[entry.source].uri);
        locked::encoded(&format!("{uri}/{}", entry.path)) == bare || format!("{uri}/{}", entry.path) == bare
    };
    found.iter().find(at).or_else(|| found.first())
}

/// The archives as they are now.
fn archives(lists: &std::path::Path, sources: &[Source]) -> Result<Vec<LockedArchive>, PackageError> {
    let mut archives: Vec<LockedArchive> = Vec::new();
    for source in sources {
        let word = source.suite.trim_matches(['.', '/']).replace('/', "-");
        let word = if word.is_empty() { "archive".to_owned() } else { word };
        let taken = |id: &str| archives.iter().any(|archive| archive.id == id);
        let numbered = (2..).map(|number| format!("{word}-{number}"));
        let id = std::iter::once(word.clone()).chain(numbered).find(|id| !taken(id)).unwrap_or(word);
        let release = lists::release(lists, source)?;
        archives.push(LockedArchive {
            id,
            uri: without_credentials(&source.uri),
            suite: source.suite.clone(),
            components: source.components.clone(),
            release: release.as_ref().map(|release| release.sha256.clone()),
            date: release.and_then(|release| release.date),
        });
    }
    Ok(archives)
}
