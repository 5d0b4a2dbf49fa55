//! Removes what installing leaves behind: downloads, indexes, logs, backups of databases, caches with times in them.

use isotope_sys::target::{TargetDir, TargetError, TargetPath};

/// Files that go.
const FILES: [&str; 14] = [
    "/var/log/dpkg.log",
    "/var/log/alternatives.log",
    "/var/log/bootstrap.log",
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
    "/var/cache/ldconfig/aux-cache",
    "/var/lib/apt/daily_lock",
    "/var/lib/dpkg/available",
    "/var/lib/dpkg/available-old",
    "/var/lib/dpkg/diversions-old",
    "/var/lib/dpkg/statoverride-old",
    "/var/lib/dpkg/status-old",
    "/var/lib/dpkg/lock",
    "/var/lib/dpkg/lock-frontend",
];

/// Directories whose content goes; they themselves stay.
const EMPTIED: [&str; 5] =
    ["/var/log/apt", "/var/lib/apt/lists", "/var/cache/apt/archives", "/var/lib/dpkg/updates", "/var/cache/apt/archives/partial"];

/// Tidies a tree.
///
/// # Errors
/// The tree refuses.
pub fn tidy(tree: &TargetDir) -> Result<(), TargetError> {
    for file in FILES {
        tree.remove(file)?;
    }
    for dir in EMPTIED {
        for entry in tree.read_dir(dir)? {
            // apt wants this one to be there.
            if entry.name == "partial" && entry.is_dir {
                continue;
            }
            tree.remove_tree(TargetPath::new(dir).join(&entry.name))?;
        }
    }
    for entry in tree.read_dir("/var/cache/debconf")? {
        if entry.name.to_string_lossy().ends_with("-old") {
            tree.remove(TargetPath::new("/var/cache/debconf").join(&entry.name))?;
        }
    }
    tree.remove("/var/lib/dpkg/triggers/Lock").map(drop)
}
