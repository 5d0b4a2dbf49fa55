//! Ostree repositories in the cache go as a whole or not at all: one that lacks some of its objects is damaged.

use super::parts::{Part, measure};
use anyhow::Context as _;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Whether a directory is a repository.
pub(super) fn is(dir: &Path) -> bool {
    dir.join("config").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}

/// Removes a repository, if nothing came into it since `before` and nobody works in it.
pub(super) fn prune(dir: &Path, before: Option<SystemTime>, total: &mut Part) -> anyhow::Result<()> {
    if in_use(dir) || before.is_some_and(|before| newest(dir).is_none_or(|newest| newest >= before)) {
        return Ok(());
    }
    let mut size = Part { name: String::new(), files: 0, bytes: 0 };
    measure(dir, &mut size)?;
    // First out of the way, so that a removal that is cut short leaves no half repository under a name that is used.
    let gone = dir.with_extension("removed");
    fs::rename(dir, &gone).with_context(|| format!("cannot move {} away", dir.display()))?;
    fs::remove_dir_all(&gone).with_context(|| format!("cannot remove {}", gone.display()))?;
    total.files += size.files;
    total.bytes += size.bytes;
    Ok(())
}

/// When an object or a ref came last: objects have times of their own, their directories have that of the last arrival.
fn newest(dir: &Path) -> Option<SystemTime> {
    let objects = fs::read_dir(dir.join("objects")).ok()?.flatten().map(|entry| entry.path());
    let own = ["objects", "refs/heads", "state", "summary"].map(|name| dir.join(name));
    objects.chain(own).filter_map(|path| fs::symlink_metadata(path).ok()?.modified().ok()).max()
}

/// Whether somebody holds libostree's lock, a lock of an open file description on `.lock`.
fn in_use(dir: &Path) -> bool {
    let Ok(file) = fs::File::options().write(true).open(dir.join(".lock")) else { return false };
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)).is_err()
}
