//! From the tree put aside to what the last phases work on: the mounted disk, or the tree in its old place.

use super::{Dib, mounts};
use crate::build::{Build, Stage};
use crate::error::StepError;
use crate::layers::disk::Begin;
use crate::step::told;
use isotope_disk::dib::{DibDisk, DibDiskOptions, can_be_kept};
use isotope_disk::populate::{self, Changes, Copied, MountPoint, PopulateError};
use isotope_disk::{DiskError, Making};
use isotope_plan::blockdev::LayoutPlan;
use isotope_plan::layout::FilesystemKind;
use isotope_plan::{Bytes, DibImage};
use isotope_sys::target::TargetDir;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The device that hooks install a boot loader on.
const DEVICE: &str = "IMAGE_BLOCK_DEVICE";

pub(super) fn make(image: &DibImage, dib: &mut Dib, build: &mut Build<'_>) -> Result<(), StepError> {
    let tree = TargetDir::open(dib.built())?;
    match image.layout.as_ref() {
        // A hook of block-device.d has made its own, and mounted it, or it has not.
        Some(_) if dib.vars.contains_key(DEVICE) => {
            copy(&[], dib, build)?;
            build.work.give_back(&dib.built())?;
        }
        Some(layout) => {
            fstab(&tree, &image.fstab)?;
            drop(tree);
            assemble(layout, dib, build)?;
        }
        None => {
            fstab(&tree, &image.fstab)?;
            drop(tree);
            put_back(dib)?;
            build.events.output("no output holds a disk, and nothing asks for its device: none is made");
        }
    }
    mounts::furnish(dib)
}

fn fstab(tree: &TargetDir, text: &str) -> Result<(), StepError> {
    tree.create_dir_all("/etc", 0o755)?;
    Ok(tree.write("/etc/fstab", text, 0o644)?)
}

fn put_back(dib: &Dib) -> Result<(), StepError> {
    let (mount, built) = (dib.mount(), dib.built());
    std::fs::remove_dir(&mount).map_err(StepError::io("make room at", &mount))?;
    std::fs::rename(&built, &mount).map_err(StepError::io("put back", &built))
}

fn assemble(layout: &LayoutPlan, dib: &mut Dib, build: &mut Build<'_>) -> Result<(), StepError> {
    let begin = if can_be_kept(layout) { Begin::of(build, Some(dib), &(layout, dib.image_size))? } else { None };
    let mut layout = layout.clone();
    for disk in &mut layout.disks {
        disk.directory = match disk.directory.as_os_str().is_empty() {
            true => dib.images.clone(),
            false => dib.plan.directory.join(&disk.directory),
        };
    }
    let mount = dib.mount();
    let options = DibDiskOptions {
        mount_base: &mount,
        epoch: build.plan.source_date_epoch,
        image_size: dib.image_size.map(Bytes),
        sync: false,
    };
    let mut points = Vec::new();
    for made in layout.mounts.iter().filter(|made| made.path.starts_with('/')) {
        let kind = layout.filesystems.get(made.filesystem).map(|it| it.filesystem.kind);
        points.push(MountPoint { path: made.path.clone(), fat: kind == Some(FilesystemKind::Fat) });
    }
    dib.points = points.iter().map(|point| place(&mount, &point.path)).collect();
    let mut wanted = Wanted { layout: &layout, options: &options, points: &points, dib, build };
    let disk = Begin::make(begin.as_ref(), &mut wanted, &build.events)?;
    // For hooks that ask dib-block-device.
    let state = dib.dir.join("states/block-device");
    disk.state().save(&state).map_err(|error| StepError::io("write", &state)(error))?;
    for node in disk.nodes() {
        show(&node, &dib.devices)?;
    }
    let devices: String = disk.devices().iter().map(|(name, path)| format!(" [{name}]={}", path.display())).collect();
    dib.vars.insert(DEVICE.to_owned(), disk.image_block_device().display().to_string());
    dib.vars.insert("IMAGE_BLOCK_DEVICES".to_owned(), format!("{devices} "));
    build.stage = Stage::Dib(Box::new(disk));
    build.work.give_back(&dib.built())
}

/// A disk that is to be made, with its mount points.
struct Wanted<'a> {
    layout: &'a LayoutPlan,
    options: &'a DibDiskOptions<'a>,
    points: &'a [MountPoint],
    dib: &'a Dib,
    build: &'a Build<'a>,
}

impl Making for Wanted<'_> {
    type Disk = DibDisk;
    type Error = StepError;

    fn again(&mut self, dir: &Path, changes: &Changes) -> Result<(DibDisk, Copied), StepError> {
        let disk = DibDisk::reopen(self.layout, self.options, dir, &mut told(&self.build.events))?;
        let copied = self.apply(changes)?;
        Ok((disk, copied))
    }

    fn anew(&mut self) -> Result<DibDisk, StepError> {
        let disk = DibDisk::create(self.layout, self.options, &mut told(&self.build.events))?;
        copy(self.points, self.dib, self.build)?;
        Ok(disk)
    }

    fn keep(&mut self, disk: DibDisk, dir: &Path) -> Result<(DibDisk, Option<String>), StepError> {
        let kept = disk.keep(self.layout, self.options, dir, &mut told(&self.build.events))?;
        self.apply(&Changes::new())?;
        Ok(kept)
    }
}

impl Wanted<'_> {
    /// Makes the mounted disk hold the tree in all names that may differ, and in its FAT filesystems.
    fn apply(&self, changes: &Changes) -> Result<Copied, DiskError> {
        Ok(populate::apply(&self.dib.built(), &self.dib.mount(), self.points, changes)?)
    }
}

fn place(mount: &Path, path: &str) -> PathBuf {
    match path.trim_matches('/') {
        "" => mount.to_owned(),
        path => mount.join(path),
    }
}

/// A device of this build in the `/dev` that the target sees.
fn show(node: &Path, dev: &Path) -> Result<(), StepError> {
    let Ok(name) = node.strip_prefix("/dev") else { return Ok(()) };
    let path = dev.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(StepError::io("make", parent))?;
    }
    let meta = node.metadata().map_err(StepError::io("look at", node))?;
    let made = mknodat(CWD, &path, FileType::from_raw_mode(meta.mode()), Mode::from_raw_mode(0o660), meta.rdev());
    match made {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        made => made.map_err(|errno| StepError::io("make the node", &path)(errno.into())),
    }
}

/// The tree onto what is mounted, all names of it.
fn copy(points: &[MountPoint], dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    let (built, mount) = (dib.built(), dib.mount());
    let copied = populate::populate(&built, &mount, points, &mut |done| {
        build.events.progress("copying the tree", done, None);
    });
    let copied = copied.map_err(|error| too_small(error, dib))?;
    build.events.output(&format!("copied {} names, {} bytes", copied.names, copied.bytes));
    Ok(())
}

fn too_small(error: PopulateError, dib: &Dib) -> StepError {
    if error.source.kind() != std::io::ErrorKind::StorageFull {
        return DiskError::from(error).into();
    }
    let size = dib.image_size.map(Bytes).unwrap_or_default();
    StepError::Lacks {
        message: format!("the image of {size} is too small for its tree: {error}"),
        hint: "give --image-size more, or the partition that is full; or leave --image-size out".to_owned(),
    }
}
