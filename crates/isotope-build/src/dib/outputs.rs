//! Outputs of an earlier build, which get another name before ours take theirs.

use crate::error::StepError;
use crate::event::Events;
use crate::options::BuildOptions;
use isotope_plan::Plan;
use isotope_plan::calendar::Moment;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Files that stand beside an output.
const BESIDE: [&str; 2] = ["md5", "sha256"];

/// Renames what has the names of this build's outputs to `NAME-TIME.EXT`, with the digests beside it.
pub(crate) fn make_way(plan: &Plan, options: &BuildOptions, events: &Events) -> Result<(), StepError> {
    if !plan.dib().is_some_and(|dib| dib.keep_old) {
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stamp = stamp(now.as_secs());
    for export in &plan.exports {
        let path = options.out_dir.join(&export.file_name);
        if !path.is_file() {
            continue;
        }
        let old = aside(&path, &stamp);
        events.output(&format!("Old image found. Renaming it to {}", old.display()));
        std::fs::rename(&path, &old).map_err(StepError::io("rename", &path))?;
        for kind in BESIDE {
            let (from, to) = (beside(&path, kind), beside(&old, kind));
            if from.is_file() {
                std::fs::rename(&from, &to).map_err(StepError::io("rename", &from))?;
            }
        }
    }
    Ok(())
}

fn stamp(seconds: u64) -> String {
    let Moment { year, month, day, hour, minute, second } = Moment::of(seconds);
    format!("{year:04}.{month:02}.{day:02}-{hour:02}.{minute:02}.{second:02}")
}

fn aside(path: &Path, stamp: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{stamp}.{extension}"))
}

fn beside(path: &Path, kind: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(kind);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_images_keep_their_extension() {
        let stamp = stamp(1_700_000_000);
        assert_eq!(aside(Path::new("/out/a.b.qcow2"), &stamp), Path::new("/out/a.b-2023.11.14-22.13.20.qcow2"));
        assert_eq!(beside(Path::new("/out/a.raw"), "md5"), Path::new("/out/a.raw.md5"));
    }
}
