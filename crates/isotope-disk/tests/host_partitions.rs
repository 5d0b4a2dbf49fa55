//! Partitions of loop devices against the real kernel: where they lie, that they go with the device, nodes where /dev has none.

mod support;

use isotope_sys::loop_device::{LoopDevice, LoopError, LoopPartition, Part, Slice};
use std::fs::File;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

const MIB: u64 = 1 << 20;
const DISK: Part = Part { offset: 0, length: 64 * MIB, block_size: 512, read_only: false };
const ONE: Slice = Slice { number: 1, offset: MIB, length: 8 * MIB };
const FIVE: Slice = Slice { number: 5, offset: 9 * MIB, length: 3 * MIB + 512 };

fn backing() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(DISK.length).unwrap();
    file
}

/// The partitions that the kernel has of a loop device.
fn known(number: u32) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/sys/block/loop{number}")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with(&format!("loop{number}p")));
    names.sort();
    names
}

fn backing_of(number: u32) -> Option<String> {
    std::fs::read_to_string(format!("/sys/block/loop{number}/loop/backing_file")).ok()
}

/// Nothing of what was attached with this file is left. Another test may have got the same device since.
fn gone(number: u32, backing: &Option<String>) {
    let others = || backing_of(number).is_some_and(|now| Some(now) != *backing);
    let node = format!("/dev/loop{number}p1");
    let gone = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        known(number).is_empty() && !Path::new(&node).exists() || others()
    });
    assert!(gone, "left: {:?}", known(number));
}

#[test]
fn host_partitions_are_the_kernels_own_and_go_with_the_device() {
    for partition_last in [false, true] {
        let file = backing();
        let device = LoopDevice::attach_disk(&file, DISK).unwrap();
        let (one, five) = (device.add_partition(ONE).unwrap(), device.add_partition(FIVE).unwrap());
        let number = device.number();
        let ours = backing_of(number);
        assert_eq!(one.path(), Path::new(&format!("/dev/loop{number}p1")));
        assert_eq!(known(number), [format!("loop{number}p1"), format!("loop{number}p5")]);
        assert!(one.path().metadata().unwrap().file_type().is_block_device());
        let lines = support::run("lsblk", &["-nrbo", "NAME,TYPE,SIZE,START", device.path().to_str().unwrap()]);
        let expected = format!(
            "loop{number} loop {}\nloop{number}p1 part {} 2048\nloop{number}p5 part {} 18432",
            64 * MIB,
            8 * MIB,
            3 * MIB + 512
        );
        let lines: Vec<_> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.join("\n"), expected);
        // What is written to a partition arrives at its place in the file.
        five.device().write_all_at(b"here", 0).unwrap();
        five.device().sync_all().unwrap();
        let mut seen = [0; 4];
        file.read_exact_at(&mut seen, FIVE.offset).unwrap();
        assert_eq!(&seen, b"here");
        // A partition that is held keeps the device, and its table cannot be read anew.
        if partition_last {
            drop(device);
            drop(one);
            assert_eq!(known(number).len(), 2);
            drop(five);
        } else {
            drop((one, five));
            assert_eq!(known(number).len(), 2);
            device.close().unwrap();
        }
        gone(number, &ours);
    }
}

#[test]
fn host_what_is_there_is_taken_if_it_lies_there() {
    let file = backing();
    let device = LoopDevice::attach_disk(&file, DISK).unwrap();
    let first = device.add_partition(ONE).unwrap();
    let again = device.add_partition(ONE).unwrap();
    assert_eq!(again.path(), first.path());
    assert_eq!(device.partition(1).unwrap().path(), first.path());
    let error = device.add_partition(Slice { offset: 2 * MIB, ..ONE }).unwrap_err();
    assert!(matches!(error, LoopError::Partition { there: Some((MIB, _)), .. }), "{error:?}");
    assert!(error.to_string().contains("it has one of 8388608 bytes at 1048576"), "{error}");
    // It overlaps another one, or the end.
    assert!(device.add_partition(Slice { number: 2, offset: 2 * MIB, length: MIB }).is_err());
    assert!(device.add_partition(Slice { number: 3, offset: 63 * MIB, length: 2 * MIB }).is_err());
    assert!(device.partition(4).is_err());
}

#[test]
fn host_a_device_stays_without_autoclear_and_is_taken_over() {
    let file = backing();
    let device = LoopDevice::attach_disk(&file, DISK).unwrap();
    drop(device.add_partition(ONE).unwrap());
    let number = device.number();
    let ours = backing_of(number);
    device.set_autoclear(false).unwrap();
    drop(device);
    assert_eq!(known(number).len(), 1);
    assert!(LoopDevice::adopt(number, &backing()).is_err(), "not the file that it is attached to");
    let again = LoopDevice::adopt(number, &file).unwrap();
    let one = again.partition(1).unwrap();
    let error = std::thread::scope(|scope| scope.spawn(|| again.close()).join().unwrap()).unwrap_err();
    assert!(error.to_string().contains("still attached after 10 s"), "{error}");
    drop(one);
    gone(number, &ours);
}

#[test]
fn host_nodes_are_made_where_dev_has_none() {
    support::bare_dev();
    let file = File::options().create_new(true).read(true).write(true).open("/dev/backing").unwrap();
    file.set_len(DISK.length).unwrap();
    let device = LoopDevice::attach_disk(&file, DISK).unwrap();
    let number = device.number();
    let ours = backing_of(number);
    // Left by a build that was killed.
    support::node(&format!("/dev/loop{number}p5"), 259, 9999, nix::sys::stat::SFlag::S_IFBLK);
    let partitions: Vec<LoopPartition> = [ONE, FIVE].map(|slice| device.add_partition(slice).unwrap()).into();
    for partition in &partitions {
        let node = partition.path().metadata().unwrap();
        assert_eq!(node.rdev(), partition.device().metadata().unwrap().rdev());
    }
    let paths: Vec<_> = partitions.iter().map(|partition| partition.path().to_owned()).collect();
    drop(partitions);
    assert!(paths.iter().all(|path| !path.exists()), "{paths:?}");
    device.close().unwrap();
    gone(number, &ours);
    // A file of that name is nobody's to remove.
    let device = LoopDevice::attach_disk(&file, DISK).unwrap();
    let path = format!("/dev/loop{}p1", device.number());
    std::fs::write(&path, "").unwrap();
    assert!(device.add_partition(ONE).is_err());
    assert!(Path::new(&path).exists());
    drop(device);
    nix::mount::umount2("/dev", nix::mount::MntFlags::MNT_DETACH).unwrap();
}
