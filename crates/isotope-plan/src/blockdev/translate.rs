//! From the graph to the layout: what each thing is made on, numbers and types of partitions, kinds of filesystems; and the rules
//! that upstream finds broken only while it builds, or never.

use super::codes::{self, Code};
use super::graph::{Graph, GraphNode, LogicalVolume, Mkfs, NodeKind, TableKind, TableNode};
use super::layout::{
    Device, DiskPlan, FilesystemPlan, IMAGE_DISK, LayoutPlan, PartitionCode, PartitionPlan, TablePlan,
};
use super::{Params, place};
use crate::layout::{Filesystem, FilesystemKind, Mount, SectorSize};
use crate::{PlanErrors, Problem, ids};
use isotope_element::{Bytes, Origin};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

mod mounts;
mod volumes;

/// Names of GPT partitions are this long at most, in units of UTF-16.
const GPT_NAME: usize = 36;

/// The types that Isotope makes, in the words of `mkfs -t`.
const KINDS: [(&str, FilesystemKind); 9] = [
    ("ext4", FilesystemKind::Ext4),
    ("ext3", FilesystemKind::Ext3),
    ("ext2", FilesystemKind::Ext2),
    ("xfs", FilesystemKind::Xfs),
    ("btrfs", FilesystemKind::Btrfs),
    ("vfat", FilesystemKind::Fat),
    ("fat", FilesystemKind::Fat),
    ("msdos", FilesystemKind::Fat),
    ("swap", FilesystemKind::Swap),
];

/// The layout of a graph.
///
/// # Errors
/// Everything that could not be made, with file and line.
pub fn layout(graph: &Graph, params: &Params) -> Result<LayoutPlan, PlanErrors> {
    let mut made =
        Made { graph, params, devices: BTreeMap::new(), problems: Vec::new(), warnings: graph.warnings.clone() };
    let disks = made.disks();
    let lvm = made.lvm();
    let filesystems = made.filesystems();
    let mounts = made.mounts(&filesystems);
    made.users();
    let Made { problems, warnings, .. } = made;
    if !problems.is_empty() {
        return Err(PlanErrors { problems });
    }
    let mut plan = LayoutPlan { disks, lvm, filesystems, mounts, warnings };
    plan.fill_mounts();
    Ok(plan)
}

