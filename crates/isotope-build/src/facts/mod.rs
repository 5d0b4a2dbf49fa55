//! What a plan may know about this host, gathered once, before anything else.

mod apt;
mod yum;

use crate::memory;
use isotope_element::{Arch, Bytes, Family};
use isotope_plan::{FreeSpace, HostFacts, host_tools};
use isotope_sys::command::Tool;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where keys of package archives are kept. A missing directory has none.
const KEY_DIRS: [&str; 5] = [
    "/usr/share/keyrings",
    "/etc/apt/keyrings",
    "/etc/apt/trusted.gpg.d",
    "/etc/pki/rpm-gpg",
    "/usr/share/distribution-gpg-keys",
];

/// Gathers the facts. `env` is the caller's environment, `work_dir` the place where builds work on disk.
#[must_use]
pub fn gather(env: &BTreeMap<String, String>, work_dir: &Path) -> HostFacts {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    HostFacts {
        arch: arch(),
        family: family(),
        mirrors: mirrors(),
        tools: host_tools().iter().filter(|tool| Tool::exists(tool.name)).map(|tool| tool.name.to_owned()).collect(),
        keyrings: keyrings(),
        env: env.clone(),
        source_date_epoch: env.get("SOURCE_DATE_EPOCH").and_then(|text| text.trim().parse().ok()).unwrap_or(now),
        is_root: rustix::process::geteuid().is_root(),
        loop_devices: Path::new("/dev/loop-control").exists(),
        device_mapper: isotope_sys::device_mapper::is_there(),
        memory: Bytes(memory::available()),
        work_space: free_space(work_dir),
        cache_dir: work_dir.to_owned(),
        output_space: None,
    }
}

/// What is free where `dir` is, or will be: its nearest ancestor that is there.
#[must_use]
pub fn free_space(dir: &Path) -> Option<FreeSpace> {
    let absolute = std::path::absolute(dir).ok()?;
    let there = absolute.ancestors().find(|ancestor| ancestor.is_dir())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(FreeSpace { dir: dir.to_owned(), free: Bytes(stat.f_bavail.saturating_mul(stat.f_frsize)) })
}

const fn arch() -> Arch {
    if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
}

fn family() -> Option<Family> {
    match (Path::new("/var/lib/dpkg/status").exists(), Tool::exists("rpm")) {
        (true, _) => Some(Family::Debian),
        (false, true) => Some(Family::Redhat),
        (false, false) => None,
    }
}

/// The host's own archives, by name.
fn mirrors() -> BTreeMap<String, String> {
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let mut mirrors = yum::mirrors(&files("/etc/yum.repos.d", "repo"));
    let mut one_line = vec![std::fs::read_to_string("/etc/apt/sources.list").unwrap_or_default()];
    one_line.extend(files("/etc/apt/sources.list.d", "list"));
    mirrors.extend(apt::mirrors(&one_line, &files("/etc/apt/sources.list.d", "sources"), &os_release));
    mirrors
}

/// The texts of the files of a directory with this extension, by name. What cannot be read tells nothing.
fn files(dir: &str, extension: &str) -> Vec<String> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let wanted = paths.into_iter().filter(|path| path.extension().is_some_and(|own| own == extension));
    wanted.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

fn keyrings() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut stack: Vec<PathBuf> = KEY_DIRS.iter().map(PathBuf::from).collect();
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => stack.push(path),
                Ok(_) if path.is_file() => drop(found.insert(path)),
                _ => {}
            }
        }
    }
    found
}

/// The value of a variable of os-release(5).
fn os_release_value<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_of_a_directory_that_is_not_there_yet() {
        let dir = tempfile::tempdir().unwrap();
        let space = free_space(&dir.path().join("a/b")).unwrap();
        assert!(space.free.0 > 0 && space.dir.ends_with("a/b"));
    }

    #[test]
    fn values_of_os_release() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID='debian'\n";
        assert_eq!(os_release_value(text, "VERSION_CODENAME"), Some("bookworm"));
        assert_eq!(os_release_value(text, "ID"), Some("debian"));
        assert_eq!(os_release_value(text, "NAME"), None);
    }
}
