//! What a layout must obey, beyond the types of its parts: the rules of tables, filesystems, mounts and firmware.
//!
//! In: a [`Layout`]. Out: every problem, each with the place of the partition that has it. Places nothing on sectors.

use super::{DiskSize, Filesystem, FilesystemKind, Layout, Partition, PartitionKind, PartitionSize, Table};
use crate::{BootSpec, Problem};
use isotope_element::{Arch, Bytes, Origin};
use std::collections::BTreeMap;

/// A whole, in the unit of [`PartitionSize::Percent`].
const WHOLE: u64 = 10_000;
/// What a table and its alignment take of a disk at least.
const TABLE_ROOM: Bytes = Bytes::mib(1);

/// Everything that is wrong with a layout; `origin` is that of its section.
#[must_use]
pub fn check(layout: &Layout, origin: &Origin) -> Vec<Problem> {
    let mut problems = Vec::new();
    if layout.partitions.is_empty() {
        problems
            .push(at(origin, "the layout has no partition").remedy("add a [[layout.partitions]] with kind = \"root\""));
    }
    table(layout, origin, &mut problems);
    sizes(layout, origin, &mut problems);
    for partition in &layout.partitions {
        name(partition, &mut problems);
        content(partition, &mut problems);
        label(partition, &mut problems);
        mount(partition, &mut problems);
    }
    unique(layout, ("the name", str::to_lowercase), |partition| Some(partition.name.clone()), &mut problems);
    unique(
        layout,
        ("the label", str::to_lowercase),
        |partition| partition.filesystem.as_ref()?.label.clone(),
        &mut problems,
    );
    unique(
        layout,
        ("the mount point", str::to_owned),
        |partition| Some(mount_of(partition)?.to_owned()),
        &mut problems,
    );
    if !layout.partitions.iter().any(|partition| mount_of(partition) == Some("/")) && !layout.partitions.is_empty() {
        problems.push(
            at(origin, "no partition is mounted at `/`")
                .remedy("give the filesystem of the root partition mount = \"/\""),
        );
    }
    problems
}

/// Whether the firmware finds what it needs for the boot loader.
#[must_use]
pub fn check_boot(layout: &Layout, boot: &BootSpec, arch: Arch) -> Vec<Problem> {
    let mut problems = Vec::new();
    let has = |kind| layout.partitions.iter().any(|partition| partition.kind == kind);
    if boot.bios && arch != Arch::X86_64 {
        problems.push(at(&boot.origin, format!("{arch} machines have no BIOS")).remedy("set bios = false"));
    } else if boot.bios && layout.table == Table::Gpt && !has(PartitionKind::BiosBoot) {
        problems.push(
            at(
                &boot.origin,
                "booting by BIOS from a GPT disk needs a partition of kind bios-boot, and the layout has none",
            )
            .remedy("add one of 1 MiB, or set bios = false"),
        );
    }
    let esp_mounted =
        layout.partitions.iter().any(|partition| partition.kind == PartitionKind::Esp && mount_of(partition).is_some());
    if boot.uefi && !esp_mounted {
        let lack =
            if has(PartitionKind::Esp) { "and that of the layout is not mounted" } else { "and the layout has none" };
        problems.push(
            at(&boot.origin, format!("booting by UEFI needs an EFI system partition (kind esp), {lack}"))
                .remedy("mount one at /boot/efi, or set uefi = false"),
        );
    }
    problems
}

fn at(origin: &Origin, message: impl Into<String>) -> Problem {
    Problem::configuration(message).at(origin)
}

fn mount_of(partition: &Partition) -> Option<&str> {
    Some(partition.filesystem.as_ref()?.mount.as_ref()?.path.as_str())
}

fn table(layout: &Layout, origin: &Origin, problems: &mut Vec<Problem>) {
    let (name, limit) = match layout.table {
        Table::Gpt => ("GPT", 128),
        Table::Mbr => ("MBR", 4),
    };
    if layout.partitions.len() > limit {
        let message = format!("{} partitions, but an {name} table holds {limit}", layout.partitions.len());
        problems.push(at(origin, message).remedy(if limit == 4 { "use table = \"gpt\"" } else { "join some of them" }));
    }
    for partition in
        layout.partitions.iter().filter(|part| layout.table == Table::Mbr && part.kind == PartitionKind::BiosBoot)
    {
        let message = format!(
            "partition `{}`: an MBR disk has no bios-boot partition; GRUB uses the gap before the first one",
            partition.name
        );
        problems.push(at(&partition.origin, message).remedy("remove it, or use table = \"gpt\""));
    }
}

