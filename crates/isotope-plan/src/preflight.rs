//! Whether this host can carry a plan out: every reason why not, at once, before anything is done.
//!
//! In: a plan and what is known about the host. Out: problems, each with what to install or do.

use crate::layout::{DiskSize, PartitionSize};
use crate::{FreeSpace, HostFacts, OstreeVerify, Plan, Problem, SignKey, StepAction};
use isotope_element::{Bytes, Family, Origin};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A program that some step needs on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTool {
    /// Its name, looked for in the fixed search path.
    pub name: &'static str,
    /// The package that has it on Debian and Ubuntu.
    pub debian: &'static str,
    /// The package that has it on Fedora.
    pub fedora: &'static str,
    /// What for, in words.
    pub purpose: &'static str,
}

impl HostTool {
    /// The package that has it on hosts of this family.
    #[must_use]
    pub const fn package(&self, family: Family) -> Option<&'static str> {
        match family {
            Family::Debian => Some(self.debian),
            Family::Redhat => Some(self.fedora),
        }
    }
}

const TOOLS: &[HostTool] = &[
    tool("apt-get", "apt", "apt", "resolve and download Debian packages"),
    tool("dnf", "dnf", "dnf", "install RPM packages"),
    tool("rpm", "rpm", "rpm", "read the RPM database"),
    tool("mke2fs", "e2fsprogs", "e2fsprogs", "make ext2, ext3 and ext4"),
    tool("mkfs.xfs", "xfsprogs", "xfsprogs", "make XFS"),
    tool("mkfs.btrfs", "btrfs-progs", "btrfs-progs", "make Btrfs"),
    tool("fstrim", "util-linux", "util-linux-core", "keep the disk image sparse"),
    tool("lvm", "lvm2", "lvm2", "make logical volumes"),
    tool("mkswap", "util-linux", "util-linux-core", "make swap areas"),
    tool("qemu-img", "qemu-utils", "qemu-img", "write vmdk, vhd, vhdx and vdi"),
    tool("gpg", "gpg", "gnupg2", "sign commits"),
    tool("mksquashfs", "squashfs-tools", "squashfs-tools", "write squashfs"),
];

const fn tool(name: &'static str, debian: &'static str, fedora: &'static str, purpose: &'static str) -> HostTool {
    HostTool { name, debian, fedora, purpose }
}

/// Free space below which a tree is not even begun.
const LEAST_WORK: Bytes = Bytes::gib(2);
/// Free space below which no output is begun.
const LEAST_OUTPUT: Bytes = Bytes::mib(512);

/// Every host tool that some plan may need; the caller of the planner looks which ones are there.
#[must_use]
pub const fn host_tools() -> &'static [HostTool] {
    TOOLS
}

/// The host tools that this plan needs, each with the first step that needs it.
#[must_use]
pub fn needed_tools(plan: &Plan) -> BTreeMap<&'static str, Origin> {
    let mut needed = BTreeMap::new();
    for plan in plan.with_inputs() {
        for step in &plan.steps {
            for name in tools_of(plan, &step.action) {
                needed.entry(name).or_insert_with(|| step.origin.clone());
            }
        }
    }
    needed
}

/// Everything on this host that stands against the plan.
#[must_use]
pub fn preflight(plan: &Plan, facts: &HostFacts) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !facts.is_root {
        problems.push(
            Problem::environment("a build needs root: it makes namespaces, mounts and device nodes")
                .remedy("run it with sudo"),
        );
    }
    for (name, origin) in needed_tools(plan) {
        if !facts.tools.contains(name) {
            problems
                .extend(TOOLS.iter().find(|tool| tool.name == name).map(|tool| missing(tool, facts.family, &origin)));
        }
    }
    if plan.layout.is_some() && !facts.loop_devices {
        let message = "there are no loop devices, with which filesystems of a disk image are mounted";
        problems.push(
            Problem::environment(message).remedy(
                "load the module `loop` (modprobe loop); in a container, pass /dev/loop-control and /dev/loop*",
            ),
        );
    }
    keyrings(plan, facts, &mut problems);
    space(plan, facts, &mut problems);
    problems
}

/// What a kind of step runs on the host.
fn tools_of(plan: &Plan, action: &StepAction) -> Vec<&'static str> {
    match action {
        StepAction::Bootstrap(_) | StepAction::Packages(_) => match plan.target.family {
            Family::Debian => vec!["apt-get"],
            Family::Redhat => vec!["dnf", "rpm"],
        },
        StepAction::Disk => {
            let filesystems =
                plan.layout.iter().flat_map(|layout| &layout.partitions).filter_map(|part| part.filesystem.as_ref());
            filesystems.filter_map(|filesystem| filesystem.kind.tool()).chain(["fstrim"]).collect()
        }
        StepAction::Export { index } => {
            plan.exports.get(*index).and_then(|export| export.format.tool()).into_iter().collect()
        }
        StepAction::OstreeCommit(commit) => {
            let by_gpg = commit.sign.iter().any(|key| matches!(key, SignKey::Gpg { .. }));
            if by_gpg { vec!["gpg"] } else { Vec::new() }
        }
        StepAction::Files(_)
        | StepAction::Script(_)
        | StepAction::OstreeParent(_)
        | StepAction::OstreeCheckout(_)
        | StepAction::OstreeTrim(_)
        | StepAction::OstreeKernel(_)
        | StepAction::OstreeTree(_)
        | StepAction::Write(_)
        | StepAction::Services(_)
        | StepAction::Hook(_)
        | StepAction::OstreeDeploy(_)
        | StepAction::Dib(_)
        | StepAction::Initramfs
        | StepAction::Sysprep(_)
        | StepAction::Bootloader => Vec::new(),
    }
}

