//! LVM on devices that are there already: physical volumes, groups and logical volumes made by LVM's own commands, in the order that
//! [`isotope_plan::blockdev::lvm`] decides.
//!
//! The commands see the devices of this layout and no others (`--devices`), so that a group of the host with the same name is not
//! touched, and they leave nothing in the host's /etc/lvm. Needs the device mapper; preflight says so where there is none.
//!
//! Each is held open when it is made (thin ones: when all are), and the kernel is asked to remove it with its last holder: a build that
//! is killed leaves no volume, and so no loop device below one. Only while LVM itself makes one would a kill leave it.

use crate::DiskError;
use isotope_plan::blockdev::{Device, LvmPlan, Segment, lvm};
use isotope_sys::command::Tool;
use isotope_sys::device_mapper::{self, Mapped};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// No copies of metadata in /etc/lvm, and no waiting for a udev that is not there: LVM makes its own nodes.
const CONFIG: &str = "backup{backup=0 archive=0} activation{udev_sync=0 udev_rules=0}";

/// How long the kernel may take to remove volumes that nobody holds any more, or somebody else to let go of one.
const PATIENCE: Duration = Duration::from_secs(10);

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
    /// Held open, so that they stay.
    held: BTreeMap<PathBuf, File>,
    /// How the UUIDs of the kernel's devices begin, by group.
    uuids: BTreeMap<String, String>,
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
        let mut made = Self::adopt(plans, path, activation);
        if activation == Activation::Kernel {
            made.sweep();
        }
        for plan in plans {
            // A pool is brought up and down while volumes are made in it: those are held when all are there.
            let at_once = plan.volumes.iter().all(|volume| volume.segment == Segment::Linear);
            for command in lvm::create(plan, &text) {
                made.run(&command)?;
                let is_volume = command.first().is_some_and(|program| program == "lvcreate");
                if activation == Activation::Kernel && at_once && is_volume {
                    made.hold(plan)?;
                }
            }
            if activation == Activation::Kernel {
                made.hold(plan)?;
            }
        }
        Ok(made)
    }

    /// Takes over volumes that another process made and left.
    pub(crate) fn take_over(plans: &[LvmPlan], path: &dyn Fn(&Device) -> PathBuf) -> Result<Self, DiskError> {
        let mut made = Self::adopt(plans, path, Activation::Kernel);
        for plan in plans {
            made.hold(plan)?;
        }
        Ok(made)
    }

    /// Volumes that are there already.
    fn adopt(plans: &[LvmPlan], path: &dyn Fn(&Device) -> PathBuf, activation: Activation) -> Self {
        let physical = plans.iter().flat_map(|plan| &plan.physical);
        let devices: Vec<String> =
            physical.map(|physical| path(&physical.device).to_string_lossy().into_owned()).collect();
        Self {
            plans: plans.to_vec(),
            devices: devices.join(","),
            activation,
            held: BTreeMap::new(),
            uuids: BTreeMap::new(),
        }
    }

    /// Leaves them active.
    pub(crate) fn forget(&mut self) {
        self.plans.clear();
        self.held.clear();
    }

    /// Holds each volume of a plan that is there, and has the kernel remove it with its last holder: mounts are holders, too.
    fn hold(&mut self, plan: &LvmPlan) -> Result<(), DiskError> {
        for volume in plan.volumes.iter().filter(|volume| volume.segment != Segment::ThinPool) {
            let path = path(&volume.group, &volume.name);
            if self.held.contains_key(&path) {
                continue;
            }
            match File::open(&path) {
                Ok(device) => drop(self.held.insert(path, device)),
                // Not made yet; or gone with the process that made it, because nobody held it: then its node may still be there.
                Err(error) if error.kind() == ErrorKind::NotFound || is_gone(&error) => {}
                Err(source) => return Err(DiskError::Volume { path, source }),
            }
        }
        for group in &plan.groups {
            if !self.uuids.contains_key(&group.name) {
                let command = ["vgs", "--noheadings", "-o", "vg_uuid", &group.name].map(str::to_owned);
                let uuid = format!("LVM-{}", self.output(&command)?.trim().replace('-', ""));
                self.uuids.insert(group.name.clone(), uuid);
            }
        }
        for mapped in self.mapped() {
            let path = Path::new("/dev/mapper").join(&mapped.name);
            device_mapper::remove_with_last_holder(&mapped.uuid)
                .map_err(|source| DiskError::Volume { path, source })?;
        }
        Ok(())
    }

    /// What the kernel has of these groups: volumes, and what thin pools are made of.
    fn mapped(&self) -> Vec<Mapped> {
        self.uuids.values().flat_map(|uuid| device_mapper::with_uuid(uuid)).collect()
    }

    /// Lets go of the volumes and waits until the kernel has removed them. Says whether it has.
    fn let_go(&mut self) -> bool {
        let held = !self.held.is_empty();
        self.held.clear();
        let start = Instant::now();
        while held && !self.mapped().is_empty() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        let gone = held && self.mapped().is_empty();
        if gone {
            self.sweep();
        }
        gone
    }

    /// Removes nodes of these groups that lead to no device: the kernel removes volumes, but their names in /dev are LVM's, and it
    /// makes no group whose name is there.
    fn sweep(&self) {
        let live: Vec<String> = device_mapper::with_uuid("").into_iter().map(|mapped| mapped.name).collect();
        for group in self.plans.iter().flat_map(|plan| &plan.groups) {
            for name in names(Path::new("/dev/mapper")) {
                if lvm::is_of_group(&name, &group.name) && !live.contains(&name) {
                    std::fs::remove_file(Path::new("/dev/mapper").join(name)).ok();
                }
            }
            let dir = Path::new("/dev").join(&group.name);
            for link in names(&dir).into_iter().map(|name| dir.join(name)) {
                let dangling = std::fs::read_link(&link).is_ok() && !link.exists();
                if dangling {
                    std::fs::remove_file(link).ok();
                }
            }
            // Only if nothing is left in it.
            std::fs::remove_dir(dir).ok();
        }
    }

    /// Has LVM take the volumes away: what the kernel has not removed by itself, because somebody has it or it is nowhere held.
    fn deactivate(&self) -> Result<(), DiskError> {
        let mut result = Ok(());
        for command in self.plans.iter().rev().flat_map(lvm::deactivate) {
            result = result.and(self.run(&command));
        }
        result
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
        let result = if self.let_go() { Ok(()) } else { self.deactivate() };
        self.plans.clear();
        result
    }

    fn run(&self, command: &[String]) -> Result<(), DiskError> {
        self.output(command).map(drop)
    }

    fn output(&self, command: &[String]) -> Result<String, DiskError> {
        let Some((program, args)) = command.split_first() else { return Ok(String::new()) };
        let mut tool = Tool::new(program).args(["--devices", &self.devices, "--config", CONFIG]);
        if self.activation == Activation::None {
            tool = tool.args(["--driverloaded", "n"]);
            if program == "lvcreate" {
                tool = tool.args(["--activate", "n", "--zero", "n"]);
            }
        }
        let failed = |source| DiskError::Lvm { command: command.join(" "), source };
        tool.env("LVM_SUPPRESS_FD_WARNINGS", "1").args(args).run().map(|output| output.text()).map_err(failed)
    }
}

/// Whether a node leads to no device.
fn is_gone(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    error.raw_os_error().is_some_and(|code| [Errno::NXIO, Errno::NODEV].contains(&Errno::from_raw_os_error(code)))
}

/// What is in a directory of /dev; nothing, if it is not there or a link.
fn names(dir: &Path) -> Vec<String> {
    if !std::fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir()) {
        return Vec::new();
    }
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Where the kernel shows a volume.
pub(crate) fn path(group: &str, volume: &str) -> PathBuf {
    PathBuf::from(lvm::device_path(group, volume))
}

impl Drop for Volumes {
    fn drop(&mut self) {
        if !self.plans.is_empty() && !self.let_go() {
            // What was not made yet cannot be taken down.
            drop(self.deactivate());
        }
    }
}
