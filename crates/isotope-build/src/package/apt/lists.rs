//! apt's index files: what they are called, and what they say of package files. apt is not asked: it keeps silent about an archive
//! without a `Release` file.

use super::index::file_name;
use crate::package::PackageError;
use isotope_plan::Source;
use isotope_plan::lock::without_credentials;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What of a URL apt writes as `%xx` in the name of an index file (apt-pkg/strutl.cc, `URItoFileName`).
const QUOTED: &[u8] = b"\\|{}[]<>\"^~_=!@#$%^&*";

/// A package file in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The archive, by its place among the sources.
    pub source: usize,
    /// The package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub arch: String,
    /// Its file, relative to the archive's URL.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256; empty: the index has none.
    pub sha256: String,
}

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// SHA-256 of the text.
    pub sha256: String,
    /// Its `Date`.
    pub date: Option<String>,
}

/// What the names of a source's index files begin with.
#[must_use]
pub fn prefix(source: &Source) -> String {
    let bare = without_credentials(&source.uri);
    // `http://host/path` and `file:/path`.
    let rest = bare.split_once("://").map(|(_, rest)| rest).or_else(|| bare.split_once(':').map(|(_, rest)| rest));
    let rest = rest.unwrap_or(&bare);
    let place = if source.suite.ends_with('/') { source.suite.clone() } else { format!("dists/{}/", source.suite) };
    quote(&format!("{rest}/{place}"))
}

fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        match byte {
            b'/' => quoted.push('_'),
            byte if QUOTED.contains(&byte) || !byte.is_ascii_graphic() => quoted.push_str(&format!("%{byte:02x}")),
            byte => quoted.push(char::from(byte)),
        }
    }
    quoted
}

