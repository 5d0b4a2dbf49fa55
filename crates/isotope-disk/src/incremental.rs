//! A disk from an earlier one: [`assemble_from`] begins with a kept disk and the names of the tree that may differ, and makes the whole
//! disk where that cannot be done. Either way the disk holds the tree, no more and no less.
//!
//! What differs from a disk that was made at once: where files lie, and the clock of the filesystems' making. Sizes are those of a
//! disk made at once, or the kept one does not serve.

use crate::assemble::{attach, fats, mount_all, mount_points, mounted};
use crate::mounted::MountedDisk;
use crate::populate::{self, Changes, Copied};
use crate::{DiskError, DiskOptions, Progress, assemble, fstab, kept, mkfs};
use isotope_plan::geometry::place;
use isotope_plan::layout::Layout;
use isotope_sys::target::TargetDir;
use std::path::Path;

/// Where a disk begins, and where it is kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Incremental<'a> {
    /// A directory with a kept disk, and the names of the tree that may differ since.
    pub earlier: Option<(&'a Path, &'a Changes)>,
    /// The directory in which this disk is kept for the next. It costs a copy of the disk; where few names changed, the next disk may as
    /// well begin with the same earlier one, and both changes.
    pub keep: Option<&'a Path>,
}

/// A disk that was made.
#[derive(Debug)]
pub struct Assembled {
    /// The disk, mounted.
    pub disk: MountedDisk,
    /// What was copied onto the earlier disk; `None`: it was made at once.
    pub copied: Option<Copied>,
    /// Why it was made at once although there was an earlier disk, or why it could not be kept.
    pub notes: Vec<String>,
}

/// As [`assemble`], from an earlier disk where that is possible, and kept for the next where that is wanted.
///
/// # Errors
/// As [`assemble`]. That an earlier disk cannot be used, or this one not be kept, is a note.
#[expect(clippy::too_many_arguments, reason = "those of `assemble`, and where the disk begins")]
pub fn assemble_from(
    how: &Incremental<'_>,
    layout: &Layout,
    tree: &Path,
    raw: &Path,
    mountpoint: &Path,
    options: &DiskOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Assembled, DiskError> {
    let mut notes = Vec::new();
    let reopened = how.earlier.and_then(|(dir, changes)| {
        match reopen(dir, changes, layout, tree, raw, mountpoint, options, progress) {
            Ok(reopened) => Some(reopened),
            Err(error) => {
                notes.push(format!("the disk is made anew: {}", chain(&error)));
                // Whatever still holds the file by a mount that is going away keeps that file.
                std::fs::remove_file(raw).ok();
                None
            }
        }
    });
    let (mut disk, copied) = match reopened {
        Some((disk, copied)) => (disk, Some(copied)),
        None => (assemble(layout, tree, raw, mountpoint, options, progress)?, None),
    };
    if let Some(dir) = how.keep {
        let (again, note) = disk.keep(dir, layout, tree, progress)?;
        disk = again;
        notes.extend(note);
    }
    Ok(Assembled { disk, copied, notes })
}

/// Begins with a copy of the disk kept in `dir`, mounts it at `mountpoint`, and makes it hold `tree`, which differs from what is in it
/// in `changes` only. The caller lives in a private mount namespace.
///
/// # Errors
/// The kept disk cannot be used ([`DiskError::Kept`]), or not be made to hold the tree. Nothing stays mounted; `raw` is worthless.
#[expect(clippy::too_many_arguments, reason = "those of `assemble`, and where the disk begins")]
pub fn reopen(
    dir: &Path,
    changes: &Changes,
    layout: &Layout,
    tree: &Path,
    raw: &Path,
    mountpoint: &Path,
    options: &DiskOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<(MountedDisk, Copied), DiskError> {
    let points = mount_points(layout)?;
    let facts = kept::read(dir, kept::recipe(layout, options))?;
    progress(Progress::Stage("copying the earlier disk".to_owned()));
    let (scan, disk) = std::thread::scope(|scope| {
        let copy = scope.spawn(|| kept::copy(dir, &facts, raw));
        (populate::scan(tree, &points), copy.join())
    });
    let refuse = |why: String| DiskError::Kept { path: dir.to_owned(), why };
    let disk = disk.unwrap_or_else(|_| Err(refuse("the thread that copied it died".to_owned())))?;
    let geometry = place(layout, &scan?.sizes)?;
    if geometry != facts.geometry {
        let (was, wanted) = (facts.geometry.total_bytes(), geometry.total_bytes());
        return Err(refuse(format!(
            "its partitions are not those that this tree needs (a disk of {wanted}, not {was})"
        )));
    }
    let mut loops = Vec::new();
    for (partition, filesystem, placed) in mounted(layout, &geometry) {
        if filesystem.mount.is_some() && mkfs::format(filesystem.kind).is_some() {
            loops.push((partition.number, attach(&disk, &geometry, partition, placed)?));
        }
    }
    let mounts = mount_all(layout, &geometry, &loops, tree, mountpoint, options)?;
    let fats = fats(layout, &geometry);
    let disk = MountedDisk::new(mounts, loops, disk, mountpoint, geometry, fats, options.clone());
    progress(Progress::Stage(format!("copying {} changed names", changes.len())));
    let copied = disk.apply(layout, tree, changes)?;
    let target = TargetDir::open(mountpoint).map_err(DiskError::Fstab)?;
    fstab::write(&target, layout, &options.fstab, options.epoch).map_err(DiskError::Fstab)?;
    Ok((disk, copied))
}

impl MountedDisk {
    /// Keeps the disk in `dir` (made if missing) for [`assemble_from`]; call it before anything but the tree is on the disk. The disk is
    /// unmounted for that, and mounted again. Also says why it could not be kept, if so.
    ///
    /// # Errors
    /// It cannot be unmounted, or not be mounted again.
    pub fn keep(
        self,
        dir: &Path,
        layout: &Layout,
        tree: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Option<String>), DiskError> {
        progress(Progress::Stage("keeping the disk".to_owned()));
        let closed = self.pause()?;
        let kept = kept::write(dir, &closed.disk, kept::recipe(layout, &closed.options), &closed.geometry);
        let note = kept.err().map(|error| chain(&error));
        let mounts = mount_all(layout, &closed.geometry, &closed.loops, tree, &closed.mountpoint, &closed.options)?;
        let disk = closed.resume(mounts);
        disk.apply(layout, tree, &Changes::new())?;
        Ok((disk, note))
    }

    /// Makes the disk hold `tree` in all names of `changes`, and in its FAT filesystems.
    fn apply(&self, layout: &Layout, tree: &Path, changes: &Changes) -> Result<Copied, DiskError> {
        Ok(populate::apply(tree, self.root(), &mount_points(layout)?, changes)?)
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}
