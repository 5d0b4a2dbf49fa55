//! `isotope cache prune`: what goes, and what a running build keeps.

use super::parts::{Part, entries, measure};
use super::{failed, place, repository};
use crate::context::Context;
use crate::upkeep::LAYERS;
use anyhow::Context as _;
use isotope_cache::{Bounds, Key, Store};
use isotope_plan::Bytes;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Arguments of `cache prune`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only what was not used for this many days
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u64>,
    /// Only layers, the least recently used first, until those that are left take no more than this
    #[arg(long, value_name = "SIZE", conflicts_with = "all")]
    max_size: Option<Bytes>,
    /// Only layers
    #[arg(long, conflicts_with = "all")]
    layers: bool,
    /// Everything: layers, kept images, repositories, downloads, logs; so it is without --layers and --max-size
    #[arg(long)]
    all: bool,
}

#[derive(Debug, serde::Serialize)]
struct Removed {
    files: u64,
    bytes: u64,
    /// Keys of layers that went.
    layers: Vec<String>,
    /// Keys of layers that should have gone, and are in use, or below what is.
    in_use: Vec<String>,
}

/// Outputs that are kept, a directory each.
const IMAGES: &str = "images";

/// Prunes.
pub(super) fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let before = args.older_than.map(|days| SystemTime::now() - Duration::from_secs(days.saturating_mul(86400)));
    let bytes = match args.max_size {
        Some(Bytes(most)) => Some(most),
        None => before.is_none().then_some(0),
    };
    let dir = place(&ctx.cache_dir);
    let evicted = if dir.is_dir() {
        // Opened, so that what dead builds left goes, too.
        let store = Store::open(&dir).map_err(failed)?;
        store.evict(&Bounds { bytes, used_since: before }).map_err(failed)?
    } else {
        isotope_cache::Evicted::default()
    };
    let mut total = Part { name: "removed".to_owned(), files: 0, bytes: 0 };
    if args.all || !args.layers && args.max_size.is_none() {
        for entry in entries(&ctx.cache_dir)?.iter().filter(|entry| entry.file_name() != LAYERS) {
            if entry.file_name() == IMAGES {
                whole(&entry.path(), before, &mut total)?;
            } else {
                prune(&entry.path(), before, &mut total)?;
            }
        }
    }
    let keys = |keys: &[Key]| keys.iter().map(Key::to_string).collect();
    let removed = Removed {
        files: total.files + evicted.files,
        bytes: total.bytes + evicted.bytes,
        layers: keys(&evicted.removed),
        in_use: keys(&evicted.kept),
    };
    ctx.out.data(&removed, || text(&removed))?;
    Ok(ExitCode::SUCCESS)
}

fn text(removed: &Removed) -> String {
    let mut text = format!("removed {} files, {}", removed.files, Bytes(removed.bytes));
    if !removed.layers.is_empty() {
        text.push_str(&format!("; {} layers among them", removed.layers.len()));
    }
    if !removed.in_use.is_empty() {
        text.push_str(&format!("; {} layers are in use, and stay", removed.in_use.len()));
    }
    text
}

/// Removes files, and directories that are empty then; never a directory with something in it, and nothing of a running build,
/// whose work directory is locked.
fn prune(path: &Path, before: Option<SystemTime>, total: &mut Part) -> anyhow::Result<()> {
    let own = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        own => own.with_context(|| format!("cannot look at {}", path.display()))?,
    };
    if own.is_dir() {
        if locked(path) {
            return Ok(());
        }
        if repository::is(path) {
            return repository::prune(path, before, total);
        }
        for entry in entries(path)? {
            prune(&entry.path(), before, total)?;
        }
        // Not empty: something in it is young, or in use.
        drop(std::fs::remove_dir(path));
    } else if before.is_none_or(|before| own.modified().is_ok_and(|modified| modified < before)) {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            done => done.with_context(|| format!("cannot remove {}", path.display()))?,
        }
        total.files += 1;
        total.bytes += own.len();
    }
    Ok(())
}

/// Removes directories that go as a whole or not at all, unless they are locked or were used since `before`.
fn whole(dir: &Path, before: Option<SystemTime>, total: &mut Part) -> anyhow::Result<()> {
    for entry in entries(dir)? {
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            prune(&path, before, total)?;
            continue;
        }
        let Ok(lock) = File::open(&path) else { continue };
        // Held until it is gone, so that nobody begins to use it.
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            continue;
        }
        let times = [path.clone(), path.join("used")].map(|path| path.symlink_metadata()?.modified());
        let used = times.into_iter().flatten().max();
        if before.is_some_and(|before| used.is_none_or(|used| used >= before)) {
            continue;
        }
        let mut size = Part { name: String::new(), files: 0, bytes: 0 };
        measure(&path, &mut size)?;
        // First out of the way: half of one never has its name.
        let gone = dir.join(format!(".gone-{}", entry.file_name().to_string_lossy().trim_start_matches(".gone-")));
        if gone != path {
            std::fs::rename(&path, &gone).with_context(|| format!("cannot move {} away", path.display()))?;
        }
        std::fs::remove_dir_all(&gone).with_context(|| format!("cannot remove {}", gone.display()))?;
        total.files += size.files;
        total.bytes += size.bytes;
    }
    Ok(())
}

/// Whether a directory, or a file `lock` in it, is locked by a running build.
fn locked(dir: &Path) -> bool {
    [dir.to_owned(), dir.join("lock")]
        .iter()
        .any(|path| File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock))))
}
