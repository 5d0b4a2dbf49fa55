//! `/etc/fstab`: generated from the layout, written inside the tree.
//!
//! Filesystems are named by `UUID=`, not by `LABEL=`: UUIDs come from the build's seed, so they are as reproducible as labels, and
//! unlike a label they stay unambiguous when a second disk with another image's root is attached. A FAT filesystem's UUID is its
//! volume id as blkid writes it (`ABCD-1234`).

use isotope_plan::layout::{Filesystem, FilesystemKind, Layout, Mount};
use isotope_sys::target::{TargetDir, TargetError};
use uuid::Uuid;

/// Where fstab is written, and how it names the root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fstab {
    /// The `/etc` of the target, from the root of the disk; that of a deployment lies deep below it.
    pub etc: String,
    /// `LABEL=…` or `UUID=…` of the root filesystem; `None`: its UUID.
    pub root: Option<String>,
}

impl Default for Fstab {
    fn default() -> Self {
        Self { etc: "/etc".to_owned(), root: None }
    }
}

const HEAD: &str = "# /etc/fstab: written by Isotope from the image's layout. UUIDs are those of the filesystems (blkid shows them).\n";

/// The volume id of a FAT filesystem: the first eight hexadecimal digits of its UUID.
#[must_use]
pub fn fat_volume_id(uuid: Uuid) -> u32 {
    uuid.as_fields().0
}

/// How fstab and kernel arguments name a filesystem: `UUID=…`.
#[must_use]
pub fn source(filesystem: &Filesystem) -> String {
    match filesystem.kind {
        FilesystemKind::Fat => {
            let id = fat_volume_id(filesystem.uuid);
            format!("UUID={:04X}-{:04X}", id >> 16, id & 0xFFFF)
        }
        _ => format!("UUID={}", filesystem.uuid),
    }
}

