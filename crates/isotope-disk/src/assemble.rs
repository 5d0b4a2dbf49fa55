//! From a layout and a tree to a mounted disk: measure, place, partition, make filesystems, mount, copy, fstab.

use crate::mkfs::{self, Spec};
use crate::mount::{Mounts, What, is_plain};
use crate::mounted::{Fat, MountedDisk};
use crate::populate::{self, MountPoint};
use crate::{DiskError, Fstab, fstab, table};
use isotope_plan::Arch;
use isotope_plan::geometry::{ContentSizes, Geometry, Placed, overhead, place};
use isotope_plan::layout::{Filesystem, FilesystemKind, Layout, Mount, Partition};
use isotope_sys::loop_device::{LoopDevice, Part};
use isotope_sys::target::TargetDir;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// What a disk is made with, beside its layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// The one clock (SOURCE_DATE_EPOCH): filesystem creation times, FAT times.
    pub epoch: u64,
    /// Source of ids that the layout does not carry.
    pub seed: Uuid,
    /// Decides the type GUID of the root partition.
    pub arch: Arch,
    /// Whether [`MountedDisk::finish`] waits until the raw file is on stable storage.
    pub sync: bool,
    /// Where fstab goes, and how it names the root.
    pub fstab: Fstab,
}

impl DiskOptions {
    /// For x86_64, without waiting for stable storage.
    #[must_use]
    pub fn new(epoch: u64, seed: Uuid) -> Self {
        Self { epoch, seed, arch: Arch::X86_64, sync: false, fstab: Fstab::default() }
    }
}

/// How far it is. Sent from the calling thread only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A new stage begins; for people ("making ext4 on `root`").
    Stage(String),
    /// The tree is being copied.
    Copy {
        /// Bytes of file content so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
}

/// Makes the disk in `raw` (created, or emptied if it exists), mounts it at `mountpoint`, an empty directory, and copies `tree`
/// onto it. The caller lives in a private mount namespace.
///
/// # Errors
/// The layout does not fit, a host tool is missing or fails, a file cannot be copied; nothing stays mounted or attached.
#[expect(clippy::too_many_arguments, reason = "two paths of the input, two of the output, and how")]
pub fn assemble(
    layout: &Layout,
    tree: &Path,
    raw: &Path,
    mountpoint: &Path,
    options: &DiskOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<MountedDisk, DiskError> {
    let points = mount_points(layout)?;
    progress(Progress::Stage("measuring the tree".to_owned()));
    let scan = populate::scan(tree, &points)?;
    let geometry = place(layout, &scan.sizes)?;

    progress(Progress::Stage(format!("partitioning a disk of {}", geometry.total_bytes())));
    let disk = create(raw, &geometry)?;
    table::write(layout, &geometry, options.arch, &disk)?;

    let loops = make_filesystems(layout, &geometry, &scan.sizes, &disk, options, progress)?;
    let mounts = mount_all(layout, &geometry, &loops, tree, mountpoint, options)?;

    progress(Progress::Stage("copying the tree".to_owned()));
    let total = scan.data;
    populate::populate(tree, mountpoint, &points, &mut |done| progress(Progress::Copy { done, total }))?;

    let target = TargetDir::open(mountpoint).map_err(DiskError::Fstab)?;
    fstab::write(&target, layout, &options.fstab, options.epoch).map_err(DiskError::Fstab)?;
    let fats = fats(layout, &geometry);
    Ok(MountedDisk::new(mounts, loops, disk, mountpoint, geometry, fats, options.clone()))
}

/// The FAT filesystems, which are written at the end.
pub(crate) fn fats(layout: &Layout, geometry: &Geometry) -> Vec<Fat> {
    let fats = mounted(layout, geometry).filter(|(_, filesystem, _)| filesystem.kind == FilesystemKind::Fat);
    fats.map(|(partition, filesystem, placed)| Fat::new(partition, filesystem, placed)).collect()
}

/// Partitions with a filesystem, and where they lie.
pub(crate) fn mounted<'a>(
    layout: &'a Layout,
    geometry: &'a Geometry,
) -> impl Iterator<Item = (&'a Partition, &'a Filesystem, &'a Placed)> {
    let placed = layout.partitions.iter().zip(&geometry.partitions);
    placed.filter_map(|(partition, placed)| Some((partition, partition.filesystem.as_ref()?, placed)))
}

