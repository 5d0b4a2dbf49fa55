//! The operating system in a root filesystem: os-release, fstab, packages, boot entries.

use super::files::Files;
use serde::Serialize;
use std::collections::BTreeMap;

/// An operating system.
#[derive(Debug, Serialize)]
pub struct System {
    /// os-release(5).
    pub os_release: BTreeMap<String, String>,
    /// Lines of /etc/fstab that mean something.
    pub fstab: Vec<String>,
    /// Installed packages (dpkg). RPM's database is not read without rpm.
    pub packages: Vec<Package>,
}

/// An installed package.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub arch: String,
    /// Its version.
    pub version: String,
}

fn text(files: &dyn Files, path: &str) -> String {
    files.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Reads it.
pub fn read(files: &dyn Files) -> System {
    let mut release = text(files, "/etc/os-release");
    if release.is_empty() {
        release = text(files, "/usr/lib/os-release");
    }
    let os_release = release
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect();
    let fstab = text(files, "/etc/fstab");
    let fstab = fstab
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let mut status = text(files, "/var/lib/dpkg/status");
    if status.is_empty() {
        // Where an ostree tree has it.
        status = text(files, "/usr/lib/sysimage/dpkg/status");
    }
    System { os_release, fstab, packages: packages(&status) }
}

/// Installed packages of dpkg's status file (deb-control(5) paragraphs).
fn packages(status: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = status
        .split("\n\n")
        .filter_map(|paragraph| {
            let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            field("Status")?.ends_with(" installed").then_some(())?;
            let own = |name| field(name).map(str::to_owned);
            Some(Package { name: own("Package")?, arch: own("Architecture")?, version: own("Version")? })
        })
        .collect();
    packages.sort();
    packages
}

/// Titles of boot entries: BLS entries, the default first, then those of /boot/grub*/grub.cfg.
pub fn boot_entries(files: &dyn Files) -> Vec<String> {
    let mut entries: Vec<String> =
        super::deployments::entries(files).iter().map(isotope_boot::bls::Entry::title).collect();
    for path in ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"] {
        entries.extend(isotope_boot::detect::grub_titles(&text(files, path)));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let status = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-2\nDescription: x\n y\n\n\
                      Package: b\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 2\n";
        let found = packages(status);
        assert_eq!(found, [Package { name: "a".into(), arch: "amd64".into(), version: "1-2".into() }]);
    }
}
