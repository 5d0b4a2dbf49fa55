//! Tests of the menus.

use super::*;
use isotope_plan::{Origin, SecureBoot};

fn spec() -> BootSpec {
    BootSpec {
        bios: true,
        uefi: true,
        secure_boot: SecureBoot::Auto,
        timeout: 1,
        kernel_args: vec!["net.ifnames=0".to_owned()],
        consoles: vec!["tty0".to_owned(), "ttyS0,115200n8".to_owned()],
        origin: Origin { element: "vm".to_owned(), file: None, line: None },
    }
}

fn place(boot_path: &'static str) -> Place {
    Place {
        root_uuid: "1111-root".to_owned(),
        root_partuuid: "2222-part".to_owned(),
        btrfs: false,
        boot_uuid: "3333-boot".to_owned(),
        boot_partition: "gpt3".to_owned(),
        filesystem_module: "xfs",
        table_module: "part_gpt",
        boot_path,
    }
}

fn flavour(bls: bool) -> Flavour {
    Flavour {
        id: if bls { "fedora" } else { "debian" }.to_owned(),
        name: if bls { "Fedora Linux" } else { "Debian GNU/Linux" }.to_owned(),
        directory: if bls { "grub2" } else { "grub" },
        mkimage: "grub-mkimage",
        bls,
        recovery: &["single", "dis_ucode_ldr"],
    }
}

fn kernel(version: &str, initrd: bool) -> Kernel {
    Kernel {
        version: version.to_owned(),
        image: format!("vmlinuz-{version}"),
        initrd: initrd.then(|| format!("initrd.img-{version}")),
    }
}

fn written(
    spec: &BootSpec,
    flavour: &Flavour,
    place: &Place,
    kernels: &[Kernel],
    files: &[(&str, &str)],
) -> (tempfile::TempDir, Tree, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::open(dir.path(), 9).unwrap();
    for (path, text) in files {
        tree.write(path, text, 0o644).unwrap();
    }
    let titles = Menu { spec, flavour, place, kernels }.write(&tree).unwrap();
    (dir, tree, titles)
}

#[test]
fn debian_s_menu_has_the_newest_first_and_all_below() {
    let kernels = [kernel("6.12.2+deb13-amd64", true), kernel("6.1.0-9-amd64", true)];
    let (_dir, tree, titles) = written(
        &spec(),
        &flavour(false),
        &place("/boot"),
        &kernels,
        &[("/usr/share/grub/default/grub", "GRUB_DEFAULT=0\n")],
    );
    let cfg = tree.read_text("/boot/grub/grub.cfg").unwrap().unwrap();
    let args = "root=UUID=1111-root ro net.ifnames=0 console=tty0 console=ttyS0,115200n8";
    for line in [
        "search --no-floppy --fs-uuid --set=root --hint=\"$root\" 3333-boot\n",
        "if serial --unit=0 --speed=115200; then\n  terminal_input console serial\n",
        "menuentry 'Debian GNU/Linux' --class debian --class gnu-linux --class gnu --class os $menuentry_id_option 'gnulinux-simple-1111-root' {\n",
        &format!("  linux /boot/vmlinuz-6.12.2+deb13-amd64 {args}\n  initrd /boot/initrd.img-6.12.2+deb13-amd64\n"),
        &format!("    linux /boot/vmlinuz-6.1.0-9-amd64 {args}\n"),
        "    linux /boot/vmlinuz-6.1.0-9-amd64 root=UUID=1111-root ro single dis_ucode_ldr net.ifnames=0",
        "insmod xfs\n",
        "set timeout=1\n",
    ] {
        assert!(cfg.contains(line), "{line:?} is not in\n{cfg}");
    }
    assert!(!cfg.contains("blscfg") && !cfg.contains("{{"), "{cfg}");
    assert_eq!(titles[0], "Debian GNU/Linux");
    assert_eq!(titles.len(), 5);
    let settings = tree.read_text("/etc/default/grub.d/50-isotope.cfg").unwrap().unwrap();
    assert!(
        settings.contains("GRUB_CMDLINE_LINUX=\"net.ifnames=0 console=tty0 console=ttyS0,115200n8\"\n"),
        "{settings}"
    );
    assert!(
        settings.contains("GRUB_TERMINAL=\"console serial\"\nGRUB_SERIAL_COMMAND=\"serial --unit=0 --speed=115200\"\n"),
        "{settings}"
    );
    assert!(tree.exists("/etc/default/grub"));
}

