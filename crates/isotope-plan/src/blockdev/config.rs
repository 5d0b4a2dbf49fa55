//! The configuration as a list of entries: trees taken apart, names and bases made up where they are left out.
//!
//! A tree nests what stands on something below it; a graph names it as `base`. Both give the same list, the one that upstream keeps in
//! `states/block-device/config.json`: what is nested first, then the entry it is nested in.

use super::{Params, scalar};
use crate::{PlanErrors, Problem};
use isotope_element::yaml::{At, Key, Kind, Node, Text};
use isotope_element::{Diagnostic, suggest};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plugin {
    /// An image file on a loop device.
    LocalLoop,
    /// A partition table.
    Partitioning,
    /// Physical volumes, volume groups, logical volumes.
    Lvm,
    /// A filesystem.
    Mkfs,
    /// A mount point.
    Mount,
    /// A line of fstab.
    Fstab,
}

impl Plugin {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::LocalLoop, Self::Partitioning, Self::Lvm, Self::Mkfs, Self::Mount, Self::Fstab];

    /// Its key in the configuration.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::LocalLoop => "local_loop",
            Self::Partitioning => "partitioning",
            Self::Lvm => "lvm",
            Self::Mkfs => "mkfs",
            Self::Mount => "mount",
            Self::Fstab => "fstab",
        }
    }

    pub(super) fn of(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plugin| plugin.key() == key)
    }
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it makes.
    pub plugin: Plugin,
    /// Where its key stands.
    pub(super) at: At,
    /// Its settings, `name` and `base` among them.
    pub(super) values: Vec<(Key, Node)>,
}

impl Entry {
    /// A setting; nothing (`null`) is no setting.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        get(&self.values, name)
    }
}

/// A setting of a map; nothing (`null`) is no setting.
pub(super) fn get<'n>(values: &'n [(Key, Node)], name: &str) -> Option<&'n Node> {
    values.iter().find(|(key, _)| key.name == name).map(|(_, node)| node).filter(|node| !node.is_null())
}

/// A configuration, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file, for messages.
    pub(super) file: PathBuf,
    /// Its text, for messages.
    pub(super) text: String,
    /// What its reader passed over.
    pub(super) warnings: Vec<Diagnostic>,
    /// Its entries, in upstream's order.
    pub entries: Vec<Entry>,
}

impl Config {
    /// Reads a configuration, tree or graph. `file` is for messages only.
    ///
    /// # Errors
    /// It is no YAML, no list of entries, or an entry is unknown.
    pub fn parse(file: &Path, text: &str) -> Result<Self, PlanErrors> {
        let source = Text { path: file, text };
        let one = |diagnostic: Diagnostic| PlanErrors { problems: vec![Problem::from(diagnostic)] };
        let mut warnings = Vec::new();
        let root = source.parse_as_python(&mut warnings).map_err(one)?;
        let items = match root.as_ref().map(|node| &node.kind) {
            Some(Kind::List(items)) => items,
            _ => {
                let at = root.map_or(At { line: 1, column: 1, width: 1 }, |node| node.at);
                let message = "a block device configuration is a list of entries, each one of local_loop, partitioning, lvm, mkfs, mount, fstab";
                return Err(one(source.error(at, message)));
            }
        };
        let mut flat = Flat { source, entries: Vec::new(), problems: Vec::new() };
        for item in items {
            flat.top(item);
        }
        let Flat { entries, problems, .. } = flat;
        if problems.is_empty() {
            Ok(Self { file: file.to_owned(), text: text.to_owned(), warnings, entries })
        } else {
            Err(PlanErrors { problems: problems.into_iter().map(Problem::from).collect() })
        }
    }

    /// The same with what the parameters say of `mkfs_root`, where the configuration does not say it.
    #[must_use]
    pub fn with_params(mut self, params: &Params) -> Self {
        let is_root = |entry: &&mut Entry| {
            entry.plugin == Plugin::Mkfs && entry.get("name").and_then(Node::text) == Some("mkfs_root")
        };
        for entry in self.entries.iter_mut().filter(is_root) {
            let at = entry.at;
            let mut add = |name: &str, value: &str| {
                if !entry.values.iter().any(|(key, _)| key.name == name) {
                    entry.values.push((Key { at, name: name.to_owned() }, made_up(at, value)));
                }
            };
            add("type", &params.root_fs_type);
            if let Some(opts) = &params.root_fs_opts {
                add("opts", opts);
            }
            let xfs = entry.get("type").and_then(Node::text) == Some("xfs");
            let label = params.root_label.as_deref().unwrap_or(if xfs { "img-rootfs" } else { "cloudimg-rootfs" });
            if !entry.values.iter().any(|(key, _)| key.name == "label") {
                entry.values.push((Key { at, name: "label".to_owned() }, made_up(at, label)));
            }
        }
        self
    }

    /// The list as upstream writes it to its `config.json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let entry = |entry: &Entry| {
            let values = entry.values.iter().map(|(key, value)| (key.name.clone(), scalar::json(value)));
            let values = Value::Object(values.collect::<Map<_, _>>());
            Value::Object([(entry.plugin.key().to_owned(), values)].into_iter().collect())
        };
        Value::Array(self.entries.iter().map(entry).collect())
    }

    pub(super) fn source(&self) -> Text<'_> {
        Text { path: &self.file, text: &self.text }
    }
}

