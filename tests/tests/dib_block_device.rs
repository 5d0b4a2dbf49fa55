//! `dib-block-device` by name of the binary: what it answers without root, and (`host_`) disks that are made in one process and taken down
//! in another.

use isotope_sys::command::Tool;
use isotope_tests::{isotope, leaks, scratch};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CONFIG: &str = "
- local_loop: {name: image0}
- partitioning:
    base: image0
    label: gpt
    partitions:
      - {name: ESP, type: EF00, size: 64MiB, mkfs: {type: vfat, label: esp, mount: {mount_point: /boot/efi, fstab: {fsck-passno: 2}}}}
      - {name: boot, size: 64MiB, mkfs: {type: ext2, mount: {mount_point: /boot}}}
      - {name: swap, size: 64MiB, type: '8200', mkfs: {type: swap, label: swap, mount: {mount_point: none, fstab: {}}}}
      - {name: root, size: 100%, mkfs: {mount: {mount_point: /, fstab: {options: noatime, fsck-passno: 1}}}}
";

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new(size: &str) -> Self {
        let world = Self { dir: scratch("dib-block-device") };
        std::fs::write(world.path("config.yaml"), CONFIG).unwrap();
        let root = world.dir.path().display();
        let text = format!(
            "config: {root}/config.yaml\nimage-dir: {root}/images\nroot-fs-type: ext4\nroot-label: \nmount-base: {root}/build/mnt\nbuild-dir: {root}/build\n{size}"
        );
        std::fs::write(world.path("params.yaml"), text).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "the subject under test, with an environment of its own")]
    fn command(&self, args: &[&str]) -> Command {
        let link = self.path("dib-block-device");
        if !link.exists() {
            std::os::unix::fs::symlink(isotope(), &link).unwrap();
        }
        let mut command = Command::new(link);
        command.env("DIB_BLOCK_DEVICE_PARAMS_YAML", self.path("params.yaml")).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What it prints; it must succeed.
    fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    /// What it says when it fails, with upstream's exit status.
    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        said
    }

    /// How many loop devices and mounts there are of it.
    fn held(&self) -> (usize, usize) {
        (leaks::loops(self.dir.path()).len(), leaks::mounts(self.dir.path()).len())
    }
}

#[test]
fn what_is_asked_before_anything_is_made() {
    let world = World::new("");
    assert_eq!(world.says(&["init"]), "");
    let config = std::fs::read_to_string(world.path("build/states/block-device/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config[0]["local_loop"]["name"], "image0");
    assert_eq!(world.says(&["getval", "root-label"]), "cloudimg-rootfs");
    assert_eq!(world.says(&["getval", "root-fstype"]), "ext4");
    assert_eq!(world.says(&["getval", "boot-label"]), "mkfs_boot");
    assert_eq!(world.says(&["getval", "mount-points"]), "/boot/efi|/boot|none|/");
    for symbol in ["image-path", "image-block-device", "image-block-devices"] {
        let said = world.fails(&["getval", symbol]);
        assert!(said.contains("State dump not found") && said.contains("dib-block-device create"), "{said}");
    }
    let said = world.fails(&["getval", "root-lable"]);
    assert!(said.contains("Invalid symbol [root-lable] for getval") && said.contains("known are root-label"), "{said}");
    world.says(&["writefstab"]);
    let fstab = std::fs::read_to_string(world.path("build/built/etc/fstab")).unwrap();
    let expected = "LABEL=cloudimg-rootfs / ext4 noatime 0 1\nLABEL=ESP /boot/efi vfat defaults 0 2\nLABEL=swap none swap sw 0 0\n";
    assert_eq!(fstab, expected);
    // The parameters of FS_TYPE and ROOT_LABEL.
    let text = std::fs::read_to_string(world.path("params.yaml")).unwrap();
    let text = text.replace("ext4", "xfs");
    std::fs::write(world.path("other.yaml"), text).unwrap();
    let other = world.path("other.yaml");
    assert_eq!(world.says(&["--params", other.to_str().unwrap(), "getval", "root-label"]), "img-rootfs");
}

#[test]
fn what_is_wrong_is_told() {
    let world = World::new("");
    std::fs::write(world.path("config.yaml"), CONFIG.replace("base: image0", "base: image1")).unwrap();
    let said = world.fails(&["init"]);
    assert!(said.contains("image1") && said.contains("config.yaml"), "{said}");
    assert!(world.fails(&["--params", "/nowhere", "init"]).contains("cannot read /nowhere"));
    let mut command = world.command(&["init"]);
    let output = command.env_remove("DIB_BLOCK_DEVICE_PARAMS_YAML").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("DIB_BLOCK_DEVICE_PARAMS_YAML or --params not set"), "{said}");
    assert_eq!(world.run(&["mount"]).status.code(), Some(2));
    // Nothing was made: there is nothing to take down, and nothing to clean up after.
    std::fs::write(world.path("config.yaml"), CONFIG).unwrap();
    assert_eq!(world.says(&["umount"]), "");
    assert!(world.fails(&["cleanup"]).contains("State dump not found"));
    assert_eq!(world.says(&["delete"]), "");
}

#[test]
fn host_disks_outlive_the_process_that_makes_them() {
    let world = World::new("image-size: 1048576KiB\n");
    world.says(&["init"]);
    world.says(&["create"]);
    assert!(world.fails(&["create"]).contains("made already"));
    let device = world.says(&["getval", "image-block-device"]);
    let raw = world.says(&["getval", "image-path"]);
    assert_eq!(Path::new(&raw), world.path("images/image0.raw"));
    let devices = world.says(&["getval", "image-block-devices"]);
    let expected =
        format!(" [image0]={device}  [ESP]={device}p1  [boot]={device}p2  [swap]={device}p3  [root]={device}p4 ");
    assert_eq!(devices, expected);
    assert_eq!(world.held(), (1, 3));
    assert!(world.fails(&["cleanup"]).contains("still mounted"));
    std::fs::create_dir(world.path("build/mnt/boot/efi/EFI")).unwrap();
    std::fs::write(world.path("build/mnt/boot/efi/EFI/a file"), "in the FAT").unwrap();
    world.says(&["umount"]);
    assert_eq!(world.held(), (0, 0));
    assert_eq!(world.says(&["getval", "image-path"]), raw);
    let said = Tool::new("mtype").args(["-i", &format!("{raw}@@1M"), "::EFI/a file"]).run().unwrap();
    assert_eq!(said.text(), "in the FAT");
    world.says(&["umount"]);
    world.says(&["cleanup"]);
    assert!(Path::new(&raw).exists() && !world.path("build/states/block-device").exists());

    // And in the case of an error.
    world.says(&["create"]);
    assert_eq!(world.held(), (1, 3));
    world.says(&["delete"]);
    assert_eq!(world.held(), (0, 0));
    assert!(!Path::new(&raw).exists());
}