fn sizes(layout: &Layout, origin: &Origin, problems: &mut Vec<Problem>) {
    let (mut percent, mut fixed, mut rests) = (0_u64, 0_u64, Vec::new());
    for partition in &layout.partitions {
        match partition.size {
            PartitionSize::Percent(part) => percent += u64::from(part),
            PartitionSize::Fixed(size) => fixed = fixed.saturating_add(size.0),
            PartitionSize::Rest => rests.push(partition),
            PartitionSize::Auto => {}
        }
    }
    if let [first, second, ..] = rests.as_slice() {
        let message = format!("partitions `{}` and `{}` both take the rest; one can", first.name, second.name);
        problems.push(at(&second.origin, message).remedy("give one of them a size"));
    }
    let others = layout.partitions.iter().any(|partition| !matches!(partition.size, PartitionSize::Percent(_)));
    let sum = format!("{}.{:02} %", percent / 100, percent % 100);
    if percent > WHOLE {
        problems.push(
            at(origin, format!("the partitions sized in percent take {sum} of the disk"))
                .remedy("together they may take 100 %"),
        );
    } else if percent == WHOLE && others {
        let message = "the partitions sized in percent take the whole disk, and others stand beside them";
        problems.push(at(origin, message).remedy("give one of them size = \"rest\" instead"));
    }
    let DiskSize::Fixed(disk) = layout.size else { return };
    let usable = disk.0.saturating_sub(TABLE_ROOM.0);
    let shares = (u128::from(usable) * u128::from(percent.min(WHOLE)) / u128::from(WHOLE)) as u64;
    if fixed > usable {
        let message = format!(
            "the partitions of fixed size need {}, but the disk of {disk} has {} for them",
            Bytes(fixed),
            Bytes(usable)
        );
        problems.push(at(origin, message).remedy("make the disk larger, or size = \"auto\""));
    } else if fixed.saturating_add(shares) > usable {
        let message =
            format!("fixed sizes ({}) and percentages ({sum}) together exceed the disk of {disk}", Bytes(fixed));
        problems.push(at(origin, message).remedy("make the disk larger, or the percentages smaller"));
    }
}

fn name(partition: &Partition, problems: &mut Vec<Problem>) {
    let odd = partition.name.chars().find(|char| !(char.is_ascii_alphanumeric() || "-_.".contains(*char)));
    if partition.name.is_empty() || partition.name.len() > 36 {
        let message = format!("the partition name `{}` has {} characters", partition.name, partition.name.len());
        problems.push(at(&partition.origin, message).remedy("a GPT holds 1 to 36"));
    } else if let Some(odd) = odd {
        let message = format!("the partition name `{}` has the character `{}`", partition.name, odd.escape_debug());
        problems.push(at(&partition.origin, message).remedy("use letters, digits, `-`, `_` and `.`"));
    }
}

/// Kind and filesystem must suit each other.
fn content(partition: &Partition, problems: &mut Vec<Problem>) {
    let Partition { name, kind, origin, .. } = partition;
    let filesystem = partition.filesystem.as_ref().map(|filesystem| filesystem.kind);
    let fault = match (kind, filesystem) {
        (PartitionKind::BiosBoot, Some(_)) => Some((
            format!("partition `{name}` of kind bios-boot cannot have a filesystem: GRUB's core image is in it"),
            "remove the filesystem",
        )),
        (PartitionKind::Esp, None) => Some((
            format!("partition `{name}` of kind esp has no filesystem"),
            "add filesystem = { type = \"fat\", … }",
        )),
        (PartitionKind::Esp, Some(other)) if other != FilesystemKind::Fat => Some((
            format!("partition `{name}` of kind esp has {}, but firmware reads only FAT", other.name()),
            "use type = \"fat\"",
        )),
        (PartitionKind::Swap, Some(other)) if other != FilesystemKind::Swap => Some((
            format!("partition `{name}` of kind swap has the filesystem {}", other.name()),
            "use type = \"swap\", or kind = \"linux\"",
        )),
        (PartitionKind::Root | PartitionKind::Boot | PartitionKind::Linux, Some(FilesystemKind::Swap)) => {
            Some((format!("partition `{name}` is a swap area, but not of kind swap"), "use kind = \"swap\""))
        }
        (PartitionKind::Root, None) => Some((
            format!("partition `{name}` of kind root has no filesystem"),
            "add filesystem = { type = \"ext4\", mount = \"/\" }",
        )),
        _ => None,
    };
    if let Some((message, remedy)) = fault {
        problems.push(at(origin, message).remedy(remedy));
    }
}

