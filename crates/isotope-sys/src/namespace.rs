//! Runs a function as PID 1 of its own PID, mount, IPC and UTS namespaces.
//!
//! ```text
//! caller ── fork ──► supervisor (unshares, waits) ── fork ──► PID 1 (runs the body)
//! ```
//! Each dies with the one above it (`PR_SET_PDEATHSIG`), and with PID 1 the kernel kills every process and drops every
//! mount of the namespaces. So whichever of the three is killed, by whatever signal, nothing is left: there is no
//! clean-up code whose absence could leak. The body talks to the caller through a pipe, a line at a time.

use crate::network;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, pipe2, sethostname};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Why the namespaces could not be had.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// Forking would copy locks that other threads hold.
    #[error("the process has {threads} threads where it must have one; start the build before any thread")]
    Threads {
        /// How many there are.
        threads: usize,
    },
    /// A system call failed in the caller.
    #[error("cannot {what}")]
    System {
        /// The deed.
        what: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The supervisor could not make the namespaces.
    #[error("{0}")]
    Setup(String),
}

/// How the body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It returned this value.
    Exited(i32),
    /// Somebody killed it (or its supervisor) with this signal.
    Killed(i32),
    /// The caller got this signal (SIGINT, SIGTERM or SIGHUP), and everything was killed for it.
    Interrupted(i32),
}

/// The body's end of the pipe. Lines from several threads do not mix.
#[derive(Debug)]
pub struct Channel(Mutex<File>);

impl Channel {
    /// Sends one line. A caller that is gone hears nothing; the body is about to die with it.
    pub fn send(&self, line: &str) {
        let mut text = String::with_capacity(line.len() + 1);
        text.push_str(line);
        text.push('\n');
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(pipe.write_all(text.as_bytes()));
    }
}

/// Exit status by which the supervisor says that the namespaces could not be made; the reason is the last line sent.
const SETUP_FAILED: i32 = 111;
/// Exit status of a body that panicked.
const PANICKED: i32 = 101;

/// Runs `body` as PID 1 with `hostname`, calls `on_line` for each line it sends, and returns when nothing of it is left.
///
/// SIGINT, SIGTERM and SIGHUP to the caller end the body meanwhile.
///
/// # Errors
/// The caller has other threads, or the kernel refuses the namespaces.
pub fn run(
    hostname: &str,
    body: impl FnOnce(Channel) -> i32,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome, NamespaceError> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(system("count the threads of this process"))?.count();
    if threads != 1 {
        return Err(NamespaceError::Threads { threads });
    }
    let (read, write) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(errno("make a pipe"))?;
    let mask = Mask::block(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])?;
    let caller = getpid();
    // SAFETY: the process has one thread, so no lock is held by a thread that the child does not have.
    let supervisor = match unsafe { fork() }.map_err(errno("fork"))? {
        ForkResult::Child => {
            drop(read);
            let status = supervise(caller, hostname, body, write);
            leave(status)
        }
        ForkResult::Parent { child } => Supervisor(Some(child)),
    };
    drop(write);
    let mut last = String::new();
    let signal = relay(&supervisor, &mask, File::from(read), &mut |line| {
        line.clone_into(&mut last);
        on_line(line);
    })?;
    let status = supervisor.wait().map_err(errno("wait for the build process"))?;
    drop(mask);
    match (signal, status) {
        (Some(signal), _) => Ok(Outcome::Interrupted(signal)),
        (None, WaitStatus::Exited(_, SETUP_FAILED)) => Err(NamespaceError::Setup(last)),
        (None, WaitStatus::Exited(_, code)) if code > 128 => Ok(Outcome::Killed(code - 128)),
        (None, WaitStatus::Exited(_, code)) => Ok(Outcome::Exited(code)),
        (None, WaitStatus::Signaled(_, signal, _)) => Ok(Outcome::Killed(signal as i32)),
        (None, _) => Ok(Outcome::Killed(libc::SIGKILL)),
    }
}

/// A body that has no network, nor have its children: see [`network::leave`].
pub fn offline(body: impl FnOnce(Channel) -> i32) -> impl FnOnce(Channel) -> i32 {
    |channel| match network::leave() {
        Ok(()) => body(channel),
        Err(error) => {
            channel.send(&format!("cannot keep the build from the network: {error}"));
            SETUP_FAILED
        }
    }
}

/// Kills and reaps every other process of the PID namespace. Only PID 1 of [`run`] may call it; elsewhere it does nothing.
pub fn kill_leftovers() {
    if getpid().as_raw() != 1 {
        return;
    }
    // ESRCH says that there was none.
    kill(Pid::from_raw(-1), Signal::SIGKILL).ok();
    // Ends with ECHILD, when all are reaped.
    while waitpid(None, None).is_ok() {}
}

/// Kills every other process of the PID namespace, and leaves it to others to reap them. Only PID 1 of [`run`] may call it; elsewhere
/// it does nothing.
pub fn kill_others() {
    if getpid().as_raw() == 1 {
        kill(Pid::from_raw(-1), Signal::SIGKILL).ok();
    }
}

fn errno(what: &'static str) -> impl Fn(nix::Error) -> NamespaceError {
    move |error| NamespaceError::System { what, source: error.into() }
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> NamespaceError {
    move |source| NamespaceError::System { what, source }
}

/// The signals that the caller wants to read instead of dying from; the old mask comes back at the end.
struct Mask {
    old: SigSet,
    descriptor: SignalFd,
}

impl Mask {
    fn block(signals: &[Signal]) -> Result<Self, NamespaceError> {
        let mut old = SigSet::empty();
        let blocked: SigSet = signals.iter().copied().collect();
        let descriptor = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(errno("watch for signals"))?;
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), Some(&mut old)).map_err(errno("block signals"))?;
        Ok(Self { old, descriptor })
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.old), None).ok();
    }
}

