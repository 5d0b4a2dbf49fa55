//! LVM on partitions of a loop device, without the device mapper: what LVM itself reads from the disks is what was planned.

use isotope_disk::lvm::{Activation, Volumes};
use isotope_disk::table;
use isotope_plan::Bytes;
use isotope_plan::blockdev::{self, Config, Device, Graph, LayoutPlan, Params};
use isotope_sys::command::Tool;
use isotope_sys::loop_device::{LoopDevice, Part, Slice};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const TEXT: &str = "
- local_loop: {name: image0}
- partitioning:
    base: image0
    label: gpt
    partitions:
      - {name: one, size: 200MiB, type: '8e00'}
      - {name: two, size: 100MiB, type: '8e00'}
      - {name: three, size: 100%, type: '8e00'}
- lvm:
    name: lvm
    pvs:
      - {name: pv1, base: one, options: ['--force']}
      - {name: pv2, base: two}
      - {name: pv3, base: three}
    vgs:
      - {name: isotope-test, base: [pv1, pv2]}
      - {name: isotope_other, base: [pv3], options: ['--force']}
    lvs:
      - {name: root, base: isotope-test, size: 50M}
      - {name: lv-spanned, base: isotope-test, size: 220MiB}
      - {name: most, base: isotope_other, extents: 50%VG}
- mkfs: {name: mkfs_root, base: root, mount: {mount_point: /}}
";

fn plan() -> LayoutPlan {
    let params = Params::default();
    let config = Config::parse(Path::new("b.yaml"), TEXT).unwrap().with_params(&params);
    blockdev::layout(&Graph::new(&config, &params).unwrap(), &params).unwrap()
}

#[test]
fn host_volumes_are_what_was_planned() {
    assert!(rustix::process::geteuid().is_root(), "host tests need root");
    let plan = plan();
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(512 << 20).unwrap();
    let geometry = blockdev::place(&plan.disks[0], Some(Bytes::mib(512))).unwrap();
    table::write_planned(&plan.disks[0], &geometry, file.as_file()).unwrap();
    // As hooks see them: partitions that the kernel knows.
    let length = geometry.total_bytes().0;
    let disk = LoopDevice::attach_disk(file.as_file(), Part { offset: 0, length, block_size: 512, read_only: false });
    let disk = disk.unwrap();
    let mut loops = BTreeMap::new();
    for placed in &geometry.partitions {
        let (offset, length) = (geometry.offset(placed), geometry.length(placed));
        let partition = disk.add_partition(Slice { number: placed.number, offset, length }).unwrap();
        loops.insert(placed.number, partition);
    }
    let path = |device: &Device| -> PathBuf {
        match device {
            Device::Partition { number, .. } => loops[number].path().to_owned(),
            other => panic!("{other}"),
        }
    };
    let volumes = Volumes::create(&plan.lvm, &path, Activation::None).unwrap_or_else(|error| panic!("{error:?}"));
    let all: Vec<String> = loops.values().map(|device| device.path().to_string_lossy().into_owned()).collect();
    let report = |program: &str, columns: &str| {
        let args = ["--driverloaded", "n", "--noheadings", "--units", "m", "--devices", &all.join(","), "-o", columns];
        let said = Tool::new(program).args(args).run().unwrap().text();
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines: Vec<String> = said.lines().map(line).filter(|line| !line.is_empty()).collect();
        lines.sort();
        lines
    };
    // Whole extents of 4 MiB: 50 MB are 44 MiB and some; of the third partition's 210 MiB LVM has 52, half of which are 104 MiB.
    assert_eq!(
        report("lvs", "vg_name,lv_name,lv_size"),
        ["isotope-test lv-spanned 220.00m", "isotope-test root 44.00m", "isotope_other most 104.00m"]
    );
    assert_eq!(report("vgs", "vg_name,pv_count,lv_count"), ["isotope-test 2 2", "isotope_other 1 1"]);
    assert_eq!(volumes.path("isotope-test", "root"), Path::new("/dev/mapper/isotope--test-root"));
    volumes.close().unwrap_or_else(|error| panic!("{error:?}"));
    // A second group of the same name is refused by LVM, and said with its command.
    let error = Volumes::create(&plan.lvm, &|_| PathBuf::from("/dev/null"), Activation::None).unwrap_err();
    assert!(error.to_string().contains("pvcreate /dev/null"), "{error}");
}
