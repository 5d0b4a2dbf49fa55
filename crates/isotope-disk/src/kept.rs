//! A disk kept in a directory of the cache, from which a later one begins: `disk.raw`, and `disk.json`, which is written last.
//!
//! It is kept as [`assemble`](crate::assemble) left it: the tree is in it, boot loader and later hooks are not. The copy is not synced;
//! it is used only if it has the digest that was kept.

use crate::{DiskError, DiskOptions};
use isotope_image::copy;
use isotope_image::output::{self, PendingOutput};
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::Layout;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Version of `disk.json`, and of how disks are made.
const FORMAT: u32 = 1;
const FACTS: &str = "disk.json";
const RAW: &str = "disk.raw";

/// What a kept disk was made with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    format: u32,
    /// Layout, ids, architecture: all that must be the same.
    recipe: serde_json::Value,
    pub(crate) geometry: Geometry,
    /// Of the raw file ([`copy::ContentDigest`]).
    content: String,
}

/// What must be the same for a kept disk to serve. Not where the layout was declared, and not the clock: it is that of the kept
/// disk's filesystems then.
pub(crate) fn recipe(layout: &Layout, options: &DiskOptions) -> serde_json::Result<serde_json::Value> {
    let mut layout = serde_json::to_value(layout)?;
    if let Some(partitions) = layout.get_mut("partitions").and_then(|partitions| partitions.as_array_mut()) {
        for partition in partitions.iter_mut().filter_map(|partition| partition.as_object_mut()) {
            partition.remove("origin");
        }
    }
    Ok(serde_json::json!({ "layout": layout, "arch": options.arch, "seed": options.seed }))
}

/// Keeps a disk whose filesystems are not mounted in `dir`, which is made if it is missing.
pub(crate) fn write(
    dir: &Path,
    disk: &File,
    recipe: serde_json::Result<serde_json::Value>,
    geometry: &Geometry,
) -> Result<(), DiskError> {
    let failed = |source: io::Error| DiskError::Keep { path: dir.to_owned(), source };
    let output = |error: output::OutputError| failed(io::Error::other(error));
    std::fs::create_dir_all(dir).map_err(failed)?;
    match std::fs::remove_file(dir.join(FACTS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let pending = PendingOutput::create(&dir.join(RAW)).map_err(output)?;
    let content = copy::copy(disk, pending.file()).map_err(failed)?.to_string();
    pending.commit_unsynced().map_err(output)?;
    let recipe = recipe.map_err(|error| failed(error.into()))?;
    let facts = Facts { format: FORMAT, recipe, geometry: geometry.clone(), content };
    let text = serde_json::to_vec_pretty(&facts).map_err(|error| failed(error.into()))?;
    output::write_file(&dir.join(FACTS), &text).map_err(output)
}

/// What is known of the disk kept in `dir`, if it was made by this recipe.
pub(crate) fn read(dir: &Path, recipe: serde_json::Result<serde_json::Value>) -> Result<Facts, DiskError> {
    let refuse = |why: String| DiskError::Kept { path: dir.to_owned(), why };
    let text = std::fs::read(dir.join(FACTS)).map_err(|error| refuse(format!("{FACTS} cannot be read: {error}")))?;
    let facts: Facts = serde_json::from_slice(&text).map_err(|error| refuse(format!("{FACTS}: {error}")))?;
    if facts.format != FORMAT {
        return Err(refuse(format!("it has format {}, not {FORMAT}", facts.format)));
    }
    let recipe = recipe.map_err(|error| refuse(error.to_string()))?;
    match recipe.as_object().into_iter().flatten().find(|(key, value)| facts.recipe.get(*key) != Some(*value)) {
        Some((key, _)) => Err(refuse(format!("it was made with another {key}"))),
        None => Ok(facts),
    }
}

/// Copies the kept disk to `raw`, which is created, or emptied if it exists.
pub(crate) fn copy(dir: &Path, facts: &Facts, raw: &Path) -> Result<File, DiskError> {
    let refuse = |why: String| DiskError::Kept { path: dir.to_owned(), why };
    let kept = File::open(dir.join(RAW)).map_err(|error| refuse(format!("{RAW} cannot be read: {error}")))?;
    let make = || {
        let disk = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(raw)?;
        let content = copy::copy(&kept, &disk)?;
        Ok((disk, content.to_string()))
    };
    let (disk, content) = make().map_err(|source| DiskError::Raw { path: raw.to_owned(), source })?;
    if content == facts.content { Ok(disk) } else { Err(refuse(format!("{RAW} is damaged: its digest is {content}"))) }
}
