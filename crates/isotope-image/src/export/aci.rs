//! The App Container Image: a tar archive with the tree below `rootfs/` and a manifest
//! (App Container Specification 0.8.11, "App Container Image"). For tools that still take it; new ones take OCI images.

use super::archive;
use super::compress::Compressed;
use super::{ExportError, ExportOptions, ExportProgress};
use crate::output::PendingOutput;
use isotope_plan::{Container, Export};
use std::path::Path;

/// Makes it.
pub(super) fn make(
    root: &Path,
    export: &Export,
    path: &Path,
    options: &ExportOptions,
    progress: &(dyn Fn(ExportProgress) + Sync),
) -> Result<PendingOutput, ExportError> {
    let output = PendingOutput::create(path)?;
    let manifest = manifest(export)?;
    let Some(stream) = Compressed::new(export, options, &output)? else { return Ok(output) };
    let mut tar = archive::write(root, Path::new("rootfs"), tar::Builder::new(stream), &output, options, progress)?;
    archive::text(&mut tar, "manifest", manifest.as_bytes(), options.epoch)
        .and_then(|()| tar.into_inner()?.finish())
        .map_err(|error| output.error("write", error))?;
    Ok(output)
}

/// The user's, or the least that the specification asks for.
fn manifest(export: &Export) -> Result<String, ExportError> {
    let container = export.container.as_ref();
    if let Some(path) = container.and_then(|container| container.manifest.as_ref()) {
        let input = |source| ExportError::Input { what: "the ACI manifest", path: path.clone(), source };
        return std::fs::read_to_string(path).map_err(input);
    }
    let (name, version) = name(container);
    let arch = container.map_or("amd64", |container| container.arch.as_str());
    Ok(serde_json::json!({
        "acKind": "ImageManifest",
        "acVersion": "0.8.11",
        "name": name,
        "labels": [
            {"name": "version", "value": version},
            {"name": "os", "value": "linux"},
            // The specification's words for arm64 are `aarch64`.
            {"name": "arch", "value": if arch == "arm64" { "aarch64" } else { arch }},
        ],
    })
    .to_string())
}

/// An AC Identifier (lower case letters, digits and `-._~/`, neither first nor last) and the version.
fn name(container: Option<&Container>) -> (String, String) {
    let full = container.map_or("image:latest", |container| container.name.as_str());
    let (name, version) = full.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((full, "latest"));
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "-._~/".contains(c) { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(allowed).collect();
    (name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned(), version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers() {
        let of = |name: &str| {
            super::name(Some(&Container { name: name.to_owned(), arch: "amd64".to_owned(), manifest: None }))
        };
        assert_eq!(of("Example.org/My Image:7"), ("example.org/my-image".to_owned(), "7".to_owned()));
        assert_eq!(of("host:5000/thing"), ("host-5000/thing".to_owned(), "latest".to_owned()));
    }
}