/// The whole file: parents before what is mounted in them, swap last.
#[must_use]
pub fn render(layout: &Layout, root: Option<&str>) -> String {
    let mut rows = vec![["# <source>", "<target>", "<type>", "<options>", "<dump>", "<pass>"].map(str::to_owned)];
    let filesystems = || layout.partitions.iter().filter_map(|partition| partition.filesystem.as_ref());
    let mut mounted: Vec<(&Filesystem, &Mount)> =
        filesystems().filter(|f| f.kind != FilesystemKind::Swap).filter_map(|f| Some((f, f.mount.as_ref()?))).collect();
    mounted.sort_by(|(_, one), (_, other)| one.path.cmp(&other.path));
    for (filesystem, mount) in mounted {
        let kind = match filesystem.kind {
            FilesystemKind::Ext4 => "ext4",
            FilesystemKind::Ext3 => "ext3",
            FilesystemKind::Ext2 => "ext2",
            FilesystemKind::Xfs => "xfs",
            FilesystemKind::Btrfs => "btrfs",
            FilesystemKind::Fat => "vfat",
            FilesystemKind::Swap => "swap",
        };
        let named = root.filter(|_| mount.path == "/").map_or_else(|| source(filesystem), escape);
        rows.push([
            named,
            escape(&mount.path),
            kind.into(),
            options(&mount.options),
            "0".into(),
            mount.passno.to_string(),
        ]);
    }
    for swap in filesystems().filter(|filesystem| filesystem.kind == FilesystemKind::Swap) {
        let options = swap.mount.as_ref().map_or_else(|| "sw".to_owned(), |mount| options(&mount.options));
        rows.push([source(swap), "none".into(), "swap".into(), options, "0".into(), "0".into()]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = HEAD.to_owned();
    for row in &rows {
        let line: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Writes it into a tree. A link of that name is replaced, not followed; a link above it leads nowhere but inside the tree.
///
/// # Errors
/// The file system refuses.
pub(crate) fn write(target: &TargetDir, layout: &Layout, how: &Fstab, epoch: u64) -> Result<(), TargetError> {
    let seconds = i64::try_from(epoch).unwrap_or(i64::MAX);
    let path = format!("{}/fstab", how.etc);
    target.write(&path, render(layout, how.root.as_deref()), 0o644)?;
    target.set_times(&path, seconds)?;
    target.set_times(&how.etc, seconds)
}

fn options(options: &str) -> String {
    if options.is_empty() { "defaults".to_owned() } else { escape(options) }
}

/// Blanks and backslashes as fstab wants them.
fn escape(text: &str) -> String {
    let escaped = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' => format!("\\{:03o}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use isotope_plan::layout::{DiskSize, Partition, PartitionKind, PartitionSize, SectorSize, Table};
    use isotope_plan::{Bytes, Origin};

    fn partition(kind: FilesystemKind, path: &str, options: &str, passno: u8) -> Partition {
        let mount = (!path.is_empty()).then(|| Mount { path: path.into(), options: options.into(), passno });
        let uuid = Uuid::from_u128(0x0123_abcd_0000_4000_8000_0000_0000_0000);
        Partition {
            name: "p".into(),
            number: 1,
            kind: PartitionKind::Linux,
            size: PartitionSize::Rest,
            uuid,
            filesystem: Some(Filesystem { kind, label: None, uuid, mount, mkfs_options: vec![] }),
            origin: Origin { element: "test".into(), file: None, line: None },
        }
    }

    #[test]
    fn it_is_aligned_and_parents_come_first() {
        let layout = Layout {
            table: Table::Gpt,
            sector_size: SectorSize::B512,
            size: DiskSize::Auto,
            align: Bytes::mib(1),
            disk_id: Uuid::nil(),
            partitions: vec![
                partition(FilesystemKind::Swap, "", "", 0),
                partition(FilesystemKind::Fat, "/boot/efi", "umask=0077", 1),
                partition(FilesystemKind::Xfs, "/srv/with blank", "", 0),
                partition(FilesystemKind::Ext4, "/", "defaults,errors=remount-ro", 1),
            ],
        };
        let text = render(&layout, None);
        let labelled = render(&layout, Some("LABEL=my root"));
        assert!(labelled.contains("\nLABEL=my\\040root ") && labelled.contains("\nUUID=0123-ABCD "), "{labelled}");
        let expected = "\
# /etc/fstab: written by Isotope from the image's layout. UUIDs are those of the filesystems (blkid shows them).
# <source>                                 <target>            <type>  <options>                   <dump>  <pass>
UUID=0123abcd-0000-4000-8000-000000000000  /                   ext4    defaults,errors=remount-ro  0       1
UUID=0123-ABCD                             /boot/efi           vfat    umask=0077                  0       1
UUID=0123abcd-0000-4000-8000-000000000000  /srv/with\\040blank  xfs     defaults                    0       0
UUID=0123abcd-0000-4000-8000-000000000000  none                swap    sw                          0       0
";
        assert_eq!(text, expected, "{text}");
    }

    #[test]
    fn a_link_in_a_hostile_tree_does_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        std::fs::create_dir_all(&tree).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("fstab"), "the host's").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("etc")).unwrap();
        let layout = Layout {
            table: Table::Mbr,
            sector_size: SectorSize::B512,
            size: DiskSize::Auto,
            align: Bytes::mib(1),
            disk_id: Uuid::nil(),
            partitions: vec![],
        };
        drop(write(&TargetDir::open(&tree).unwrap(), &layout, &Fstab::default(), 0));
        assert_eq!(std::fs::read_to_string(outside.join("fstab")).unwrap(), "the host's");
        std::fs::remove_file(tree.join("etc")).unwrap();
        std::fs::create_dir(tree.join("etc")).unwrap();
        std::os::unix::fs::symlink(outside.join("fstab"), tree.join("etc/fstab")).unwrap();
        write(&TargetDir::open(&tree).unwrap(), &layout, &Fstab::default(), 0).unwrap();
        assert_eq!(std::fs::read_to_string(outside.join("fstab")).unwrap(), "the host's");
        assert!(std::fs::symlink_metadata(tree.join("etc/fstab")).unwrap().is_file());
    }
}