/// The supervisor as its parent sees it. Dropped before [`Supervisor::wait`] (a panic in `on_line`), it ends everything.
struct Supervisor(Option<Pid>);

impl Supervisor {
    fn terminate(&self) {
        if let Some(pid) = self.0 {
            kill(pid, Signal::SIGTERM).ok();
        }
    }

    fn wait(mut self) -> Result<WaitStatus, nix::Error> {
        match self.0.take() {
            Some(pid) => wait_for(pid),
            None => Err(nix::Error::ECHILD),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.terminate();
        if let Some(pid) = self.0 {
            wait_for(pid).ok();
        }
    }
}

fn wait_for(pid: Pid) -> Result<WaitStatus, nix::Error> {
    loop {
        match waitpid(pid, None) {
            Err(nix::Error::EINTR) => {}
            result => return result,
        }
    }
}

/// Hands lines on until PID 1 has closed its end. Returns the signal that interrupted it, if one did.
fn relay(
    supervisor: &Supervisor,
    mask: &Mask,
    mut pipe: File,
    on_line: &mut dyn FnMut(&str),
) -> Result<Option<i32>, NamespaceError> {
    let mut interrupted = None;
    let mut pending = Vec::new();
    let mut chunk = vec![0_u8; 65536];
    loop {
        let mut fds =
            [PollFd::new(pipe.as_fd(), PollFlags::POLLIN), PollFd::new(mask.descriptor.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::Error::EINTR) => continue,
            result => result.map_err(errno("wait for events of the build"))?,
        };
        let readable = fds[0].any().unwrap_or(true);
        if let Ok(Some(info)) = mask.descriptor.read_signal() {
            interrupted.get_or_insert(info.ssi_signo.cast_signed());
            supervisor.terminate();
        }
        if !readable {
            continue;
        }
        let count = pipe.read(&mut chunk).map_err(system("read events of the build"))?;
        if count == 0 {
            return Ok(interrupted);
        }
        pending.extend_from_slice(&chunk[..count]);
        let mut start = 0;
        while let Some(end) = pending[start..].iter().position(|byte| *byte == b'\n') {
            if interrupted.is_none() {
                on_line(&String::from_utf8_lossy(&pending[start..start + end]));
            }
            start += end + 1;
        }
        pending.drain(..start);
    }
}

/// In the forked child: no destructors, no exit handlers, no buffers of the caller flushed twice.
fn leave(status: i32) -> ! {
    // SAFETY: _exit ends the process and returns nothing.
    unsafe { libc::_exit(status) }
}

fn die_with_parent() -> Result<(), String> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| format!("cannot ask to be killed with the parent: {error}"))
}

/// The supervisor's life; returns its exit status.
fn supervise(caller: Pid, hostname: &str, body: impl FnOnce(Channel) -> i32, pipe: OwnedFd) -> i32 {
    let prepared = die_with_parent().and_then(|()| {
        if getppid() == caller { make_namespaces(hostname) } else { Err("the caller is gone".to_owned()) }
    });
    let channel = Channel(Mutex::new(File::from(pipe)));
    let waited: SigSet = [Signal::SIGCHLD, Signal::SIGTERM].into_iter().collect();
    let ready = prepared.and_then(|()| {
        let text = |error: nix::Error| format!("cannot start the build process: {error}");
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&waited), None).map_err(text)?;
        let alive = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(text)?;
        // SAFETY: this process was forked from one with one thread and has started none.
        Ok((unsafe { fork() }.map_err(text)?, alive))
    });
    match ready {
        Err(message) => {
            channel.send(&message);
            SETUP_FAILED
        }
        Ok((ForkResult::Child, (alive, its_end))) => {
            drop(its_end);
            first_process(body, channel, &alive)
        }
        Ok((ForkResult::Parent { child }, _alive)) => {
            drop(channel);
            attend(child, &waited)
        }
    }
}

fn make_namespaces(hostname: &str) -> Result<(), String> {
    let flags =
        CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    unshare(flags).map_err(|error| format!("cannot make new namespaces ({error}); a build needs to run as root"))?;
    // Slave: what the host unmounts later goes away here too, and nothing mounted here is seen by the host.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE, None::<&str>)
        .map_err(|error| format!("cannot separate the mounts of the build from those of the host: {error}"))?;
    sethostname(hostname).map_err(|error| format!("cannot set the host name of the build: {error}"))
}

/// Waits for PID 1; SIGTERM from the caller kills it. Returns its status, or 128 + the signal that killed it.
fn attend(child: Pid, waited: &SigSet) -> i32 {
    loop {
        if let Ok(Signal::SIGTERM) = waited.wait() {
            kill(child, Signal::SIGKILL).ok();
        }
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => return code,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as i32,
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(_) => return 128 + libc::SIGKILL,
        }
    }
}

/// PID 1's life; returns its exit status. `alive` ends when the supervisor does.
fn first_process(body: impl FnOnce(Channel) -> i32, channel: Channel, alive: &OwnedFd) -> i32 {
    // What programs make in a tree must not depend on the caller's habits.
    umask(Mode::from_bits_truncate(0o022));
    let prepared = die_with_parent().and_then(|()| {
        // The supervisor may have died before the request above; its pid cannot be seen from here, its pipe can.
        let mut fds = [PollFd::new(alive.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(0) => {}
            _ => return Err("the supervisor is gone".to_owned()),
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
            .map_err(|error| format!("cannot mount /proc for the build: {error}"))
    });
    if let Err(message) = prepared {
        channel.send(&message);
        return SETUP_FAILED;
    }
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(channel))).unwrap_or(PANICKED)
}
