//! XFS by mkfs.xfs. GRUB 2.06 reads `bigtime` and `sparse`; `nrext64` only 2.12 does, `parent` and `exchange` no GRUB of today, and
//! newer mkfs.xfs turns them on by default. `rmapbt` costs space and no guest needs it.
//!
//! mkfs.xfs refuses what is said twice: where the layout's own options say something, ours do not.

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
        let (sectors, uuid) = (format!("size={}", spec.sector_size), format!("uuid={}", spec.filesystem.uuid));
        let mut ours = vec![("-s", sectors.as_str()), ("-b", "size=4096")];
        ours.extend(
            ["crc=1", "finobt=1", "rmapbt=0", "reflink=1", "bigtime=1", "inobtcount=1", &uuid].map(|one| ("-m", one)),
        );
        ours.extend([("-i", "size=512"), ("-i", "sparse=1")]);
        if version >= (5, 19) {
            ours.push(("-i", "nrext64=0"));
        }
        ours.push(("-n", "ftype=1"));
        if version >= (6, 10) {
            ours.extend([("-i", "exchange=0"), ("-n", "parent=0")]);
        }
        let own = said(&spec.filesystem.mkfs_options);
        ours.retain(|(option, one)| is_left(option, one, &own));
        let mut args: Vec<String> = ["-q", "-f", "-K"].map(Into::into).into();
        for option in ["-s", "-b", "-m", "-i", "-n"] {
            let joined: Vec<&str> = ours.iter().filter(|(of, _)| *of == option).map(|(_, one)| *one).collect();
            if !joined.is_empty() {
                args.extend([option.to_owned(), joined.join(",")]);
            }
        }
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

/// The words `key=value` that options say, each with its option.
fn said(options: &[String]) -> Vec<(String, String)> {
    let mut said = Vec::new();
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let Some((option, value)) = word.split_at_checked(2).filter(|(option, _)| option.starts_with('-')) else {
            continue;
        };
        if !["-s", "-b", "-m", "-i", "-n"].contains(&option) {
            continue;
        }
        let value = if value.is_empty() { words.next().map_or("", String::as_str) } else { value };
        said.extend(value.split(',').map(|one| (option.to_owned(), one.to_owned())));
    }
    said
}

/// Whether one of our words stands beside what the layout says.
fn is_left(option: &str, ours: &str, said: &[(String, String)]) -> bool {
    let key = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let says = |option: &str, word: &str| said.iter().any(|(of, one)| of == option && one == word);
    // The old format has none of these, and without free inode trees they are not counted.
    let old = ["finobt", "rmapbt", "reflink", "bigtime", "inobtcount", "sparse", "nrext64", "exchange", "parent"];
    if (says("-m", "crc=0") && old.contains(&key(ours).as_str()))
        || (says("-m", "finobt=0") && key(ours) == "inobtcount")
    {
        return false;
    }
    !said.iter().any(|(of, one)| of == option && key(one) == key(ours))
}

#[cfg(test)]
mod tests {
    use super::{is_left, said};

    #[test]
    fn what_the_layout_says_is_said_once() {
        let own = said(&["-f", "-i", "size=1024", "-mcrc=0,uuid=x", "-d", "agcount=4"].map(str::to_owned));
        assert!(!is_left("-i", "size=512", &own));
        assert!(is_left("-b", "size=4096", &own));
        assert!(!is_left("-m", "uuid=y", &own) && !is_left("-m", "crc=1", &own));
        assert!(
            !is_left("-m", "reflink=1", &own) && !is_left("-i", "sparse=1", &own) && is_left("-n", "ftype=1", &own)
        );
    }
}
