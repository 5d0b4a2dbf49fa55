//! What the planner must know of each filesystem type: one line of a table each.

use super::FilesystemKind;

/// A filesystem type, to the planner.
struct Line {
    kind: FilesystemKind,
    /// As written in elements.
    name: &'static str,
    /// Bytes of the longest label.
    longest_label: usize,
    /// The host tool that makes it; `None`: Isotope itself.
    tool: Option<&'static str>,
    /// Whether fsck at boot does anything. XFS and Btrfs need none; FAT's needs a tool that minimal images do not have.
    checked_at_boot: bool,
    /// Whether it has owners, modes and links.
    holds_root: bool,
}

const TABLE: [Line; 7] = [
    Line {
        kind: FilesystemKind::Ext4,
        name: "ext4",
        longest_label: 16,
        tool: Some("mke2fs"),
        checked_at_boot: true,
        holds_root: true,
    },
    Line {
        kind: FilesystemKind::Ext3,
        name: "ext3",
        longest_label: 16,
        tool: Some("mke2fs"),
        checked_at_boot: true,
        holds_root: true,
    },
    Line {
        kind: FilesystemKind::Ext2,
        name: "ext2",
        longest_label: 16,
        tool: Some("mke2fs"),
        checked_at_boot: true,
        holds_root: true,
    },
    Line {
        kind: FilesystemKind::Xfs,
        name: "xfs",
        longest_label: 12,
        tool: Some("mkfs.xfs"),
        checked_at_boot: false,
        holds_root: true,
    },
    Line {
        kind: FilesystemKind::Btrfs,
        name: "btrfs",
        longest_label: 255,
        tool: Some("mkfs.btrfs"),
        checked_at_boot: false,
        holds_root: true,
    },
    Line {
        kind: FilesystemKind::Fat,
        name: "fat",
        longest_label: 11,
        tool: None,
        checked_at_boot: false,
        holds_root: false,
    },
    Line {
        kind: FilesystemKind::Swap,
        name: "swap",
        longest_label: 16,
        tool: Some("mkswap"),
        checked_at_boot: false,
        holds_root: false,
    },
];

impl FilesystemKind {
    /// All types.
    pub const ALL: [Self; 7] = [Self::Ext4, Self::Ext3, Self::Ext2, Self::Xfs, Self::Btrfs, Self::Fat, Self::Swap];

    /// As written in elements.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.line().name
    }

    /// Bytes of the longest label.
    #[must_use]
    pub fn longest_label(self) -> usize {
        self.line().longest_label
    }

    /// The host tool that makes it; `None`: Isotope itself.
    #[must_use]
    pub fn tool(self) -> Option<&'static str> {
        self.line().tool
    }

    /// Whether it can hold a root filesystem.
    #[must_use]
    pub fn holds_root(self) -> bool {
        self.line().holds_root
    }

    /// The pass of fsck where nobody says one.
    pub(crate) fn usual_passno(self, mount: &str) -> u8 {
        match self.line().checked_at_boot {
            true if mount == "/" => 1,
            true => 2,
            false => 0,
        }
    }

    /// Its line; a test holds that there is one for each.
    fn line(self) -> &'static Line {
        TABLE.iter().find(|line| line.kind == self).unwrap_or(&TABLE[0])
    }
}

#[cfg(test)]
mod tests {
    use super::{FilesystemKind, TABLE};

    #[test]
    fn every_type_has_its_line() {
        assert_eq!(FilesystemKind::ALL.map(|kind| kind.line().kind), FilesystemKind::ALL);
        assert_eq!(TABLE.len(), FilesystemKind::ALL.len());
    }
}
