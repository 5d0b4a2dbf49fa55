//! Outputs kept in a directory of the cache, and given back: [`keep`] and [`restore`].
//!
//! The directory has a copy of each output under its name, its index of clusters (`NAME.clusters`) where it has one, and `image.json`,
//! which is written last: without it the directory holds nothing. Copies share blocks where the filesystem can; they are never links,
//! for users change outputs. They are not synced: what is given back has the digest that was kept, or is not given back.
//!
//! A file that was delivered and is still what it was then (same inode, size and times) is left alone: a build where nothing
//! changed writes nothing.

use super::qcow2::INDEX;
use super::{Exported, digest};
use crate::copy;
use crate::output::{self, OutputError, PendingOutput};
use isotope_plan::Export;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Version of `image.json`. The first one could have one output's content under another's name.
const FORMAT: u32 = 2;
const FACTS: &str = "image.json";
/// Places of delivery that are remembered for each output.
const DELIVERIES: usize = 16;

/// Why outputs could not be kept or given back.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The directory does not hold these outputs; they must be made.
    #[error("`{}` does not hold these outputs: {why}", dir.display())]
    NotKept {
        /// The directory.
        dir: PathBuf,
        /// What is missing or does not fit.
        why: String,
    },
    /// What is there is not what was kept; it must be made anew.
    #[error("the kept output `{}` is damaged: its digest is {found}, not {wanted}", path.display())]
    Damaged {
        /// The copy.
        path: PathBuf,
        /// Its digest when it was kept.
        wanted: String,
        /// Its digest now.
        found: String,
    },
    /// The directory cannot be written or read.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// An output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What [`restore`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The outputs, as if they had been made.
    pub outputs: Vec<Exported>,
    /// How many of them stood there already.
    pub untouched: usize,
}

/// `image.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    format: u32,
    outputs: Vec<Kept>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// How it was asked for.
    export: Export,
    exported: Exported,
    /// Of the copy ([`copy::ContentDigest`]).
    content: String,
    /// Where it stands, as far as known.
    delivered: Vec<Delivery>,
}

/// A delivered file, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    path: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970.
    modified: i128,
    changed: i128,
}

impl Delivery {
    fn of(path: &Path, meta: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            path: path.to_owned(),
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            modified: nanoseconds(meta.mtime(), meta.mtime_nsec()),
            changed: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// That of the file at `path` now.
    fn now(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let meta = std::fs::symlink_metadata(&path)?;
        Ok(Self::of(&path, &meta))
    }
}

/// Keeps outputs in `dir` (made if missing; what it held is replaced). `outputs` are what `exports` asked for, in any order.
///
/// # Errors
/// The directory cannot be written, or an output read. The directory holds nothing then.
pub fn keep(dir: &Path, exports: &[Export], outputs: &[Exported]) -> Result<(), KeptError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| KeptError::Io { what, path, source }
    };
    std::fs::create_dir_all(dir).map_err(failed("make", dir))?;
    match std::fs::remove_file(dir.join(FACTS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &dir.join(FACTS))(error)),
        _ => {}
    }
    let mut kept = Vec::new();
    for export in exports {
        let made =
            |exported: &&Exported| exported.path.file_name().is_some_and(|name| name == export.file_name.as_str());
        let Some(exported) = outputs.iter().find(made) else {
            let why = format!("`{}` was not made", export.file_name);
            return Err(KeptError::NotKept { dir: dir.to_owned(), why });
        };
        let copy = dir.join(&export.file_name);
        let source = File::open(&exported.path).map_err(failed("read", &exported.path))?;
        let pending = PendingOutput::create(&copy)?;
        let content = copy::copy(&source, pending.file()).map_err(|error| pending.error("write", error))?;
        pending.commit_unsynced()?;
        let index = index_of(&copy);
        match &exported.clusters {
            Some(clusters) => {
                std::fs::write(&index, clusters.index.to_bytes()).map_err(failed("write", &index))?;
            }
            None => match std::fs::remove_file(&index) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &index)(error)),
                _ => {}
            },
        }
        let delivered = vec![Delivery::now(&exported.path).map_err(failed("look at", &exported.path))?];
        let (export, exported) = (export.clone(), exported.clone());
        kept.push(Kept { export, exported, content: content.to_string(), delivered });
    }
    write(dir, &Facts { format: FORMAT, outputs: kept })
}

