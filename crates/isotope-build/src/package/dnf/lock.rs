//! Locks of dnf's packages: what it would install, with the digests of the files; and the files of a lock, checked.
//!
//! dnf is told the packages of the lock as the only ones there are (`includepkgs`); which of them a step gets, it chooses as ever. Its
//! index must still have them: a version that the archive has given up cannot be had from the cache alone.

use super::{config::Settings, dnf, drive, everything, prepare, recommends, table};
use crate::package::digest::{digest, mismatched};
use crate::package::{ArchiveCtx, Keep, PackageError, Resolution};
use isotope_plan::calendar::Moment;
use isotope_plan::lock::{LockedArchive, LockedPackage, without_credentials};
use isotope_plan::{Bootstrap, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// dnf's word for exactly this package.
pub fn nevra(package: &LockedPackage) -> String {
    let LockedPackage { name, version, arch, .. } = package;
    format!("{name}-{version}.{arch}")
}

/// Resolves for a lock. Digests are those of the files, which dnf has checked against its index: so they are downloaded.
pub fn lock(what: &Bootstrap, ctx: &ArchiveCtx<'_>, keep: Keep<'_>) -> Result<Resolution, PackageError> {
    if keep.named {
        return Err(PackageError::Unsupported(
            "dnf cannot update some packages of a lock and keep the others; update all of them: `isotope lock --update`".into(),
        ));
    }
    let (settings, _lock) = prepare(ctx, &what.sources, recommends(ctx))?;
    let names = everything(what, ctx);
    let lines = download(ctx, &settings, &names)?;
    let archives: Vec<LockedArchive> = what.sources.iter().map(|source| archive(&settings, source)).collect();
    let mut packages = Vec::new();
    for found in table::parse(&lines) {
        let Some((name, version, arch)) = split(&found.name) else {
            return Err(PackageError::Remote(format!("dnf calls a package {}, which is no name", found.name)));
        };
        let mut package = LockedPackage {
            name,
            version,
            arch,
            archive: found.digest,
            path: String::new(),
            size: 0,
            sha256: String::new(),
        };
        let Some(file) = cached(&settings.cache, &package).pop() else {
            let text = format!("dnf has downloaded {}, but it is not in {}", found.name, settings.cache.display());
            return Err(PackageError::Remote(text));
        };
        let io = |what, path: &Path| {
            let path = path.to_owned();
            move |source| PackageError::Io { what, path, source }
        };
        package.size = file.metadata().map_err(io("look at", &file))?.len();
        package.sha256 = digest(&file).map_err(io("read", &file))?;
        package.path = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        packages.push(package);
    }
    packages.sort();
    packages.dedup_by(|a, b| a.key() == b.key());
    Ok(Resolution { archives, packages })
}

/// Takes the packages of the lock into the cache, and checks those that are there.
pub fn fetch(ctx: &ArchiveCtx<'_>) -> Result<(), PackageError> {
    let Some(tree) = ctx.lock else { return Ok(()) };
    let (settings, _lock) = prepare(ctx, ctx.sources, false)?;
    let missing = missing(&settings, &tree.packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    let told = |package: &&LockedPackage| {
        format!("{} {} ({}): not in {}", package.name, package.version, package.arch, settings.cache.display())
    };
    let gone = |packages: Vec<String>, names: Vec<String>| PackageError::Gone {
        packages,
        names,
        dates: tree.archives.iter().filter_map(|archive| archive.date.clone()).collect(),
        offline: ctx.offline,
    };
    let all = || gone(missing.iter().map(told).collect(), missing.iter().map(|package| package.name.clone()).collect());
    if ctx.offline {
        return Err(all());
    }
    let names = missing.iter().map(|package| (nevra(package), Vec::new())).collect();
    match download(ctx, &settings, &names) {
        Err(PackageError::NotLocked(names) | PackageError::NotFound(names)) => {
            let asked = |name: &String| format!("{name}: neither in {} nor in the archive", settings.cache.display());
            let package = |name: &String| missing.iter().find(|package| name.contains(&nevra(package)));
            let update = names.iter().filter_map(package).map(|package| package.name.clone()).collect();
            return Err(gone(names.iter().map(asked).collect(), update));
        }
        other => other?,
    };
    if self::missing(&settings, &tree.packages)?.is_empty() { Ok(()) } else { Err(all()) }
}

/// Downloads packages and what they need.
fn download(
    ctx: &ArchiveCtx<'_>,
    settings: &Settings,
    names: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<String>, PackageError> {
    let io = |source| PackageError::Io { what: "make a directory in", path: ctx.scratch.to_owned(), source };
    let root = tempfile::tempdir_in(ctx.scratch).map_err(io)?;
    let tool = dnf(ctx, settings, root.path()).args(["--assumeyes", "--downloadonly", "install"]).args(names.keys());
    drive(ctx, &tool, names)
}

/// Packages of which no file in the cache is the one.
fn missing<'a>(settings: &Settings, packages: &'a [LockedPackage]) -> Result<Vec<&'a LockedPackage>, PackageError> {
    let mut missing = Vec::new();
    for package in packages {
        let files: Vec<_> =
            cached(&settings.cache, package).into_iter().map(|file| (file, vec![package.sha256.clone()])).collect();
        if mismatched(&files)?.len() == files.len() {
            missing.push(package);
        }
    }
    Ok(missing)
}

/// The files in dnf's cache that are called like a package: `REPOSITORY-HASH/packages/NAME-VERSION-RELEASE.ARCH.rpm`.
fn cached(cache: &Path, package: &LockedPackage) -> Vec<PathBuf> {
    let LockedPackage { name, version, arch, archive, .. } = package;
    // File names have no epoch.
    let version = version.split_once(':').map_or(version.as_str(), |(_, version)| version);
    let file = format!("{name}-{version}.{arch}.rpm");
    repositories(cache, archive)
        .into_iter()
        .map(|dir| dir.join("packages").join(&file))
        .filter(|file| file.is_file())
        .collect()
}

/// The directories of a repository in dnf's cache; the one used last at the end.
fn repositories(cache: &Path, id: &str) -> Vec<PathBuf> {
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.rsplit_once('-').is_some_and(|(name, _)| name == id) && path.is_dir()
    };
    let entries = cache.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter(ours).collect();
    found.sort_by_key(|path| path.join("repodata/repomd.xml").metadata().and_then(|meta| meta.modified()).ok());
    found
}

