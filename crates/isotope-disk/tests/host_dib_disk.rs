//! Disks for diskimage-builder's hooks against the real kernel: every layout that upstream ships is made, mounted, filled, finished and
//! judged by the tools of its formats; and nothing stays behind, however it ends. Needs `ISOTOPE_TEST_DIB`.

mod support;
mod upstream;

use isotope_disk::DiskError;
use isotope_disk::dib::{DibDisk, DibDiskOptions, has_device_mapper};
use isotope_plan::blockdev::{self, Config, Device, Graph, LayoutPlan, Params, TableKind};
use isotope_plan::geometry::Geometry;
use isotope_plan::layout::FilesystemKind;
use isotope_plan::{Bytes, blockdev::FilesystemPlan};
use isotope_sys::command::Tool;
use isotope_sys::loop_device::{LoopDevice, LoopPartition, Part, Slice};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use support::{quiet, run};
use upstream::Upstream;

fn plan(file: &Path, text: &str, dir: &Path) -> Option<LayoutPlan> {
    let opts = Some("-i 4096 -J size=64".to_owned());
    let seed = support::uuid(7);
    let params = Params { image_dir: dir.join("images"), root_fs_opts: opts, seed, ..Params::default() };
    let config = Config::parse(file, text).ok()?.with_params(&params);
    blockdev::layout(&Graph::new(&config, &params).ok()?, &params).ok()
}

fn options(base: &Path, gib: u64) -> DibDiskOptions<'_> {
    std::fs::create_dir_all(base).unwrap();
    DibDiskOptions { mount_base: base, epoch: support::EPOCH, image_size: Some(Bytes::gib(gib)), sync: false }
}

/// Loop devices with a file below this directory.
fn attached(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/sys/block").unwrap() {
        let path = entry.unwrap().path();
        let backing = std::fs::read_to_string(path.join("loop/backing_file")).unwrap_or_default();
        if backing.contains(dir) {
            found.push(format!("{}: {}", path.display(), backing.trim()));
        }
    }
    found
}

fn mounted(dir: &Path) -> Vec<String> {
    let all = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    all.lines().filter(|line| line.contains(dir.to_str().unwrap())).map(str::to_owned).collect()
}

