//! Layouts: numbers, types, sectors, LVM's commands, fstab, and what could not be made.

use super::*;
use crate::HostFacts;
use crate::layout::FilesystemKind;
use isotope_element::Arch;

const GIB: Bytes = Bytes::gib(1);

fn plan(text: &str) -> Result<LayoutPlan, PlanErrors> {
    layout(&graph(text)?, &Params::default())
}

fn planned(name: &str) -> LayoutPlan {
    plan(&fixture(name)).unwrap_or_else(|errors| panic!("{name}: {errors}"))
}

/// `number start end` of each partition, and of the extended one.
fn sectors(plan: &LayoutPlan, size: Bytes) -> Vec<(u32, u64, u64)> {
    let disk = plan.disk(IMAGE_DISK).unwrap();
    let geometry = place(disk, Some(size)).unwrap();
    let mut found: Vec<_> = geometry.partitions.iter().map(|p| (p.number, p.first_lba, p.last_lba)).collect();
    let extended = disk.table.as_ref().and_then(|table| extended(table, &geometry));
    found.extend(extended.map(|extended| (extended.number, extended.first_lba, geometry.total_sectors - 1)));
    found.sort_unstable();
    found
}

/// An MBR with these partitions, the last of which is `/`.
fn mbr(partitions: &[&str]) -> String {
    let list: Vec<String> = partitions.iter().enumerate().map(|(n, p)| format!("{{name: p{n}, {p}}}")).collect();
    format!(
        "- local_loop: {{name: image0}}\n- partitioning: {{base: image0, label: mbr, partitions: [{}]}}\n- mkfs: {{base: p{}, name: mkfs_root, mount: {{mount_point: /}}}}\n",
        list.join(", "),
        partitions.len() - 1
    )
}

#[test]
fn mbr_partitions_lie_where_upstream_puts_them() {
    let logical = "size: 10MiB";
    let primary = "size: 10MiB, flags: [primary]";
    assert_eq!(sectors(&plan(&mbr(&[logical])).unwrap(), GIB), [(1, 2048, 2_097_151), (5, 4096, 24_575)]);
    let many = sectors(&plan(&mbr(&[logical; 64])).unwrap(), GIB);
    assert_eq!(many.len(), 65);
    for (index, (number, first, last)) in many.iter().enumerate().skip(1) {
        let start = 4096 + 22_528 * (index as u64 - 1);
        assert_eq!((*number as usize, *first, *last), (index + 4, start, start + 20_479));
    }
    let three = [(1, 2048, 22_527), (2, 22_528, 43_007), (3, 43_008, 63_487)];
    assert_eq!(sectors(&plan(&mbr(&[primary; 3])).unwrap(), GIB), three);
    let mixed = [vec![primary; 3], vec![logical; 7]].concat();
    let mixed = sectors(&plan(&mbr(&mixed)).unwrap(), GIB);
    assert_eq!(mixed[..3], three);
    assert_eq!(mixed[3..6], [(4, 63_488, 2_097_151), (5, 65_536, 86_015), (6, 88_064, 108_543)]);
    assert_eq!(mixed[10], (11, 200_704, 221_183));
}

#[test]
fn percentages_on_an_mbr_are_of_what_is_free() {
    // 1 GiB − 2 MiB, nothing rounded; then what is free behind the next multiple of 1 MiB, less one MiB.
    let plan = plan(&mbr(&["size: 55%, flags: [primary]", "size: 100%"])).unwrap();
    let first = ((1_u64 << 30) - (2 << 20)) * 55 / 100 / 512;
    let second = (2048 + first).next_multiple_of(2048);
    let expected = [(1, 2048, 2047 + first), (2, second, 2_097_151), (5, second + 2048, 2_097_151)];
    assert_eq!(sectors(&plan, GIB), expected);
}

