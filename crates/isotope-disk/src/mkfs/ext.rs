//! ext4, ext3 and ext2 by mke2fs. Features are those that e2fsck 1.43 and GRUB 2.06 know: neither `metadata_csum_seed` nor
//! `orphan_file`, which mke2fs 1.47 turns on by default and older tools in a target refuse.
//!
//! mke2fs takes only the last `-O` and the last `-E`: those of the layout's own options are joined to ours, so that
//! `-O ^metadata_csum` takes one feature away and not all others.

use super::{Format, Spec, version};
use isotope_plan::Bytes;
use isotope_plan::geometry::overhead::{ext4_bytes_per_inode, ext4_journal};
use uuid::Uuid;

const EXT2: &str = "none,ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file";
const EXT3: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file";
const EXT4: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,\
huge_file,dir_nlink,extra_isize,metadata_csum";

pub(super) struct Ext {
    /// 2, 3 or 4.
    pub(super) generation: u8,
}

impl Ext {
    const fn features(&self) -> &'static str {
        match self.generation {
            2 => EXT2,
            3 => EXT3,
            _ => EXT4,
        }
    }
}

impl Format for Ext {
    fn program(&self) -> &'static str {
        "mke2fs"
    }

    fn probe(&self) -> &'static [&'static str] {
        &["-V"]
    }

    fn args(&self, spec: &Spec<'_>, probed: &str) -> Vec<String> {
        let length = Bytes(spec.length);
        let ratio = ext4_bytes_per_inode(length, spec.content.inodes);
        let hash_seed = Uuid::new_v5(&spec.filesystem.uuid, b"ext4 directory hash seed");
        // Inode tables and journal are zeros already: the file is new and sparse. So the filesystem is complete at once (no lazy
        // initialisation in the guest at its first boot) and nothing is written for it.
        let zeros = if version(probed) >= (1, 47) { ",assume_storage_prezeroed=1" } else { "" };
        let mut extended =
            format!("nodiscard,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0{zeros},hash_seed={hash_seed}");
        let mut features = self.features().to_owned();
        let own = Own::of(&spec.filesystem.mkfs_options);
        for (all, more) in [(&mut features, &own.features), (&mut extended, &own.extended)] {
            for one in more {
                all.push_str(&format!(",{one}"));
            }
        }
        let mut args = vec!["-q".to_owned(), "-F".into(), "-b".into(), "4096".into(), "-I".into(), "256".into()];
        args.extend(["-i".into(), ratio.to_string()]);
        if self.generation > 2 {
            args.extend(["-J".into(), format!("size={}", ext4_journal(length))]);
        }
        args.extend(["-O".into(), features, "-E".into(), extended]);
        args.extend(["-U".into(), spec.filesystem.uuid.to_string()]);
        if let Some(label) = &spec.filesystem.label {
            args.extend(["-L".into(), label.clone()]);
        }
        args
    }

    fn options(&self, spec: &Spec<'_>) -> Vec<String> {
        Own::of(&spec.filesystem.mkfs_options).others
    }

    fn env(&self, spec: &Spec<'_>) -> Vec<(&'static str, String)> {
        vec![
            // The host's /etc/mke2fs.conf has no say.
            ("MKE2FS_CONFIG", "/dev/null".to_owned()),
            ("E2FSPROGS_FAKE_TIME", spec.epoch.max(1).to_string()),
            ("SOURCE_DATE_EPOCH", spec.epoch.max(1).to_string()),
        ]
    }

    fn mount(&self) -> Option<(&'static str, &'static str)> {
        // A build that dies starts anew, so no commit waits for the host's disk; what a guest mounts with is in fstab. The kernel's
        // ext4 mounts all three; an interval of commits it takes only where there is a journal.
        Some((
            "ext4",
            if self.generation > 2 { "barrier=0,commit=600,noinit_itable" } else { "barrier=0,noinit_itable" },
        ))
    }
}

/// The layout's own options, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Own {
    features: Vec<String>,
    extended: Vec<String>,
    others: Vec<String>,
}

impl Own {
    fn of(options: &[String]) -> Self {
        let mut own = Self::default();
        let mut words = options.iter();
        while let Some(word) = words.next() {
            let (list, value) = match word.split_at_checked(2) {
                Some(("-O", value)) => (&mut own.features, value),
                Some(("-E", value)) => (&mut own.extended, value),
                _ => {
                    own.others.push(word.clone());
                    continue;
                }
            };
            match (value.is_empty(), words.as_slice().first()) {
                (true, Some(next)) => {
                    list.push(next.clone());
                    words.next();
                }
                // A last `-O` without a value: mke2fs shall say so.
                (true, None) => own.others.push(word.clone()),
                (false, _) => list.push(value.to_owned()),
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::Own;

    #[test]
    fn features_and_extended_options_are_taken_out() {
        let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let own = Own::of(&words("-E resize=1000000 -O ^metadata_csum -i 4096 -J size=64 -Ebigalloc -m 0 -O"));
        assert_eq!(own.features, ["^metadata_csum"]);
        assert_eq!(own.extended, ["resize=1000000", "bigalloc"]);
        assert_eq!(own.others, words("-i 4096 -J size=64 -m 0 -O"));
        assert_eq!(Own::of(&[]), Own::default());
    }
}
