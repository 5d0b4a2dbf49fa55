//! What stands on what, and in which order it is therefore made; the rules that hold between nodes.

use super::graph::{GraphNode, NodeKind, TableNode};
use isotope_element::yaml::Text;
use isotope_element::{Diagnostic, suggest};
use std::collections::{BTreeMap, BTreeSet};

/// Names and mount points that are there twice.
pub(super) fn twice(source: Text<'_>, nodes: &[GraphNode]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut names = BTreeMap::new();
    let mut mounts = BTreeMap::new();
    for node in nodes {
        if let Some(line) = names.insert(&node.name, node.at.line) {
            let message = format!("duplicate node name: {}; line {line} has it too", node.name);
            problems.push(source.error(node.at, message).hint("give one of them another `name`".to_owned()));
        }
        let NodeKind::Mount(mount) = &node.kind else { continue };
        if let Some(line) = mounts.insert(&mount.mount_point, node.at.line) {
            let message =
                format!("mount point [{}] specified more than once; line {line} has it too", mount.mount_point);
            problems.push(source.error(node.at, message));
        }
    }
    problems
}

/// Filesystem labels that are there twice, or are too long.
pub(super) fn labels(source: Text<'_>, nodes: &[GraphNode]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut labels = BTreeMap::new();
    for node in nodes {
        let NodeKind::Mkfs(mkfs) = &node.kind else { continue };
        if let Some(line) = labels.insert(&mkfs.label, node.at.line) {
            let message = format!("file system label [{}] used more than once; line {line} has it too", mkfs.label);
            problems.push(source.error(node.at, message).hint("give one of them another `label`".to_owned()));
        }
        let longest = longest_label(&mkfs.kind).unwrap_or(usize::MAX);
        if mkfs.label.len() > longest {
            let (label, kind, length) = (&mkfs.label, &mkfs.kind, mkfs.label.len());
            let message = format!("label [{label}] too long for filesystem [{kind}]: {length} > {longest}");
            problems.push(source.error(node.at, message).hint("set a shorter `label`".to_owned()));
        }
    }
    problems
}

/// Bytes of the longest label, where it is known.
pub(super) fn longest_label(kind: &str) -> Option<usize> {
    match kind {
        "ext2" | "ext3" | "ext4" | "swap" => Some(16),
        "xfs" => Some(12),
        "vfat" | "fat" => Some(11),
        "btrfs" => Some(255),
        _ => None,
    }
}

/// All edges in the order in which upstream finds them, or those that lead nowhere.
pub(super) fn find(
    source: Text<'_>,
    nodes: &[GraphNode],
    tables: &[TableNode],
) -> Result<Vec<(usize, usize)>, Vec<Diagnostic>> {
    let index: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(index, node)| (node.name.as_str(), index)).collect();
    let mut mounts: Vec<(&str, &str)> = nodes
        .iter()
        .filter_map(|node| match &node.kind {
            NodeKind::Mount(mount) => Some((mount.mount_point.as_str(), node.name.as_str())),
            _ => None,
        })
        .collect();
    mounts.sort_by_key(|(point, _)| *point);
    let (mut edges, mut problems) = (Vec::new(), Vec::new());
    for (to, node) in nodes.iter().enumerate() {
        let (below, above) = ends(node, tables, &mounts);
        for name in below {
            match index.get(name) {
                Some(from) => edges.push((*from, to)),
                None => problems.push(nowhere(source, nodes, node, name, &format!("{name}->{}", node.name))),
            }
        }
        for name in above {
            match index.get(name) {
                Some(above) => edges.push((to, *above)),
                None => problems.push(nowhere(source, nodes, node, name, &format!("{}->{name}", node.name))),
            }
        }
    }
    let mut seen = BTreeSet::new();
    edges.retain(|edge| seen.insert(*edge));
    if problems.is_empty() { Ok(edges) } else { Err(problems) }
}

/// What a node stands on, and what stands on it, as far as it knows.
fn ends<'n>(
    node: &'n GraphNode,
    tables: &'n [TableNode],
    mounts: &[(&'n str, &'n str)],
) -> (Vec<&'n str>, Vec<&'n str>) {
    let one = |base: &'n String| (vec![base.as_str()], Vec::new());
    match &node.kind {
        NodeKind::LocalLoop(_) => Default::default(),
        // What a physical volume stands on is the `lvm` node's matter, which makes everything of LVM at once.
        NodeKind::Pvs(_) => Default::default(),
        NodeKind::Partition(partition) => {
            let base = tables.get(partition.table).map(|table| table.base.as_str());
            (base.into_iter().chain(partition.previous.as_deref()).collect(), Vec::new())
        }
        NodeKind::Vgs(group) => (group.base.iter().map(String::as_str).collect(), Vec::new()),
        NodeKind::Lvs(volume) => one(&volume.base),
        NodeKind::Lvm(lvm) => {
            (lvm.devices.iter().map(String::as_str).collect(), lvm.pvs.iter().map(String::as_str).collect())
        }
        NodeKind::Mkfs(mkfs) => one(&mkfs.base),
        NodeKind::Fstab(fstab) => one(&fstab.base),
        NodeKind::Mount(mount) => {
            let place = mounts.iter().position(|(point, _)| *point == mount.mount_point).unwrap_or(0);
            let before = place.checked_sub(1).and_then(|before| mounts.get(before)).map(|(_, name)| *name);
            (before.into_iter().chain([mount.base.as_str()]).collect(), Vec::new())
        }
    }
}

fn nowhere(source: Text<'_>, nodes: &[GraphNode], node: &GraphNode, name: &str, edge: &str) -> Diagnostic {
    let known = nodes.iter().map(|node| node.name.as_str()).filter(|known| *known != node.name);
    source.error(node.at, format!("edge not defined: {edge}: nothing is named `{name}`")).hint(suggest(
        name,
        known,
        "known are",
    ))
}

/// An order in which everything is made after what it stands on.
pub(super) enum Sorted {
    /// There is one.
    Order(Vec<usize>),
    /// There is none: these stand on each other.
    Cycle(Vec<usize>),
}

/// Generation by generation: first what stands on nothing, then what stands on that alone, each in the order in which it comes up.
pub(super) fn sort(count: usize, edges: &[(usize, usize)]) -> Sorted {
    let mut below = vec![0_usize; count];
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (from, to) in edges {
        below[*to] += 1;
        above[*from].push(*to);
    }
    let mut order = Vec::with_capacity(count);
    let mut generation: Vec<usize> = (0..count).filter(|index| below[*index] == 0).collect();
    while !generation.is_empty() {
        let mut next = Vec::new();
        for index in generation {
            order.push(index);
            for to in &above[index] {
                below[*to] -= 1;
                if below[*to] == 0 {
                    next.push(*to);
                }
            }
        }
        generation = next;
    }
    if order.len() == count {
        Sorted::Order(order)
    } else {
        Sorted::Cycle((0..count).filter(|index| below[*index] > 0).collect())
    }
}

pub(super) fn cycle(source: Text<'_>, nodes: &[GraphNode], rest: &[usize]) -> Diagnostic {
    let names: Vec<&str> = rest.iter().filter_map(|index| nodes.get(*index)).map(|node| node.name.as_str()).collect();
    let at = rest
        .first()
        .and_then(|index| nodes.get(*index))
        .map_or(isotope_element::yaml::At { line: 1, column: 1, width: 1 }, |node| node.at);
    source
        .error(at, format!("graph contains a cycle: {} stand on each other", names.join(", ")))
        .hint("each `base` must lead to a local_loop in the end".to_owned())
}
