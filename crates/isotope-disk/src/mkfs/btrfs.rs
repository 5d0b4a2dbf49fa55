//! Btrfs by mkfs.btrfs: features of Linux 5.15 and no later (`block-group-tree`, which newer mkfs turns on, needs 6.1 to be
//! mounted for writing), sectors of 4 KiB whatever the host's pages are. GRUB reads all of it.

use super::{Format, Spec};

/// Features that a newer mkfs.btrfs may turn on by default; it is told not to where it knows them.
const UNWANTED: [&str; 3] = ["block-group-tree", "raid-stripe-tree", "squota"];

pub(super) struct Btrfs;

impl Format for Btrfs {
    fn program(&self) -> &'static str {
        "mkfs.btrfs"
    }

    fn probe(&self) -> &'static [&'static str] {
        &["-O", "list-all"]
    }

    fn args(&self, spec: &Spec<'_>, probed: &str) -> Vec<String> {
        let known = |feature: &&str| probed.lines().any(|line| line.split_whitespace().next() == Some(feature));
        let mut features = "extref,skinny-metadata,no-holes".to_owned();
        for feature in UNWANTED.iter().filter(|feature| known(feature)) {
            features += &format!(",^{feature}");
        }
        let mut args: Vec<String> =
            ["-q", "-f", "-K", "-s", "4096", "-n", "16384", "-d", "single", "-m", "dup"].map(Into::into).into();
        args.extend(["-O".into(), features, "-U".into(), spec.filesystem.uuid.to_string()]);
        if let Some(label) = &spec.filesystem.label {
            args.extend(["-L".into(), label.clone()]);
        }
        args
    }

    fn env(&self, spec: &Spec<'_>) -> Vec<(&'static str, String)> {
        vec![("SOURCE_DATE_EPOCH", spec.epoch.to_string())]
    }

    fn mount(&self) -> Option<(&'static str, &'static str)> {
        Some(("btrfs", "nobarrier"))
    }
}
