//! Resets what must be unique to a machine, and removes what is only dirt of the build.
//!
//! | what | becomes | because |
//! |---|---|---|
//! | `/etc/machine-id` | an empty file | machine-id(5): the first boot writes one. Absent or `uninitialized` would also make it a "first boot", at which systemd enables and disables all units by preset: the image's own choices would be lost |
//! | `/var/lib/dbus/machine-id` | a link to it | D-Bus then has no other id |
//! | SSH host keys, random seeds, `credential.secret`, NVMe host ids, DHCP leases, NetworkManager's secret | removed | they identify a machine, and are made at boot |
//! | `/etc/iscsi/initiatorname.iscsi` | `GenerateName=yes` | the package made a name, the same for all clones; the service makes a new one |
//! | logs | files of journals, packagers and installers removed, others emptied | services expect their files with owner and mode |
//! | caches (apt lists and archives, dnf, ldconfig's aux-cache, debconf's and dpkg's `-old`) | removed | dirt, and different each time |
//! | `/tmp`, `/var/tmp`, `/run` | emptied | they are not part of a system at rest |
//! | backups of `/etc/passwd` and its kin, `/etc/.pwd.lock`, `/etc/resolv.conf.bak`, shell histories | removed | dirt |

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use isotope_plan::{Step, Sysprep};
use isotope_sys::machine::OWN;
use isotope_sys::target::{TargetDir, TargetError};

/// The step.
pub(super) struct Reset<'a>(pub &'a Sysprep);

/// Removed beside [`OWN`], with all that is in them.
const REMOVED: &[&str] = &[
    "/boot/loader/random-seed",
    "/var/cache/ldconfig/aux-cache",
    "/var/cache/dnf",
    "/var/cache/libdnf5",
    "/var/cache/yum",
    "/var/cache/apt/pkgcache.bin",
    "/var/cache/apt/srcpkgcache.bin",
    "/var/lib/logrotate.status",
    "/var/lib/random-seed",
    "/var/lib/NetworkManager/seen-bssids",
    "/var/lib/NetworkManager/timestamps",
    "/var/log/hawkey.log",
];

/// Emptied; the directory itself stays.
const EMPTIED: &[&str] = &[
    "/run",
    "/tmp",
    "/var/tmp",
    "/var/lib/cloud",
    "/var/lib/dhcp",
    "/var/lib/dhclient",
    "/var/lib/systemd/timers",
    "/var/lib/systemd/coredump",
    "/var/log/apt",
    "/var/log/anaconda",
    "/var/log/installer",
    "/var/log/journal",
    "/var/cache/apt/archives/partial",
];

/// Files of a directory whose names begin and end like this are removed.
const PATTERNS: &[(&str, &str, &str)] = &[
    ("/etc/ssh", "ssh_host_", "_key"),
    ("/etc/ssh", "ssh_host_", "_key.pub"),
    ("/etc/ssh", "ssh_host_", "_key-cert.pub"),
    ("/var/cache/apt/archives", "", ".deb"),
    ("/var/cache/debconf", "", "-old"),
    ("/var/lib/dpkg", "", "-old"),
    ("/var/lib/NetworkManager", "", ".lease"),
    ("/var/lib/NetworkManager", "", ".lease.bak"),
    ("/var/log", "dnf", ".log"),
];

impl Run for Reset<'_> {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let tree = build.target.tree();
        reset(tree)?;
        for path in &self.0.remove {
            if tree.remove_tree(path)? {
                build.events.output(&format!("removed {path}"));
            }
        }
        Ok(())
    }
}

fn reset(tree: &TargetDir) -> Result<(), TargetError> {
    identity(tree)?;
    for path in OWN.iter().chain(REMOVED) {
        tree.remove_tree(path)?;
    }
    for dir in EMPTIED {
        empty(tree, dir, &[])?;
    }
    // apt makes `partial` and its lock again, but not the directory.
    empty(tree, "/var/lib/apt/lists", &["partial"])?;
    empty(tree, "/var/lib/apt/lists/partial", &[])?;
    for (dir, start, end) in PATTERNS {
        for entry in tree.read_dir(dir)? {
            let name = entry.name.to_string_lossy();
            if !entry.is_dir && name.starts_with(start) && name.ends_with(end) {
                tree.remove(format!("{dir}/{name}"))?;
            }
        }
    }
    truncate_logs(tree, "/var/log")
}

