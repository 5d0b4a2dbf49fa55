//! From entries to nodes: each setting read, defaults filled in, what is missing or unknown told.

use super::config::{Entry, Plugin, get};
use super::graph::{Fstab, GraphNode, LocalLoop, Mkfs, MountPoint, NodeKind, PartitionNode, TableKind, TableNode};
use super::{Config, Params, Share, edges, size};
use isotope_element::yaml::{At, Key, Kind, Node, Text};
use isotope_element::{Bytes, Diagnostic, Origin, Severity, suggest};

mod lvm;

type Values = [(Key, Node)];

/// Reads entries; what it has read so far.
pub(super) struct Reader<'c> {
    source: Text<'c>,
    params: &'c Params,
    pub(super) nodes: Vec<GraphNode>,
    pub(super) tables: Vec<TableNode>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(config: &'c Config, params: &'c Params) -> Self {
        let (nodes, tables) = (Vec::new(), Vec::new());
        Self { source: config.source(), params, nodes, tables, problems: Vec::new(), warnings: Vec::new() }
    }

    /// The nodes of one entry, in upstream's order.
    pub(super) fn entry(&mut self, entry: &Entry) {
        match entry.plugin {
            Plugin::LocalLoop => self.local_loop(entry),
            Plugin::Partitioning => self.partitioning(entry),
            Plugin::Lvm => self.lvm(entry),
            Plugin::Mkfs => self.mkfs(entry),
            Plugin::Mount => self.mount(entry),
            Plugin::Fstab => self.fstab(entry),
        }
    }

    fn local_loop(&mut self, entry: &Entry) {
        self.known(&entry.values, &["name", "base", "size", "directory", "block_size"], "local_loop");
        let size = entry.get("size").and_then(|node| self.size(node));
        let directory =
            self.maybe(&entry.values, "directory").map_or_else(|| self.params.image_dir.clone(), Into::into);
        let block_size = match &self.params.block_size {
            Some(text) => Some(self.block_size(entry.at, &text.clone())),
            None => self.maybe(&entry.values, "block_size").map(|text| {
                let at = entry.get("block_size").map_or(entry.at, |node| node.at);
                self.block_size(at, &text)
            }),
        };
        let block_size = block_size.unwrap_or(512);
        self.node(entry, NodeKind::LocalLoop(LocalLoop { size, directory, block_size }));
    }

    /// Upstream warns of other sizes than these two and tries; what cannot be is refused here.
    fn block_size(&mut self, at: At, text: &str) -> u32 {
        match text.trim().parse() {
            Ok(size @ (512 | 4096)) => size,
            _ => {
                self.problem(at, format!("block device size is set to {text}: 512 and 4096 are possible"), None);
                512
            }
        }
    }

    fn partitioning(&mut self, entry: &Entry) {
        self.known(&entry.values, &["name", "base", "label", "align", "partitions"], "partitioning");
        let needs = |what: &str| format!("partitioning config needs '{what}'");
        let base = self.required(entry, "base", &needs("base"));
        let label = match entry.get("label") {
            None => self.refuse(entry.at, needs("label")),
            Some(node) => match node.text() {
                Some("mbr") => Some(TableKind::Mbr),
                Some("gpt") => Some(TableKind::Gpt),
                _ => self.refuse(node.at, "label must be 'mbr' or 'gpt'"),
            },
        };
        let align = match entry.get("align") {
            None => Some(Bytes::mib(1)),
            Some(node) => match self.size(node) {
                Some(align) if align.0 < 512 => self.refuse(node.at, "align must be at least 512 bytes, a sector"),
                other => other,
            },
        };
        let list = match entry.get("partitions") {
            None => self.refuse(entry.at, needs("partitions")),
            Some(Node { kind: Kind::List(items), .. }) => Some(items),
            // The tree was taken apart before; it told.
            Some(_) => None,
        };
        let (Some(base), Some(label), Some(align), Some(list)) = (base, label, align, list) else { return };
        let table = self.tables.len();
        let origin = self.origin(entry.at);
        self.tables.push(TableNode { base, label, align, partitions: Vec::new(), origin });
        let mut previous: Option<String> = None;
        for item in list {
            let Kind::Map(values) = &item.kind else { continue };
            let place = PartitionPlace { table, label, previous: previous.clone() };
            if let Some(name) = self.partition(item.at, values, place) {
                self.tables[table].partitions.push(name.clone());
                previous = Some(name);
            }
        }
    }

    /// The name of the partition, if it has one; also where it has faults.
    fn partition(&mut self, at: At, values: &Values, place: PartitionPlace) -> Option<String> {
        self.known(values, &["name", "base", "size", "flags", "type"], "a partition");
        let Some(name) = self.maybe(values, "name") else { return self.refuse(at, "a partition needs 'name'") };
        let size = match get(values, "size") {
            None => self.refuse(at, format!("no size in partition {name}")),
            Some(node) => match node.text().map(Share::parse) {
                Some(Ok(size)) => Some(size),
                Some(Err(fault)) => self.refuse(node.at, format!("partition {name}: {fault}")),
                None => self.refuse(node.at, format!("the size of partition {name} is {}", node.what())),
            },
        };
        let (mut boot, mut primary) = (false, false);
        for flag in self.list(values, "flags") {
            match flag.as_str() {
                "boot" => boot = true,
                "primary" if place.label == TableKind::Gpt => {
                    self.problem(at, "primary flag not supported for GPT partitions", None);
                }
                "primary" => primary = true,
                other => {
                    self.problem(
                        at,
                        format!("unknown flag: {other}"),
                        suggest(other, ["boot", "primary"], "known are"),
                    );
                }
            }
        }
        let code = self.maybe(values, "type");
        if let Some(code) = code.as_ref().filter(|_| place.label == TableKind::Mbr)
            && u32::from_str_radix(code.trim_start_matches("0x").trim_start_matches("0X"), 16).is_err()
        {
            let at = get(values, "type").map_or(at, |node| node.at);
            self.problem(at, format!("partition {name}: the type `{code}` is no hexadecimal number"), None);
        }
        if let Some(size) = size {
            let PartitionPlace { table, label: _, previous } = place;
            let kind = NodeKind::Partition(PartitionNode { table, previous, size, boot, primary, code });
            self.nodes.push(GraphNode { name: name.clone(), origin: self.origin(at), kind, at });
        }
        Some(name)
    }

    fn mkfs(&mut self, entry: &Entry) {
        self.known(&entry.values, &["name", "base", "type", "label", "opts", "uuid"], "mkfs");
        let base = self.required(entry, "base", "mkfs config needs [base]");
        let kind = self.required(entry, "type", "mkfs config needs [type]");
        let (Some(base), Some(kind)) = (base, kind) else { return };
        let mut label = self.maybe(&entry.values, "label").unwrap_or_else(|| name_of(entry).to_owned());
        if matches!(kind.as_str(), "vfat" | "fat") {
            label = label.to_uppercase();
        }
        if edges::longest_label(&kind).is_none() {
            let message =
                format!("length of label [{label}] cannot be checked for filesystem [{kind}]: unknown max length");
            self.warn(entry.at, message, None);
        }
        let uuid = self.maybe(&entry.values, "uuid");
        let opts = self.maybe(&entry.values, "opts").unwrap_or_default();
        let opts = opts.split_whitespace().map(str::to_owned).collect();
        self.node(entry, NodeKind::Mkfs(Mkfs { base, kind, label, uuid, opts }));
    }

    fn mount(&mut self, entry: &Entry) {
        self.known(&entry.values, &["name", "base", "mount_point"], "mount");
        let base = self.required(entry, "base", "mountpoint config needs [base]");
        let mount_point = self.required(entry, "mount_point", "mountpoint config needs [mount_point]");
        let (Some(base), Some(mount_point)) = (base, mount_point) else { return };
        self.node(entry, NodeKind::Mount(MountPoint { base, mount_point }));
    }

    fn fstab(&mut self, entry: &Entry) {
        self.known(&entry.values, &["name", "base", "options", "dump-freq", "fsck-passno"], "fstab");
        let Some(base) = self.required(entry, "base", "fstab config needs [base]") else { return };
        let mut or = |name, default: &str| self.maybe(&entry.values, name).unwrap_or_else(|| default.to_owned());
        let (options, dump_freq, fsck_passno) =
            (or("options", "defaults"), or("dump-freq", "0"), or("fsck-passno", "2"));
        self.node(entry, NodeKind::Fstab(Fstab { base, options, dump_freq, fsck_passno }));
    }

    fn node(&mut self, entry: &Entry, kind: NodeKind) {
        let origin = self.origin(entry.at);
        self.nodes.push(GraphNode { name: name_of(entry).to_owned(), origin, kind, at: entry.at });
    }

    fn origin(&self, at: At) -> Origin {
        Origin { element: "block-device".to_owned(), file: Some(self.source.path.to_owned()), line: Some(at.line) }
    }

    fn problem(&mut self, at: At, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.problems.push(self.source.error(at, message).hint(hint));
    }

    /// A problem in the place of a value.
    fn refuse<T>(&mut self, at: At, message: impl Into<String>) -> Option<T> {
        self.problem(at, message, None);
        None
    }

    fn warn(&mut self, at: At, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.warnings.push(self.source.error(at, message).severity(Severity::Warning).hint(hint));
    }

    /// Warns of settings that upstream does not read, and of keys that stand at the wrong depth.
    fn known(&mut self, values: &Values, known: &[&str], whose: &str) {
        for (key, _) in values.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            let hint = suggest(&key.name, known.iter().copied(), "known are");
            self.warn(key.at, format!("`{}` is no setting of {whose}, and has no effect", key.name), hint);
        }
    }

    /// A text, or the message that it is missing.
    fn required(&mut self, entry: &Entry, name: &str, message: &str) -> Option<String> {
        if entry.get(name).is_none() {
            return self.refuse(entry.at, message);
        }
        self.maybe(&entry.values, name)
    }

    /// A text, if there is one.
    fn maybe(&mut self, values: &Values, name: &str) -> Option<String> {
        let node = get(values, name)?;
        match node.text() {
            Some(text) => Some(text.to_owned()),
            None => self.refuse(node.at, format!("`{name}` is {}, but a text is expected", node.what())),
        }
    }

    /// A list of texts; empty if there is none.
    fn list(&mut self, values: &Values, name: &str) -> Vec<String> {
        let Some(node) = get(values, name) else { return Vec::new() };
        let Kind::List(items) = &node.kind else {
            self.problem(node.at, format!("`{name}` is {}, but a list is expected", node.what()), None);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item.text() {
                Some(text) => texts.push(text.to_owned()),
                None => {
                    self.problem(item.at, format!("`{name}` has {} in it, but texts are expected", item.what()), None)
                }
            }
        }
        texts
    }

    fn size(&mut self, node: &Node) -> Option<Bytes> {
        match node.text().map(size::absolute) {
            Some(Ok(size)) => Some(size),
            Some(Err(fault)) => self.refuse(node.at, fault.to_string()),
            None => self.refuse(node.at, format!("a size is expected, not {}", node.what())),
        }
    }
}

/// Where a partition stands.
struct PartitionPlace {
    table: usize,
    label: TableKind,
    previous: Option<String>,
}

/// The name of an entry; each has one since the tree was taken apart.
fn name_of(entry: &Entry) -> &str {
    entry.get("name").and_then(Node::text).unwrap_or_default()
}
