//! The end of `cleanup.d`: what only the build needed leaves the tree.

use super::base::{RESOLV, RESOLV_KEPT};
use super::{Dib, mounts};
use crate::build::Build;
use crate::error::StepError;
use isotope_sys::target::{TargetDir, TargetPath};
use rustix::fs::{FileType, IFlags, OFlags};

pub(super) fn clean(dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    mounts::release(dib, &build.events)?;
    let tree = dib.tree()?;
    resolver(&tree)?;
    for entry in tree.read_dir("/tmp")? {
        tree.remove_tree(TargetPath::new("/tmp").join(&entry.name))?;
    }
    files(&tree, TargetPath::new("/var/log"), &|tree, path| Ok(tree.truncate(path)?))?;
    files(&tree, TargetPath::new("/root"), &|tree, path| {
        if path.as_path().extension().is_some_and(|extension| extension == "log") {
            tree.remove(path)?;
        }
        Ok(())
    })
}

/// The target's own resolv.conf comes back, unless a program has put a link in the place of the lent one, or made it immutable: then
/// that stays.
fn resolver(tree: &TargetDir) -> Result<(), StepError> {
    let Some(stat) = tree.symlink_metadata(RESOLV)? else {
        return if tree.symlink_metadata(RESOLV_KEPT)?.is_some() {
            Ok(tree.rename(RESOLV_KEPT, RESOLV)?)
        } else {
            Ok(())
        };
    };
    if FileType::from_raw_mode(stat.st_mode).is_symlink() || is_immutable(tree)? {
        tree.remove(RESOLV_KEPT)?;
        return Ok(());
    }
    tree.remove(RESOLV)?;
    if tree.symlink_metadata(RESOLV_KEPT)?.is_some() {
        tree.rename(RESOLV_KEPT, RESOLV)?;
    }
    Ok(())
}

/// Filesystems without flags have no immutable files.
fn is_immutable(tree: &TargetDir) -> Result<bool, StepError> {
    let file = tree.open_at(RESOLV, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW, 0)?;
    Ok(rustix::fs::ioctl_getflags(&file).is_ok_and(|flags| flags.contains(IFlags::IMMUTABLE)))
}

type Deed = dyn Fn(&TargetDir, &TargetPath) -> Result<(), StepError>;

/// Does something to every regular file below a directory.
fn files(tree: &TargetDir, dir: &TargetPath, deed: &Deed) -> Result<(), StepError> {
    for entry in tree.read_dir(dir)? {
        let path = dir.join(&entry.name);
        if entry.is_symlink {
            continue;
        }
        if entry.is_dir {
            files(tree, &path, deed)?;
        } else if let Some(stat) = tree.symlink_metadata(&path)?
            && FileType::from_raw_mode(stat.st_mode).is_file()
        {
            deed(tree, &path)?;
        }
    }
    Ok(())
}