/// The index files of a source that are in `lists`, sorted.
///
/// # Errors
/// The directory cannot be read.
pub fn packages(lists: &Path, source: &Source) -> Result<Vec<PathBuf>, PackageError> {
    let prefix = prefix(source);
    let io = |source| PackageError::Io { what: "list", path: lists.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(lists).map_err(io)? {
        let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(&prefix).filter(|rest| rest.ends_with("Packages")) else { continue };
        // `main_binary-amd64_Packages`; another suite may begin with the same words.
        let component = rest.split('_').next().unwrap_or_default();
        if rest == "Packages" || source.components.iter().any(|own| quote(own) == component || own.contains('/')) {
            found.push(lists.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Sources of which an index file is not in `lists`.
///
/// # Errors
/// The directory cannot be read.
pub fn absent<'a>(lists: &Path, sources: &'a [Source]) -> Result<Vec<&'a Source>, PackageError> {
    let mut absent = Vec::new();
    for source in sources {
        if packages(lists, source)?.is_empty() {
            absent.push(source);
        }
    }
    Ok(absent)
}

/// The signed text of a source, if it has one.
///
/// # Errors
/// It cannot be read.
pub fn release(lists: &Path, source: &Source) -> Result<Option<Release>, PackageError> {
    let prefix = prefix(source);
    let Some(path) =
        ["InRelease", "Release"].iter().map(|name| lists.join(format!("{prefix}{name}"))).find(|path| path.is_file())
    else {
        return Ok(None);
    };
    let text = std::fs::read(&path).map_err(|source| PackageError::Io { what: "read", path, source })?;
    let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8_lossy(&text);
    let date = text.lines().find_map(|line| line.strip_prefix("Date:")).map(|date| date.trim().to_owned());
    Ok(Some(Release { sha256, date }))
}

/// What the sources' index files say of the files that apt calls `wanted`, by that name; those of earlier sources first.
///
/// # Errors
/// An index file cannot be read.
pub fn entries(
    lists: &Path,
    sources: &[Source],
    wanted: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<Entry>>, PackageError> {
    let mut found: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for (number, source) in sources.iter().enumerate() {
        for path in packages(lists, source)? {
            let text = std::fs::read(&path).map_err(|source| PackageError::Io { what: "read", path, source })?;
            for (name, entry) in parse(&String::from_utf8_lossy(&text), number, wanted) {
                found.entry(name).or_default().push(entry);
            }
        }
    }
    Ok(found)
}

fn parse(index: &str, source: usize, wanted: &BTreeSet<String>) -> Vec<(String, Entry)> {
    let mut found = Vec::new();
    let mut fields: [&str; 6] = [""; 6];
    for line in index.lines().chain([""]) {
        if line.is_empty() {
            let [name, version, arch, path, size, sha256] = std::mem::take(&mut fields).map(str::trim);
            let file = file_name(name, version, arch);
            if wanted.contains(&file) {
                let [name, version, arch, path, sha256] = [name, version, arch, path, sha256].map(str::to_owned);
                let size = size.parse().unwrap_or_default();
                found.push((file, Entry { source, name, version, arch, path, size, sha256 }));
            }
            continue;
        }
        let names = ["Package: ", "Version: ", "Architecture: ", "Filename: ", "Size: ", "SHA256: "];
        for (field, name) in fields.iter_mut().zip(names) {
            if let Some(value) = line.strip_prefix(name) {
                *field = value;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, suite: &str, components: &[&str]) -> Source {
        let components = components.iter().map(|part| (*part).to_owned()).collect();
        Source { uri: uri.into(), suite: suite.into(), components, keyring: None, verify: false }
    }

    #[test]
    fn index_files_are_called_as_apt_calls_them() {
        // As apt 2.6 has named them.
        for (uri, suite, name) in [
            ("http://m.test/debian", "trixie-updates", "m.test_debian_dists_trixie-updates_"),
            ("http://u:p@127.0.0.1:8123/", "s", "127.0.0.1:8123_dists_s_"),
            ("http://127.0.0.1:8123", "./", "127.0.0.1:8123_._"),
            ("file:/tmp/lk/L~x+y_z", "./", "_tmp_lk_L%7ex+y%5fz_._"),
            ("file:///srv/d", "./", "_srv_d_._"),
        ] {
            assert_eq!(prefix(&source(uri, suite, &[])), name);
        }
    }

    #[test]
    fn a_source_has_its_own_files_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "m.test_d_dists_s_InRelease",
            "m.test_d_dists_s_main_binary-amd64_Packages",
            "m.test_d_dists_s_contrib_binary-amd64_Packages",
            "m.test_d_._Packages",
        ] {
            std::fs::write(dir.path().join(name), "Date: today\n").unwrap();
        }
        let of = |suite: &str, components: &[&str]| {
            let source = source("http://m.test/d", suite, components);
            packages(dir.path(), &source).unwrap().len()
        };
        assert_eq!(
            (of("s", &["main"]), of("s", &["main", "contrib"]), of("./", &[]), of("t", &["main"])),
            (1, 2, 1, 0)
        );
        let sources = [source("http://m.test/d", "s", &["main"]), source("http://x.test", "s", &["main"])];
        assert_eq!(absent(dir.path(), &sources).unwrap(), [&sources[1]]);
        assert_eq!(release(dir.path(), &sources[0]).unwrap().unwrap().date.as_deref(), Some("today"));
        assert_eq!(release(dir.path(), &sources[1]).unwrap(), None);
    }

    #[test]
    fn entries_are_found_by_the_name_in_the_cache() {
        let text = "Package: a\nVersion: 1:2~x\nArchitecture: all\nFilename: pool/a.deb\nSize: 12\nSHA256: 00\n\nPackage: b\nVersion: 1\nArchitecture: all\n";
        let wanted = ["a_1%3a2~x_all.deb".to_owned()].into();
        let found = parse(text, 3, &wanted);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].1.path.as_str(), found[0].1.size, found[0].1.source), ("pool/a.deb", 12, 3));
    }
}
