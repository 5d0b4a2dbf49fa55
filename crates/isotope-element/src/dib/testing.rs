//! For tests: small trees of elements, written as text.

use super::{Catalogue, ElementSet, ElementsPath, load, resolve};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A directory that is an entry of ELEMENTS_PATH.
pub(super) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// An element with what it depends on and what it provides.
    pub(super) fn element(&self, name: &str, deps: &[&str], provides: &[&str]) -> &Self {
        std::fs::create_dir_all(self.path().join(name)).unwrap();
        for (file, names) in [("element-deps", deps), ("element-provides", provides)] {
            if !names.is_empty() {
                self.file(&format!("{name}/{file}"), 0o644, &(names.join("\n") + "\n"));
            }
        }
        self
    }

    pub(super) fn file(&self, path: &str, mode: u32, text: &str) -> &Self {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// A script that may be run.
    pub(super) fn hook(&self, path: &str) -> &Self {
        self.file(path, 0o755, "#!/bin/bash\n")
    }

    pub(super) fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub(super) fn catalogue(&self) -> Catalogue {
        catalogue(&[self.path()])
    }

    /// Resolves, and must.
    pub(super) fn set(&self, names: &[&str]) -> ElementSet {
        resolve(&self.catalogue(), &owned(names)).unwrap()
    }
}

pub(super) fn catalogue(path: &[&Path]) -> Catalogue {
    load(&ElementsPath { entries: path.iter().map(|path| (*path).to_owned()).collect::<Vec<PathBuf>>() }).unwrap()
}

pub(super) fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
