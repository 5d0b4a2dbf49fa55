//! Two builds from the same inputs: the same partition table, boot loader, EFI system partition; in the root filesystem the same files.
//!
//! What differs and why: docs/reproducibility.md.

use isotope_tests::{isotope_command, scratch};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

#[test]
fn host_the_same_inputs_give_the_same_table_loader_esp_and_files() {
    let dir = scratch("reproducible-");
    let cache = dir.path().join("cache");
    let run = |args: &[&str]| {
        let output = isotope_command(&cache).args(args).env("SOURCE_DATE_EPOCH", "1767225600").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}\n{out}\n{err}");
        output.stdout
    };
    let image = |name: &str| {
        let path = dir.path().join(name);
        let out = path.display().to_string();
        run(&["build", "--no-layers", "debian-cloud", "-t", "raw", "--output-dir", &out]);
        path.join("debian-cloud.raw")
    };
    let (first, second) = (image("first"), image("second"));
    let [one, other] = [&first, &second].map(|path| path.display().to_string());

    let inspected: serde_json::Value = serde_json::from_slice(&run(&["--json", "inspect", &one])).unwrap();
    let partitions = inspected["partitions"].as_array().unwrap();
    let root = partitions.iter().find(|partition| partition["name"] == "root").unwrap();
    let lba = |key: &str| root[key].as_u64().unwrap() * 512;
    let size = first.metadata().unwrap().len();
    assert_eq!(size, second.metadata().unwrap().len());
    // Table, boot.img, BIOS boot partition with core.img, ESP; then the backup table.
    for (what, range) in [("before the root", 0..lba("first_lba")), ("after the root", lba("last_lba") + 512..size)] {
        assert!(range.end > range.start);
        assert!(read(&first, range.clone()) == read(&second, range), "the bytes {what} partition differ");
    }
    // Exit status 0: no file, mode, owner, package, boot entry or identifier differs.
    run(&["diff", &one, &other]);
}

fn read(path: &Path, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
    File::open(path).unwrap().read_exact_at(&mut bytes, range.start).unwrap();
    bytes
}