/// A text that does not stand in the file.
fn made_up(at: At, text: &str) -> Node {
    Node { at, kind: Kind::Scalar { text: text.to_owned(), plain: false } }
}

struct Flat<'t> {
    source: Text<'t>,
    entries: Vec<Entry>,
    problems: Vec<Diagnostic>,
}

impl Flat<'_> {
    fn problem(&mut self, at: At, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.problems.push(self.source.error(at, message).hint(hint));
    }

    fn top(&mut self, item: &Node) {
        let Kind::Map(pairs) = &item.kind else {
            return self.problem(
                item.at,
                format!("config entry not a dict: it is {}", item.what()),
                "write `- mkfs:` and its settings, indented, below".to_owned(),
            );
        };
        let [(key, value)] = pairs.as_slice() else {
            let names: Vec<&str> = pairs.iter().map(|(key, _)| key.name.as_str()).collect();
            return self.problem(
                item.at,
                format!("config entry top-level should be a single dict: this one has {}", names.join(", ")),
                "begin each with a `-` of its own, or indent one below the other".to_owned(),
            );
        };
        match Plugin::of(&key.name) {
            Some(plugin) => self.entry(plugin, key.at, value, None),
            None => self.problem(
                key.at,
                format!("config entry is not a plugin value: `{}`", key.name),
                suggest(&key.name, Plugin::ALL.map(Plugin::key), "known are"),
            ),
        }
    }

    /// An entry and what is nested in it; `parent` is the name of what it stands on.
    fn entry(&mut self, plugin: Plugin, at: At, value: &Node, parent: Option<&str>) {
        let Kind::Map(settings) = &value.kind else {
            let message = format!("{} has no settings: a map is expected, not {}", plugin.key(), described(value));
            return self.problem(at, message, None);
        };
        let mut values = Vec::new();
        let base = match get(settings, "base") {
            Some(base) => Some(base.clone()),
            None => parent.map(|parent| made_up(at, parent)),
        };
        let name = match get(settings, "name") {
            Some(name) => Some(name.clone()),
            None => base.as_ref().map(|base| made_up(at, &format!("{}_{}", plugin.key(), repr(base)))),
        };
        let Some(name) = name else {
            let message = format!("{} needs 'name': it has no 'base' either, of which one could be made", plugin.key());
            return self.problem(at, message, None);
        };
        let Some(name_text) = name.text().map(str::to_owned) else {
            return self.problem(name.at, format!("the name of {} is {}, not a text", plugin.key(), name.what()), None);
        };
        values.extend(base.clone().map(|base| (Key { at: base.at, name: "base".to_owned() }, base)));
        values.push((Key { at: name.at, name: "name".to_owned() }, name));
        for (key, value) in settings {
            if matches!(key.name.as_str(), "base" | "name") {
                continue;
            }
            if plugin == Plugin::Partitioning && key.name == "partitions" {
                let partitions = self.partitions(value, base.as_ref());
                values.push((key.clone(), partitions));
            } else if let Some(nested) = Plugin::of(&key.name) {
                self.entry(nested, key.at, value, Some(&name_text));
            } else {
                values.push((key.clone(), value.clone()));
            }
        }
        self.entries.push(Entry { plugin, at, values });
    }

    /// The list of partitions without what is nested in them; each gets the table's base.
    fn partitions(&mut self, list: &Node, base: Option<&Node>) -> Node {
        let Kind::List(items) = &list.kind else {
            self.problem(list.at, format!("partitions is a list, not {}", described(list)), None);
            return list.clone();
        };
        let mut partitions = Vec::new();
        for item in items {
            let Kind::Map(settings) = &item.kind else {
                self.problem(item.at, format!("a partition is a map, not {}", described(item)), None);
                continue;
            };
            let name = get(settings, "name").and_then(Node::text);
            let mut own = Vec::new();
            for (key, value) in settings {
                match (Plugin::of(&key.name), name) {
                    (Some(nested), Some(name)) => self.entry(nested, key.at, value, Some(name)),
                    (Some(nested), None) => {
                        let message = format!("a partition needs 'name', from which {} takes its own", nested.key());
                        self.problem(item.at, message, None);
                    }
                    (None, _) if key.name == "base" => {}
                    (None, _) => own.push((key.clone(), value.clone())),
                }
            }
            own.extend(base.map(|base| (Key { at: base.at, name: "base".to_owned() }, base.clone())));
            partitions.push(Node { at: item.at, kind: Kind::Map(own) });
        }
        Node { at: list.at, kind: Kind::List(partitions) }
    }
}

fn described(node: &Node) -> &'static str {
    if node.is_null() { "nothing" } else { node.what() }
}

/// A base in a made-up name: `root`, or `['root']` where it is a list.
fn repr(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, .. } => text.clone(),
        Kind::List(items) => {
            let quoted: Vec<String> = items.iter().map(|item| format!("'{}'", repr(item))).collect();
            format!("[{}]", quoted.join(", "))
        }
        Kind::Map(_) => "{}".to_owned(),
    }
}
