//! diskimage-builder in a virtualenv, asked through its Python.

use isotope_sys::command::Tool;
use std::path::{Path, PathBuf};

/// A virtualenv with diskimage-builder.
pub struct Upstream {
    root: PathBuf,
}

impl Upstream {
    /// The one that `ISOTOPE_TEST_DIB` names; without it, a word on why nothing is compared.
    #[expect(clippy::print_stdout, reason = "a test that compares nothing says so")]
    pub fn find() -> Option<Self> {
        let Some(root) = std::env::var_os("ISOTOPE_TEST_DIB").filter(|root| !root.is_empty()) else {
            println!("skipped: ISOTOPE_TEST_DIB names no virtualenv with diskimage-builder");
            return None;
        };
        let root = PathBuf::from(root);
        assert!(root.join("bin/python3").exists(), "{} is no virtualenv", root.display());
        Some(Self { root })
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
}
