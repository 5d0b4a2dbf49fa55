//! What the host tests share: layouts, a tree with everything a copy can get wrong, a comparer, a private mount namespace.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod compare;

use isotope_disk::{DiskOptions, Geometry, Placed, Progress};
use isotope_plan::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use isotope_plan::{Bytes, Origin};
use isotope_sys::command::Tool;
use isotope_sys::loop_device::{LoopDevice, Part};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

pub const EPOCH: u64 = 1_700_000_000;

/// Gives the calling thread a mount namespace of its own, as the engine has one.
pub fn private_mounts() {
    assert!(nix::unistd::geteuid().is_root(), "host tests need root");
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("a private mount namespace (run as root)");
    let flags = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).expect("private mounts");
}

pub fn options() -> DiskOptions {
    DiskOptions::new(EPOCH, Uuid::from_u128(42))
}

pub fn quiet(_: Progress) {}

pub fn uuid(n: u32) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &[n.to_le_bytes(), std::process::id().to_le_bytes()].concat())
}

/// A partition; `mount` empty: none.
pub fn partition(
    name: &str,
    kind: PartitionKind,
    size: PartitionSize,
    fs: Option<FilesystemKind>,
    mount: &str,
) -> Partition {
    let id = name.bytes().map(u32::from).sum::<u32>();
    let filesystem = fs.map(|kind| Filesystem {
        kind,
        label: (kind != FilesystemKind::Fat).then(|| format!("l-{name}")).or_else(|| Some("ESP".into())),
        uuid: uuid(id),
        mount: (!mount.is_empty()).then(|| Mount { path: mount.into(), options: "defaults".into(), passno: 1 }),
        mkfs_options: vec![],
    });
    let origin = Origin { element: "test".into(), file: None, line: None };
    Partition { name: name.into(), number: 0, kind, size, uuid: uuid(id + 1000), filesystem, origin }
}

pub fn layout(table: Table, sector_size: SectorSize, mut partitions: Vec<Partition>) -> Layout {
    for (number, partition) in (1..).zip(&mut partitions) {
        partition.number = number;
    }
    Layout { table, sector_size, size: DiskSize::Auto, align: Bytes::mib(1), disk_id: uuid(1), partitions }
}

/// One of the table of layouts: BIOS, UEFI or both, with the root filesystem given, and with more partitions where there is room.
pub fn usual(table: Table, sector_size: SectorSize, root: FilesystemKind, bios: bool, uefi: bool) -> Layout {
    let mut partitions = Vec::new();
    if bios && table == Table::Gpt {
        partitions.push(partition("bios", PartitionKind::BiosBoot, PartitionSize::Auto, None, ""));
    }
    if uefi {
        partitions.push(partition(
            "esp",
            PartitionKind::Esp,
            PartitionSize::Auto,
            Some(FilesystemKind::Fat),
            "/boot/efi",
        ));
    }
    partitions.push(partition(
        "swap",
        PartitionKind::Swap,
        PartitionSize::Fixed(Bytes::mib(32)),
        Some(FilesystemKind::Swap),
        "",
    ));
    partitions.push(partition(
        "boot",
        PartitionKind::Boot,
        PartitionSize::Fixed(Bytes::mib(80)),
        Some(FilesystemKind::Ext4),
        "/boot",
    ));
    partitions.push(partition("root", PartitionKind::Root, PartitionSize::Rest, Some(root), "/"));
    layout(table, sector_size, partitions)
}

/// Attaches a partition of a finished image.
pub fn attach(disk: &File, geometry: &Geometry, placed: &Placed) -> LoopDevice {
    let part = Part {
        offset: geometry.offset(placed),
        length: geometry.length(placed),
        block_size: geometry.sector_size.into(),
        read_only: true,
    };
    LoopDevice::attach(disk, part).expect("a loop device")
}

pub fn run(program: &str, args: &[&str]) -> String {
    let output = Tool::new(program).args(args).run().unwrap_or_else(|_| {
        // Once more, with what checkers say on stdout in the error.
        let again = Tool::new("sh").args(["-c", "exec \"$@\" >&2", "sh", program]).args(args).run();
        panic!(
            "{}",
            again.err().map_or_else(|| format!("{program} fails once and then not"), |error| error.to_string())
        )
    });
    format!("{}\n{}", output.text(), output.stderr_tail)
}

/// A time with nanoseconds.
pub fn time(n: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000 + u64::from(n), 123_456_789 + n)
}

