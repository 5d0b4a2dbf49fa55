//! Whether this host can make a layout: what LVM and the filesystems need, told before anything is done.

use super::layout::LayoutPlan;
use crate::preflight::missing_tool;
use crate::{HostFacts, Problem};
use std::collections::BTreeSet;

/// Everything on this host that stands against the layout.
#[must_use]
pub fn preflight(plan: &LayoutPlan, facts: &HostFacts) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(lvm) = plan.lvm.first() {
        if !facts.device_mapper {
            let message = format!(
                "lvm `{}` needs the device mapper, which this host's kernel does not have: logical volumes cannot be made here",
                lvm.name
            );
            problems.push(Problem::environment(message).at(&lvm.origin).remedy(
                "load the module (modprobe dm_mod); in a container, pass /dev/mapper/control; or take a layout without lvm",
            ));
        }
        if !facts.tools.contains("lvm") {
            problems.extend(missing_tool("lvm", facts, &lvm.origin));
        }
    }
    let mut told = BTreeSet::new();
    for made in &plan.filesystems {
        let Some(tool) = made.filesystem.kind.tool() else { continue };
        if !facts.tools.contains(tool) && told.insert(tool) {
            problems.extend(missing_tool(tool, facts, &made.origin));
        }
    }
    if !facts.loop_devices && !plan.disks.is_empty() {
        problems.push(
            Problem::environment("there are no loop devices, with which the disks of a layout are made").remedy(
                "load the module `loop` (modprobe loop); in a container, pass /dev/loop-control and /dev/loop*",
            ),
        );
    }
    problems
}
