//! A layout for people (tables) and for programs (JSON).

use super::layout::{Device, DiskPlan, LayoutPlan, MountPlan};
use super::place::{self, PlaceError};
use super::{Config, Graph, TableKind, lvm};
use crate::geometry::Geometry;
use crate::show::table;
use isotope_element::Bytes;
use serde_json::{Value, json};

/// The disks of a layout with their sectors; `None` where the size of the image is not known.
fn placed(plan: &LayoutPlan, image: Option<Bytes>) -> Result<Vec<(&DiskPlan, Option<Geometry>)>, PlaceError> {
    let place = |disk| match place::place(disk, image) {
        Ok(geometry) => Ok((disk, Some(geometry))),
        Err(PlaceError::NoSize { .. }) => Ok((disk, None)),
        Err(error) => Err(error),
    };
    plan.disks.iter().map(place).collect()
}

/// Everything that is made, as text.
///
/// # Errors
/// The partitions do not fit on a disk of this size.
pub fn show(plan: &LayoutPlan, image: Option<Bytes>) -> Result<String, PlaceError> {
    let mut out = String::new();
    for (disk, geometry) in placed(plan, image)? {
        disk_text(plan, disk, geometry.as_ref(), &mut out);
    }
    let path = |device: &Device| match device {
        Device::Volume { group, volume } => lvm::device_path(group, volume),
        other => format!("/dev/{other}"),
    };
    for made in &plan.lvm {
        out.push_str(&format!("\nlvm {}\n", made.name));
        for command in lvm::create(made, &path) {
            out.push_str(&format!("  {}\n", command.join(" ")));
        }
    }
    let volumes = plan.filesystems.iter().filter(|made| matches!(made.device, Device::Volume { .. }));
    let mut rows = vec![["", "volume", "filesystem", "label", "mount", "options", "uuid"].map(str::to_owned).to_vec()];
    rows.extend(volumes.map(|made| {
        let mut row = vec![String::new(), made.device.to_string()];
        row.extend(filesystem_cells(plan, &made.device));
        row
    }));
    if rows.len() > 1 {
        out.push('\n');
        table(rows, &mut out);
    }
    let fstab = plan.fstab();
    out.push_str("\n/etc/fstab\n");
    out.extend(fstab.lines().map(|line| format!("  {line}\n")));
    if fstab.is_empty() {
        out.push_str("  (empty)\n");
    }
    Ok(out)
}

fn disk_text(plan: &LayoutPlan, disk: &DiskPlan, geometry: Option<&Geometry>, out: &mut String) {
    let kind = match disk.table.as_ref().map(|table| table.kind) {
        Some(TableKind::Mbr) => "MBR",
        Some(TableKind::Gpt) => "GPT",
        None => "no partition table",
    };
    let size = match (geometry, disk.size) {
        (Some(geometry), _) => geometry.total_bytes().to_string(),
        (None, _) => "the size of the image".to_owned(),
    };
    let sector = disk.sector_size.bytes();
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("disk {}: {kind}, {size}, sectors of {sector} bytes\n", disk.name));
    let head = ["", "name", "type", "size", "first", "last", "filesystem", "label", "mount", "options", "uuid"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let Some(partitions) = &disk.table else {
        let device = Device::Disk { disk: disk.name.clone() };
        let mut row =
            vec!["-".to_owned(), disk.name.clone(), "-".to_owned(), "-".to_owned(), "-".to_owned(), "-".to_owned()];
        row.extend(filesystem_cells(plan, &device));
        rows.push(row);
        return table(rows, out);
    };
    let extended = geometry.and_then(|geometry| place::extended(partitions, geometry));
    let total = geometry.map_or(0, |geometry| geometry.total_sectors);
    let mut told = false;
    for partition in &partitions.partitions {
        if let Some(extended) = extended.filter(|_| partition.logical && !told) {
            let sectors = [extended.first_lba, total.saturating_sub(1)].map(|lba| lba.to_string());
            let size = Bytes(total.saturating_sub(extended.first_lba) * sector).to_string();
            let mut row = vec![extended.number.to_string(), "-".to_owned(), "0x0f".to_owned(), size];
            row.extend(sectors);
            row.extend(["extended", "-", "-", "-", "-"].map(str::to_owned));
            rows.push(row);
            told = true;
        }
        let placed = geometry.and_then(|geometry| Some((geometry, geometry.partition(partition.number)?)));
        let active = if partition.boot { "*" } else { "" };
        let mut row = vec![format!("{}{active}", partition.number), partition.name.clone(), partition.code.to_string()];
        match placed {
            Some((geometry, placed)) => row.extend([
                Bytes(geometry.length(placed)).to_string(),
                placed.first_lba.to_string(),
                placed.last_lba.to_string(),
            ]),
            None => row.extend([partition.size.to_string(), "-".to_owned(), "-".to_owned()]),
        }
        let device = Device::Partition { disk: disk.name.clone(), number: partition.number };
        row.extend(filesystem_cells(plan, &device));
        rows.push(row);
    }
    table(rows, out);
}

/// Filesystem, label, mount point, its options, UUID.
fn filesystem_cells(plan: &LayoutPlan, device: &Device) -> [String; 5] {
    let dash = || "-".to_owned();
    let made = plan.filesystems.iter().enumerate().find(|(_, made)| made.device == *device);
    let Some((index, made)) = made else {
        let physical = plan.lvm.iter().flat_map(|lvm| &lvm.physical).any(|physical| physical.device == *device);
        let what = if physical { "LVM".to_owned() } else { dash() };
        return [what, dash(), dash(), dash(), dash()];
    };
    let mount = plan.mounts.iter().find(|mount| mount.filesystem == index);
    let options =
        mount.and_then(|mount: &MountPlan| mount.fstab.as_ref()).map_or_else(dash, |line| line.options.clone());
    [
        made.fstype.clone(),
        made.filesystem.label.clone().unwrap_or_else(dash),
        mount.map_or_else(dash, |mount| mount.path.clone()),
        options,
        made.filesystem.uuid.to_string(),
    ]
}

/// Everything for programs: the normalised configuration, the graph, the layout, sectors where they are known, fstab.
///
/// # Errors
/// The partitions do not fit on a disk of this size.
pub fn to_json(config: &Config, graph: &Graph, plan: &LayoutPlan, image: Option<Bytes>) -> Result<Value, PlaceError> {
    let geometry = placed(plan, image)?;
    let geometry: serde_json::Map<String, Value> =
        geometry.into_iter().map(|(disk, geometry)| (disk.name.clone(), json!(geometry))).collect();
    Ok(json!({
        "config": config.to_json(),
        "graph": graph.to_json(),
        "layout": plan,
        "geometry": geometry,
        "fstab": plan.fstab(),
    }))
}
