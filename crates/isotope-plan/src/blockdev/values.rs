//! Which configuration is taken, and what the rest of a build asks it before anything is made (`dib-block-device getval`).

use super::graph::{Graph, Mkfs, NodeKind};
use serde::Serialize;

/// The configuration of an image whose elements have none: a filesystem on the whole disk.
pub const DEFAULT: &str = "\
- local_loop:
    name: image0
    mkfs:
      name: mkfs_root
      mount:
        mount_point: /
        fstab: { options: defaults, fsck-passno: 1 }
";

/// The files of an element that are looked for, the first one first; `arch` in upstream's words (ARCH: `amd64`, `ppc64le`).
#[must_use]
pub fn file_names(arch: &str) -> [String; 2] {
    let arch = if matches!(arch, "ppc64le" | "ppc64el") { "ppc64el" } else { arch };
    [format!("block-device-{arch}.yaml"), "block-device-default.yaml".to_owned()]
}

/// What is known of a graph before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Values {
    /// Label of the root filesystem (DIB_ROOT_LABEL).
    pub root_label: String,
    /// Its type (DIB_ROOT_FSTYPE).
    pub root_fstype: String,
    /// Label of the filesystem at `/boot` (DIB_BOOT_LABEL); empty if there is none.
    pub boot_label: String,
    /// All mount points in the order of the configuration, joined by `|` (DIB_MOUNTPOINTS).
    pub mount_points: String,
}

impl Graph {
    /// What hooks see as DIB_ROOT_LABEL and its like; `None` if nothing is mounted at `/`.
    ///
    /// Labels are those that the filesystems get: upstream fails where a root filesystem has no label of its own, and writes that of
    /// a FAT at `/boot` in the wrong case.
    #[must_use]
    pub fn values(&self) -> Option<Values> {
        let mounts: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|node| if let NodeKind::Mount(mount) = &node.kind { Some(mount) } else { None })
            .collect();
        let mounted = |path: &str| -> Option<&Mkfs> {
            let base = &mounts.iter().find(|mount| mount.mount_point == path)?.base;
            if let NodeKind::Mkfs(mkfs) = &self.node(base)?.kind { Some(mkfs) } else { None }
        };
        let root = mounted("/")?;
        Some(Values {
            root_label: root.label.clone(),
            root_fstype: root.kind.clone(),
            boot_label: mounted("/boot").map(|boot| boot.label.clone()).unwrap_or_default(),
            mount_points: mounts.iter().map(|mount| mount.mount_point.as_str()).collect::<Vec<_>>().join("|"),
        })
    }
}