#[test]
fn gpt_partitions_lie_where_sgdisk_puts_them() {
    let text = "
- local_loop: {name: image0}
- partitioning:
    base: image0
    label: gpt
    partitions:
      - {name: ESP, type: 'EF00', size: 8MiB, mkfs: {type: vfat, mount: {mount_point: /boot/efi, fstab: {}}}}
      - {name: BSP, type: 'EF02', size: 8MiB}
      - {name: Root Part, type: '8300', size: 100%, mkfs: {type: ext4, mount: {mount_point: /, fstab: {fsck-passno: 1}}}}
";
    let plan = plan(text).unwrap();
    // 8, 8 and 1006 MiB, one behind the other.
    assert_eq!(sectors(&plan, GIB), [(1, 2048, 18_431), (2, 18_432, 34_815), (3, 34_816, 2_095_103)]);
    let codes: Vec<String> =
        plan.disks[0].table.as_ref().unwrap().partitions.iter().map(|p| p.code.to_string()).collect();
    assert_eq!(
        codes,
        [
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            "21686148-6449-6e6f-744e-656564454649",
            "0fc63daf-8483-4772-8e79-3d69d8477de4"
        ]
    );
    assert_eq!(
        plan.fstab(),
        "LABEL=mkfs_Root\\040Part / ext4 defaults 0 1\nLABEL=MKFS_ESP /boot/efi vfat defaults 0 2\n"
    );
    let wide = text.replace("{name: image0}", "{name: image0, block_size: 4096}");
    assert_eq!(sectors(&super::made::plan(&wide).unwrap(), GIB), [(1, 256, 2303), (2, 2304, 4351), (3, 4352, 261_887)]);
}

#[test]
fn fstab_is_in_the_order_of_mounting_and_swap_has_its_own_options() {
    let expected = "\
LABEL=mkfs_system / ext4 defaults 0 1
LABEL=mkfs_state /var xfs defaults 1 0
LABEL=LOGS /var/log vfat defaults 0 2
LABEL=mkfs_spare none swap sw 0 0
";
    assert_eq!(planned("many.tree.yaml").fstab(), expected);
    assert_eq!(planned("many.graph.yaml").fstab(), expected);
    assert_eq!(planned("one.tree.yaml").fstab(), "LABEL=mkfs_system / ext4 noatime 0 1\n");
}

#[test]
fn volumes_are_made_by_these_commands() {
    let plan = planned("volumes.tree.yaml");
    let [lvm] = plan.lvm.as_slice() else { panic!("{:?}", plan.lvm) };
    let lines = |commands: Vec<Vec<String>>| commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(
        lines(lvm::create(lvm, &|device| format!("/dev/{device}"))),
        [
            "pvcreate /dev/image0p2 --force",
            "pvcreate /dev/image0p3",
            "vgcreate vg /dev/image0p2 --force",
            "vgcreate data-group /dev/image0p3",
            "lvcreate --name lv_root -L 1799356416B vg",
            "lvcreate --name lv_home -l 20%VG vg",
            "lvcreate --name pool --type thin-pool -L 943718400B data-group",
            "lvcreate --name lv-srv --type thin --thin-pool pool -V 2147483648B data-group",
        ]
    );
    assert_eq!(
        lines(lvm::deactivate(lvm)),
        [
            "lvchange -an /dev/vg/lv_root",
            "lvchange -an /dev/vg/lv_home",
            "lvchange -an /dev/data-group/pool",
            "lvchange -an /dev/data-group/lv-srv",
            "vgchange -an vg",
            "vgchange -an data-group",
        ]
    );
    assert_eq!(lvm::device_path("data-group", "lv-srv"), "/dev/mapper/data--group-lv--srv");
    let devices: Vec<&str> = plan.devices().into_iter().map(|(name, _)| name).collect();
    assert_eq!(devices, ["image0", "BSP", "first", "Second Part", "lv_root", "lv_home", "pool", "lv-srv"]);
    // A mount point without a line of fstab.
    assert_eq!(plan.fstab(), "LABEL=cloudimg-rootfs / ext4 defaults 0 1\nLABEL=fs_srv /srv xfs nodev 0 2\n");
}

