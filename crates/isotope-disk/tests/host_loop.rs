//! Loop devices against the real kernel: contention, missing nodes, block sizes, detaching at the last close.

mod support;

use isotope_sys::loop_device::{LoopDevice, Part};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PART: Part = Part { offset: 4096, length: 1 << 20, block_size: 512, read_only: false };

fn backing() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(8 << 20).unwrap();
    file
}

#[test]
fn host_many_at_once_all_get_one() {
    std::thread::scope(|scope| {
        for n in 0..6u8 {
            scope.spawn(move || {
                let file = backing();
                for round in 0..15u8 {
                    let device = LoopDevice::attach(&file, PART).unwrap();
                    // It is ours and nobody else's: what is written arrives in our file, at the offset.
                    let mark = [n, round, 0xA5];
                    let node = File::options().read(true).write(true).open(device.path()).unwrap();
                    node.write_all_at(&mark, 0).unwrap();
                    node.sync_all().unwrap();
                    let mut seen = [0; 3];
                    file.read_exact_at(&mut seen, PART.offset).unwrap();
                    assert_eq!(seen, mark);
                }
            });
        }
    });
}

#[test]
fn host_a_part_has_its_size_and_blocks_and_goes_with_its_holder() {
    let file = backing();
    for block_size in [512, 4096] {
        let device = LoopDevice::attach(&file, Part { block_size, ..PART }).unwrap();
        let path = device.path().to_str().unwrap().to_owned();
        assert_eq!(support::run("blockdev", &["--getsize64", &path]).trim(), (1 << 20).to_string());
        assert_eq!(support::run("blockdev", &["--getss", &path]).trim(), block_size.to_string());
        let flags = support::run("losetup", &["-n", "-O", "AUTOCLEAR,RO,DIO,PARTSCAN", &path]);
        assert_eq!(flags.split_whitespace().collect::<Vec<_>>(), ["1", "0", "0", "0"]);
        let number = device.number();
        drop(device);
        let backing = Path::new("/sys/block").join(format!("loop{number}/loop/backing_file"));
        let gone = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            // Another test may have got the same number since.
            std::fs::read_to_string(&backing).map_or(true, |path| !path.contains("deleted"))
        });
        assert!(gone, "{path} is still attached");
    }
}

#[test]
fn host_a_missing_node_is_made_and_a_false_one_refused() {
    support::bare_dev();
    support::node("/dev/null", 1, 3, nix::sys::stat::SFlag::S_IFCHR);
    let file = {
        let file = File::create_new("/dev/backing").unwrap();
        drop(file);
        File::options().read(true).write(true).open("/dev/backing").unwrap()
    };
    file.set_len(8 << 20).unwrap();
    let device = LoopDevice::attach(&file, PART).unwrap();
    assert!(device.path().exists());
    drop(device);
    for number in 0..64 {
        drop(std::fs::remove_file(format!("/dev/loop{number}")));
        support::node(&format!("/dev/loop{number}"), 1, 3, nix::sys::stat::SFlag::S_IFCHR);
    }
    let error = LoopDevice::attach(&file, PART).unwrap_err();
    assert!(error.to_string().contains("is not loop device"), "{error}");
    nix::mount::umount2("/dev", nix::mount::MntFlags::MNT_DETACH).unwrap();
}