#[test]
fn a_boot_filesystem_of_its_own_has_paths_without_boot() {
    let kernels = [kernel("6.1", true)];
    let (_dir, tree, _) = written(&spec(), &flavour(false), &place(""), &kernels, &[]);
    let cfg = tree.read_text("/boot/grub/grub.cfg").unwrap().unwrap();
    assert!(cfg.contains("  linux /vmlinuz-6.1 ") && cfg.contains("  initrd /initrd.img-6.1\n"), "{cfg}");
    let redirect =
        Menu { spec: &spec(), flavour: &flavour(false), place: &place(""), kernels: &kernels }.redirect().unwrap();
    assert!(
        redirect.contains("set prefix=($root)'/grub'\n")
            && redirect.contains("--hint=\"$isotope_disk,gpt3\" 3333-boot\n"),
        "{redirect}"
    );
}

#[test]
fn a_kernel_without_initramfs_finds_its_root_by_partition() {
    let (_dir, tree, _) = written(&spec(), &flavour(false), &place("/boot"), &[kernel("6.1", false)], &[]);
    let cfg = tree.read_text("/boot/grub/grub.cfg").unwrap().unwrap();
    assert!(cfg.contains("linux /boot/vmlinuz-6.1 root=PARTUUID=2222-part ro") && !cfg.contains("initrd"), "{cfg}");
}

#[test]
fn arguments_survive_grub_and_the_shell() {
    let mut spec = spec();
    spec.kernel_args = vec!["ds=nocloud;s=http://h/$x".to_owned()];
    spec.consoles.clear();
    let (_dir, tree, _) = written(&spec, &flavour(false), &place("/boot"), &[kernel("6.1", true)], &[]);
    assert!(tree.read_text("/boot/grub/grub.cfg").unwrap().unwrap().contains(" ro 'ds=nocloud;s=http://h/$x'\n"));
    let settings = tree.read_text("/etc/default/grub.d/50-isotope.cfg").unwrap().unwrap();
    assert!(settings.contains("GRUB_CMDLINE_LINUX=\"'ds=nocloud;s=http://h/\\$x'\"\n"), "{settings}");
    assert!(settings.contains("GRUB_TERMINAL=\"console\"\n") && !settings.contains("GRUB_SERIAL"), "{settings}");
}

#[test]
fn fedora_s_entries_get_root_and_arguments_and_new_ones_are_made() {
    let old = "title Fedora\nversion 6.17.4\nlinux /vmlinuz-6.17.4\ninitrd /initramfs-6.17.4.img\noptions root=/dev/loop0 quiet\ngrub_class fedora\n";
    let kernels = [kernel("6.18.0", true), kernel("6.17.4", true)];
    let (_dir, tree, titles) =
        written(&spec(), &flavour(true), &place("/boot"), &kernels, &[("/boot/loader/entries/abc-6.17.4.conf", old)]);
    let cfg = tree.read_text("/boot/grub2/grub.cfg").unwrap().unwrap();
    assert!(
        cfg.contains("set blsdir=/boot/loader/entries\ninsmod blscfg\nblscfg\n") && !cfg.contains("menuentry '"),
        "{cfg}"
    );
    let args = "root=UUID=1111-root ro net.ifnames=0 console=tty0 console=ttyS0,115200n8";
    let entry = tree.read_text("/boot/loader/entries/abc-6.17.4.conf").unwrap().unwrap();
    assert_eq!(
        entry,
        format!(
            "title Fedora\nversion 6.17.4\nlinux /boot/vmlinuz-6.17.4\ninitrd /boot/initrd.img-6.17.4\noptions {args}\ngrub_class fedora\n"
        )
    );
    let made = tree.read_text("/boot/loader/entries/fedora-6.18.0.conf").unwrap().unwrap();
    assert!(made.contains("linux /boot/vmlinuz-6.18.0\n") && made.contains(&format!("options {args}\n")), "{made}");
    assert_eq!(tree.read_text("/etc/kernel/cmdline").unwrap().unwrap(), format!("{args}\n"));
    assert_eq!(titles, ["Fedora Linux (6.18.0)", "Fedora (6.17.4)"]);
}
