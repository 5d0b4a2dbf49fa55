//! The signed index as the judge over package files in the cache: apt verifies what it downloads, but trusts a file of
//! the right length that is there already.

use crate::package::PackageError;
use crate::package::digest::{digest, mismatched};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The signed files in `lists` of a suite: its name in the archive's own words, with the date and digest of what was signed.
///
/// # Errors
/// One cannot be read.
pub fn releases(lists: &Path) -> Result<BTreeMap<String, String>, PackageError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| PackageError::Io { what, path, source }
    };
    let mut found = BTreeMap::new();
    let mut paths = Vec::new();
    for entry in lists.read_dir().map_err(failed("list", lists))? {
        let path = entry.map_err(failed("list", lists))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with("_InRelease") || name.ends_with("_Release") {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(failed("read", &path))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned()).unwrap_or_default()
        };
        let name = format!("{} {}", field("Label"), field("Codename"));
        let name = if name.trim().is_empty() { field("Suite") } else { name };
        let digest = digest(&path).map_err(failed("read", &path))?;
        let same = found.keys().filter(|known: &&String| known.starts_with(&name)).count();
        let name = if found.contains_key(&name) { format!("{name} #{}", same + 1) } else { name };
        found.insert(name, format!("{} (sha256 {digest})", field("Date")));
    }
    Ok(found)
}

/// Which of `files` are not what the index files in `lists` say.
///
/// # Errors
/// An index file or package file cannot be read.
pub fn damaged(lists: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>, PackageError> {
    let mut wanted = signed(lists, files)?;
    let digests = |file: &PathBuf| (file.clone(), wanted.remove(&name_of(file)).unwrap_or_default());
    // An archive without these digests was verified by apt with what it has.
    let files: Vec<_> = files.iter().map(digests).filter(|(_, digests)| !digests.is_empty()).collect();
    mismatched(&files)
}

/// The digest of each file: the signed one, or that of the file itself where the index has none.
///
/// # Errors
/// An index file or package file cannot be read.
pub fn digests(lists: &Path, files: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, PackageError> {
    let wanted = signed(lists, files)?;
    let one = |file: &PathBuf| {
        let known = wanted.get(&name_of(file)).and_then(|digests| digests.first());
        let digest = match known {
            Some(known) => known.clone(),
            None => digest(file).map_err(|source| PackageError::Io { what: "read", path: file.clone(), source })?,
        };
        Ok((file.clone(), digest))
    };
    files.iter().map(one).collect()
}

/// File name → digests that the index files in `lists` have for it.
fn signed(lists: &Path, files: &[PathBuf]) -> Result<BTreeMap<String, Vec<String>>, PackageError> {
    let mut wanted: BTreeMap<String, Vec<String>> = files.iter().map(|file| (name_of(file), Vec::new())).collect();
    let entries =
        std::fs::read_dir(lists).map_err(|source| PackageError::Io { what: "list", path: lists.to_owned(), source })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.to_string_lossy().ends_with("Packages")) {
        let text = std::fs::read(&path).map_err(|source| PackageError::Io { what: "read", path, source })?;
        collect(&String::from_utf8_lossy(&text), &mut wanted);
    }
    Ok(wanted)
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Adds the digests that an index has for the wanted files.
fn collect(index: &str, wanted: &mut BTreeMap<String, Vec<String>>) {
    let (mut name, mut version, mut arch) = ("", "", "");
    let mut digest = "";
    for line in index.lines().chain([""]) {
        if line.is_empty() {
            if let Some(digests) = wanted.get_mut(&file_name(name, version, arch)).filter(|_| !digest.is_empty()) {
                digests.push(digest.to_owned());
            }
            digest = "";
        } else if let Some(value) = line.strip_prefix("Package: ") {
            name = value;
        } else if let Some(value) = line.strip_prefix("Version: ") {
            version = value;
        } else if let Some(value) = line.strip_prefix("Architecture: ") {
            arch = value;
        } else if let Some(value) = line.strip_prefix("SHA256: ") {
            digest = value;
        }
    }
}

/// What apt calls a package file in its cache.
#[must_use]
pub fn file_name(name: &str, version: &str, arch: &str) -> String {
    let quoted = |text: &str, special: &[u8]| {
        text.bytes().fold(String::new(), |mut quoted, byte| {
            if special.contains(&byte) || byte == b'%' || !byte.is_ascii_graphic() {
                // Writing to a String cannot fail.
                let _infallible = write!(quoted, "%{byte:02x}");
            } else {
                quoted.push(char::from(byte));
            }
            quoted
        })
    };
    format!("{}_{}_{}.deb", quoted(name, b"_"), quoted(version, b"_:"), quoted(arch, b"_."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let lists = dir.path().join("lists");
        std::fs::create_dir(&lists).unwrap();
        let good = dir.path().join("libstdc++6_1%3a2~x_amd64.deb");
        let bad = dir.path().join("b_1_all.deb");
        let other = dir.path().join("c_1_all.deb");
        for file in [&good, &bad, &other] {
            std::fs::write(file, "abc").unwrap();
        }
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let index = format!(
            "Package: libstdc++6\nVersion: 1:2~x\nArchitecture: amd64\nSHA256: {of_abc}\n\n\
             Package: b\nVersion: 1\nArchitecture: all\nSHA256: 00\n\nPackage: c\nVersion: 1\nArchitecture: all\n"
        );
        std::fs::write(lists.join("x_Packages"), index).unwrap();
        let all = [good.clone(), bad.clone(), other.clone()];
        assert_eq!(damaged(&lists, &all).unwrap(), std::slice::from_ref(&bad));
        let found: Vec<String> =
            digests(&lists, &[good, bad, other]).unwrap().into_iter().map(|(_, digest)| digest).collect();
        assert_eq!(found, [of_abc, "00", of_abc], "the signed one, or the file's own");
    }
}
