//! What is installed, as the rpm database says.

use crate::package::{InstalledPackage, PackageError};
use isotope_plan::Source;
use isotope_sys::command::Tool;
use isotope_sys::target::{TargetDir, TargetPath};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Where the database may be, and the files one of which is there then.
const PLACES: [&str; 3] = ["/usr/lib/sysimage/rpm", "/usr/share/rpm", "/var/lib/rpm"];
const FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];

const FORMAT: &str = r"%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\n";

/// The `repomd.xml` of each source, as dnf keeps it in its cache (`CACHE/ID-DIGEST/repodata/`): its revision and digest.
pub fn releases(cache: &Path, sources: &[Source]) -> Result<BTreeMap<String, String>, PackageError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| PackageError::Io { what, path, source }
    };
    let mut found = BTreeMap::new();
    for entry in cache.read_dir().map_err(failed("list", cache))? {
        let entry = entry.map_err(failed("list", cache))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((id, _)) = name.rsplit_once('-') else { continue };
        let path = entry.path().join("repodata/repomd.xml");
        if !sources.iter().any(|source| source.suite == id) || !path.is_file() {
            continue;
        }
        let text = std::fs::read(&path).map_err(failed("read", &path))?;
        let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        let text = String::from_utf8_lossy(&text);
        let revision = text.split_once("<revision>").and_then(|(_, rest)| rest.split_once("</revision>"));
        let revision = revision.map_or("", |(revision, _)| revision.trim());
        found.insert(name.clone(), format!("revision {revision} (sha256 {digest})"));
    }
    Ok(found)
}

/// Asks rpm, about a copy: reading a database leaves files beside it, and its place in the tree may be a link.
pub fn installed(tree: &TargetDir) -> Result<Vec<InstalledPackage>, PackageError> {
    let Some(copy) = copy(tree)? else { return Ok(Vec::new()) };
    let output = rpm(&copy).args(["-qa", "--queryformat", FORMAT]).run();
    let output =
        output.map_err(|source| PackageError::Command { what: "cannot read the rpm database".into(), source })?;
    Ok(parse(&output.text()))
}

/// The paths of a package; `None`: it is not installed.
pub fn files(tree: &TargetDir, package: &str) -> Result<Option<Vec<String>>, PackageError> {
    let Some(copy) = copy(tree)? else { return Ok(None) };
    let output = rpm(&copy).args(["-q", "--list", "--", package]).ok_codes(&[0, 1]).run();
    let output =
        output.map_err(|source| PackageError::Command { what: "cannot read the rpm database".into(), source })?;
    let text = output.text();
    if text.contains("is not installed") {
        return Ok(None);
    }
    let mut files: Vec<String> = text.lines().filter(|line| line.starts_with('/')).map(str::to_owned).collect();
    files.sort();
    Ok(Some(files))
}

fn rpm(copy: &tempfile::TempDir) -> Tool {
    Tool::new("rpm").arg("--dbpath").arg(copy.path())
}

/// A copy of the database, if there is one.
fn copy(tree: &TargetDir) -> Result<Option<tempfile::TempDir>, PackageError> {
    let found = |place: &str| FILES.iter().any(|file| tree.exists(TargetPath::new(place).join(file)));
    let Some(place) = PLACES.into_iter().find(|place| found(place)) else { return Ok(None) };
    let io = |what, path: &std::path::Path| {
        let path = path.to_owned();
        move |source| PackageError::Io { what, path, source }
    };
    let copy = tempfile::tempdir().map_err(io("make a directory in", &std::env::temp_dir()))?;
    for entry in tree.read_dir(TargetPath::new(place))? {
        // What is in memory of the last writer (-shm) and its lock mean nothing to us.
        let name = entry.name.to_string_lossy();
        if entry.is_dir || entry.is_symlink || name.ends_with("-shm") || name == ".rpm.lock" {
            continue;
        }
        let to = copy.path().join(&entry.name);
        std::fs::write(&to, tree.read(TargetPath::new(place).join(&entry.name))?).map_err(io("write", &to))?;
    }
    Ok(Some(copy))
}

fn parse(text: &str) -> Vec<InstalledPackage> {
    let mut packages: Vec<_> = text.lines().filter_map(parse_line).collect();
    packages.sort();
    packages
}

fn parse_line(line: &str) -> Option<InstalledPackage> {
    let mut fields = line.split('\t');
    let (name, version, arch, source) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    // Imported keys are in the database, too.
    if name == "gpg-pubkey" {
        return None;
    }
    // name-version-release.src.rpm
    let source = source.rsplitn(3, '-').nth(2).map(str::to_owned);
    let version = version.strip_prefix("0:").unwrap_or(version).to_owned();
    Some(InstalledPackage { name: name.to_owned(), version, arch: arch.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_no_packages_and_an_epoch_of_none_is_not_shown() {
        let text = "zlib\t0:1.3-1.fc42\tx86_64\tzlib-ng-1.3-1.fc42.src.rpm\ngpg-pubkey\t0:1-2\t(none)\t(none)\n\
            bind\t32:9.18-1\tnoarch\tbind-9.18-1.src.rpm\n";
        let found = parse(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].version.as_str()), ("bind", "32:9.18-1"));
        assert_eq!((found[1].version.as_str(), found[1].source.as_deref()), ("1.3-1.fc42", Some("zlib-ng")));
    }
}
