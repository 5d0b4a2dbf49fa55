//! mkfs in a mount namespace whose `/dev` has nothing but its device.
//!
//! UUIDs come from the recipe's seed, so another build of the same recipe on this host, at this moment or a minute ago, has a
//! filesystem with the same UUID. mkfs.btrfs looks through all block devices (and libblkid's cache, which may be minutes old) and
//! refuses a UUID that it finds. It also keeps a wrong device name from doing harm to the host's disks.

use isotope_sys::command::{CommandError, Tool};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::io::Error;
use std::path::Path;

/// Runs `tool` where `device` is the only one.
pub(super) fn run(tool: &Tool, device: &Path) -> Result<(), CommandError> {
    let tool = tool.clone().env("BLKID_FILE", "/dev/null");
    // A thread of its own: a mount namespace belongs to a thread, and the tool dies with the thread that has started it.
    let work = || {
        hide(device).map_err(|source| CommandError::Spawn { line: tool.line(), source })?;
        tool.run().map(drop)
    };
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn hide(device: &Path) -> Result<(), Error> {
    let number = rustix::fs::stat(device)?.st_rdev;
    let none = None::<&str>;
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("isotope"), "/dev", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, Some("mode=0755,size=1m"))?;
    let mode = Mode::from_bits_truncate(0o600);
    mknod("/dev/null", SFlag::S_IFCHR, mode, makedev(1, 3))?;
    mknod("/dev/urandom", SFlag::S_IFCHR, mode, makedev(1, 9))?;
    // Logical volumes lie deeper: /dev/mapper/GROUP-VOLUME.
    if let Some(parent) = device.parent() {
        std::fs::create_dir_all(parent)?;
    }
    mknod(device, SFlag::S_IFBLK, mode, number)?;
    Ok(())
}
