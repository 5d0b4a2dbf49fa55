//! ext4 by mke2fs. Features are those that e2fsck 1.43 and GRUB 2.06 know: neither `metadata_csum_seed` nor `orphan_file`, which
//! mke2fs 1.47 turns on by default and older tools in a target refuse.

use super::{Format, Spec, version};
use isotope_plan::Bytes;
use isotope_plan::geometry::overhead::{ext4_bytes_per_inode, ext4_journal};
use uuid::Uuid;

const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,\
huge_file,dir_nlink,extra_isize,metadata_csum";

pub(super) struct Ext4;

impl Format for Ext4 {
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
        let extended =
            format!("nodiscard,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0{zeros},hash_seed={hash_seed}");
        let mut args = vec!["-q".to_owned(), "-F".into(), "-b".into(), "4096".into(), "-I".into(), "256".into()];
        args.extend(["-i".into(), ratio.to_string(), "-J".into(), format!("size={}", ext4_journal(length))]);
        args.extend(["-O".into(), FEATURES.into(), "-E".into(), extended]);
        args.extend(["-U".into(), spec.filesystem.uuid.to_string()]);
        if let Some(label) = &spec.filesystem.label {
            args.extend(["-L".into(), label.clone()]);
        }
        args
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
        // A build that dies starts anew, so no commit waits for the host's disk; what a guest mounts with is in fstab.
        Some(("ext4", "barrier=0,commit=600,noinit_itable"))
    }
}
