//! A disk from an earlier one: [`Incremental::make`] begins with a kept disk and the names of the tree that may differ, and makes the
//! whole disk where that cannot be done. Either way the disk holds the tree, no more and no less. That is one rule for all that
//! [makes disks](Making): [`Assembly`], and what makes those of diskimage-builder's hooks.
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
pub struct Made<D> {
    /// The disk, mounted.
    pub disk: D,
    /// What was copied onto the earlier disk; `None`: it was made at once.
    pub copied: Option<Copied>,
    /// Why it was made at once although there was an earlier disk, or why it could not be kept.
    pub notes: Vec<String>,
}

/// A way to a mounted disk with its tree on it, and nothing else.
pub trait Making {
    /// The disk.
    type Disk;
    /// Why there is none.
    type Error: std::error::Error;

    /// From the disk kept in `dir`, and the names of the tree that may differ since.
    ///
    /// # Errors
    /// The kept disk cannot be used, or not be made to hold the tree: nothing stays mounted or attached.
    fn again(&mut self, dir: &Path, changes: &Changes) -> Result<(Self::Disk, Copied), Self::Error>;

    /// Without an earlier one.
    ///
    /// # Errors
    /// It cannot be made: nothing stays mounted or attached.
    fn anew(&mut self) -> Result<Self::Disk, Self::Error>;

    /// Keeps the disk in `dir` (made if missing) for [`Making::again`], and gives it back. Also says why it could not be kept, if so.
    ///
    /// # Errors
    /// It is not usable any more.
    fn keep(&mut self, disk: Self::Disk, dir: &Path) -> Result<(Self::Disk, Option<String>), Self::Error>;
}

impl Incremental<'_> {
    /// The disk: from an earlier one where that is possible, and kept for the next where that is wanted.
    ///
    /// # Errors
    /// It cannot be made. That an earlier disk cannot be used, or this one not be kept, is a note.
    pub fn make<M: Making>(&self, making: &mut M) -> Result<Made<M::Disk>, M::Error> {
        let mut notes = Vec::new();
        let again = self.earlier.and_then(|(dir, changes)| match making.again(dir, changes) {
            Ok(again) => Some(again),
            Err(error) => {
                notes.push(format!("the disk is made anew: {}", chain(&error)));
                None
            }
        });
        let (mut disk, copied) = match again {
            Some((disk, copied)) => (disk, Some(copied)),
            None => (making.anew()?, None),
        };
        if let Some(dir) = self.keep {
            let (kept, note) = making.keep(disk, dir)?;
            disk = kept;
            notes.extend(note.map(|note| format!("the disk is not kept: {note}")));
        }
        Ok(Made { disk, copied, notes })
    }
}

/// A disk as [`assemble`] makes it. The caller lives in a private mount namespace.
pub struct Assembly<'a> {
    /// What is on it.
    pub layout: &'a Layout,
    /// What is in its filesystems.
    pub tree: &'a Path,
    /// Its file: made, or emptied if it exists.
    pub raw: &'a Path,
    /// An empty directory.
    pub mountpoint: &'a Path,
    /// What it is made with.
    pub options: &'a DiskOptions,
    /// Who is told how far it is.
    pub progress: &'a mut dyn FnMut(Progress),
}

impl Making for Assembly<'_> {
    type Disk = MountedDisk;
    type Error = DiskError;

    fn again(&mut self, dir: &Path, changes: &Changes) -> Result<(MountedDisk, Copied), DiskError> {
        let again = self.reopen(dir, changes);
        if again.is_err() {
            // Whatever still holds the file by a mount that is going away keeps that file.
            std::fs::remove_file(self.raw).ok();
        }
        again
    }

    fn anew(&mut self) -> Result<MountedDisk, DiskError> {
        assemble(self.layout, self.tree, self.raw, self.mountpoint, self.options, self.progress)
    }

    fn keep(&mut self, disk: MountedDisk, dir: &Path) -> Result<(MountedDisk, Option<String>), DiskError> {
        disk.keep(dir, self.layout, self.tree, self.progress)
    }
}

impl Assembly<'_> {
    /// Begins with a copy of the disk kept in `dir`, and makes it hold the tree.
    fn reopen(&mut self, dir: &Path, changes: &Changes) -> Result<(MountedDisk, Copied), DiskError> {
        let Self { layout, tree, raw, mountpoint, options, .. } = *self;
        let points = mount_points(layout)?;
        let facts = kept::read(dir, kept::recipe(layout, options))?;
        (self.progress)(Progress::Stage("copying the earlier disk".to_owned()));
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
        (self.progress)(Progress::Stage(format!("copying {} changed names", changes.len())));
        let copied = disk.apply(layout, tree, changes)?;
        let target = TargetDir::open(mountpoint).map_err(DiskError::Fstab)?;
        fstab::write(&target, layout, &options.fstab, options.epoch).map_err(DiskError::Fstab)?;
        Ok((disk, copied))
    }
}

impl MountedDisk {
    /// Keeps the disk in `dir`: it is unmounted for that, and mounted again. Also says why it could not be kept, if so.
    fn keep(
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