fn archive(settings: &Settings, source: &Source) -> LockedArchive {
    let dir = repositories(&settings.cache, &source.suite).pop();
    let repomd = dir.map(|dir| dir.join("repodata/repomd.xml")).filter(|path| path.is_file());
    let text = repomd.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let revision = text.split_once("<revision>").and_then(|(_, rest)| rest.split('<').next()?.trim().parse().ok());
    LockedArchive {
        id: source.suite.clone(),
        uri: without_credentials(&source.uri),
        suite: source.suite.clone(),
        components: Vec::new(),
        release: repomd.and_then(|path| digest(&path).ok()),
        date: revision.map(|seconds: u64| Moment::of(seconds).to_string()),
    }
}

/// `name-version-release.arch` in its parts.
fn split(word: &str) -> Option<(String, String, String)> {
    let (rest, arch) = word.rsplit_once('.')?;
    let mut parts = rest.rsplitn(3, '-');
    let (release, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    Some((name.to_owned(), format!("{version}-{release}"), arch.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_made() {
        let (name, version, arch) = split("glibc-common-2:2.41-3.fc42.x86_64").unwrap();
        assert_eq!((name.as_str(), version.as_str(), arch.as_str()), ("glibc-common", "2:2.41-3.fc42", "x86_64"));
        let package = LockedPackage {
            name,
            version,
            arch,
            archive: "base".into(),
            path: String::new(),
            size: 0,
            sha256: String::new(),
        };
        assert_eq!(nevra(&package), "glibc-common-2:2.41-3.fc42.x86_64");
        let dir = tempfile::tempdir().unwrap();
        let packages = dir.path().join("base-0123456789abcdef/packages");
        std::fs::create_dir_all(&packages).unwrap();
        std::fs::create_dir_all(dir.path().join("base-extra-0123456789abcdef/packages")).unwrap();
        std::fs::write(packages.join("glibc-common-2.41-3.fc42.x86_64.rpm"), "x").unwrap();
        assert_eq!(cached(dir.path(), &package).len(), 1);
        assert_eq!(repositories(dir.path(), "base").len(), 1);
    }
}
