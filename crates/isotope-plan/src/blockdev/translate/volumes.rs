//! LVM: devices of physical volumes, sizes in whole extents, thin volumes and their pools.

use super::Made;
use crate::blockdev::graph::{GraphNode, LogicalVolume, Lvm, NodeKind};
use crate::blockdev::layout::{Device, GroupPlan, LvmPlan, PhysicalPlan, Segment, VolumePlan, VolumeSize};
use isotope_element::Bytes;
use std::collections::BTreeMap;

/// Sizes are rounded down to this.
const EXTENT: u64 = 4 << 20;

impl Made<'_> {
    pub(super) fn lvm(&mut self) -> Vec<LvmPlan> {
        let graph = self.graph;
        let mut plans = Vec::new();
        for node in graph.ordered() {
            let NodeKind::Lvm(lvm) = &node.kind else { continue };
            let volumes = self.volumes(lvm);
            let physical = self.physical(lvm);
            let by_name: BTreeMap<&str, &Device> = physical.iter().map(|pv| (pv.name.as_str(), &pv.device)).collect();
            let mut groups = Vec::new();
            for name in &lvm.vgs {
                let Some(NodeKind::Vgs(group)) = graph.node(name).map(|node| &node.kind) else { continue };
                let devices =
                    group.base.iter().filter_map(|pv| by_name.get(pv.as_str()).map(|device| (*device).clone()));
                groups.push(GroupPlan {
                    name: name.clone(),
                    devices: devices.collect(),
                    options: group.options.clone(),
                });
            }
            plans.push(LvmPlan { name: node.name.clone(), physical, groups, volumes, origin: node.origin.clone() });
        }
        plans
    }

    fn physical(&mut self, lvm: &Lvm) -> Vec<PhysicalPlan> {
        let graph = self.graph;
        let mut physical = Vec::new();
        for name in &lvm.pvs {
            let Some(node) = graph.node(name) else { continue };
            let NodeKind::Pvs(pv) = &node.kind else { continue };
            let device = self.device(node, &pv.base, "pvs");
            physical.extend(device.map(|device| PhysicalPlan {
                name: name.clone(),
                device,
                options: pv.options.clone(),
            }));
        }
        physical
    }

    fn volumes(&mut self, lvm: &Lvm) -> Vec<VolumePlan> {
        let graph = self.graph;
        let mut volumes = Vec::new();
        for name in &lvm.lvs {
            let Some(node) = graph.node(name) else { continue };
            let NodeKind::Lvs(volume) = &node.kind else { continue };
            let segment = self.segment(node, volume, &volumes);
            if segment != Segment::ThinPool {
                let device = Device::Volume { group: volume.base.clone(), volume: name.clone() };
                self.devices.insert(name.clone(), device);
            }
            let size = self.size(node, volume);
            let (name, group, options) = (name.clone(), volume.base.clone(), volume.options.clone());
            volumes.push(VolumePlan { name, group, size, segment, options });
        }
        volumes
    }

    fn size(&mut self, node: &GraphNode, volume: &LogicalVolume) -> VolumeSize {
        match (volume.size, &volume.extents) {
            (None, Some(extents)) => VolumeSize::Extents(extents.clone()),
            (size, _) => {
                let bytes = size.unwrap_or_default().0;
                if bytes < EXTENT {
                    let message = format!("logical volume `{}` is smaller than an extent of 4 MiB", node.name);
                    self.problem(&node.origin, message, "make it larger");
                }
                VolumeSize::Bytes(Bytes(bytes - bytes % EXTENT))
            }
        }
    }

    /// A thin volume needs a pool of its own group, made before it.
    fn segment(&mut self, node: &GraphNode, volume: &LogicalVolume, before: &[VolumePlan]) -> Segment {
        match (volume.segment.as_deref(), &volume.thin_pool) {
            (Some("thin-pool"), _) => Segment::ThinPool,
            (Some("thin"), Some(pool)) => {
                let group = self.is_pool(pool).map(|pool| pool.base.clone());
                let made = before.iter().any(|made| made.name == *pool && made.group == volume.base);
                if group.as_ref() != Some(&volume.base) || !made {
                    let message = format!(
                        "logical volume `{}`: `{pool}` is no thin-pool of {} before it",
                        node.name, volume.base
                    );
                    self.problem(
                        &node.origin,
                        message,
                        "name a logical volume of type thin-pool that stands before it",
                    );
                }
                Segment::Thin { pool: pool.clone() }
            }
            (Some("thin"), None) => {
                let message = format!("logical volume `{}` is thin, but has no `thin-pool`", node.name);
                self.problem(&node.origin, message, "add the name of the pool");
                Segment::Linear
            }
            _ => Segment::Linear,
        }
    }
}
