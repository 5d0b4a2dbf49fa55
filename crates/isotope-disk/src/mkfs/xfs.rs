//! XFS by mkfs.xfs. GRUB 2.06 reads `bigtime` and `sparse`; `nrext64` only 2.12 does, `parent` and `exchange` no GRUB of today, and
//! newer mkfs.xfs turns them on by default. `rmapbt` costs space and no guest needs it.

use super::{Format, Spec, version};

pub(super) struct Xfs;

impl Format for Xfs {
    fn program(&self) -> &'static str {
        "mkfs.xfs"
    }

    fn probe(&self) -> &'static [&'static str] {
        &["-V"]
    }

    fn args(&self, spec: &Spec<'_>, probed: &str) -> Vec<String> {
        let version = version(probed);
        let metadata =
            format!("crc=1,finobt=1,rmapbt=0,reflink=1,bigtime=1,inobtcount=1,uuid={}", spec.filesystem.uuid);
        let (mut inodes, mut names) = ("size=512,sparse=1".to_owned(), "ftype=1".to_owned());
        if version >= (5, 19) {
            inodes += ",nrext64=0";
        }
        if version >= (6, 10) {
            inodes += ",exchange=0";
            names += ",parent=0";
        }
        let mut args: Vec<String> = ["-q", "-f", "-K"].map(Into::into).into();
        args.extend(["-s".into(), format!("size={}", spec.sector_size), "-b".into(), "size=4096".into()]);
        args.extend(["-m".into(), metadata, "-i".into(), inodes, "-n".into(), names]);
        if let Some(label) = &spec.filesystem.label {
            args.extend(["-L".into(), label.clone()]);
        }
        args
    }

    fn env(&self, spec: &Spec<'_>) -> Vec<(&'static str, String)> {
        vec![("SOURCE_DATE_EPOCH", spec.epoch.to_string()), ("DETERMINISTIC_SEED", "1".to_owned())]
    }

    fn mount(&self) -> Option<(&'static str, &'static str)> {
        // Another build of the same recipe on this host has a filesystem with the same UUID.
        Some(("xfs", "nouuid,inode64,logbsize=256k"))
    }
}
