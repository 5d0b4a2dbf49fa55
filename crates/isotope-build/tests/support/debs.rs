//! A small Debian archive, made with dpkg-deb.

#![allow(dead_code, reason = "each test file uses a part of it")]

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A package to make.
pub struct Package<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// More lines of its control file.
    pub control: &'a str,
    /// Paths and contents; those below `DEBIAN/` are control files.
    pub files: &'a [(&'a str, &'a str)],
}

/// Builds packages into `dir`, and the index of all that are in it.
pub fn archive(dir: &Path, packages: &[Package<'_>]) {
    std::fs::create_dir_all(dir).unwrap();
    for package in packages {
        let root = tempfile::tempdir().unwrap();
        let control = format!(
            "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: Tests <tests@example.org>\nDescription: for tests\n{}",
            package.name, package.version, package.control
        );
        for (path, content) in package.files.iter().copied().chain([("DEBIAN/control", control.as_str())]) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, content).unwrap();
            let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let sums = format!(
            "cd '{}' && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\\0' | sort -z | xargs -r0 md5sum",
            root.path().display()
        );
        std::fs::write(root.path().join("DEBIAN/md5sums"), run("sh", &["-c", &sums])).unwrap();
        run("dpkg-deb", &["--root-owner-group", "--build", root.path().to_str().unwrap(), dir.to_str().unwrap()]);
    }
    index(dir);
}

/// Writes `Packages` anew.
pub fn index(dir: &Path) {
    let mut text = String::new();
    let mut names: Vec<_> =
        dir.read_dir().unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".deb"));
    names.sort();
    for name in names {
        let data = std::fs::read(dir.join(&name)).unwrap();
        let digest: String = Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect();
        let control = run("dpkg-deb", &["--field", dir.join(&name).to_str().unwrap()]);
        write!(text, "{}\nFilename: ./{name}\nSize: {}\nSHA256: {digest}\n\n", control.trim_end(), data.len()).unwrap();
    }
    std::fs::write(dir.join("Packages"), text).unwrap();
}

/// Runs a tool that the tests need.
pub fn run(program: &str, args: &[&str]) -> String {
    #[expect(clippy::disallowed_methods, reason = "makes fixtures")]
    let output = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