/// The problem of a tool that is not there; `None` if no plan needs a tool of this name.
pub(crate) fn missing_tool(name: &str, facts: &HostFacts, origin: &Origin) -> Option<Problem> {
    TOOLS.iter().find(|tool| tool.name == name).map(|tool| missing(tool, facts.family, origin))
}

fn missing(tool: &HostTool, family: Option<Family>, origin: &Origin) -> Problem {
    let (package, remedy) = match family {
        Some(Family::Debian) => (tool.debian, format!("apt-get install {}", tool.debian)),
        Some(Family::Redhat) => (tool.fedora, format!("dnf install {}", tool.fedora)),
        None => (
            tool.debian,
            format!("install the package that has it ({} on Debian, {} on Fedora)", tool.debian, tool.fedora),
        ),
    };
    let message = format!("`{}` is not installed on this host; it is needed to {}", tool.name, tool.purpose);
    Problem { package: Some(package.to_owned()), ..Problem::environment(message).at(origin).remedy(remedy) }
}

/// The key files that this plan needs, each with the step that needs it; the caller looks which ones are there.
#[must_use]
pub fn needed_keyrings(plan: &Plan) -> BTreeMap<&Path, &Origin> {
    let mut needed = BTreeMap::new();
    for step in plan.with_inputs().flat_map(|plan| &plan.steps) {
        let files: Vec<&PathBuf> = match &step.action {
            StepAction::Bootstrap(bootstrap) => {
                let verified = bootstrap.sources.iter().filter(|source| source.verify);
                verified.filter_map(|source| source.keyring.as_ref()).collect()
            }
            StepAction::OstreeDeploy(deploy) => {
                gpg_keys(&deploy.verify).chain(gpg_keys(&deploy.upgrade.verify)).collect()
            }
            _ => Vec::new(),
        };
        for file in files {
            needed.entry(file.as_path()).or_insert(&step.origin);
        }
    }
    needed
}

fn gpg_keys(verify: &OstreeVerify) -> impl Iterator<Item = &PathBuf> {
    if let OstreeVerify::Gpg { keys, .. } = verify { keys.iter() } else { [].iter() }
}

fn keyrings(plan: &Plan, facts: &HostFacts, problems: &mut Vec<Problem>) {
    let missing = needed_keyrings(plan).into_iter().filter(|(keyring, _)| !facts.keyrings.contains(*keyring));
    problems.extend(missing.map(|(keyring, origin)| keyring_problem(plan, facts, keyring).at(origin)));
}

fn keyring_problem(plan: &Plan, facts: &HostFacts, keyring: &Path) -> Problem {
    let message = format!("the key file {} is not on this host, so nothing could be verified", keyring.display());
    let package = match (plan.target.distro.as_str(), facts.family) {
        ("debian", Some(Family::Debian)) => Some("debian-archive-keyring"),
        ("debian", Some(Family::Redhat)) => Some("debian-keyring"),
        ("fedora", Some(_)) => Some("distribution-gpg-keys"),
        _ => None,
    };
    let remedy = match (package, facts.family) {
        (Some(package), Some(Family::Debian)) => format!("apt-get install {package}, or name another file with --set"),
        (Some(package), Some(Family::Redhat)) => format!("dnf install {package}, or name another file with --set"),
        _ => "copy it there, or name another file with --set".to_owned(),
    };
    Problem { package: package.map(str::to_owned), ..Problem::environment(message).remedy(remedy) }
}

fn space(plan: &Plan, facts: &HostFacts, problems: &mut Vec<Problem>) {
    let outputs = plan.exports.len().max(1) as u64;
    let least_output = Bytes(LEAST_OUTPUT.0.saturating_mul(outputs));
    for (space, least, what) in [
        (&facts.work_space, LEAST_WORK.max(swap_and_fixed(plan)), "the tree of this recipe needs"),
        (&facts.output_space, least_output, "the outputs of this recipe need"),
    ] {
        if let Some(FreeSpace { dir, free }) = space.as_ref().filter(|space| space.free < least) {
            let message = format!("{} has {free} free; {what} at least {least}", dir.display());
            problems.push(Problem::environment(message).remedy("free some space, or name another directory"));
        }
    }
}

/// Raw disks are sparse, so a disk of a fixed size costs only what is in it: a tenth of it is taken as the least.
fn swap_and_fixed(plan: &Plan) -> Bytes {
    let Some(layout) = &plan.layout else { return Bytes(0) };
    let partitions: u64 = layout
        .partitions
        .iter()
        .map(|partition| if let PartitionSize::Fixed(size) = partition.size { size.0 } else { 0 })
        .fold(0, u64::saturating_add);
    match layout.size {
        DiskSize::Fixed(size) => Bytes(size.0.min(partitions) / 10),
        DiskSize::Auto => Bytes(partitions / 10),
    }
}
