//! `manifest.json` beside an image, as far as the harness needs it: the checks that the image's elements make.

use crate::error::VmError;
use isotope_plan::Check;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What the harness reads; everything else in the file is for others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Manifest {
    /// The image's name.
    #[serde(default)]
    pub name: String,
    /// What a booted guest must show.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// Where the manifest of an image may be: `IMAGE.manifest.json`, or without the image's extension.
#[must_use]
pub fn candidates(image: &Path) -> Vec<PathBuf> {
    let mut beside = image.as_os_str().to_owned();
    beside.push(".manifest.json");
    vec![PathBuf::from(beside), image.with_extension("manifest.json")]
}

/// Reads the manifest beside an image; `None` when there is none.
///
/// # Errors
/// There is one and it cannot be read.
pub fn beside(image: &Path) -> Result<Option<Manifest>, VmError> {
    for path in candidates(image) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(VmError::Io { what: format!("read {}", path.display()), source }),
        };
        return serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| VmError::Spec(format!("{} is no manifest of an image: {error}", path.display())));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_are_found_and_other_keys_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("debian-cloud.qcow2");
        assert_eq!(beside(&image).unwrap(), None);
        let text = r#"{"name": "debian-cloud", "packages": [], "checks": [
            {"element": "vm", "name": "root is mounted", "run": "mountpoint /", "timeout": 60, "severity": 1}]}"#;
        for name in ["debian-cloud.manifest.json", "debian-cloud.qcow2.manifest.json"] {
            std::fs::write(dir.path().join(name), text).unwrap();
            let manifest = beside(&image).unwrap().unwrap();
            assert_eq!(manifest.checks[0].name, "root is mounted");
            std::fs::remove_file(dir.path().join(name)).unwrap();
        }
    }

    #[test]
    fn a_damaged_manifest_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.raw.manifest.json"), "{").unwrap();
        let error = beside(&dir.path().join("a.raw")).unwrap_err();
        assert!(error.to_string().contains("a.raw.manifest.json is no manifest"), "{error}");
    }
}