#[test]
fn volumes_need_the_device_mapper() {
    let host = HostFacts {
        loop_devices: true,
        tools: ["lvm", "mke2fs", "mkfs.xfs", "mkfs.btrfs"].map(str::to_owned).into(),
        ..HostFacts::unknown(Arch::X86_64)
    };
    let plan = planned("volumes.tree.yaml");
    let problems: Vec<String> = preflight(&plan, &host).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("lvm `lvm` needs the device mapper") && problems[0].contains("b.yaml:"),
        "{}",
        problems[0]
    );
    assert_eq!(preflight(&plan, &HostFacts { device_mapper: true, ..host.clone() }), []);
    assert_eq!(preflight(&planned("one.tree.yaml"), &host), []);
    let bare = preflight(&planned("one.tree.yaml"), &HostFacts::unknown(Arch::X86_64));
    let messages: Vec<&str> = bare.iter().map(|problem| problem.message.as_str()).collect();
    assert!(
        messages[0].contains("`mke2fs` is not installed") && messages[1].contains("no loop devices"),
        "{messages:?}"
    );
}

#[test]
fn a_disk_without_table_has_its_filesystem_alone() {
    let text = "- local_loop: {name: image0}\n- mkfs: {base: image0, name: mkfs_root, mount: {mount_point: /, fstab: {fsck-passno: 1}}}\n";
    let plan = plan(text).unwrap();
    assert_eq!(plan.disks[0].table, None);
    assert_eq!(plan.filesystems[0].device, Device::Disk { disk: IMAGE_DISK.to_owned() });
    assert_eq!(plan.fstab(), "LABEL=cloudimg-rootfs / ext4 defaults 0 1\n");
    assert_eq!(place(&plan.disks[0], Some(GIB)).unwrap().total_sectors, 2_097_152);
    assert_eq!(plan.disks[0].file(), Path::new("image0.raw"));
}

#[test]
fn filesystems_are_those_of_mkfs() {
    let one = |settings: &str| {
        let text = format!(
            "- local_loop: {{name: image0}}\n- mkfs: {{base: image0, name: f, {settings}, mount: {{mount_point: /}}}}\n"
        );
        plan(&text).map(|plan| (plan.filesystems[0].filesystem.clone(), plan.warnings))
    };
    let (made, _) =
        one("type: ext3, opts: '-i 4096  -O ^dir_index', uuid: 0b0c1f58-24ff-4a0a-9f3f-0f8a0c2b7a01").unwrap();
    assert_eq!(
        (made.kind, made.mkfs_options),
        (FilesystemKind::Ext3, ["-i", "4096", "-O", "^dir_index"].map(str::to_owned).into())
    );
    assert_eq!(made.uuid.to_string(), "0b0c1f58-24ff-4a0a-9f3f-0f8a0c2b7a01");
    let (made, warnings) = one("type: vfat, opts: '-F 32', uuid: 1234-ABCD").unwrap();
    assert_eq!((made.kind, made.label.as_deref(), made.mkfs_options.len()), (FilesystemKind::Fat, Some("F"), 0));
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for (settings, part) in [
        ("type: f2fs", "Isotope does not make `f2fs`"),
        ("type: ext4, uuid: root-uuid-1234", "`root-uuid-1234` is no UUID"),
    ] {
        let errors = one(settings).unwrap_err().to_string();
        assert!(errors.contains(part), "{errors}");
    }
}

#[test]
fn ids_follow_from_the_seed() {
    let of = |seed| {
        let params = Params { seed: Uuid::from_u128(seed), ..Params::default() };
        layout(&graph(&fixture("many.tree.yaml")).unwrap(), &params).unwrap()
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1).disks[0].id, of(2).disks[0].id);
    assert_ne!(of(1).filesystems[0].filesystem.uuid, of(1).filesystems[1].filesystem.uuid);
}

