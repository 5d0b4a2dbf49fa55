//! LVM on devices that are there already: physical volumes, groups and logical volumes made by LVM's own commands, in the order that
//! [`isotope_plan::blockdev::lvm`] decides.
//!
//! The commands see the devices of this layout and no others (`--devices`), so that a group of the host with the same name is not
//! touched, and they leave nothing in the host's /etc/lvm. Needs the device mapper; preflight says so where there is none.

use crate::DiskError;
use isotope_plan::blockdev::{Device, LvmPlan, lvm};
use isotope_sys::command::Tool;
use std::path::PathBuf;

/// No copies of metadata in /etc/lvm, and no waiting for a udev that is not there: LVM makes its own nodes.
const CONFIG: &str = "backup{backup=0 archive=0} activation{udev_sync=0 udev_rules=0}";

/// How far volumes are brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The kernel shows them as devices.
    Kernel,
    /// They are written to the disks, and no more: for a host without the device mapper. Thin pools cannot be.
    None,
}

/// Volumes of a layout, active until they are closed or dropped.
#[must_use = "dropping it takes the volumes away from the kernel"]
#[derive(Debug)]
pub struct Volumes {
    plans: Vec<LvmPlan>,
    devices: String,
    activation: Activation,
}

impl Volumes {
    /// Makes everything; `path` says where a device is. What was brought up before a failure is taken down.
    ///
    /// # Errors
    /// A command of LVM fails or is missing.
    pub fn create(
        plans: &[LvmPlan],
        path: &dyn Fn(&Device) -> PathBuf,
        activation: Activation,
    ) -> Result<Self, DiskError> {
        let text = |device: &Device| path(device).to_string_lossy().into_owned();
        // Dropped on the way out of a failure, it takes down what is there.
        let made = Self::adopt(plans, path, activation);
        for command in plans.iter().flat_map(|plan| lvm::create(plan, &text)) {
            made.run(&command)?;
        }
        Ok(made)
    }

    /// Volumes that another process made.
    pub(crate) fn adopt(plans: &[LvmPlan], path: &dyn Fn(&Device) -> PathBuf, activation: Activation) -> Self {
        let physical = plans.iter().flat_map(|plan| &plan.physical);
        let devices: Vec<String> =
            physical.map(|physical| path(&physical.device).to_string_lossy().into_owned()).collect();
        Self { plans: plans.to_vec(), devices: devices.join(","), activation }
    }

    /// Leaves them active.
    pub(crate) fn forget(&mut self) {
        self.plans.clear();
    }

    /// Where the kernel shows a volume.
    #[must_use]
    pub fn path(&self, group: &str, volume: &str) -> PathBuf {
        path(group, volume)
    }

    /// Takes the volumes away from the kernel; the disks keep them.
    ///
    /// # Errors
    /// One is still in use.
    pub fn close(mut self) -> Result<(), DiskError> {
        let plans = std::mem::take(&mut self.plans);
        let mut result = Ok(());
        for command in plans.iter().rev().flat_map(lvm::deactivate) {
            result = result.and(self.run(&command));
        }
        result
    }

    fn run(&self, command: &[String]) -> Result<(), DiskError> {
        let Some((program, args)) = command.split_first() else { return Ok(()) };
        let mut tool = Tool::new(program).args(["--devices", &self.devices, "--config", CONFIG]);
        if self.activation == Activation::None {
            tool = tool.args(["--driverloaded", "n"]);
            if program == "lvcreate" {
                tool = tool.args(["--activate", "n", "--zero", "n"]);
            }
        }
        let failed = |source| DiskError::Lvm { command: command.join(" "), source };
        tool.env("LVM_SUPPRESS_FD_WARNINGS", "1").args(args).run().map(drop).map_err(failed)
    }
}

/// Where the kernel shows a volume.
pub(crate) fn path(group: &str, volume: &str) -> PathBuf {
    PathBuf::from(lvm::device_path(group, volume))
}

impl Drop for Volumes {
    fn drop(&mut self) {
        for command in self.plans.iter().rev().flat_map(lvm::deactivate) {
            // What was not made yet cannot be taken down.
            drop(self.run(&command));
        }
    }
}