/// Gives the outputs that `dir` keeps to `out_dir`, with the files of their digests. A file that was delivered before and did not change
/// since is left alone.
///
/// # Errors
/// [`KeptError::NotKept`], [`KeptError::Damaged`]: they must be made; [`KeptError::Output`]: they cannot be written.
pub fn restore(dir: &Path, exports: &[Export], out_dir: &Path) -> Result<Restored, KeptError> {
    let mut facts = read(dir)?;
    let not_kept = |why| KeptError::NotKept { dir: dir.to_owned(), why };
    let mut restored = Restored { outputs: Vec::new(), untouched: 0 };
    for export in exports {
        let kept = facts.outputs.iter_mut().find(|kept| kept.export == *export);
        let kept = kept.ok_or_else(|| not_kept(format!("`{}` is missing, or was made otherwise", export.file_name)))?;
        let path = out_dir.join(&export.file_name);
        if Delivery::now(&path).is_ok_and(|now| kept.delivered.contains(&now)) {
            restored.untouched += 1;
        } else {
            give(&dir.join(&export.file_name), &path, kept)?;
        }
        let mut exported = kept.exported.clone();
        exported.path.clone_from(&path);
        let meta = std::fs::metadata(&path).map_err(|source| KeptError::Io { what: "look at", path, source })?;
        exported.allocated = meta.blocks() * 512;
        if !digest::are_beside(&exported.path, &exported.digests) {
            digest::write_beside(&exported.path, &exported.digests)?;
        }
        restored.outputs.push(exported);
    }
    if restored.untouched < exports.len() {
        // If it cannot be noted where they stand, the next restore copies once more.
        write(dir, &facts).ok();
    }
    Ok(restored)
}

/// Makes the empty directory `to` keep what `dir` keeps, without what is of this host: where outputs stand. The files are the same
/// ones (hard links).
///
/// # Errors
/// [`KeptError::NotKept`]: there is nothing; or `to` cannot be written, or is on another filesystem.
pub fn share(dir: &Path, to: &Path) -> Result<(), KeptError> {
    let mut facts = read(dir)?;
    for Kept { export, exported, content: _, delivered } in &mut facts.outputs {
        delivered.clear();
        exported.path = PathBuf::from(&export.file_name);
        let (copy, shared) = (dir.join(&export.file_name), to.join(&export.file_name));
        let link = |from: &Path, to: &Path| {
            std::fs::hard_link(from, to).map_err(|source| KeptError::Io { what: "link", path: from.to_owned(), source })
        };
        link(&copy, &shared)?;
        let index = index_of(&copy);
        if index.is_file() {
            link(&index, &index_of(&shared))?;
        }
    }
    write(to, &facts)
}

/// Whether `dir` keeps these outputs.
#[must_use]
pub fn has(dir: &Path, exports: &[Export]) -> bool {
    read(dir).is_ok_and(|facts| {
        exports.iter().all(|export| {
            let is_there = dir.join(&export.file_name).is_file();
            is_there && facts.outputs.iter().any(|kept| kept.export == *export)
        })
    })
}

/// Whether all of them stand in `out_dir` as they were delivered there.
#[must_use]
pub fn stand(dir: &Path, exports: &[Export], out_dir: &Path) -> bool {
    read(dir).is_ok_and(|facts| {
        exports.iter().all(|export| {
            let kept = facts.outputs.iter().find(|kept| kept.export == *export);
            let now = Delivery::now(&out_dir.join(&export.file_name));
            kept.zip(now.ok()).is_some_and(|(kept, now)| kept.delivered.contains(&now))
        })
    })
}

/// Copies a kept output into place, and notes that it stands there.
fn give(copy: &Path, path: &Path, kept: &mut Kept) -> Result<(), KeptError> {
    let source = File::open(copy).map_err(|error| KeptError::NotKept {
        dir: copy.parent().unwrap_or(copy).to_owned(),
        why: format!("`{}` cannot be read: {error}", kept.export.file_name),
    })?;
    let pending = PendingOutput::create(path)?;
    let found = copy::copy(&source, pending.file())
        .map_err(|error| pending.error_needing("write", error, Some(kept.exported.size)))?
        .to_string();
    if found != kept.content {
        return Err(KeptError::Damaged { path: copy.to_owned(), wanted: kept.content.clone(), found });
    }
    pending.commit()?;
    if let Ok(now) = Delivery::now(path) {
        kept.delivered.retain(|delivery| delivery.path != now.path);
        kept.delivered.truncate(DELIVERIES - 1);
        kept.delivered.insert(0, now);
    }
    Ok(())
}

