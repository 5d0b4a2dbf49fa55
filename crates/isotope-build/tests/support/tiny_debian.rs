//! A Debian archive that is whole in itself: its one essential package has this host's own dpkg, apt and shell. So trees are made of it
//! without any mirror.

#![allow(dead_code, reason = "each test file uses a part of it")]

#[path = "debs.rs"]
pub mod debs;

use debs::Package;
use isotope_plan::Source;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Puts a host's programs, with what they load, into the package of the tree's programs.
const STAGE: &str = r#"
set -eu
cd "$1"
mkdir -p DEBIAN usr/bin usr/sbin usr/lib64 usr/lib/apt/methods usr/share/dpkg etc/apt/apt.conf.d etc/apt/preferences.d \
    etc/apt/sources.list.d etc/apt/trusted.gpg.d var/cache/apt/archives/partial var/lib/apt/lists/partial var/log/apt
for program in sh cat ls rm mkdir ln cp mv touch chmod true false env sed grep test tar diff \
    dpkg dpkg-deb dpkg-split dpkg-query dpkg-trigger dpkg-divert apt-get apt-mark ldconfig start-stop-daemon; do
    path=$(command -v $program || true)
    test -x "$path" || path=$(command -v /usr/bin/$program /usr/sbin/$program /sbin/$program | head -n1)
    to=usr/bin; case $path in */sbin/*) to=usr/sbin;; esac
    cp -L "$path" $to/$program
    ldd "$path" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
        name=${library#/usr}; mkdir -p "usr$(dirname "$name")"; cp -nL "$library" "usr$name"
    done
done
cp /usr/share/dpkg/*table usr/share/dpkg/
cp /bin/true usr/bin/gzip
echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd
printf 'Package: apt\nVersion: 1.0\nArchitecture: amd64\nEssential: yes\nMaintainer: T <t@example.org>\nDescription: programs\n' > DEBIAN/control
find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -r0 md5sum > DEBIAN/md5sums
dpkg-deb --root-owner-group -Znone --build . "$2" > /dev/null
"#;

/// Makes the archive's essential package in `dir`.
pub fn base(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let stage = tempfile::tempdir().unwrap();
    let deb = dir.join("apt_1.0_amd64.deb");
    debs::run("sh", &["-c", STAGE, "stage", stage.path().to_str().unwrap(), deb.to_str().unwrap()]);
}

/// A package with one file that says its version, and what it depends on.
pub fn package(dir: &Path, name: &str, version: &str, control: &str) {
    let (path, content) = (format!("usr/share/iso/{name}"), format!("{name} {version}\n"));
    debs::archive(dir, &[Package { name, version, control, files: &[(&path, &content)] }]);
}

/// Removes a package's file from the archive, and from its index.
pub fn remove(dir: &Path, file: &str) {
    std::fs::remove_file(dir.join(file)).unwrap();
}

/// Writes the index and a `Release` of this date; the digest of its text.
pub fn release(dir: &Path, date: &str) -> String {
    debs::index(dir);
    let packages = std::fs::read(dir.join("Packages")).unwrap();
    let hex = |data: &[u8]| Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = format!("Suite: tiny\nDate: {date}\nSHA256:\n {} {} Packages\n", hex(&packages), packages.len());
    std::fs::write(dir.join("Release"), &text).unwrap();
    hex(text.as_bytes())
}

/// The archive as a source.
pub fn source(url: &str) -> Source {
    Source { uri: url.into(), suite: "./".into(), components: Vec::new(), keyring: None, verify: false }
}
