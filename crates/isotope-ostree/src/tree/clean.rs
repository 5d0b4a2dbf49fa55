//! What a machine has for itself, and what is only dirt of the compose.

use super::TreeError;
use isotope_sys::machine::OWN;
use isotope_sys::target::TargetDir;

/// Removed beside [`OWN`], with all that is in them. (/var/log, /var/cache and /run need no line: their files never get into a commit.)
const REMOVED: &[&str] = &[
    "/etc/group.rpmnew",
    "/etc/gshadow.rpmnew",
    "/etc/passwd.rpmnew",
    "/etc/shadow.rpmnew",
    "/root/.gnupg",
    "/root/.rpmdb",
    "/var/lib/cloud",
    "/var/lib/dnf",
    "/var/lib/dbus/machine-id",
    "/var/lib/dpkg/status-old",
    "/var/lib/dpkg/available-old",
    "/var/lib/dpkg/diversions-old",
    "/var/lib/dpkg/statoverride-old",
    "/var/lib/dpkg/lock",
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/triggers/Lock",
    "/var/log/apt",
];

/// Names that a compose gives to the machine it runs as, and a machine must not have by it.
const HOST_NAMES: [&str; 2] = ["localhost", "localhost.localdomain"];

const HOSTS: &str =
    "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n";

/// Takes them away.
pub(super) fn identity(tree: &TargetDir, machineid_compat: bool) -> Result<(), TreeError> {
    for path in OWN.iter().chain(REMOVED) {
        tree.remove_tree(*path)?;
    }
    for entry in tree.read_dir("/etc/ssh")? {
        let name = entry.name.to_string_lossy();
        let key = ["_key", "_key.pub", "_key-cert.pub"].iter().any(|end| name.ends_with(end));
        if name.starts_with("ssh_host_") && key {
            tree.remove(format!("/etc/ssh/{name}"))?;
        }
    }
    for entry in tree.read_dir("/var/cache/debconf")? {
        let name = entry.name.to_string_lossy();
        if name.ends_with("-old") {
            tree.remove(format!("/var/cache/debconf/{name}"))?;
        }
    }
    if !tree.exists("/etc") {
        return Ok(());
    }
    tree.remove("/etc/machine-id")?;
    if machineid_compat {
        tree.write("/etc/machine-id", "", 0o444)?;
    }
    if tree.symlink_metadata("/etc/hostname")?.is_some() {
        let name = tree.read_text("/etc/hostname").unwrap_or_default();
        if name.trim().is_empty() || HOST_NAMES.contains(&name.trim()) {
            tree.remove("/etc/hostname")?;
        }
    }
    if tree.symlink_metadata("/etc/hosts")?.is_none() {
        tree.write("/etc/hosts", HOSTS, 0o644)?;
    }
    if tree.symlink_metadata("/etc/iscsi/initiatorname.iscsi")?.is_some() {
        let text = "## The service makes a name of its own at its first start.\nGenerateName=yes\n";
        tree.write("/etc/iscsi/initiatorname.iscsi", text, 0o600)?;
    }
    Ok(())
}