/// A small tree with everything that a copy can get wrong.
pub fn make_tree(tree: &Path) {
    for dir in [
        "etc",
        "usr/bin",
        "usr/lib/deep/er/and/deeper",
        "boot/grub",
        "boot/efi/EFI/BOOT",
        "var/log",
        "tmp",
        "proc",
        "srv/many",
    ] {
        fs::create_dir_all(tree.join(dir)).unwrap();
    }
    fs::write(tree.join("etc/hostname"), "isotope\n").unwrap();
    fs::write(tree.join("boot/grub/grub.cfg"), "set timeout=1\n").unwrap();
    fs::write(tree.join("boot/efi/EFI/BOOT/BOOTX64.EFI"), vec![7; 100_000]).unwrap();
    fs::write(tree.join("usr/bin/ping"), vec![1; 5000]).unwrap();
    fs::write(tree.join("usr/bin/su"), "set-id").unwrap();
    fs::write(tree.join("usr/lib/empty"), "").unwrap();
    let big: Vec<u8> = (0..3_000_001u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    fs::write(tree.join("usr/lib/big"), big).unwrap();
    for n in 0..700 {
        fs::write(tree.join(format!("srv/many/{n}")), vec![b'x'; n]).unwrap();
    }
    // Hard links, also across directories and to a link.
    fs::hard_link(tree.join("usr/lib/big"), tree.join("usr/bin/big-too")).unwrap();
    fs::hard_link(tree.join("usr/lib/big"), tree.join("a-third-name")).unwrap();
    symlink("/etc/hostname", tree.join("etc/link")).unwrap();
    fs::hard_link(tree.join("etc/link"), tree.join("etc/link-too")).unwrap();
    symlink("dangling/".repeat(30), tree.join("etc/long-link")).unwrap();
    // Holes: at the start, in the middle, at the end.
    let sparse = File::create(tree.join("var/log/lastlog")).unwrap();
    sparse.write_all_at(b"data", 5 << 20).unwrap();
    sparse.set_len(40 << 20).unwrap();
    File::create(tree.join("var/log/all-hole")).unwrap().set_len(1 << 30).unwrap();
    // Nodes.
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o640);
    let node = |name: &str, kind, device| nix::sys::stat::mknod(&tree.join(name), kind, mode, device).unwrap();
    node("etc/null", nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::makedev(1, 3));
    node("etc/block", nix::sys::stat::SFlag::S_IFBLK, nix::sys::stat::makedev(259, 70_000));
    node("etc/fifo", nix::sys::stat::SFlag::S_IFIFO, 0);
    node("etc/socket", nix::sys::stat::SFlag::S_IFSOCK, 0);
    // Attributes, owners, modes.
    xattr(
        &tree.join("usr/bin/ping"),
        "security.capability",
        &[1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    xattr(&tree.join("etc/hostname"), "user.note", b"hello");
    xattr(&tree.join("var/log"), "trusted.note", b"on a directory");
    run("setfacl", &["-m", "u:7:rw", tree.join("etc/hostname").to_str().unwrap()]);
    run("setfacl", &["-d", "-m", "g:9:rwx", tree.join("var/log").to_str().unwrap()]);
    std::os::unix::fs::chown(tree.join("usr/bin/su"), Some(0), Some(50)).unwrap();
    std::os::unix::fs::lchown(tree.join("etc/long-link"), Some(1000), Some(1000)).unwrap();
    std::os::unix::fs::chown(tree.join("srv"), Some(33), Some(33)).unwrap();
    let chmod = |name: &str, mode| fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode)).unwrap();
    chmod("usr/bin/su", 0o6755);
    chmod("tmp", 0o1777);
    chmod("srv", 0o2775);
    chmod("proc", 0o555);
    chmod("boot", 0o700);
    chmod("etc/hostname", 0o664);
    set_times(tree);
}

pub fn xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

/// Different times with nanoseconds everywhere, directories after what is in them.
fn set_times(dir: &Path) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type().unwrap().is_dir() {
            set_times(&entry.path());
        } else {
            touch(&entry.path());
        }
    }
    touch(dir);
}

fn touch(path: &Path) {
    let n = path.as_os_str().len() as u32 * 1000;
    let since = time(n).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let stamp = rustix::fs::Timespec { tv_sec: since.as_secs() as i64, tv_nsec: since.subsec_nanos().into() };
    let times = rustix::fs::Timestamps { last_access: stamp, last_modification: stamp };
    rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A private `/dev` in which nothing is but the loop driver's control device.
pub fn bare_dev() {
    private_mounts();
    nix::mount::mount(Some("none"), "/dev", Some("tmpfs"), nix::mount::MsFlags::empty(), Some("mode=755")).unwrap();
    node("/dev/loop-control", 10, 237, nix::sys::stat::SFlag::S_IFCHR);
}

/// Makes a device node.
pub fn node(path: &str, major: u64, minor: u64, kind: nix::sys::stat::SFlag) {
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::sys::stat::mknod(path, kind, mode, nix::sys::stat::makedev(major, minor)).unwrap();
}
