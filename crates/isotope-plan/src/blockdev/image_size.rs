//! How large an image is, and with what its root filesystem is made, by upstream's formula.

use isotope_element::Bytes;
use serde::{Deserialize, Serialize};

/// What the command line and the elements say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageSize {
    /// `--image-size`, DIB_IMAGE_SIZE, in GiB.
    pub size: Option<f64>,
    /// `--image-extra-size`, DIB_IMAGE_EXTRA_SIZE, in MiB (its help says GB).
    pub extra: Option<f64>,
    /// `--mkfs-journal-size`, DIB_JOURNAL_SIZE, in MiB; 64 where it is not said.
    pub journal: Option<u64>,
    /// `--max-online-resize`, MAX_ONLINE_RESIZE, in blocks.
    pub max_online_resize: Option<String>,
    /// `--mkfs-options`.
    pub mkfs_options: Option<String>,
    /// The type of the root filesystem.
    pub root_fs_type: String,
    /// Whether an element named `block-device-efi…` is in the image, whose ESP is large.
    pub efi: bool,
    /// Whether the target's e2fsck does not know `metadata_csum` (Ubuntu trusty).
    pub without_metadata_csum: bool,
}

impl ImageSize {
    /// Size of the image for a tree of `used` KiB, as `du -a -c -x` counts them.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as upstream's awk computes it"
    )]
    pub fn bytes(&self, used: u64) -> Bytes {
        let mut kib = match (self.size, self.extra) {
            (Some(size), _) => (size.max(0.0) * 1024.0 * 1024.0) as u64,
            (None, Some(extra)) => used.saturating_add((extra.max(0.0) * 1024.0) as u64),
            (None, None) => (used as f64 / 0.6) as u64,
        };
        if self.size.is_none() && self.root_fs_type == "ext4" {
            let journal = self.journal() * 1024;
            // mke2fs refuses a journal of more than half of the filesystem; upstream's tiny images end there.
            kib = kib.saturating_add(journal).max(journal * 9 / 4);
        }
        if self.efi {
            kib = kib.saturating_add(525 * 1024);
        }
        // qemu-img cannot compress the end of an image that is no multiple of this.
        Bytes(kib.next_multiple_of(64).saturating_mul(1024))
    }

    /// Options of mkfs for the root filesystem (`root-fs-opts`), if there are any.
    #[must_use]
    pub fn root_fs_opts(&self) -> Option<String> {
        let mut words = Vec::new();
        if let Some(blocks) = &self.max_online_resize {
            words.push(format!("-E resize={blocks}"));
        }
        if self.root_fs_type == "ext4" {
            if self.without_metadata_csum {
                words.push("-O ^metadata_csum".to_owned());
            }
            words.push(format!("-i 4096 -J size={}", self.journal()));
        }
        words.extend(self.mkfs_options.clone());
        (!words.is_empty()).then(|| words.join(" "))
    }

    fn journal(&self) -> u64 {
        self.journal.unwrap_or(64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ext4() -> ImageSize {
        ImageSize { root_fs_type: "ext4".to_owned(), ..ImageSize::default() }
    }

    #[test]
    fn sizes_are_upstreams() {
        let kib = |size: &ImageSize, used| size.bytes(used).0 / 1024;
        let xfs = || ImageSize { root_fs_type: "xfs".to_owned(), ..ImageSize::default() };
        assert_eq!(kib(&xfs(), 600_000), 1_000_000_u64.next_multiple_of(64));
        assert_eq!(kib(&ext4(), 600_000), (1_000_000 + 64 * 1024_u64).next_multiple_of(64));
        assert_eq!(
            kib(&ImageSize { journal: Some(8), ..ext4() }, 60_000),
            (100_000 + 8 * 1024_u64).next_multiple_of(64)
        );
        assert_eq!(kib(&ext4(), 60), 64 * 1024 * 9 / 4);
        assert_eq!(kib(&ImageSize { size: Some(2.5), ..ext4() }, 1), 2_621_440);
        assert_eq!(kib(&ImageSize { size: Some(2.0), extra: Some(7.0), ..ext4() }, 1), 2_097_152);
        assert_eq!(kib(&ImageSize { extra: Some(100.0), ..xfs() }, 1024), 1024 + 102_400);
        assert_eq!(kib(&ImageSize { size: Some(1.0), efi: true, ..ext4() }, 1), 1_048_576 + 525 * 1024);
        // The build of the facts: 859 MB used, 1.63 GiB.
        assert_eq!(kib(&ext4(), 983_860), 1_705_344);
    }

    #[test]
    fn options_of_the_root_filesystem() {
        assert_eq!(ext4().root_fs_opts().as_deref(), Some("-i 4096 -J size=64"));
        let all = ImageSize {
            journal: Some(128),
            max_online_resize: Some("1000000".to_owned()),
            mkfs_options: Some("-m 0".to_owned()),
            without_metadata_csum: true,
            ..ext4()
        };
        assert_eq!(all.root_fs_opts().as_deref(), Some("-E resize=1000000 -O ^metadata_csum -i 4096 -J size=128 -m 0"));
        assert_eq!(ImageSize { root_fs_type: "xfs".to_owned(), ..ImageSize::default() }.root_fs_opts(), None);
    }
}
