//! What one step of a build leaves for the next: packages chosen and downloaded ahead, and what the choice rested on.

use crate::package::deb::control::paragraphs;
use crate::package::dpkg::database;
use crate::package::{PackageCtx, PackageError};
use isotope_sys::target::{TargetDir, TargetError, TargetPath};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// dpkg's database of states.
pub const STATUS: &str = "/var/lib/dpkg/status";
/// apt's marks.
pub const MARKS: &str = "/var/lib/apt/extended_states";

/// Kept in the build's scratch directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    /// Package files in the cache that the transactions to come will want, in apt's order.
    pub debs: Vec<PathBuf>,
    /// Their directory.
    pub archives: PathBuf,
    /// apt's marks as they will be.
    pub marks: String,
    /// What the target looked like.
    pub seen: Fingerprint,
}

/// What apt's choice depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The target's sources and pins.
    pub sources: String,
    /// What is installed.
    pub status: String,
}

impl Memo {
    fn path(ctx: &PackageCtx<'_>) -> PathBuf {
        ctx.scratch.join("apt-memo.json")
    }

    /// Writes it down.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, ctx: &PackageCtx<'_>) -> Result<(), PackageError> {
        let path = Self::path(ctx);
        let text = serde_json::to_vec(self).map_err(std::io::Error::from);
        text.and_then(|text| std::fs::write(&path, text)).map_err(|source| PackageError::Io {
            what: "write",
            path,
            source,
        })
    }

    /// Reads what an earlier step of this build has written down, if there was one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(ctx: &PackageCtx<'_>) -> Result<Option<Self>, PackageError> {
        let path = Self::path(ctx);
        let read = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.and_then(|text| Ok(serde_json::from_slice(&text)?)),
        };
        read.map(Some).map_err(|source| PackageError::Io { what: "read", path, source })
    }
}

/// Looks at a target.
///
/// # Errors
/// It cannot be read.
pub fn fingerprint(tree: &TargetDir) -> Result<Fingerprint, TargetError> {
    let mut sources = Sha256::new();
    let mut add = |path: &TargetPath| -> Result<(), TargetError> {
        if tree.metadata(path)?.is_some_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file()) {
            sources.update(path.to_string());
            sources.update([0]);
            sources.update(tree.read(path)?);
            sources.update([0]);
        }
        Ok(())
    };
    for file in ["/etc/apt/sources.list", "/etc/apt/preferences"] {
        add(TargetPath::new(file))?;
    }
    for dir in ["/etc/apt/sources.list.d", "/etc/apt/preferences.d"] {
        for entry in tree.read_dir(dir)? {
            add(&TargetPath::new(dir).join(&entry.name))?;
        }
    }
    Ok(Fingerprint { sources: hex(&sources.finalize()), status: hex(&Sha256::digest(read(tree, STATUS)?)) })
}

/// A file of the target as text; nothing if it is not there.
///
/// # Errors
/// It cannot be read.
pub fn read(tree: &TargetDir, path: &str) -> Result<String, TargetError> {
    if tree.exists(path) { tree.read_text(path) } else { Ok(String::new()) }
}

/// apt's marks without those of `packages`.
#[must_use]
pub fn unmark(marks: &str, packages: &BTreeSet<&str>) -> String {
    paragraphs(marks).filter(|mark| !packages.contains(mark.text("Package"))).map(|mark| mark.to_text()).collect()
}

/// Writes apt's marks into a target, those of installed packages.
///
/// # Errors
/// The tree refuses.
pub fn write_marks(tree: &TargetDir, marks: &str) -> Result<(), PackageError> {
    let status = database::status(tree)?;
    let installed: BTreeSet<&str> = status
        .iter()
        .filter(|package| database::state(package) == "installed")
        .map(|package| package.text("Package"))
        .collect();
    let marks = paragraphs(marks).filter(|mark| installed.contains(mark.text("Package")));
    let marks: String = marks.map(|mark| mark.to_text()).collect();
    Ok(tree.write(MARKS, marks, 0o644)?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
