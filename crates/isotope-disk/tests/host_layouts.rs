//! The table of layouts, each made from a difficult tree, checked by the tools of others and compared with the tree.

mod support;

use isotope_disk::{Geometry, assemble};
use isotope_plan::layout::{FilesystemKind, Layout, SectorSize, Table};
use isotope_sys::command::Tool;
use nix::mount::MsFlags;
use std::fs::{self, File};
use std::path::Path;
use support::compare::differences;

#[test]
fn host_ext4_layouts() {
    all_with(FilesystemKind::Ext4);
}

#[test]
fn host_ext2_and_ext3_layouts() {
    support::private_mounts();
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    support::make_tree(&tree);
    for kind in [FilesystemKind::Ext2, FilesystemKind::Ext3] {
        let mut layout = support::usual(Table::Gpt, SectorSize::B512, kind, true, false);
        // What diskimage-builder says for root filesystems, and a feature less.
        let options = ["-i", "4096", "-O", "^dir_index", "-E", "resize=4000000"];
        for filesystem in layout.partitions.iter_mut().filter_map(|part| part.filesystem.as_mut()) {
            if filesystem.kind == kind {
                filesystem.mkfs_options = options.map(str::to_owned).into();
            }
        }
        check(&layout, &tree, dir.path(), &format!("{kind:?}"));
    }
}

#[test]
fn host_xfs_layouts() {
    all_with(FilesystemKind::Xfs);
}

#[test]
fn host_btrfs_layouts() {
    all_with(FilesystemKind::Btrfs);
}

fn all_with(root: FilesystemKind) {
    support::private_mounts();
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    support::make_tree(&tree);
    for table in [Table::Gpt, Table::Mbr] {
        for sector_size in [SectorSize::B512, SectorSize::B4096] {
            for (bios, uefi) in [(true, false), (false, true), (true, true)] {
                let layout = support::usual(table, sector_size, root, bios, uefi);
                let case = format!("{table:?} {sector_size:?} {root:?} bios={bios} uefi={uefi}");
                check(&layout, &tree, dir.path(), &case);
            }
        }
    }
}

fn check(layout: &Layout, tree: &Path, dir: &Path, case: &str) {
    let (raw, mountpoint) = (dir.join("disk.raw"), dir.join("mnt"));
    fs::create_dir_all(&mountpoint).unwrap();
    let disk = assemble(layout, tree, &raw, &mountpoint, &support::options(), &mut support::quiet)
        .unwrap_or_else(|error| panic!("{case}: {}", chain(&error)));
    let fstab = fs::read_to_string(disk.root().join("etc/fstab")).unwrap();
    assert!(fstab.lines().any(|line| line.contains("  /  ") || line.contains(" / ")), "{case}: {fstab}");
    let geometry = disk.finish(&mut support::quiet).unwrap_or_else(|error| panic!("{case}: {}", chain(&error)));
    assert_eq!(fs::read_dir(&mountpoint).unwrap().count(), 0, "{case}: something is still mounted");
    let file = File::open(&raw).unwrap();
    assert_eq!(file.metadata().unwrap().len(), geometry.total_bytes().0);
    let image = Image { layout, file, geometry, case };
    tables(&image);
    filesystems(&image);
    mount_and_compare(&image, tree, &mountpoint);
    grub_reads(layout, &raw, case);
    fs::remove_file(&raw).unwrap();
}

/// A finished image.
struct Image<'a> {
    layout: &'a Layout,
    file: File,
    geometry: Geometry,
    case: &'a str,
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// `sgdisk -v` and `sfdisk --verify` read the sector size from a device: the whole disk as one.
fn tables(image: &Image<'_>) {
    let Image { layout, file, geometry, case } = image;
    let whole = isotope_disk::Placed { number: 0, first_lba: 0, last_lba: geometry.total_sectors - 1 };
    let device = support::attach(file, geometry, &whole);
    let path = device.path().to_str().unwrap();
    let said = support::run("sfdisk", &["--verify", path]);
    assert!(said.contains("No errors detected"), "{case}: {said}");
    if layout.table == Table::Gpt {
        let said = support::run("sgdisk", &["-v", path]);
        assert!(said.contains("No problems found"), "{case}: {said}");
    }
    let dump = support::run("sfdisk", &["-d", path]);
    assert_eq!(dump.lines().filter(|line| line.contains("start=")).count(), layout.partitions.len(), "{case}: {dump}");
}

