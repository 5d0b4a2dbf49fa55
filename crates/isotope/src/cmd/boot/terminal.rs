//! `--shell`: this terminal becomes the guest's serial console.

use anyhow::Context as _;
use isotope_vm::{Cancel, Vm};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Ctrl-]
const LEAVE: u8 = 0x1d;

/// Passes bytes both ways until the guest goes, Ctrl-] is typed, the input ends, or a signal comes.
pub fn attach(vm: &mut Vm, cancel: &Cancel) -> anyhow::Result<()> {
    let mut console = UnixStream::connect(vm.console_socket()).context("cannot reach the guest's serial console")?;
    // What the guest said before we came is in the log.
    show(&std::fs::read(vm.console_log()).unwrap_or_default())?;
    let stdin = std::io::stdin();
    let raw = Raw::enter();
    let (mut keys, mut open) = ([0_u8; 1024], true);
    let mut bytes = vec![0_u8; 16 * 1024];
    let outcome = loop {
        if cancel.is_set() || !vm.is_running() {
            break Ok(());
        }
        let (typed, spoke) = {
            let mut waits =
                [PollFd::new(console.as_fd(), PollFlags::POLLIN), PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            let count = if open { 2 } else { 1 };
            if poll(&mut waits[..count], PollTimeout::from(200_u8)).is_err() {
                continue;
            }
            let ready = |wait: &PollFd<'_>| wait.revents().is_some_and(|events| !events.is_empty());
            (open && ready(&waits[1]), ready(&waits[0]))
        };
        if spoke {
            match console.read(&mut bytes) {
                Ok(0) | Err(_) => break Ok(()),
                Ok(read) => show(&bytes[..read])?,
            }
        }
        if typed {
            let read = stdin.lock().read(&mut keys).unwrap_or(0);
            let typed = &keys[..read];
            if typed.contains(&LEAVE) {
                break Ok(());
            }
            // Input that is no terminal may end long before the guest does.
            open = read > 0;
            if let Err(error) = console.write_all(typed) {
                break Err(error).context("cannot write to the guest's serial console");
            }
        }
    };
    drop(raw);
    outcome
}

fn show(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).context("cannot write to the terminal")
}

/// The terminal without echo, lines and signals; as it was when dropped. None if stdin is no terminal.
struct Raw(Option<Termios>);

impl Raw {
    fn enter() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        Self(tcsetattr(&stdin, SetArg::TCSANOW, &raw).is_ok().then_some(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // There is nobody left to tell.
            tcsetattr(std::io::stdin(), SetArg::TCSANOW, before).unwrap_or_default();
        }
    }
}
