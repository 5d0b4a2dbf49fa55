//! The commands that make LVM, in order. Pure; `isotope-disk` runs them.

use super::layout::{Device, LvmPlan, Segment, VolumePlan, VolumeSize};

/// Makes everything: physical volumes, groups, volumes; `path` says where a device is on the host.
#[must_use]
pub fn create(plan: &LvmPlan, path: &dyn Fn(&Device) -> String) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for physical in &plan.physical {
        let mut command = vec!["pvcreate".to_owned(), path(&physical.device)];
        command.extend(physical.options.iter().cloned());
        commands.push(command);
    }
    for group in &plan.groups {
        let mut command = vec!["vgcreate".to_owned(), group.name.clone()];
        command.extend(group.devices.iter().map(path));
        command.extend(group.options.iter().cloned());
        commands.push(command);
    }
    commands.extend(plan.volumes.iter().map(lvcreate));
    commands
}

/// Takes the volumes away from the kernel; the disks keep them.
#[must_use]
pub fn deactivate(plan: &LvmPlan) -> Vec<Vec<String>> {
    let command = |name: &str, what: String| vec![name.to_owned(), "-an".to_owned(), what];
    let volumes =
        plan.volumes.iter().map(|volume| command("lvchange", format!("/dev/{}/{}", volume.group, volume.name)));
    volumes.chain(plan.groups.iter().map(|group| command("vgchange", group.name.clone()))).collect()
}

fn lvcreate(volume: &VolumePlan) -> Vec<String> {
    let mut command: Vec<String> = ["lvcreate", "--name", &volume.name].map(str::to_owned).into();
    match &volume.segment {
        Segment::Linear => {}
        Segment::ThinPool => command.extend(["--type", "thin-pool"].map(str::to_owned)),
        Segment::Thin { pool } => command.extend(["--type", "thin", "--thin-pool", pool].map(str::to_owned)),
    }
    match &volume.size {
        VolumeSize::Bytes(bytes) => {
            let virtual_size = matches!(volume.segment, Segment::Thin { .. });
            command.extend([if virtual_size { "-V" } else { "-L" }.to_owned(), format!("{}B", bytes.0)]);
        }
        VolumeSize::Extents(extents) => command.extend(["-l".to_owned(), extents.clone()]),
    }
    command.extend(volume.options.iter().cloned());
    command.push(volume.group.clone());
    command
}

/// Where the kernel shows a logical volume. Hyphens in names are doubled there, which upstream does not know.
#[must_use]
pub fn device_path(group: &str, volume: &str) -> String {
    format!("/dev/mapper/{}-{}", group.replace('-', "--"), volume.replace('-', "--"))
}

/// Whether the name of a mapped device is that of a volume of this group, or of a part of one.
#[must_use]
pub fn is_of_group(name: &str, group: &str) -> bool {
    let rest = name.strip_prefix(&group.replace('-', "--")).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| !rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::{device_path, is_of_group};

    #[test]
    fn names_tell_their_group() {
        assert_eq!(device_path("a-b", "c-d"), "/dev/mapper/a--b-c--d");
        for (name, group, is) in [
            ("vg-lv_root", "vg", true),
            ("vg-pool_tdata", "vg", true),
            ("vg-pool-tpool", "vg", true),
            ("vg_data-lv", "vg", false),
            ("vg--x-lv", "vg", false),
            ("vg--x-lv", "vg-x", true),
            ("control", "control", false),
        ] {
            assert_eq!(is_of_group(name, group), is, "{name} {group}");
        }
    }
}
