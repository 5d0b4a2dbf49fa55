//! Digests of files that steps take from the host: names, modes' executable bits and bytes; not times and owners, which say how a
//! file came here and not what it is.

use crate::error::StepError;
use isotope_cache::content;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Digests, each made once a build.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    known: HashMap<PathBuf, BTreeMap<PathBuf, String>>,
}

impl Sources {
    /// Every file below a directory, by its path from there; or the file itself, by its name.
    pub(super) fn of(&mut self, root: &Path) -> Result<BTreeMap<PathBuf, String>, StepError> {
        if let Some(known) = self.known.get(root) {
            return Ok(known.clone());
        }
        let mut found = BTreeMap::new();
        walk(root, root, &mut found)?;
        self.known.insert(root.to_owned(), found.clone());
        Ok(found)
    }

    /// One file, following a link.
    pub(crate) fn one(&mut self, path: &Path) -> Result<String, StepError> {
        let real = path.canonicalize().map_err(StepError::io("find", path))?;
        Ok(self.of(&real)?.into_values().collect::<Vec<_>>().join(" "))
    }
}

/// Whether a file has a word in it. A link counts as what it leads to, and what is no file has none.
pub(super) fn names(path: &Path, word: &str) -> Result<bool, StepError> {
    if !path.is_file() {
        return Ok(false);
    }
    let bytes = std::fs::read(path).map_err(StepError::io("read", path))?;
    Ok(bytes.windows(word.len()).any(|part| part == word.as_bytes()))
}

fn walk(root: &Path, path: &Path, found: &mut BTreeMap<PathBuf, String>) -> Result<(), StepError> {
    let meta = path.symlink_metadata().map_err(StepError::io("look at", path))?;
    let name = match path.strip_prefix(root) {
        Ok(own) if !own.as_os_str().is_empty() => own.to_owned(),
        _ => PathBuf::from(path.file_name().unwrap_or_default()),
    };
    let mode = meta.permissions().mode() & 0o777;
    if meta.is_symlink() {
        let to = path.read_link().map_err(StepError::io("read", path))?;
        found.insert(name, format!("link to {}", to.display()));
    } else if meta.is_dir() {
        let entries =
            path.read_dir().and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(StepError::io("list", path))?;
        if entries.is_empty() {
            found.insert(name, format!("directory {mode:o}"));
        }
        for entry in entries {
            walk(root, &entry.path(), found)?;
        }
    } else if meta.is_file() {
        let digest = content::file(path).map_err(|error| StepError::Layers(Box::new(error)))?;
        found.insert(name, format!("{mode:o} {digest}"));
    } else {
        found.insert(name, format!("{:?}", meta.file_type()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_modes_count_times_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let hook = dir.path().join("install.d/10-x");
        std::fs::create_dir(dir.path().join("install.d")).unwrap();
        std::fs::write(&hook, "a").unwrap();
        let before = Sources::default().of(dir.path()).unwrap();
        std::fs::File::open(&hook).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(before, Sources::default().of(dir.path()).unwrap());
        std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
        let executable = Sources::default().of(dir.path()).unwrap();
        assert_ne!(before, executable);
        std::fs::write(&hook, "b").unwrap();
        assert_ne!(executable, Sources::default().of(dir.path()).unwrap());
    }
}