/// The mount points of a layout, checked: one root, and no place twice.
pub(crate) fn mount_points(layout: &Layout) -> Result<Vec<MountPoint>, DiskError> {
    let filesystems = layout.partitions.iter().filter_map(|partition| partition.filesystem.as_ref());
    let mounts = filesystems.filter(|f| f.kind != FilesystemKind::Swap).filter_map(|f| Some((f, f.mount.as_ref()?)));
    let points: Vec<_> = mounts
        .map(|(filesystem, mount)| MountPoint { path: mount.path.clone(), fat: filesystem.kind == FilesystemKind::Fat })
        .collect();
    let mut seen = BTreeSet::new();
    for point in &points {
        if !is_plain(&point.path) {
            return Err(DiskError::Mounts(format!("the mount point `{}` is not a plain absolute path", point.path)));
        }
        if !seen.insert(&point.path) {
            return Err(DiskError::Mounts(format!("two filesystems are mounted on `{}`", point.path)));
        }
    }
    match points.iter().find(|point| point.path == "/") {
        None => Err(DiskError::Mounts("no filesystem of the layout is mounted on `/`".to_owned())),
        Some(root) if root.fat => Err(DiskError::Mounts("the root filesystem cannot be FAT".to_owned())),
        Some(_) => Ok(points),
    }
}

/// The raw file: as long as the disk, and nothing in it.
fn create(raw: &Path, geometry: &Geometry) -> Result<File, DiskError> {
    let create = || {
        let disk = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(raw)?;
        disk.set_len(geometry.total_bytes().0)?;
        Ok(disk)
    };
    create().map_err(|source| DiskError::Raw { path: raw.to_owned(), source })
}

/// Attached partitions, by their numbers.
pub(crate) type Loops = Vec<(u32, LoopDevice)>;

/// Attaches and formats each partition but the FAT ones, which are written at the end.
#[expect(clippy::too_many_arguments, reason = "the pieces of `assemble`")]
fn make_filesystems(
    layout: &Layout,
    geometry: &Geometry,
    sizes: &ContentSizes,
    disk: &File,
    options: &DiskOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Loops, DiskError> {
    let mut loops = Vec::new();
    for (partition, filesystem, placed) in mounted(layout, geometry) {
        let Some(format) = mkfs::format(filesystem.kind) else { continue };
        let kind = overhead::name(filesystem.kind);
        progress(Progress::Stage(format!("making {kind} on `{}`", partition.name)));
        let length = geometry.length(placed);
        let device = attach(disk, geometry, partition, placed)?;
        let content = sizes.of(filesystem);
        let spec =
            Spec { filesystem, length, sector_size: geometry.sector_size.bytes(), content, epoch: options.epoch };
        mkfs::make(format, &spec, device.path()).map_err(|source| DiskError::Mkfs {
            kind,
            partition: partition.name.clone(),
            source,
        })?;
        loops.push((partition.number, device));
    }
    Ok(loops)
}

/// Attaches a partition.
pub(crate) fn attach(
    disk: &File,
    geometry: &Geometry,
    partition: &Partition,
    placed: &Placed,
) -> Result<LoopDevice, DiskError> {
    let (offset, length) = (geometry.offset(placed), geometry.length(placed));
    let part = Part { offset, length, block_size: geometry.sector_size.into(), read_only: false };
    LoopDevice::attach(disk, part).map_err(|source| DiskError::Loop { partition: partition.name.clone(), source })
}

/// Mounts everything, parents first.
#[expect(clippy::too_many_arguments, reason = "the pieces of `assemble`")]
pub(crate) fn mount_all(
    layout: &Layout,
    geometry: &Geometry,
    loops: &Loops,
    tree: &Path,
    mountpoint: &Path,
    options: &DiskOptions,
) -> Result<Mounts, DiskError> {
    let tree = TargetDir::open(tree).map_err(DiskError::Tree)?;
    let mut wanted: Vec<(&Mount, What)> = Vec::new();
    for (partition, filesystem, placed) in mounted(layout, geometry) {
        let Some(mount) = &filesystem.mount else { continue };
        let device = || {
            loops.iter().find(|(number, _)| *number == partition.number).map(|(_, device)| PathBuf::from(device.path()))
        };
        match mkfs::format(filesystem.kind) {
            None => wanted.push((mount, What::Staged { limit: geometry.length(placed), source: "isotope".into() })),
            Some(format) => {
                if let Some(((kind, data), device)) = format.mount().zip(device()) {
                    wanted.push((mount, What::Device { device, kind, options: data }));
                }
            }
        }
    }
    wanted.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    let mut mounts = Mounts::below(mountpoint);
    for (mount, what) in wanted {
        mounts.mount(&what, &mount.path, Some(&tree), options.epoch)?;
    }
    Ok(mounts)
}
