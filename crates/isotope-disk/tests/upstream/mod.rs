//! diskimage-builder in a virtualenv, asked through its Python.
#![allow(dead_code, reason = "each test binary uses its part")]

use isotope_sys::command::Tool;
use std::path::{Path, PathBuf};

/// Configurations with plugins that only upstream's own unit tests have.
const FOREIGN: [&str; 2] = ["cmd_create.yaml", "rollback.yaml"];

/// Every sector of a sparse file in which something stands.
const SECTORS: &str = r#"
import os, sys
disk = os.open(sys.argv[1], os.O_RDONLY)
size, at = os.fstat(disk).st_size, 0
while at < size:
    try:
        at = os.lseek(disk, at, os.SEEK_DATA)
    except OSError:
        break
    end = os.lseek(disk, at, os.SEEK_HOLE)
    for lba in range(at // 512, (end + 511) // 512):
        sector = os.pread(disk, 512, lba * 512)
        if any(sector):
            print(lba, sector.hex())
    at = end
"#;

/// A virtualenv with diskimage-builder.
pub struct Upstream {
    root: PathBuf,
}

impl Upstream {
    /// The one that `ISOTOPE_TEST_DIB` names; without it nothing could be compared, which is a failure.
    pub fn find() -> Self {
        let root = std::env::var_os("ISOTOPE_TEST_DIB").map(PathBuf::from).unwrap_or_default();
        assert!(
            root.join("bin/python3").exists(),
            "ISOTOPE_TEST_DIB names no virtualenv with diskimage-builder (`{}`); `cargo xtask test host` makes one",
            root.display()
        );
        Self { root }
    }

    /// What a program prints.
    pub fn python(&self, program: &str, args: &[&str]) -> String {
        let python = self.root.join("bin/python3");
        let tool = Tool::new(python.to_str().unwrap()).args(["-c", program]).args(args);
        tool.run().unwrap_or_else(|error| panic!("{error}")).text()
    }

    /// The package's directory.
    pub fn package(&self) -> PathBuf {
        let found = self.python("import diskimage_builder as d; print(d.__path__[0])", &[]);
        Path::new(found.trim()).to_owned()
    }

    /// Its unit tests' configurations, and those of its elements.
    pub fn config_dirs(&self) -> Vec<PathBuf> {
        let package = self.package();
        let elements = ["mbr", "gpt", "efi", "efi-4k", "efi-lvm"];
        let elements = elements.iter().map(|name| package.join(format!("elements/block-device-{name}")));
        [package.join("block_device/tests/config")].into_iter().chain(elements).collect()
    }

    /// All of them and ours, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../isotope-plan/tests/blockdev");
        let mut files = Vec::new();
        for dir in self.config_dirs().into_iter().chain([ours]) {
            let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
            files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.ends_with(".yaml") && !FOREIGN.contains(&name.as_ref())
            }));
        }
        files.sort();
        assert!(files.len() > 25, "upstream has more configurations than {}", files.len());
        files
    }

    /// Every sector of a sparse file in which something stands, and what, in hexadecimal digits.
    pub fn sectors(&self, path: &str) -> Vec<(u64, String)> {
        let said = self.python(SECTORS, &[path]);
        let pair = |line: &str| {
            let (lba, hex) = line.split_once(' ').unwrap();
            (lba.parse().unwrap(), hex.to_owned())
        };
        said.lines().map(pair).collect()
    }
}
