//! What hooks of diskimage-builder's elements put beside an image: `NAME.d/dib-manifests`, `NAME.vmlinuz`, `NAME.initrd`. An image that is
//! given back has them, too.
//!
//! It is what bears the image's name and was written during the build. Logs are not: the caller writes them, also when an image is given
//! back.

use crate::error::StepError;
use isotope_image::output::PendingOutput;
use isotope_plan::Plan;
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Endings of files that the caller writes: `--logfile`, `ISOTOPE_TIMINGS`.
const OF_THE_CALLER: [&str; 2] = ["log", "html"];

/// Copies what hooks have written beside `plan`'s outputs in `out_dir` since then to `dir`, which has nothing of an earlier build.
pub(super) fn keep(plan: &Plan, out_dir: &Path, since: SystemTime, dir: &Path) -> Result<(), StepError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(StepError::io("remove", dir)(error)),
        _ => {}
    }
    if plan.dib().is_none() {
        return Ok(());
    }
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    // The clock of files is coarser than this one: CONFIG_HZ is 100 at least.
    let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_sub(10);
    for path in sides(plan, out_dir)? {
        walk(&path, &mut |file| {
            let meta = file.symlink_metadata().map_err(StepError::io("look at", file))?;
            let changed = meta.ctime() * 1000 + meta.ctime_nsec() / 1_000_000;
            let own = file.strip_prefix(out_dir).unwrap_or(file);
            if changed >= since { copy(file, &dir.join(own)) } else { Ok(()) }
        })?;
    }
    Ok(())
}

/// Puts them into `out_dir`: those that bear the image's name, for what is kept may have come from a registry.
pub(super) fn restore(plan: &Plan, dir: &Path, out_dir: &Path) -> Result<(), StepError> {
    if !dir.is_dir() {
        return Ok(());
    }
    for path in sides(plan, dir)? {
        walk(&path, &mut |file| {
            let place = out_dir.join(file.strip_prefix(dir).unwrap_or(file));
            if same(file, &place) { Ok(()) } else { copy(file, &place) }
        })?;
    }
    Ok(())
}

/// What of a directory bears the name of `plan`'s image, and is neither an output of its own nor the caller's.
fn sides(plan: &Plan, dir: &Path) -> Result<Vec<PathBuf>, StepError> {
    let prefix = format!("{}.", plan.name);
    let mut found = list(dir)?;
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let made = plan.exports.iter().any(|export| name.starts_with(&export.file_name));
        let ending = path.extension().unwrap_or_default();
        name.starts_with(&prefix) && !made && !OF_THE_CALLER.iter().any(|own| ending == *own)
    });
    Ok(found)
}

/// Makes `to` hold the same files as `dir`.
pub(super) fn link(dir: &Path, to: &Path) -> Result<(), StepError> {
    if !dir.is_dir() {
        return Ok(());
    }
    walk(dir, &mut |file| {
        let place = to.join(file.strip_prefix(dir).unwrap_or(file));
        let above = place.parent().unwrap_or(to);
        std::fs::create_dir_all(above).map_err(StepError::io("make", above))?;
        std::fs::hard_link(file, &place).map_err(StepError::io("link", &place))
    })
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, StepError> {
    let entries = dir.read_dir().map_err(StepError::io("list", dir))?;
    let entries: std::io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    entries.map_err(StepError::io("list", dir))
}

/// Every regular file at or below a path. Links are not followed.
fn walk(path: &Path, each: &mut dyn FnMut(&Path) -> Result<(), StepError>) -> Result<(), StepError> {
    let kind = path.symlink_metadata().map_err(StepError::io("look at", path))?.file_type();
    if kind.is_dir() {
        list(path)?.iter().try_for_each(|path| walk(path, each))
    } else if kind.is_file() {
        each(path)
    } else {
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), StepError> {
    let source = File::open(from).map_err(StepError::io("read", from))?;
    if let Some(above) = to.parent() {
        std::fs::create_dir_all(above).map_err(StepError::io("make", above))?;
    }
    let mode = source.metadata().map_err(StepError::io("look at", from))?.permissions().mode();
    let mode = Permissions::from_mode(mode & 0o777);
    let pending = PendingOutput::create(to)?;
    isotope_image::copy::copy(&source, pending.file()).map_err(|error| pending.error("write", error))?;
    pending.file().set_permissions(mode).map_err(|error| pending.error("write", error))?;
    pending.commit_unsynced()?;
    Ok(())
}

fn same(one: &Path, other: &Path) -> bool {
    let bytes = |path: &Path| std::fs::read(path).ok();
    bytes(one).is_some_and(|one| bytes(other).is_some_and(|other| other == one))
}