/// The kernel unmounts with the namespace and detaches with the last holder, both a moment after a process ends.
fn nothing_is_left(dir: &Path) {
    for _ in 0..300 {
        if attached(dir).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(attached(dir), [""; 0]);
    assert_eq!(mounted(dir), [""; 0]);
}

#[test]
fn host_dib_every_layout_is_made_and_sound() {
    support::private_mounts();
    let upstream = Upstream::find();
    let mut made = Vec::new();
    for file in upstream.files() {
        let dir = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let Some(plan) = plan(&file, &text, dir.path()).filter(|plan| plan.lvm.is_empty()) else { continue };
        made.push(format!("{:?}", file.components().rev().take(2).collect::<Vec<_>>()));
        one_layout(&plan, dir.path());
    }
    for element in ["mbr", "gpt", "efi", "efi-4k"] {
        let name = format!("block-device-{element}\"");
        assert!(made.iter().any(|file| file.contains(&name)), "{element} is not among {made:#?}");
    }
    assert!(made.len() >= 10, "only {made:#?}");
}

fn one_layout(plan: &LayoutPlan, dir: &Path) {
    let base = dir.join("mnt");
    let disk = DibDisk::create(plan, &options(&base, 4), &mut quiet).unwrap_or_else(|error| panic!("{error:?}"));
    let named: BTreeMap<String, PathBuf> = disk.devices().into_iter().collect();
    assert_eq!(named.len(), plan.devices().len());
    assert_eq!(named["image0"], disk.image_block_device());
    assert_eq!(
        disk.nodes().into_iter().collect::<Vec<_>>(),
        disk.devices().into_iter().map(|d| d.1).collect::<Vec<_>>()
    );
    // Every partition is the kernel's own, at its place; and each mount says where it comes from.
    let geometry = blockdev::place(plan.disk("image0").unwrap(), Some(Bytes::gib(4))).unwrap();
    let number = disk.image_block_device().to_str().unwrap().trim_start_matches("/dev/loop").to_owned();
    for placed in &geometry.partitions {
        let sys = PathBuf::from(format!("/sys/block/loop{number}/loop{number}p{}", placed.number));
        let read = |name: &str| std::fs::read_to_string(sys.join(name)).unwrap().trim().parse::<u64>().unwrap() * 512;
        assert_eq!((read("start"), read("size")), (geometry.offset(placed), geometry.length(placed)));
    }
    let mut expected = BTreeMap::new();
    for mount in plan.mounts.iter().filter(|mount| mount.path != "none") {
        let made = &plan.filesystems[mount.filesystem];
        let at = base.join(mount.path.trim_start_matches('/'));
        let said = run("findmnt", &["-nro", "SOURCE,FSTYPE", "--mountpoint", at.to_str().unwrap()]);
        let fstype = if made.fstype == "vfat" { "tmpfs" } else { &made.fstype };
        let name = plan.devices().into_iter().find(|(_, device)| *device == made.device).unwrap().0;
        assert_eq!(
            said.trim(),
            format!("{} {}", named[name].display(), fstype.replace("ext2", "ext4").replace("ext3", "ext4"))
        );
        let name = format!("hello-{}", mount.name);
        std::fs::create_dir_all(at.join("some/Where")).unwrap();
        std::fs::write(at.join("some/Where").join(&name), &name).unwrap();
        expected.insert(mount.filesystem, name);
    }
    // FAT is one already, by which programs know it.
    for made in plan.filesystems.iter().filter(|made| made.filesystem.kind == FilesystemKind::Fat) {
        let name = plan.devices().into_iter().find(|(_, device)| *device == made.device).unwrap().0;
        let device = named[name].to_str().unwrap();
        run("fsck.fat", &["-n", device]);
        judge_label(made, device);
    }
    let images = disk.finish(&mut quiet).unwrap_or_else(|error| panic!("{error:?}"));
    nothing_is_left(dir);
    assert_eq!(images.len(), plan.disks.len());
    for (image, disk) in images.iter().zip(&plan.disks) {
        assert_eq!((&image.name, &image.path), (&disk.name, &disk.file()));
        let geometry = blockdev::place(disk, Some(Bytes::gib(4))).unwrap();
        assert_eq!(image.bytes, image.path.metadata().unwrap().len());
        assert_eq!(image.bytes, geometry.total_bytes().0);
        judge(plan, &disk.name, &image.path, &geometry, &expected);
    }
}

/// The finished image, by the tools of its formats.
fn judge(plan: &LayoutPlan, disk: &str, raw: &Path, geometry: &Geometry, expected: &BTreeMap<usize, String>) {
    let file = File::options().read(true).write(true).open(raw).unwrap();
    let length = geometry.total_bytes().0;
    let part = Part { offset: 0, length, block_size: geometry.sector_size.into(), read_only: true };
    let device = LoopDevice::attach_disk(&file, part).unwrap();
    let path = device.path().to_str().unwrap().to_owned();
    match plan.disk(disk).unwrap().table.as_ref().map(|table| table.kind) {
        Some(TableKind::Gpt) => {
            let said = run("sgdisk", &["-v", &path]);
            assert!(said.contains("No problems found"), "{said}");
        }
        Some(TableKind::Mbr) => {
            let said = run("sfdisk", &["--verify", &path]);
            assert!(said.contains("No errors detected"), "{said}");
        }
        None => {}
    }
    let partitions: Vec<LoopPartition> = geometry
        .partitions
        .iter()
        .map(|placed| {
            let (offset, length) = (geometry.offset(placed), geometry.length(placed));
            device.add_partition(Slice { number: placed.number, offset, length }).unwrap()
        })
        .collect();
    for (index, made) in plan.filesystems.iter().enumerate() {
        let device = match &made.device {
            Device::Disk { disk: on } if on == disk => path.clone(),
            Device::Partition { disk: on, number } if on == disk => {
                let found = partitions.iter().find(|partition| partition.number() == *number).unwrap();
                found.path().to_str().unwrap().to_owned()
            }
            _ => continue,
        };
        match made.filesystem.kind {
            FilesystemKind::Ext2 | FilesystemKind::Ext3 | FilesystemKind::Ext4 => {
                run("e2fsck", &["-fn", &device]);
            }
            FilesystemKind::Xfs => drop(run("xfs_repair", &["-n", &device])),
            FilesystemKind::Btrfs => drop(run("btrfs", &["check", &device])),
            FilesystemKind::Fat => drop(run("fsck.fat", &["-n", &device])),
            FilesystemKind::Swap => {}
        }
        judge_label(made, &device);
        if made.name == "mkfs_root" && made.fstype == "ext4" {
            // MKFS_OPTS arrives: an inode for every 4 KiB.
            let said = run("dumpe2fs", &["-h", &device]);
            let field = |name: &str| -> u64 {
                let line = said.lines().find(|line| line.starts_with(name)).unwrap();
                line.split_whitespace().last().unwrap().parse().unwrap()
            };
            let (inodes, blocks) = (field("Inode count:"), field("Block count:"));
            assert!(inodes * 10 > blocks * 9, "{inodes} inodes for {blocks} blocks");
        }
        if let Some(name) = expected.get(&index) {
            holds(made, &device, name);
        }
    }
}

fn judge_label(made: &FilesystemPlan, device: &str) {
    let value = |tag: &str| run("blkid", &["-p", "-o", "value", "-s", tag, device]).trim().to_owned();
    assert_eq!(Some(value("LABEL").as_str()), made.filesystem.label.as_deref(), "{device}");
    let uuid = match made.filesystem.kind {
        FilesystemKind::Fat => {
            let id = made.filesystem.uuid.as_fields().0;
            format!("{:04X}-{:04X}", id >> 16, id & 0xFFFF)
        }
        _ => made.filesystem.uuid.to_string(),
    };
    assert_eq!(value("UUID"), uuid, "{device}");
    assert_eq!(value("TYPE"), made.fstype, "{device}");
}

/// What was written into a mount point is on its filesystem.
fn holds(made: &FilesystemPlan, device: &str, name: &str) {
    if made.filesystem.kind == FilesystemKind::Fat {
        let args = ["-i", device, &format!("::some/Where/{name}")];
        let said = Tool::new("mtype").args(args).run().unwrap().text();
        assert_eq!(said.trim(), name);
        return;
    }
    let at = tempfile::tempdir().unwrap();
    let flags = nix::mount::MsFlags::MS_RDONLY;
    let data = (made.fstype == "xfs").then_some("nouuid,norecovery");
    nix::mount::mount(Some(device), at.path(), Some(made.fstype.as_str()), flags, data).unwrap();
    let said = std::fs::read_to_string(at.path().join("some/Where").join(name));
    // Lazily: a program that another test starts has our open file for a moment, between fork and exec.
    nix::mount::umount2(at.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    assert_eq!(said.unwrap(), name);
}

const MIXED: &str = "
- local_loop: {name: image0}
- local_loop: {name: data, size: 600MiB, directory: DIR/elsewhere}
- local_loop: {name: other, size: 300MiB, block_size: 4096, mkfs: {type: vfat, mount: {mount_point: /srv/fat}}}
- partitioning:
    base: image0
    label: mbr
    partitions:
      - {name: root, size: 1GiB, flags: [boot, primary], mkfs: {type: btrfs, opts: '-d dup -O ^no-holes', mount: {mount_point: /}}}
      - {name: boot, size: 200MiB, mkfs: {type: ext2, mount: {mount_point: /boot}}}
      - {name: esp, size: 64MiB, type: ef, mkfs: {type: vfat, label: esp, mount: {mount_point: /boot/efi, fstab: {fsck-passno: 2}}}}
      - {name: unmounted, size: 64MiB, mkfs: {type: vfat, label: lonely}}
      - {name: swap, size: 64MiB, type: 82, mkfs: {type: swap, label: swap, mount: {mount_point: none, fstab: {}}}}
      - {name: log, size: 300MiB, mkfs: {type: ext3, opts: '-m 0', mount: {mount_point: /var/log}}}
- mkfs: {name: on_data, base: data, type: xfs, label: data, opts: '-i size=1024 -m reflink=0', mount: {mount_point: /srv}}
";

#[test]
fn host_dib_disks_of_all_kinds_together() {
    support::private_mounts();
    let dir = tempfile::tempdir().unwrap();
    let text = MIXED.replace("DIR", dir.path().to_str().unwrap());
    let plan = plan(Path::new("mixed.yaml"), &text, dir.path()).unwrap();
    one_layout(&plan, dir.path());
    assert!(dir.path().join("elsewhere/data.raw").exists());
}

#[test]
fn host_dib_what_fails_or_is_dropped_leaves_nothing() {
    support::private_mounts();
    let dir = tempfile::tempdir().unwrap();
    let text = MIXED.replace("DIR", dir.path().to_str().unwrap());
    let base = dir.path().join("mnt");
    let images = || {
        let dirs = ["images", "elsewhere"].map(|name| std::fs::read_dir(dir.path().join(name)));
        dirs.into_iter().flatten().flatten().count()
    };
    let good = plan(Path::new("b.yaml"), &text, dir.path()).unwrap();
    let disk = DibDisk::create(&good, &options(&base, 3), &mut quiet).unwrap();
    assert_eq!(images(), 3);
    assert!(!attached(dir.path()).is_empty());
    drop(disk);
    nothing_is_left(dir.path());
    assert_eq!(images(), 0);

    let bad = plan(Path::new("b.yaml"), &text.replace("-m 0", "--no-such-option"), dir.path()).unwrap();
    let error = DibDisk::create(&bad, &options(&base, 3), &mut quiet).unwrap_err();
    assert!(error.to_string().contains("cannot make the ext3 filesystem of partition `log`"), "{error}");
    nothing_is_left(dir.path());
    assert_eq!(images(), 0);

    let error = DibDisk::create(&good, &options(&base, 1), &mut quiet).unwrap_err();
    assert!(error.to_string().contains("is smaller than the block device configuration"), "{error}");
    assert_eq!(images(), 0);

    // More in the FAT than there is room; and a link, which FAT has not.
    for fill in [
        |at: &Path| std::fs::write(at.join("big"), vec![1; 64 << 20]).unwrap(),
        |at: &Path| std::os::unix::fs::symlink("x", at.join("link")).unwrap(),
    ] {
        let disk = DibDisk::create(&good, &options(&base, 3), &mut quiet).unwrap();
        fill(&base.join("boot/efi"));
        let error = disk.finish(&mut quiet).unwrap_err();
        assert!(error.to_string().contains("cannot write the FAT filesystem of partition `esp`"), "{error}");
        nothing_is_left(dir.path());
        assert_eq!(images(), 0);
    }
}

#[test]
fn host_dib_volumes_need_the_device_mapper() {
    support::private_mounts();
    let dir = tempfile::tempdir().unwrap();
    let file = Upstream::find().package().join("elements/block-device-efi-lvm/block-device-default.yaml");
    let plan = plan(&file, &std::fs::read_to_string(&file).unwrap(), dir.path()).unwrap();
    match DibDisk::create(&plan, &options(&dir.path().join("mnt"), 50), &mut quiet) {
        Err(DiskError::NoDeviceMapper { lvm }) if !has_device_mapper() => {
            assert_eq!(lvm, "lvm");
            assert!(!dir.path().join("images").exists());
        }
        Ok(disk) => drop(disk.finish(&mut quiet).unwrap()),
        Err(error) => panic!("{error:?}"),
    }
    nothing_is_left(dir.path());
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
}

/// Started anew by [`host_dib_killed_at_any_moment_leaves_nothing`]: makes disks until it is killed.
#[test]
fn host_dib_child_of_the_test_below() {
    let Some(dir) = std::env::var_os("ISOTOPE_DIB_CHILD").map(PathBuf::from) else { return };
    support::private_mounts();
    let text = MIXED.replace("DIR", dir.to_str().unwrap());
    let plan = plan(Path::new("b.yaml"), &text, &dir).unwrap();
    loop {
        let disk = DibDisk::create(&plan, &options(&dir.join("mnt"), 3), &mut quiet).unwrap();
        say(&format!("made {}", disk.image_block_device().display()));
        std::fs::write(dir.join("mnt/boot/efi/file"), vec![3; 1 << 20]).unwrap();
        disk.finish(&mut quiet).unwrap();
        say("finished");
    }
}

#[test]
fn host_dib_killed_at_any_moment_leaves_nothing() {
    let me = std::env::current_exe().unwrap();
    let mut moments: Vec<(&str, u64)> = vec![("made", 0), ("made", 30), ("finished", 0)];
    moments.extend([1, 5, 20, 40, 80, 150, 250].map(|millis| ("running", millis)));
    for (line, millis) in moments {
        let dir = tempfile::tempdir().unwrap();
        let tool = Tool::new(&me).args(["--exact", "host_dib_child_of_the_test_below", "--nocapture"]);
        let tool = tool.env("ISOTOPE_DIB_CHILD", dir.path());
        let mut child = tool.spawn(Stdio::null(), Stdio::piped(), Stdio::null()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|said| said.unwrap().contains(line)), "the child ended before it said `{line}`");
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
        nothing_is_left(dir.path());
    }
}