/// What upstream finds only while it builds, or writes to the disk all the same.
#[test]
fn what_could_not_be_made_is_refused_with_its_line() {
    let root = "- mkfs: {base: image0, name: r, type: ext4, mount: {mount_point: /}}\n";
    let loop0 = "- local_loop: {name: image0}\n";
    let gpt = |partition: &str| {
        format!(
            "{loop0}- partitioning: {{base: image0, label: gpt, partitions: [{partition}]}}\n- mkfs: {{base: p, name: r, type: ext4, mount: {{mount_point: /}}}}\n"
        )
    };
    for (text, line, part) in [
        (mbr(&["size: 1MiB", "size: 1MiB, flags: [primary]"]), Some(2), "all primary partitions must be given first"),
        (mbr(&["size: 1MiB, flags: [primary]"; 5]), Some(2), "5 primary partitions, but an MBR has four entries"),
        (
            mbr(&[["size: 1MiB, flags: [primary]"; 4].as_slice(), &["size: 1MiB"]].concat()),
            Some(2),
            "4 primary partitions and an extended one",
        ),
        (mbr(&["size: 1MiB, type: EF00"]), Some(2), "the type `EF00` is no byte from 01 to ff"),
        (
            mbr(&["size: 1MiB"]).replace("name: image0}", "name: image0, block_size: 4096}"),
            Some(2),
            "an MBR is written in sectors of 512 bytes",
        ),
        (gpt("{name: p, size: 100%, type: linux}"), Some(2), "`linux` is no type of a GPT partition"),
        (
            gpt("{name: p, size: 100%}") + &root.replace("name: r", "name: s").replace(" /}", " /x}"),
            Some(4),
            "`image0` is taken twice",
        ),
        (
            format!("{loop0}{root}{}", root.replace("name: r", "name: s").replace(" /}", " /x}")),
            Some(3),
            "`image0` is taken twice: by r and by s",
        ),
        (root.replace("image0", "r0") + "- local_loop: {name: r0}\n", Some(1), "no local_loop is named `image0`"),
        (format!("{loop0}- mkfs: {{base: image0, name: r, type: ext4}}\n"), Some(1), "nothing is mounted at `/`"),
        (
            format!("{loop0}{}", root.replace("mount_point: /", "mount_point: none")),
            Some(2),
            "the mount point `none` is one for swap areas",
        ),
        (
            format!("{loop0}{}", root.replace("mount_point: /", "mount_point: /../x")),
            Some(2),
            "`/../x` is no mount point",
        ),
        (
            format!("{loop0}{root}- fstab: {{base: r, name: x}}\n"),
            Some(3),
            "the base `r` of fstab `x` is no mount point",
        ),
        (
            format!("{loop0}{root}- mount: {{base: image0, name: x, mount_point: /x}}\n"),
            Some(3),
            "the base `image0` of mount `x` is no filesystem",
        ),
        (
            format!("{loop0}{root}- mkfs: {{base: r, name: s, type: ext4}}\n"),
            Some(3),
            "the base `r` of mkfs `s` is no block device",
        ),
        (
            fixture("volumes.tree.yaml").replace("thin-pool: pool", "thin-pool: lv_home"),
            Some(25),
            "`lv_home` is no thin-pool of data-group",
        ),
        (fixture("volumes.tree.yaml").replace(", thin-pool: pool", ""), Some(25), "is thin, but has no `thin-pool`"),
        (
            fixture("volumes.tree.yaml").replace("base: lv-srv", "base: pool"),
            Some(26),
            "the base `pool` of mkfs `fs_srv` is no block device",
        ),
    ] {
        let Err(errors) = plan(&text) else { panic!("no error of:\n{text}") };
        let found = errors.problems.iter().find(|problem| problem.message.contains(part));
        let found = found.unwrap_or_else(|| panic!("{part}\nis not among\n{errors}\nof:\n{text}"));
        assert_eq!(found.origin.as_ref().and_then(|origin| origin.line), line, "{found}\nof:\n{text}");
    }
}

