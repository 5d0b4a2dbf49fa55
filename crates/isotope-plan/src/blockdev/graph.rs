//! The graph: what is made, what each thing stands on, and the order of making.
//!
//! Every partition, volume, filesystem, mount point and line of fstab is a node; names are unique. The order is that of a topological
//! sort, generation by generation, ties in the order of the configuration: upstream's, but the same on every run.

use super::edges::{self, Sorted};
use super::read::Reader;
use super::{Config, Params, Share};
use crate::{PlanErrors, Problem};
use isotope_element::yaml::At;
use isotope_element::{Bytes, Diagnostic, Origin};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What a configuration makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// In the order of the configuration.
    pub nodes: Vec<GraphNode>,
    /// Partition tables; partitions refer to them.
    pub tables: Vec<TableNode>,
    /// From what must be there to what stands on it, as indices into `nodes`.
    pub edges: Vec<(usize, usize)>,
    /// In the order of making, as indices into `nodes`.
    pub order: Vec<usize>,
    /// What upstream passes over in silence.
    pub warnings: Vec<Problem>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphNode {
    /// Unique.
    pub name: String,
    /// Where it stands in the configuration.
    #[serde(skip)]
    pub origin: Origin,
    /// What it is.
    #[serde(flatten)]
    pub kind: NodeKind,
    #[serde(skip)]
    pub(super) at: At,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NodeKind {
    /// An image file on a loop device.
    LocalLoop(LocalLoop),
    /// A partition.
    Partition(PartitionNode),
    /// A physical volume.
    Pvs(PhysicalVolume),
    /// A volume group.
    Vgs(VolumeGroup),
    /// A logical volume.
    Lvs(LogicalVolume),
    /// The point at which everything of one `lvm` entry is made.
    Lvm(Lvm),
    /// A filesystem.
    Mkfs(Mkfs),
    /// A mount point.
    Mount(MountPoint),
    /// A line of fstab.
    Fstab(Fstab),
}

/// An image file on a loop device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LocalLoop {
    /// Its size; `None`: the image size of the build.
    pub size: Option<Bytes>,
    /// Where its file lies, as `NAME.raw`.
    pub directory: PathBuf,
    /// Logical sector size.
    pub block_size: u32,
}

/// Type of a partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// Master boot record.
    Mbr,
    /// GUID partition table.
    Gpt,
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableNode {
    /// The disk it is on.
    pub base: String,
    /// Its type.
    pub label: TableKind,
    /// MBR: partitions start at multiples of this.
    pub align: Bytes,
    /// Names of its partitions, in disk order.
    pub partitions: Vec<String>,
    /// Where it stands in the configuration.
    #[serde(skip)]
    pub origin: Origin,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionNode {
    /// Index of its table in [`Graph::tables`].
    pub table: usize,
    /// The partition before it on the same disk.
    pub previous: Option<String>,
    /// How large.
    pub size: Share,
    /// Flag `boot`: active on MBR, without effect on GPT.
    pub boot: bool,
    /// Flag `primary`: on MBR not in the extended partition.
    pub primary: bool,
    /// MBR: a hexadecimal byte. GPT: a code of sgdisk, or a GUID.
    pub code: Option<String>,
}

/// A physical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhysicalVolume {
    /// The partition or disk it is made of.
    pub base: String,
    /// More arguments for pvcreate.
    pub options: Vec<String>,
}

/// A volume group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeGroup {
    /// Its physical volumes.
    pub base: Vec<String>,
    /// More arguments for vgcreate.
    pub options: Vec<String>,
}

/// A logical volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogicalVolume {
    /// Its volume group.
    pub base: String,
    /// More arguments for lvcreate.
    pub options: Vec<String>,
    /// Its size; wins over `extents`.
    pub size: Option<Bytes>,
    /// Its size for `lvcreate -l`: `23%VG`, `100`.
    pub extents: Option<String>,
    /// `thin` or `thin-pool`.
    pub segment: Option<String>,
    /// Of a thin volume, its pool.
    pub thin_pool: Option<String>,
}

/// One `lvm` entry: names of its physical volumes, volume groups and logical volumes, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lvm {
    /// What the physical volumes are made of, each once.
    pub devices: Vec<String>,
    /// Physical volumes.
    pub pvs: Vec<String>,
    /// Volume groups.
    pub vgs: Vec<String>,
    /// Logical volumes.
    pub lvs: Vec<String>,
}

/// A filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mkfs {
    /// What it is made on.
    pub base: String,
    /// Its type, as `mkfs -t` has it, or `swap`.
    pub kind: String,
    /// Its label.
    pub label: String,
    /// Its UUID, where the configuration says one.
    pub uuid: Option<String>,
    /// More arguments for mkfs.
    pub opts: Vec<String>,
}

/// A mount point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MountPoint {
    /// Its filesystem.
    pub base: String,
    /// Where, in the target; `none` for a swap area.
    pub mount_point: String,
}

/// A line of fstab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fstab {
    /// Its mount point.
    pub base: String,
    /// Mount options.
    pub options: String,
    /// Dump frequency.
    pub dump_freq: String,
    /// Pass of fsck.
    pub fsck_passno: String,
}

impl Graph {
    /// Makes the graph of a configuration; `params` say size and directory of disks that have none. What they say of `mkfs_root` is
    /// filled in before, by [`Config::with_params`].
    ///
    /// # Errors
    /// Everything that upstream refuses: missing settings, names and labels used twice, labels too long, edges to nowhere.
    pub fn new(config: &Config, params: &Params) -> Result<Self, PlanErrors> {
        let mut reader = Reader::new(config, params);
        for entry in &config.entries {
            reader.entry(entry);
        }
        let Reader { nodes, tables, mut problems, warnings, .. } = reader;
        let all =
            |problems: Vec<Diagnostic>| PlanErrors { problems: problems.into_iter().map(Problem::from).collect() };
        let whole = problems.is_empty();
        problems.extend(edges::twice(config.source(), &nodes));
        problems.extend(edges::labels(config.source(), &nodes));
        let edges = match edges::find(config.source(), &nodes, &tables) {
            Ok(edges) => edges,
            // Where a node could not be read, what stands on it is no error of its own.
            Err(faults) => {
                problems.extend(faults.into_iter().filter(|_| whole));
                Vec::new()
            }
        };
        if !problems.is_empty() {
            return Err(all(problems));
        }
        let order = match edges::sort(nodes.len(), &edges) {
            Sorted::Order(order) => order,
            Sorted::Cycle(rest) => return Err(all(vec![edges::cycle(config.source(), &nodes, &rest)])),
        };
        let warnings = config.warnings.iter().cloned().chain(warnings).map(Problem::from).collect();
        Ok(Self { nodes, tables, edges, order, warnings })
    }

    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&GraphNode> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The nodes in the order of making.
    pub fn ordered(&self) -> impl DoubleEndedIterator<Item = &GraphNode> {
        self.order.iter().filter_map(|index| self.nodes.get(*index))
    }

    /// Nodes, edges and order, normalised, for people's tools and for comparison.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let name = |index: usize| self.nodes.get(index).map_or("", |node| node.name.as_str());
        let mut edges: Vec<[&str; 2]> = self.edges.iter().map(|(from, to)| [name(*from), name(*to)]).collect();
        edges.sort_unstable();
        json!({
            "nodes": self.nodes,
            "tables": self.tables,
            "edges": edges,
            "order": self.order.iter().map(|index| name(*index)).collect::<Vec<_>>(),
        })
    }
}
