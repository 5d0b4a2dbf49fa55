//! Installs the boot loader on a disk that was laid out and mounted by hand: `install-grub FACTS`, where FACTS is a text of
//! lines `KEY VALUE`: disk, tree, table, sector_size, esp FIRST LAST, bios FIRST LAST, root FIRST LAST FS UUID, secure_boot, arg…

use isotope_boot::{BootContext, RunError, install};
use isotope_plan::geometry::{Geometry, Placed};
use isotope_plan::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use isotope_plan::{BootSpec, Bytes, Origin, SecureBoot};
use isotope_sys::command::Tool;
use std::io::Write;
use uuid::Uuid;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let facts = std::fs::read_to_string(std::env::args().nth(1).ok_or("usage: install-grub FACTS")?)?;
    let get =
        |key: &str| facts.lines().filter_map(|l| l.split_once(' ')).find(|(k, _)| *k == key).map(|(_, v)| v.trim());
    let sector_size = SectorSize::try_from(get("sector_size").unwrap_or("512").parse::<u32>()?)?;
    let (mut partitions, mut placed) = (Vec::new(), Vec::new());
    for (name, kind) in [("bios", PartitionKind::BiosBoot), ("esp", PartitionKind::Esp), ("root", PartitionKind::Root)]
    {
        let Some(value) = get(name) else { continue };
        let words: Vec<&str> = value.split_whitespace().collect();
        let number = u32::try_from(partitions.len() + 1)?;
        placed.push(Placed { number, first_lba: words[0].parse()?, last_lba: words[1].parse()? });
        let (fs, mount, uuid) = match kind {
            PartitionKind::Root => (Some(fs_kind(words[2])?), "/", words[3].parse()?),
            PartitionKind::Esp => (Some(FilesystemKind::Fat), "/boot/efi", Uuid::nil()),
            _ => (None, "", Uuid::nil()),
        };
        partitions.push(partition(name, number, kind, fs.map(|fs| (fs, mount, uuid))));
    }
    let table = if get("table") == Some("mbr") { Table::Mbr } else { Table::Gpt };
    let layout =
        Layout { table, sector_size, size: DiskSize::Auto, align: Bytes::mib(1), disk_id: Uuid::nil(), partitions };
    let geometry = Geometry { sector_size, total_sectors: get("sectors").unwrap_or("0").parse()?, partitions: placed };
    let tree = get("tree").ok_or("no tree")?;
    let disk = std::fs::OpenOptions::new().read(true).write(true).open(get("disk").ok_or("no disk")?)?;
    let target =
        |argv: &[&str]| -> Result<Vec<u8>, RunError> { Ok(Tool::new("chroot").arg(tree).args(argv).run()?.stdout) };
    let spec = BootSpec {
        bios: get("no_bios").is_none(),
        uefi: true,
        secure_boot: match get("secure_boot") {
            Some("off") => SecureBoot::Off,
            Some("required") => SecureBoot::Required,
            _ => SecureBoot::Auto,
        },
        timeout: 1,
        kernel_args: facts.lines().filter_map(|l| l.strip_prefix("arg ")).map(str::to_owned).collect(),
        consoles: vec!["tty0".to_owned(), "ttyS0,115200n8".to_owned()],
        origin: Origin { element: "example".to_owned(), file: None, line: None },
    };
    let context = BootContext {
        layout: &layout,
        geometry: &geometry,
        tree: tree.as_ref(),
        disk: &disk,
        target: &target,
        epoch: 1_700_000_000,
    };
    let installed = install(&spec, &context)?;
    writeln!(std::io::stdout(), "{installed:#?}")?;
    Ok(())
}

fn fs_kind(name: &str) -> Result<FilesystemKind, Error> {
    match name {
        "ext4" => Ok(FilesystemKind::Ext4),
        "xfs" => Ok(FilesystemKind::Xfs),
        "btrfs" => Ok(FilesystemKind::Btrfs),
        other => Err(format!("unknown filesystem {other}").into()),
    }
}

fn partition(name: &str, number: u32, kind: PartitionKind, fs: Option<(FilesystemKind, &str, Uuid)>) -> Partition {
    let origin = Origin { element: "example".to_owned(), file: None, line: None };
    let filesystem = fs.map(|(kind, path, uuid)| Filesystem {
        kind,
        label: None,
        uuid,
        mount: Some(Mount { path: path.to_owned(), options: "defaults".to_owned(), passno: 1 }),
        mkfs_options: Vec::new(),
    });
    Partition {
        name: name.to_owned(),
        number,
        kind,
        size: PartitionSize::Auto,
        uuid: Uuid::from_u128(7),
        filesystem,
        origin,
    }
}
