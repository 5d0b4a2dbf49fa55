//! Mount points and lines of fstab.

use super::Made;
use crate::blockdev::graph::{Fstab, GraphNode, MountPoint, NodeKind};
use crate::blockdev::layout::{FilesystemPlan, FstabLine, MountPlan};
use crate::layout::FilesystemKind;
use std::collections::BTreeMap;

/// The mount point of a swap area.
const NONE: &str = "none";

impl<'g> Made<'g> {
    pub(super) fn mounts(&mut self, filesystems: &[FilesystemPlan]) -> Vec<MountPlan> {
        let graph = self.graph;
        let mut lines = self.lines();
        let mut mounts = Vec::new();
        for node in graph.ordered() {
            let NodeKind::Mount(mount) = &node.kind else { continue };
            let Some(filesystem) = filesystems.iter().position(|made| made.name == mount.base) else {
                // One that could not be made has its own message.
                if !matches!(graph.node(&mount.base).map(|node| &node.kind), Some(NodeKind::Mkfs(_))) {
                    let message = format!("the base `{}` of mount `{}` is no filesystem", mount.base, node.name);
                    self.problem(&node.origin, message, "name an mkfs");
                }
                continue;
            };
            let swap = filesystems.get(filesystem).is_some_and(|made| made.filesystem.kind == FilesystemKind::Swap);
            let path = if swap { Some(NONE.to_owned()) } else { self.path(node, mount) };
            let fstab = lines.remove(node.name.as_str()).map(|line| line_of(line, swap));
            mounts.extend(path.map(|path| MountPlan { name: node.name.clone(), filesystem, path, fstab }));
        }
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for mount in mounts.iter().filter(|mount: &&MountPlan| mount.path != NONE) {
            let Some(first) = seen.insert(&mount.path, &mount.name) else { continue };
            let origin = graph.node(&mount.name).map_or_else(super::nowhere, |node| node.origin.clone());
            let message = format!("mount `{}` and `{first}` are both at {}", mount.name, mount.path);
            self.problem(&origin, message, "give one of them another place");
        }
        let whole = self.problems.is_empty();
        if whole && !mounts.iter().any(|mount| mount.path == "/") {
            let origin = graph.nodes.first().map_or_else(super::nowhere, |node| node.origin.clone());
            self.problem(&origin, "nothing is mounted at `/`", "give one filesystem `mount: {mount_point: /}`");
        }
        mounts
    }

    /// Lines of fstab by their mount point.
    fn lines(&mut self) -> BTreeMap<&'g str, &'g Fstab> {
        let graph = self.graph;
        let mut lines: BTreeMap<&'g str, &'g Fstab> = BTreeMap::new();
        for node in graph.ordered() {
            let NodeKind::Fstab(line) = &node.kind else { continue };
            if !matches!(graph.node(&line.base).map(|node| &node.kind), Some(NodeKind::Mount(_))) {
                let message = format!("the base `{}` of fstab `{}` is no mount point", line.base, node.name);
                self.problem(&node.origin, message, "name a mount");
            } else if lines.insert(&line.base, line).is_some() {
                let message = format!("mount `{}` has two lines in fstab", line.base);
                self.problem(&node.origin, message, "remove one of them");
            }
            let odd = |text: &str| text.is_empty() || text.contains(char::is_whitespace);
            if odd(&line.dump_freq) || odd(&line.fsck_passno) {
                let message = format!("fstab `{}`: dump-freq and fsck-passno are numbers", node.name);
                self.problem(&node.origin, message, "fsck-passno: 1 for `/`, 2 for others, 0 for no check");
            }
        }
        lines
    }

    /// An absolute path without `.` and `..`.
    fn path(&mut self, node: &GraphNode, mount: &MountPoint) -> Option<String> {
        let text = &mount.mount_point;
        if text == NONE {
            let message = format!("mount `{}`: the mount point `none` is one for swap areas", node.name);
            self.problem(&node.origin, message, "say where its filesystem is mounted");
            return None;
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..")) || text.contains(char::is_control) {
            let message = format!("mount `{}`: `{}` is no mount point", node.name, text.escape_debug());
            self.problem(&node.origin, message, "use an absolute path without `.` and `..`");
            return None;
        }
        let path = format!("/{}", parts.join("/"));
        if path != *text {
            self.warn(&node.origin, format!("mount `{}`: `{text}` is taken as `{path}`", node.name));
        }
        Some(path)
    }
}

/// A swap area's line does not have the options of the configuration.
fn line_of(line: &Fstab, swap: bool) -> FstabLine {
    let Fstab { base: _, options, dump_freq, fsck_passno } = line;
    if swap {
        return FstabLine { options: "sw".to_owned(), dump_freq: "0".to_owned(), fsck_passno: "0".to_owned() };
    }
    FstabLine { options: options.clone(), dump_freq: dump_freq.clone(), fsck_passno: fsck_passno.clone() }
}