fn label(partition: &Partition, problems: &mut Vec<Problem>) {
    let Some(Filesystem { kind, label: Some(label), .. }) = &partition.filesystem else { return };
    let longest = kind.longest_label();
    if label.len() > longest {
        let message = format!("the label `{label}` of partition `{}` has {} bytes", partition.name, label.len());
        problems.push(at(&partition.origin, message).remedy(format!("{} holds {longest}", kind.name())));
    }
    let odd = label.chars().find(|char| match kind {
        FilesystemKind::Fat => !char.is_ascii() || char.is_ascii_control() || "\"*+,./:;<=>?[\\]|".contains(*char),
        _ => char.is_control() || char.is_whitespace() || "/\\\"'".contains(*char),
    });
    if label.is_empty() {
        problems.push(
            at(&partition.origin, format!("the label of partition `{}` is empty", partition.name))
                .remedy("remove the key"),
        );
    } else if let Some(odd) = odd {
        let message =
            format!("the label `{label}` of partition `{}` has the character `{}`", partition.name, odd.escape_debug());
        problems.push(at(&partition.origin, message).remedy("use letters, digits, `-` and `_`"));
    } else if *kind == FilesystemKind::Fat && label.chars().any(|char| char.is_ascii_lowercase()) {
        let message = format!(
            "the label `{label}` of partition `{}` has lower case letters, which FAT does not have",
            partition.name
        );
        problems.push(at(&partition.origin, message).remedy(format!("write `{}`", label.to_uppercase())));
    }
}

fn mount(partition: &Partition, problems: &mut Vec<Problem>) {
    let Some(Filesystem { kind, mount: Some(mount), .. }) = &partition.filesystem else { return };
    let path = &mount.path;
    let clean = path == "/"
        || (path.starts_with('/')
            && path.split('/').skip(1).all(|part| !part.is_empty() && part != "." && part != ".."));
    let odd = path.chars().any(|char| char.is_whitespace() || char.is_control() || "\\#\"'".contains(char));
    if !clean || odd {
        let message = format!("partition `{}`: `{path}` is no mount point", partition.name);
        problems.push(
            at(&partition.origin, message).remedy("use an absolute path without `.`, `..`, blanks or a `/` at its end"),
        );
    }
    if *kind == FilesystemKind::Swap {
        problems.push(
            at(&partition.origin, format!("partition `{}`: a swap area cannot be mounted at {path}", partition.name))
                .remedy("remove the key `mount`; fstab gets its line all the same"),
        );
    }
    if path == "/" && !kind.holds_root() {
        let message = format!(
            "partition `{}`: {} cannot hold a root filesystem: it has no owners and links",
            partition.name,
            kind.name()
        );
        problems.push(at(&partition.origin, message).remedy("use ext4, xfs or btrfs"));
    }
    if mount.passno > 2 {
        let message = format!("partition `{}`: passno is 0, 1 or 2, not {}", partition.name, mount.passno);
        problems.push(at(&partition.origin, message).remedy("1 for `/`, 2 for others, 0 for no check"));
    }
    if mount.options.is_empty() || mount.options.contains(|char: char| char.is_whitespace()) {
        let message =
            format!("partition `{}`: the mount options `{}` would break fstab", partition.name, mount.options);
        problems.push(at(&partition.origin, message).remedy("separate them by commas; `defaults` for none"));
    }
}

/// What two partitions must not share; names and labels without regard to case, of which FAT has only one.
fn unique(
    layout: &Layout,
    (what, fold): (&str, fn(&str) -> String),
    key: impl Fn(&Partition) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    let mut seen: BTreeMap<String, &Partition> = BTreeMap::new();
    for (index, partition) in layout.partitions.iter().enumerate() {
        let Some(value) = key(partition) else { continue };
        if let Some(first) = seen.get(&fold(&value)) {
            let line = first.origin.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            let message = format!(
                "partition {} has {what} `{value}`, which partition `{}`{line} has already",
                index + 1,
                first.name
            );
            problems.push(at(&partition.origin, message).remedy("each may be there once"));
        } else {
            seen.insert(fold(&value), partition);
        }
    }
}

#[cfg(test)]
mod tests;
