//! The `lvm` entry: physical volumes, volume groups, logical volumes, and the node that makes them all at once.

use super::{Reader, Values, name_of};
use crate::blockdev::config::{Entry, get};
use crate::blockdev::graph::{GraphNode, LogicalVolume, Lvm, NodeKind, PhysicalVolume, VolumeGroup};
use crate::blockdev::size;
use isotope_element::suggest;
use isotope_element::yaml::{At, Key, Kind, Node};

/// What upstream knows of `lvcreate --type`.
const SEGMENTS: [&str; 2] = ["thin", "thin-pool"];

/// An entry of one of the lists.
type Item<'n> = (At, &'n Vec<(Key, Node)>);

impl Reader<'_> {
    pub(super) fn lvm(&mut self, entry: &Entry) {
        self.known(&entry.values, &["name", "base", "pvs", "vgs", "lvs"], "lvm");
        let needs = |list: &str| match list {
            "pvs" => "lvm config requires a 'pvs'".to_owned(),
            other => format!("lvm config needs '{other}'"),
        };
        let [pvs, vgs, lvs] = ["pvs", "vgs", "lvs"].map(|name| match entry.get(name) {
            None => self.refuse(entry.at, needs(name)),
            Some(node) => self.maps(node, name),
        });
        let (Some(pvs), Some(vgs), Some(lvs)) = (pvs, vgs, lvs) else { return };
        let physical = self.physical(&pvs);
        let groups = self.groups(&vgs, &physical);
        let volumes = self.volumes(&lvs, &groups);
        let mut devices: Vec<String> = Vec::new();
        for (_, base) in &physical {
            if !devices.contains(base) {
                devices.push(base.clone());
            }
        }
        let pvs = physical.into_iter().map(|(name, _)| name).collect();
        let lvm = Lvm { devices, pvs, vgs: groups, lvs: volumes };
        self.nodes.push(GraphNode {
            name: name_of(entry).to_owned(),
            origin: self.origin(entry.at),
            kind: NodeKind::Lvm(lvm),
            at: entry.at,
        });
    }

    /// Names and bases.
    fn physical(&mut self, list: &[Item<'_>]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (at, values) in list {
            self.known(values, &["name", "base", "options"], "pvs");
            let name = self.of(*at, values, "name", "missing 'name' in pvs config");
            let base = self.of(*at, values, "base", "missing 'base' in pvs config");
            let options = self.list(values, "options");
            let (Some(name), Some(base)) = (name, base) else { continue };
            self.add(*at, &name, NodeKind::Pvs(PhysicalVolume { base: base.clone(), options }));
            found.push((name, base));
        }
        found
    }

    fn groups(&mut self, list: &[Item<'_>], physical: &[(String, String)]) -> Vec<String> {
        let mut found = Vec::new();
        for (at, values) in list {
            self.known(values, &["name", "base", "options"], "vgs");
            let name = self.of(*at, values, "name", "missing 'name' in vgs config");
            if get(values, "base").is_none() {
                self.problem(*at, "missing 'base' in vgs config", None);
                continue;
            }
            let base = self.list(values, "base");
            for pv in base.iter().filter(|pv| !physical.iter().any(|(name, _)| name == *pv)) {
                let hint = suggest(pv, physical.iter().map(|(name, _)| name.as_str()), "known are");
                self.problem(*at, format!("base:{pv} in vgs does not match a valid pvs"), hint);
            }
            let options = self.list(values, "options");
            let Some(name) = name else { continue };
            self.add(*at, &name, NodeKind::Vgs(VolumeGroup { base, options }));
            found.push(name);
        }
        found
    }

    fn volumes(&mut self, list: &[Item<'_>], groups: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for (at, values) in list {
            self.known(values, &["name", "base", "options", "size", "extents", "type", "thin-pool"], "lvs");
            let name = self.of(*at, values, "name", "missing 'name' in lvs config");
            let base = self.of(*at, values, "base", "missing 'base' in lvs config");
            if let Some(base) = base.as_ref().filter(|base| !groups.contains(base)) {
                let hint = suggest(base, groups.iter().map(String::as_str), "known are");
                self.problem(*at, format!("base:{base} in lvs does not match a valid vg"), hint);
            }
            if get(values, "size").is_none() && get(values, "extents").is_none() {
                self.problem(*at, "missing 'size' or 'extents' in lvs config", None);
            }
            let size = match self.maybe(values, "size").as_deref().map(size::absolute) {
                Some(Ok(size)) => Some(size),
                Some(Err(fault)) => self.refuse(*at, fault.to_string()),
                None => None,
            };
            let segment = self.maybe(values, "type");
            if let Some(segment) = segment.as_ref().filter(|segment| !SEGMENTS.contains(&segment.as_str())) {
                let hint = suggest(segment, SEGMENTS, "known are");
                let message = format!("unsupported type:{segment}, supported types: {}", SEGMENTS.join(", "));
                self.problem(*at, message, hint);
            }
            let (extents, thin_pool) = (self.maybe(values, "extents"), self.maybe(values, "thin-pool"));
            let options = self.list(values, "options");
            let (Some(name), Some(base)) = (name, base) else { continue };
            let volume = LogicalVolume { base, options, size, extents, segment, thin_pool };
            self.add(*at, &name, NodeKind::Lvs(volume));
            found.push(name);
        }
        found
    }

    fn add(&mut self, at: At, name: &str, kind: NodeKind) {
        self.nodes.push(GraphNode { name: name.to_owned(), origin: self.origin(at), kind, at });
    }

    /// A text, or the message that it is missing.
    fn of(&mut self, at: At, values: &Values, name: &str, message: &str) -> Option<String> {
        if get(values, name).is_none() {
            return self.refuse(at, message);
        }
        self.maybe(values, name)
    }

    /// A list of maps.
    fn maps<'n>(&mut self, node: &'n Node, name: &str) -> Option<Vec<Item<'n>>> {
        let Kind::List(items) = &node.kind else {
            return self.refuse(node.at, format!("{name} is {}, but a list is expected", node.what()));
        };
        let mut maps = Vec::new();
        for item in items {
            match &item.kind {
                Kind::Map(values) => maps.push((item.at, values)),
                _ => {
                    self.problem(item.at, format!("an entry of {name} is {}, but a map is expected", item.what()), None)
                }
            }
        }
        Some(maps)
    }
}