fn filesystems(image: &Image<'_>) {
    let Image { layout, file, geometry, case } = image;
    for (partition, placed) in layout.partitions.iter().zip(&geometry.partitions) {
        let Some(filesystem) = &partition.filesystem else { continue };
        let device = support::attach(file, geometry, placed);
        let path = device.path().to_str().unwrap();
        let (program, args): (_, &[&str]) = match filesystem.kind {
            FilesystemKind::Ext4 | FilesystemKind::Ext3 | FilesystemKind::Ext2 => ("e2fsck", &["-fn"]),
            FilesystemKind::Xfs => ("xfs_repair", &["-n"]),
            FilesystemKind::Btrfs => ("btrfs", &["check"]),
            FilesystemKind::Fat => ("fsck.fat", &["-nv"]),
            FilesystemKind::Swap => ("swaplabel", &[]),
        };
        let said = support::run(program, &[args, &[path]].concat());
        assert!(!said.contains("WARNING") && !said.contains("errors found"), "{case}: {program}: {said}");
        let tags = support::run("blkid", &["-p", "-o", "export", path]);
        let (uuid, label) = (isotope_disk::fstab::source(filesystem), filesystem.label.clone().unwrap());
        assert!(tags.contains(&format!("{uuid}\n")) && tags.contains(&format!("LABEL={label}\n")), "{case}: {tags}");
    }
}

fn mount_and_compare(image: &Image<'_>, tree: &Path, mountpoint: &Path) {
    let Image { layout, file, geometry, case } = image;
    let mut loops = Vec::new();
    let mut mounted = Vec::new();
    let mut partitions: Vec<_> = layout.partitions.iter().zip(&geometry.partitions).collect();
    partitions.reverse();
    for (partition, placed) in partitions {
        let Some(filesystem) = &partition.filesystem else { continue };
        let (kind, data) = match filesystem.kind {
            FilesystemKind::Ext4 | FilesystemKind::Ext3 | FilesystemKind::Ext2 => ("ext4", "noload"),
            FilesystemKind::Xfs => ("xfs", "nouuid,norecovery"),
            FilesystemKind::Btrfs => ("btrfs", ""),
            FilesystemKind::Fat | FilesystemKind::Swap => continue,
        };
        let path = mountpoint.join(filesystem.mount.as_ref().unwrap().path.trim_start_matches('/'));
        let device = support::attach(file, geometry, placed);
        nix::mount::mount(Some(device.path()), &path, Some(kind), MsFlags::MS_RDONLY, Some(data)).unwrap();
        loops.push(device);
        mounted.push(path);
    }
    let found = differences(tree, mountpoint, &["etc/fstab", "boot/efi/EFI", "lost+found", "boot/lost+found"]);
    // /etc has got the build's time, because fstab was written there.
    let found: Vec<_> = found.into_iter().filter(|line| !line.starts_with("etc: ")).collect();
    for path in mounted.iter().rev() {
        unmount(path);
    }
    assert!(found.is_empty(), "{case}: the copy differs from the tree:\n{}", found.join("\n"));
}

/// Something of the machine may look at a new mount for a moment, as in [`isotope_disk`] itself.
fn unmount(path: &Path) {
    let begun = std::time::Instant::now();
    while let Err(error) = nix::mount::umount(path) {
        let again = error == nix::errno::Errno::EBUSY && begun.elapsed().as_secs() < 10;
        assert!(again, "{}: {error}", path.display());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// GRUB reads the root filesystem as mkfs made it.
fn grub_reads(layout: &Layout, raw: &Path, case: &str) {
    if layout.sector_size == SectorSize::B4096 {
        return; // grub-fstest presents every image with sectors of 512 bytes.
    }
    let root = layout
        .partitions
        .iter()
        .find(|p| p.filesystem.as_ref().is_some_and(|f| f.mount.as_ref().is_some_and(|m| m.path == "/")));
    let table = if layout.table == Table::Gpt { "gpt" } else { "msdos" };
    let path = format!("(loop0,{table}{})/etc/hostname", root.unwrap().number);
    let said =
        Tool::new("grub-fstest").arg(raw).args(["cat", &path]).run().unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(said.text(), "isotope", "{case}");
}