fn identity(tree: &TargetDir) -> Result<(), TargetError> {
    if tree.exists("/etc") {
        tree.write("/etc/machine-id", "", 0o444)?;
    }
    if tree.symlink_metadata("/var/lib/dbus")?.is_some() {
        tree.symlink("/etc/machine-id", "/var/lib/dbus/machine-id")?;
    }
    if tree.symlink_metadata("/etc/iscsi/initiatorname.iscsi")?.is_some() {
        let text = "## The service makes a name of its own at its first start.\nGenerateName=yes\n";
        tree.write("/etc/iscsi/initiatorname.iscsi", text, 0o600)?;
    }
    Ok(())
}

fn empty(tree: &TargetDir, dir: &str, but: &[&str]) -> Result<(), TargetError> {
    for entry in tree.read_dir(dir)? {
        let name = entry.name.to_string_lossy();
        if !but.contains(&name.as_ref()) {
            tree.remove_tree(format!("{dir}/{name}"))?;
        }
    }
    Ok(())
}

/// Empties what is left below `dir`. Replacing a file would lose its owner, so it is truncated in place.
fn truncate_logs(tree: &TargetDir, dir: &str) -> Result<(), TargetError> {
    for entry in tree.read_dir(dir)? {
        let path = format!("{dir}/{}", entry.name.to_string_lossy());
        if entry.is_dir {
            truncate_logs(tree, &path)?;
        } else if !entry.is_symlink {
            tree.truncate(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_machine_becomes_an_image() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        for path in [
            "/etc/machine-id",
            "/etc/ssh/ssh_host_rsa_key",
            "/etc/ssh/ssh_host_rsa_key.pub",
            "/etc/ssh/sshd_config",
            "/var/lib/dbus/machine-id",
            "/var/log/dpkg.log",
            "/var/log/wtmp",
            "/var/log/journal/abc/system.journal",
            "/var/lib/apt/lists/deb.example_Release",
            "/var/lib/dpkg/status",
            "/var/lib/dpkg/status-old",
            "/tmp/x/y",
            "/etc/passwd-",
        ] {
            tree.write(path, "something\n", 0o640).unwrap();
        }
        reset(&tree).unwrap();
        assert_eq!(tree.read("/etc/machine-id").unwrap(), b"");
        assert_eq!(tree.read_link("/var/lib/dbus/machine-id").unwrap().unwrap(), "/etc/machine-id");
        assert_eq!(tree.read("/var/log/wtmp").unwrap(), b"");
        assert_eq!(dir.path().join("var/log/wtmp").metadata().unwrap().permissions().mode() & 0o7777, 0o640);
        for kept in ["/etc/ssh/sshd_config", "/var/lib/dpkg/status", "/tmp", "/var/log/journal", "/var/lib/apt/lists"] {
            assert!(tree.exists(kept), "{kept}");
        }
        for gone in [
            "/etc/ssh/ssh_host_rsa_key",
            "/etc/ssh/ssh_host_rsa_key.pub",
            "/var/log/dpkg.log",
            "/var/log/journal/abc",
            "/tmp/x",
            "/var/lib/apt/lists/deb.example_Release",
            "/var/lib/dpkg/status-old",
            "/etc/passwd-",
        ] {
            assert!(!tree.exists(gone), "{gone}");
        }
    }

    #[test]
    fn links_of_a_hostile_target_lead_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("precious"), "kept").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        for link in ["/tmp", "/var/log", "/var/lib/apt/lists", "/run"] {
            tree.symlink(outside.path(), link).unwrap();
        }
        tree.symlink(outside.path().join("precious"), "/etc/machine-id").unwrap();
        reset(&tree).unwrap();
        assert_eq!(std::fs::read_to_string(outside.path().join("precious")).unwrap(), "kept");
    }
}
