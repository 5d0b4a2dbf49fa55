//! No network: a process that leaves it has a loopback interface of its own, and nothing else, and so have its children.

use nix::libc;
use nix::sched::{CloneFlags, unshare};
use rustix::fd::AsRawFd;
use std::net::UdpSocket;

/// Leaves the network for good. Needs `CAP_SYS_ADMIN`, and a process with one thread.
///
/// # Errors
/// The kernel refuses a network namespace, or its loopback interface cannot be switched on.
pub fn leave() -> std::io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    // Any socket of the new namespace will do. Nothing is on: not even binding to the loopback address works, but this does.
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    let request = libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags } };
    // SAFETY: `request` is a whole struct ifreq with a terminated name; this call reads it and writes nothing.
    unsafe { ioctl::set_flags(socket.as_raw_fd(), &raw const request) }?;
    Ok(())
}

mod ioctl {
    nix::ioctl_write_ptr_bad!(
        /// `SIOCSIFFLAGS` of netdevice(7).
        set_flags,
        nix::libc::SIOCSIFFLAGS,
        nix::libc::ifreq
    );
}