struct Made<'g> {
    graph: &'g Graph,
    params: &'g Params,
    /// What stands for a device, by the name of its node.
    devices: BTreeMap<String, Device>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Made<'_> {
    fn problem(&mut self, origin: &Origin, message: impl Into<String>, remedy: &str) {
        self.problems.push(Problem::configuration(message).at(origin).remedy(remedy));
    }

    fn warn(&mut self, origin: &Origin, message: impl Into<String>) {
        self.warnings.push(Problem::configuration(message).at(origin));
    }

    fn disks(&mut self) -> Vec<DiskPlan> {
        let graph = self.graph;
        let mut disks = Vec::new();
        for node in graph.ordered() {
            let NodeKind::LocalLoop(local) = &node.kind else { continue };
            let sector_size = if local.block_size == 4096 { SectorSize::B4096 } else { SectorSize::B512 };
            let id = match node.name.as_str() {
                IMAGE_DISK => ids::disk(self.params.seed),
                other => ids::disk(ids::partition(self.params.seed, other)),
            };
            let mut tables = graph.tables.iter().filter(|table| table.base == node.name);
            let table = tables.next().map(|table| self.table(table, sector_size));
            if let Some(second) = tables.next() {
                let message = format!("disk `{}` has two partition tables", node.name);
                self.problem(&second.origin, message, "write all its partitions into one `partitioning`");
            }
            self.devices.insert(node.name.clone(), Device::Disk { disk: node.name.clone() });
            if node.name != IMAGE_DISK && local.directory == self.params.image_dir {
                let message = format!(
                    "disk `{}` is not exported and goes with the build's directory: give it a `directory` to keep it",
                    node.name
                );
                self.warn(&node.origin, message);
            }
            disks.push(DiskPlan {
                name: node.name.clone(),
                directory: local.directory.clone(),
                size: local.size,
                sector_size,
                id,
                table,
                origin: node.origin.clone(),
            });
        }
        for table in graph.tables.iter().filter(|table| !disks.iter().any(|disk| disk.name == table.base)) {
            let message = format!("the base `{}` of a partition table is no local_loop", table.base);
            self.problem(&table.origin, message, "name the local_loop that the table is written on");
        }
        if !disks.iter().any(|disk| disk.name == IMAGE_DISK) {
            let origin = graph.nodes.first().map_or_else(nowhere, |node| node.origin.clone());
            let message = format!("no local_loop is named `{IMAGE_DISK}`, which is the disk that becomes the image");
            self.problem(&origin, message, "rename the local_loop of the image");
        }
        disks
    }

    fn table(&mut self, table: &TableNode, sector: SectorSize) -> TablePlan {
        if !place::fits_sectors(table.label, sector) {
            let message = "an MBR is written in sectors of 512 bytes, but its disk has sectors of 4096";
            self.problem(&table.origin, message, "use label: gpt, or no block_size (nor DIB_BLOCK_SIZE)");
        }
        let mut partitions: Vec<PartitionPlan> = Vec::new();
        let (mut primaries, mut logicals) = (0_u32, 0_u32);
        for name in &table.partitions {
            let Some(node) = self.graph.node(name) else { continue };
            let NodeKind::Partition(partition) = &node.kind else { continue };
            let logical = table.label == TableKind::Mbr && !partition.primary;
            if !logical && logicals > 0 {
                let message =
                    format!("all primary partitions must be given first, but `{name}` stands behind a logical one");
                self.problem(&node.origin, message, "move it up, or take its flag `primary` away");
            }
            let count = if logical { &mut logicals } else { &mut primaries };
            *count += 1;
            let number = if logical { 4 + *count } else { *count };
            self.devices.insert(name.clone(), Device::Partition { disk: table.base.clone(), number });
            partitions.push(PartitionPlan {
                name: self.table_name(table, node),
                number,
                size: partition.size,
                code: self.code(table.label, node, partition.code.as_deref()),
                boot: partition.boot && table.label == TableKind::Mbr,
                logical,
                uuid: ids::partition(self.params.seed, name),
                origin: node.origin.clone(),
            });
        }
        let entries = primaries + u32::from(logicals > 0);
        match table.label {
            TableKind::Mbr if entries > 4 => {
                let message = format!(
                    "{primaries} primary partitions{}, but an MBR has four entries",
                    if logicals > 0 { " and an extended one" } else { "" }
                );
                self.problem(&table.origin, message, "take the flag `primary` from some of them, or use label: gpt");
            }
            TableKind::Gpt if entries > 128 => {
                self.problem(
                    &table.origin,
                    format!("{entries} partitions, but a GPT has 128 entries"),
                    "join some of them",
                );
            }
            _ => {}
        }
        TablePlan { kind: table.label, align: Bytes(table.align.0 - table.align.0 % 512), partitions }
    }

    /// The name that a GPT can hold.
    fn table_name(&mut self, table: &TableNode, node: &GraphNode) -> String {
        let mut units = 0;
        let fits = |c: &char| {
            units += c.len_utf16();
            units <= GPT_NAME
        };
        let short: String = node.name.chars().take_while(fits).collect();
        if table.label == TableKind::Gpt && short != node.name {
            self.warn(
                &node.origin,
                format!("the partition name `{}` is cut to `{short}`: a GPT holds {GPT_NAME}", node.name),
            );
            return short;
        }
        node.name.clone()
    }

    fn code(&mut self, label: TableKind, node: &GraphNode, text: Option<&str>) -> PartitionCode {
        let name = &node.name;
        match label {
            TableKind::Mbr => {
                let text = text.unwrap_or("0x83");
                let number = u32::from_str_radix(text.trim_start_matches("0x").trim_start_matches("0X"), 16);
                let byte = number.ok().and_then(|number| u8::try_from(number).ok());
                if byte.is_none_or(|byte| byte == 0) {
                    let message =
                        format!("partition `{name}`: the type `{text}` is no byte from 01 to ff, as an MBR has it");
                    self.problem(&node.origin, message, "use an MBR type (83: Linux, ef: EFI system), or label: gpt");
                }
                PartitionCode::Mbr(byte.unwrap_or(0x83))
            }
            TableKind::Gpt => {
                let text = text.unwrap_or("8300");
                match codes::read(text) {
                    Some(Code::Known(guid)) => PartitionCode::Gpt(guid),
                    Some(Code::Unknown(guid)) => {
                        let message = format!(
                            "partition `{name}`: the type `{text}` is unknown; it is made a Linux filesystem (8300)"
                        );
                        self.warn(&node.origin, message);
                        PartitionCode::Gpt(guid)
                    }
                    None => {
                        let message = format!("partition `{name}`: `{text}` is no type of a GPT partition");
                        let remedy =
                            "use a code of `sgdisk -L` (8300: Linux, EF00: EFI system, EF02: BIOS boot), or a GUID";
                        self.problem(&node.origin, message, remedy);
                        PartitionCode::Gpt(Uuid::nil())
                    }
                }
            }
        }
    }

    fn filesystems(&mut self) -> Vec<FilesystemPlan> {
        let graph = self.graph;
        let mut filesystems = Vec::new();
        for node in graph.ordered() {
            let NodeKind::Mkfs(mkfs) = &node.kind else { continue };
            let device = self.device(node, &mkfs.base, "mkfs");
            let kind = KINDS.iter().find(|(name, _)| *name == mkfs.kind).map(|(_, kind)| *kind);
            if kind.is_none() {
                let message = format!("mkfs `{}`: Isotope does not make `{}`", node.name, mkfs.kind);
                let names = KINDS.map(|(name, _)| name).join(", ");
                self.problem(&node.origin, message, &format!("use one of {names}"));
            }
            let filesystem = self.filesystem(node, mkfs, kind.unwrap_or(FilesystemKind::Ext4));
            let (Some(device), Some(_)) = (device, kind) else { continue };
            filesystems.push(FilesystemPlan {
                name: node.name.clone(),
                device,
                fstype: mkfs.kind.clone(),
                filesystem,
                origin: node.origin.clone(),
            });
        }
        filesystems
    }

    fn filesystem(&mut self, node: &GraphNode, mkfs: &Mkfs, kind: FilesystemKind) -> Filesystem {
        let derived = ids::filesystem(self.params.seed, &node.name);
        let uuid = match (mkfs.uuid.as_deref(), kind) {
            (None, _) => derived,
            (Some(text), FilesystemKind::Fat) => {
                self.warn(
                    &node.origin,
                    format!("uuid will not be written for fs type [{}]: `{text}` has no effect", mkfs.kind),
                );
                derived
            }
            (Some(text), _) => Uuid::try_parse(text).unwrap_or_else(|_| {
                let message = format!("mkfs `{}`: `{text}` is no UUID", node.name);
                self.problem(&node.origin, message, "write one as uuidgen does, or none: one is made up then");
                derived
            }),
        };
        let own = matches!(kind, FilesystemKind::Fat | FilesystemKind::Swap);
        if own && !mkfs.opts.is_empty() {
            let message =
                format!("mkfs `{}`: opts have no effect on {}: `{}`", node.name, mkfs.kind, mkfs.opts.join(" "));
            self.warn(&node.origin, message);
        }
        let mkfs_options = if own { Vec::new() } else { mkfs.opts.clone() };
        Filesystem { kind, label: Some(mkfs.label.clone()), uuid, mount: None, mkfs_options }
    }

    /// The device that a node is made on.
    fn device(&mut self, node: &GraphNode, base: &str, what: &str) -> Option<Device> {
        let device = self.devices.get(base).cloned();
        if device.is_none() {
            let message = format!("the base `{base}` of {what} `{}` is no block device", node.name);
            self.problem(&node.origin, message, "name a local_loop, a partition or a logical volume");
        }
        device
    }

    /// A device has one use at most.
    fn users(&mut self) {
        let graph = self.graph;
        let mut users: BTreeMap<&str, &str> = BTreeMap::new();
        let tables = graph.tables.iter().map(|table| (table.base.as_str(), "a partition table", &table.origin));
        let others = graph.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Mkfs(mkfs) => Some((mkfs.base.as_str(), node.name.as_str(), &node.origin)),
            NodeKind::Pvs(physical) => Some((physical.base.as_str(), node.name.as_str(), &node.origin)),
            _ => None,
        });
        for (device, user, origin) in tables.chain(others) {
            if let Some(first) =
                users.insert(device, user).filter(|first| *first != "a partition table" || user != *first)
            {
                let message =
                    format!("`{device}` is taken twice: by {first} and by {user}; the second would destroy the first");
                self.problem(origin, message, "give each a device of its own");
            }
        }
    }

    /// Whether a name is that of a thin pool, on which nothing else can be made.
    fn is_pool(&self, name: &str) -> Option<&LogicalVolume> {
        match &self.graph.node(name)?.kind {
            NodeKind::Lvs(volume) if volume.segment.as_deref() == Some("thin-pool") => Some(volume),
            _ => None,
        }
    }
}

impl LayoutPlan {
    /// Tells each filesystem where it is mounted, for what fills it.
    fn fill_mounts(&mut self) {
        for mount in &self.mounts {
            let Some(made) = self.filesystems.get_mut(mount.filesystem) else { continue };
            if made.filesystem.kind == FilesystemKind::Swap {
                continue;
            }
            let line = mount.fstab.as_ref();
            let options = line.map_or_else(|| "defaults".to_owned(), |line| line.options.clone());
            let passno = line.and_then(|line| line.fsck_passno.parse().ok()).unwrap_or(0);
            made.filesystem.mount = Some(Mount { path: mount.path.clone(), options, passno });
        }
    }
}

impl DiskPlan {
    /// Its file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.directory.join(format!("{}.raw", self.name))
    }
}

fn nowhere() -> Origin {
    Origin { element: "block-device".to_owned(), file: None, line: None }
}
