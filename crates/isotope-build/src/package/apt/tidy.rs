//! Removes what installing leaves behind: downloads, indexes, logs, backups of databases, caches with times in them.

use isotope_sys::target::{TargetDir, TargetError, TargetPath};
use rustix::fs::FileType;

/// Files that go.
const FILES: [&str; 15] = [
    // systemd-resolved's script keeps what it replaces: the sandbox's copy of this host's settings.
    "/etc/.resolv.conf.systemd-resolved.bak",
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
const EMPTIED: [&str; 5] = [
    "/var/log/apt",
    "/var/lib/apt/lists",
    "/var/cache/apt/archives",
    "/var/lib/dpkg/updates",
    "/var/cache/apt/archives/partial",
];

/// Tidies a tree; no day in it is later than that of `epoch`.
///
/// # Errors
/// The tree refuses.
pub fn tidy(tree: &TargetDir, epoch: u64) -> Result<(), TargetError> {
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
    tree.remove("/var/lib/dpkg/triggers/Lock")?;
    for file in ["/etc/shadow", "/etc/shadow-"] {
        let Some(stat) = tree.symlink_metadata(file)?.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
        else {
            continue;
        };
        let text = tree.read_text(file)?;
        let clamped = clamp_days(&text, epoch);
        if clamped != text {
            tree.write(file, clamped, stat.st_mode & 0o7777)?;
            tree.set_owner(file, stat.st_uid, stat.st_gid)?;
        }
    }
    Ok(())
}

/// The third field of `/etc/shadow` is the day of the password's last change: for the users that packages have made,
/// the day of the build. (Day 0 would mean that the password must be changed.)
fn clamp_days(shadow: &str, epoch: u64) -> String {
    let last = (epoch / 86400).max(1);
    let line = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        let day = last.to_string();
        if let Some(field) = fields.get_mut(2).filter(|field| field.parse::<u64>().is_ok_and(|day| day > last)) {
            *field = &day;
        }
        fields.join(":") + "\n"
    };
    shadow.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::clamp_days;

    #[test]
    fn later_days_become_the_epochs() {
        let shadow = "root:*:20000:0:99999:7:::\nold:!:100:0:99999:7:::\nnone:!::::::\n";
        assert_eq!(
            clamp_days(shadow, 1_700_000_000),
            "root:*:19675:0:99999:7:::\nold:!:100:0:99999:7:::\nnone:!::::::\n"
        );
    }
}
