//! [`isotope_boot::install`] on small trees, with a stand-in for grub-mkimage: what lands where, and what is refused.

use isotope_boot::detect::{BootCode, boot_code, is_grub_core};
use isotope_boot::{BootContext, BootError, Installed, RunError, install};
use isotope_plan::geometry::{Geometry, Placed};
use isotope_plan::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use isotope_plan::{BootSpec, Bytes, Origin, SecureBoot};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use uuid::Uuid;

const ROOT: Uuid = Uuid::from_u128(0x1111);

struct Case {
    tree: tempfile::TempDir,
    disk: File,
    layout: Layout,
    geometry: Geometry,
    spec: BootSpec,
}

fn origin() -> Origin {
    Origin { element: "test".to_owned(), file: None, line: None }
}

fn partition(number: u32, kind: PartitionKind, fs: Option<(FilesystemKind, &str)>) -> Partition {
    let filesystem = fs.map(|(kind, path)| Filesystem {
        kind,
        label: None,
        uuid: ROOT,
        mount: Some(Mount { path: path.to_owned(), options: "defaults".to_owned(), passno: 1 }),
        mkfs_options: Vec::new(),
    });
    let (uuid, size) = (Uuid::from_u128(u128::from(number)), PartitionSize::Auto);
    Partition { name: format!("p{number}"), number, kind, size, uuid, filesystem, origin: origin() }
}

impl Case {
    fn new(table: Table) -> Self {
        let mut partitions = vec![
            partition(1, PartitionKind::BiosBoot, None),
            partition(2, PartitionKind::Esp, Some((FilesystemKind::Fat, "/boot/efi"))),
            partition(3, PartitionKind::Root, Some((FilesystemKind::Ext4, "/"))),
        ];
        let mut placed = vec![
            Placed { number: 1, first_lba: 2048, last_lba: 4095 },
            Placed { number: 2, first_lba: 4096, last_lba: 6143 },
            Placed { number: 3, first_lba: 6144, last_lba: 8191 },
        ];
        if table == Table::Mbr {
            partitions.remove(0);
            placed.remove(0);
        }
        let case = Self {
            tree: tempfile::tempdir().unwrap(),
            disk: tempfile::tempfile().unwrap(),
            layout: Layout {
                table,
                sector_size: SectorSize::B512,
                size: DiskSize::Auto,
                align: Bytes::mib(1),
                disk_id: Uuid::nil(),
                partitions,
            },
            geometry: Geometry { sector_size: SectorSize::B512, total_sectors: 8225, partitions: placed },
            spec: BootSpec {
                bios: true,
                uefi: true,
                secure_boot: SecureBoot::Auto,
                timeout: 1,
                kernel_args: Vec::new(),
                consoles: vec!["tty0".to_owned(), "ttyS0,115200n8".to_owned()],
                origin: origin(),
            },
        };
        case.disk.set_len(8225 * 512).unwrap();
        case.disk.write_all_at(&[0xee; 72], 440).unwrap();
        case.put("usr/lib/os-release", b"ID=debian\nNAME=\"Debian GNU/Linux\"\n");
        case.put("boot/vmlinuz-6.12.1-amd64", b"kernel");
        case.put("boot/initrd.img-6.12.1-amd64", b"initrd");
        case.put("usr/lib/grub/i386-pc/boot.img", &boot_img());
        case.put("usr/lib/grub/i386-pc/ext2.mod", b"module");
        case.put("usr/lib/grub/x86_64-efi/moddep.lst", b"");
        case.put("usr/lib/grub/x86_64-efi/normal.mod", b"module");
        case.put("usr/lib/shim/shimx64.efi.signed", b"shim");
        case.put("usr/lib/shim/mmx64.efi.signed", b"mok");
        case.put("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", b"grub /EFI/debian\0");
        std::fs::create_dir_all(case.tree.path().join("boot/efi")).unwrap();
        case
    }

    fn put(&self, path: &str, data: &[u8]) {
        let path = self.tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.tree.path().join(path)).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.tree.path().join(path)).unwrap()
    }

    fn install(&self) -> Result<Installed, BootError> {
        let target = |argv: &[&str]| mkimage(self.tree.path(), argv);
        install(
            &self.spec,
            &BootContext {
                layout: &self.layout,
                geometry: &self.geometry,
                tree: self.tree.path(),
                disk: &self.disk,
                target: &target,
                epoch: 1_700_000_000,
            },
        )
    }

    fn sector(&self, lba: u64) -> Vec<u8> {
        let mut sector = vec![0; 512];
        self.disk.read_exact_at(&mut sector, lba * 512).unwrap();
        sector
    }
}

fn boot_img() -> Vec<u8> {
    let mut image = vec![0x90; 512];
    image[0x5c..0x68].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfa, 0xeb, 0x05]);
    image[0x180..0x19a].copy_from_slice(b"GRUB \0Geom\0Hard Disk\0Read\0");
    image[0x1fe..].copy_from_slice(&[0x55, 0xaa]);
    image
}

/// Writes what was asked for: an image whose text is the command line.
fn mkimage(tree: &Path, argv: &[&str]) -> Result<Vec<u8>, RunError> {
    assert_eq!(argv[0], "grub-mkimage");
    let value = |flag: &str| argv.iter().skip_while(|a| **a != flag).nth(1).copied().unwrap();
    let mut image = vec![0; 512];
    image[0x1f4..].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x20, 0x08]);
    image.extend(argv.join(" ").into_bytes());
    image.resize(1400, b'.');
    std::fs::write(tree.join(value("-o").trim_start_matches('/')), image)?;
    Ok(Vec::new())
}