#[test]
fn what_does_not_fit_is_said_with_its_sizes() {
    let on = |text: &str, size: Option<Bytes>| {
        let plan = plan(text).unwrap();
        place(&plan.disks[0], size).unwrap_err().to_string()
    };
    let gpt = mbr(&["size: 900MiB", "size: 200MiB"]).replace("label: mbr", "label: gpt");
    let message = on(&gpt, Some(GIB));
    assert!(
        message.contains("partition `p1` takes 200 MiB, and 122 MiB of the 1 GiB of disk `image0` are free"),
        "{message}"
    );
    let message = on(&mbr(&["size: 2GiB"]), Some(GIB));
    assert!(
        message.contains("the requested size of the image is smaller than the block device configuration"),
        "{message}"
    );
    let message = on(&mbr(&["size: 100%", "size: 100%"]).replace("mbr", "gpt"), Some(GIB));
    assert!(message.contains("partition `p1` of disk `image0` gets 0 B, less than 1 MiB"), "{message}");
    assert!(on(&mbr(&["size: 100%"]), None).contains("--image-size"));
    assert!(on(&mbr(&["size: 100%"]), Some(Bytes(1000))).contains("1000 bytes, is no multiple of 512"));
    assert!(on(&mbr(&["size: 100%"]), Some(Bytes::gib(2048))).contains("an MBR ends at 2 TiB"));
}

#[test]
fn tables_for_people() {
    let text = show(&planned("many.tree.yaml"), Some(GIB)).unwrap();
    for part in
        ["disk image0: MBR, 1 GiB, sectors of 512 bytes", "extended", "LABEL=LOGS /var/log vfat defaults 0 2", "7*"]
    {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let text = show(&planned("volumes.tree.yaml"), None).unwrap();
    for part in ["the size of the image", "lvcreate --name lv_home -l 20%VG vg", "data-group/lv-srv", "LVM"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn what_is_asked_before_anything_is_made() {
    let params = Params { root_fs_type: "xfs".to_owned(), ..Params::default() };
    let default = Graph::new(&config(DEFAULT).unwrap().with_params(&params), &params).unwrap().values().unwrap();
    assert_eq!((default.root_label.as_str(), default.root_fstype.as_str()), ("img-rootfs", "xfs"));
    assert_eq!((default.boot_label.as_str(), default.mount_points.as_str()), ("", "/"));
    let many = graph(&fixture("many.tree.yaml")).unwrap().values().unwrap();
    assert_eq!((many.root_label.as_str(), many.mount_points.as_str()), ("mkfs_system", "/var/log|/var|none|/"));
    assert_eq!(file_names("ppc64le")[0], "block-device-ppc64el.yaml");
    assert_eq!(file_names("amd64"), ["block-device-amd64.yaml", "block-device-default.yaml"]);
}

proptest::proptest! {
    /// Partitions lie on the disk, in order, and do not overlap, whatever the sizes.
    #[test]
    fn partitions_do_not_overlap(
        sizes in proptest::collection::vec((1u32..100, proptest::bool::ANY), 1..8),
        gpt in proptest::bool::ANY,
        primaries in 0usize..4,
        mib in 2u64..5000,
        odd in 0u64..4,
    ) {
        let parts: Vec<String> = sizes.iter().enumerate().map(|(n, (size, percent))| {
            let flag = if n < primaries && !gpt { ", flags: [primary]" } else { "" };
            format!("size: {size}{}{flag}", if *percent { "%" } else { "MiB" })
        }).collect();
        let text = mbr(&parts.iter().map(String::as_str).collect::<Vec<_>>());
        let text = if gpt { text.replace("label: mbr", "label: gpt") } else { text };
        let plan = plan(&text).unwrap();
        let size = Bytes(mib * (1 << 20) + odd * 512);
        if let Ok(geometry) = place(&plan.disks[0], Some(size)) {
            let mut end = 2047;
            for placed in &geometry.partitions {
                proptest::prop_assert!(placed.first_lba > end && placed.last_lba >= placed.first_lba);
                proptest::prop_assert!(placed.first_lba % 2048 == 0);
                end = placed.last_lba;
            }
            let tail = if gpt { 33 } else { 0 };
            proptest::prop_assert!(end < geometry.total_sectors - tail);
        }
    }
}