fn index_of(copy: &Path) -> PathBuf {
    let mut index = copy.as_os_str().to_owned();
    index.push(INDEX);
    index.into()
}

fn read(dir: &Path) -> Result<Facts, KeptError> {
    let not_kept = |why| KeptError::NotKept { dir: dir.to_owned(), why };
    let text = std::fs::read(dir.join(FACTS)).map_err(|error| not_kept(format!("{FACTS} cannot be read: {error}")))?;
    let facts: Facts = serde_json::from_slice(&text).map_err(|error| not_kept(format!("{FACTS}: {error}")))?;
    if facts.format == FORMAT {
        Ok(facts)
    } else {
        Err(not_kept(format!("it has format {}, not {FORMAT}", facts.format)))
    }
}

fn write(dir: &Path, facts: &Facts) -> Result<(), KeptError> {
    let path = dir.join(FACTS);
    let text = serde_json::to_vec_pretty(facts).map_err(|error| KeptError::Io {
        what: "write",
        path: path.clone(),
        source: error.into(),
    })?;
    Ok(output::write_file(&path, &text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{self, ExportOptions};
    use isotope_plan::{Checksum, Compression, Format};

    struct Made {
        dir: tempfile::TempDir,
        exports: Vec<Export>,
        outputs: Vec<Exported>,
    }

    /// A disk and its two outputs, kept.
    fn made() -> Made {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("raw");
        let data: Vec<u8> = (0..900_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 28) as u8).collect();
        std::fs::write(&raw, data).unwrap();
        let file = File::options().write(true).open(&raw).unwrap();
        file.set_len(8 << 20).unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        let exports = vec![
            Export::new(Format::Qcow2, Compression::Zstd, vec![Checksum::Sha256], "image.qcow2".to_owned()),
            Export::new(Format::Raw, Compression::None, vec![], "image.raw".to_owned()),
        ];
        let options = ExportOptions { index: true, ..ExportOptions::default() };
        let (raw, out) = (File::open(&raw).unwrap(), dir.path().join("out"));
        let outputs = export::disk(&raw, &exports, &out, &options, &|_| {}).unwrap();
        keep(&dir.path().join("kept"), &exports, &outputs).unwrap();
        Made { dir, exports, outputs }
    }

    impl Made {
        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn restore(&self, out: &str) -> Result<Restored, KeptError> {
            std::fs::create_dir_all(self.path(out)).unwrap();
            restore(&self.path("kept"), &self.exports, &self.path(out))
        }
    }

    #[test]
    fn what_stands_there_is_left_alone_and_what_does_not_is_given_back() {
        let made = made();
        let good = std::fs::read(made.path("out/image.qcow2")).unwrap();
        let before = std::fs::metadata(made.path("out/image.qcow2")).unwrap();
        let stand = |out: &str| stand(&made.path("kept"), &made.exports, &made.path(out));
        assert!(stand("out") && !stand("elsewhere"));
        let restored = made.restore("out").unwrap();
        assert_eq!(restored.untouched, 2);
        assert_eq!(before.ctime_nsec(), std::fs::metadata(made.path("out/image.qcow2")).unwrap().ctime_nsec());
        let facts = |outputs: &[Exported]| -> Vec<_> {
            outputs.iter().map(|o| (o.path.clone(), o.format, o.size, o.digests.clone())).collect()
        };
        assert_eq!(facts(&restored.outputs), facts(&made.outputs));

        // Somebody changed one output and the digest of it; both come back.
        std::fs::write(made.path("out/image.qcow2"), b"changed").unwrap();
        std::fs::write(made.path("out/image.qcow2.sha256"), b"changed").unwrap();
        assert_eq!(made.restore("out").unwrap().untouched, 1);
        assert!(std::fs::read(made.path("out/image.qcow2")).unwrap() == good);
        assert!(digest::are_beside(&made.path("out/image.qcow2"), &made.outputs[0].digests));

        // Elsewhere, and then again.
        assert_eq!(made.restore("elsewhere").unwrap().untouched, 0);
        assert_eq!(made.restore("elsewhere").unwrap().untouched, 2);
        assert_eq!(made.restore("out").unwrap().untouched, 2);
        assert!(std::fs::read(made.path("elsewhere/image.qcow2")).unwrap() == good);
        assert!(
            std::fs::metadata(made.path("elsewhere/image.raw")).unwrap().blocks() * 512 < 2 << 20,
            "no longer sparse"
        );
        // A change of an output is none of the copy.
        std::fs::write(made.path("elsewhere/image.raw"), b"x").unwrap();
        assert_eq!(made.restore("third").unwrap().untouched, 0);
    }

    #[test]
    fn each_output_keeps_its_name_whatever_was_made_first() {
        let Made { dir, exports, mut outputs } = made();
        outputs.reverse();
        keep(&dir.path().join("kept"), &exports, &outputs).unwrap();
        std::fs::create_dir(dir.path().join("again")).unwrap();
        let restored = restore(&dir.path().join("kept"), &exports, &dir.path().join("again")).unwrap();
        for (export, output) in exports.iter().zip(&restored.outputs) {
            assert_eq!((output.format, output.path.file_name().unwrap()), (export.format, export.file_name.as_ref()));
            let bytes = |dir_name: &str| std::fs::read(dir.path().join(dir_name).join(&export.file_name)).unwrap();
            assert!(bytes("again") == bytes("out"), "{}", export.file_name);
        }
        outputs.pop();
        assert!(matches!(keep(&dir.path().join("kept"), &exports, &outputs), Err(KeptError::NotKept { .. })));
    }

    #[test]
    fn what_is_shared_says_nothing_of_this_machine_and_gives_the_same_outputs() {
        let made = made();
        let shared = made.path("shared");
        std::fs::create_dir(&shared).unwrap();
        share(&made.path("kept"), &shared).unwrap();
        let text = std::fs::read_to_string(shared.join("image.json")).unwrap();
        assert!(!text.contains(made.dir.path().to_str().unwrap()) && text.contains("\"delivered\": []"), "{text}");
        assert!(shared.join("image.qcow2.clusters").is_file() && !stand(&shared, &made.exports, &made.path("out")));
        std::fs::create_dir(made.path("new")).unwrap();
        let restored = restore(&shared, &made.exports, &made.path("new")).unwrap();
        assert_eq!((restored.untouched, &restored.outputs[0].digests), (0, &made.outputs[0].digests));
        let bytes = |dir_name: &str| std::fs::read(made.path(dir_name).join("image.qcow2")).unwrap();
        assert!(bytes("new") == bytes("out"));
        assert!(matches!(share(&made.path("none"), &shared), Err(KeptError::NotKept { .. })));
    }

    #[test]
    fn damage_is_named_and_leaves_nothing() {
        let made = made();
        let copy = made.path("kept/image.qcow2");
        let mut bytes = std::fs::read(&copy).unwrap();
        bytes[70_000] ^= 1;
        std::fs::write(&copy, bytes).unwrap();
        let error = made.restore("new").unwrap_err();
        assert!(matches!(&error, KeptError::Damaged { path, .. } if *path == copy), "{error}");
        assert_eq!(std::fs::read_dir(made.path("new")).unwrap().count(), 0);
        // What was delivered before is not touched by that.
        assert_eq!(made.restore("out").unwrap().untouched, 2);
    }

    #[test]
    fn what_is_not_kept_is_said() {
        let mut made = made();
        assert!(has(&made.path("kept"), &made.exports) && !has(&made.path("none"), &made.exports));
        made.exports[0].compression = Compression::Zlib;
        assert!(matches!(made.restore("new"), Err(KeptError::NotKept { .. })));
        made.exports.remove(0);
        made.restore("new").unwrap();
        std::fs::remove_file(made.path("kept/image.raw")).unwrap();
        assert!(matches!(made.restore("other"), Err(KeptError::NotKept { .. })));
        std::fs::write(made.path("kept/image.json"), b"{").unwrap();
        assert!(matches!(made.restore("out"), Err(KeptError::NotKept { .. })));
    }

    #[test]
    fn later_outputs_are_made_from_what_is_kept() {
        let made = made();
        let options = ExportOptions { earlier: Some(made.path("kept")), ..ExportOptions::default() };
        let raw = File::open(made.path("raw")).unwrap();
        std::fs::create_dir(made.path("again")).unwrap();
        let outputs = export::disk(&raw, &made.exports[..1], &made.path("again"), &options, &|_| {}).unwrap();
        let clusters = outputs[0].clusters.as_ref().unwrap();
        assert!(clusters.stored > 0 && clusters.stored == clusters.reused, "{:?}", clusters.note);
        assert_eq!(outputs[0].digests, made.outputs[0].digests);
    }
}