/// All files of a tree, with content and time.
fn snapshot(dir: &Path, into: &mut BTreeMap<String, (Vec<u8>, u64)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            snapshot(&path, into);
        } else {
            let time = path.metadata().unwrap().modified().unwrap();
            let seconds = time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            into.insert(
                path.file_name().unwrap().to_string_lossy().into_owned(),
                (std::fs::read(&path).unwrap(), seconds),
            );
        }
    }
}

#[test]
fn gpt_boots_by_bios_uefi_and_secure_boot() {
    let case = Case::new(Table::Gpt);
    let installed = case.install().unwrap();
    assert!(
        installed.bios && installed.uefi && installed.secure_boot && installed.warnings.is_empty(),
        "{installed:?}"
    );
    assert_eq!(boot_code(&case.sector(0)), BootCode::Grub { core_sector: 2048 });
    assert_eq!(case.sector(0)[440..510], [0xee; 70]);
    assert!(is_grub_core(&case.sector(2048), 2048));
    let core = String::from_utf8_lossy(&case.sector(2049)).into_owned();
    assert!(core.contains("-p (,gpt3)/boot/grub ") && core.contains("biosdisk part_gpt ext2 search_fs_uuid"), "{core}");
    assert_eq!(
        case.text("boot/grub/i386-pc/load.cfg"),
        format!("search.fs_uuid {ROOT} root $root\nset prefix=($root)'/boot/grub'\n")
    );
    assert_eq!(case.text("boot/efi/EFI/BOOT/BOOTX64.EFI"), "shim");
    assert!(case.text("boot/efi/EFI/debian/grub.cfg").contains(&format!("--hint=\"$isotope_disk,gpt3\" {ROOT}\n")));
}

#[test]
fn mbr_has_its_core_behind_sector_0() {
    let case = Case::new(Table::Mbr);
    case.install().unwrap();
    assert_eq!(boot_code(&case.sector(0)), BootCode::Grub { core_sector: 1 });
    assert!(is_grub_core(&case.sector(1), 1));
    assert!(String::from_utf8_lossy(&case.sector(2)).contains("-p (,msdos3)/boot/grub "));
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_times() {
    let [first, second] = [Case::new(Table::Gpt), Case::new(Table::Gpt)].map(|case| {
        case.install().unwrap();
        let mut files = BTreeMap::new();
        snapshot(&case.tree.path().join("boot/grub"), &mut files);
        snapshot(&case.tree.path().join("boot/efi"), &mut files);
        assert!(files.len() > 8 && files.values().all(|(_, time)| *time == 1_700_000_000), "{:?}", files.keys());
        (files, case.sector(0), case.sector(2048))
    });
    assert_eq!(first, second);
}

#[test]
fn without_signed_files_an_image_is_made_and_the_user_is_told() {
    let mut case = Case::new(Table::Gpt);
    case.remove("usr/lib/shim/shimx64.efi.signed");
    let installed = case.install().unwrap();
    assert!(!installed.secure_boot);
    assert!(installed.warnings[0].contains("/usr/lib/shim/shimx64.efi.signed"), "{:?}", installed.warnings);
    let image = case.text("boot/efi/EFI/BOOT/BOOTX64.EFI");
    assert!(image.contains("-p /EFI/debian ") && image.contains(" ext2 normal"), "{image}");
    case.spec.secure_boot = SecureBoot::Required;
    let error = case.install().unwrap_err().to_string();
    assert!(error.contains("required") && error.contains("/usr/lib/shim/shimx64.efi.signed"), "{error}");
}

#[test]
fn sectors_of_4096_bytes_boot_by_uefi_alone() {
    let mut case = Case::new(Table::Gpt);
    case.layout.sector_size = SectorSize::B4096;
    case.geometry.sector_size = SectorSize::B4096;
    let installed = case.install().unwrap();
    assert!(!installed.bios && installed.warnings[0].contains("4096-byte sectors"), "{installed:?}");
    assert!(case.sector(0)[..440].iter().all(|b| *b == 0));
    case.spec.uefi = false;
    assert!(case.install().unwrap_err().to_string().contains("sector_size = 512"));
}

#[test]
fn what_cannot_boot_is_refused_with_a_remedy() {
    let mut case = Case::new(Table::Gpt);
    case.layout.partitions.remove(0);
    assert!(case.install().unwrap_err().to_string().contains("kind = \"bios-boot\""));

    let mut case = Case::new(Table::Mbr);
    case.geometry.partitions[0].first_lba = 3;
    assert!(matches!(case.install(), Err(BootError::CoreTooLarge { need: 1536, room: 1024, .. })));

    let case = Case::new(Table::Gpt);
    case.remove("usr/lib/grub/i386-pc/boot.img");
    assert!(case.install().unwrap_err().to_string().contains("grub-pc-bin"));

    let case = Case::new(Table::Gpt);
    case.remove("boot/vmlinuz-6.12.1-amd64");
    assert!(matches!(case.install(), Err(BootError::NoKernel)));

    let mut case = Case::new(Table::Gpt);
    case.layout.partitions[1].filesystem = None;
    assert!(case.install().unwrap_err().to_string().contains("mount = \"/boot/efi\""));
}

#[test]
fn links_of_a_hostile_target_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    for name in ["boot/grub", "boot/efi/EFI", "etc/default"] {
        let case = Case::new(Table::Gpt);
        std::fs::create_dir_all(case.tree.path().join(name).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(outside.path(), case.tree.path().join(name)).unwrap();
        // Whether it fails or writes below the target: nothing lands outside.
        drop(case.install());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{name}");
    }
}
