//! What a [`Tool`] does between fork and exec, and how a tool runs that may leave processes behind.
//!
//! Everything here that runs in the child makes system calls only: no allocation, no locks.

use super::{CommandError, TAIL_LINES, Tool, each_line};
use crate::target::TargetDir;
use crate::{namespace, sync_filter};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;

/// The choices of one tool.
#[derive(Debug, Clone, Default)]
pub(super) struct Confinement {
    /// Becomes its `/`; the program is looked up inside, in the `PATH` of the tool's environment.
    pub(super) root: Option<Arc<OwnedFd>>,
    no_sync: bool,
    terminal: bool,
}

impl Confinement {
    /// In the child, before exec.
    pub(super) fn apply(&self) -> std::io::Result<()> {
        if self.terminal {
            take_terminal();
        }
        if let Some(root) = &self.root {
            rustix::process::fchdir(root)?;
            rustix::process::chroot(c".")?;
            rustix::process::chdir(c"/")?;
        }
        if self.no_sync {
            sync_filter::install()?;
        }
        Ok(())
    }
}

impl Tool {
    /// Runs with the tree `root` as its `/` and its working directory.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn in_root(mut self, root: &TargetDir) -> std::io::Result<Self> {
        self.confinement.root = Some(Arc::new(root.as_fd().try_clone_to_owned()?));
        Ok(self)
    }

    /// Its `fsync` and the like succeed without effect (see [`sync_filter`]).
    #[must_use]
    pub const fn without_sync(mut self) -> Self {
        self.confinement.no_sync = true;
        self
    }

    /// Makes it the foreground process group of the terminal on its standard input, if that is one.
    #[must_use]
    pub const fn terminal(mut self) -> Self {
        self.confinement.terminal = true;
        self
    }

    /// Runs to its end with stdout and stderr in one pipe, so that lines come in the order in which they were written.
    /// If the caller is PID 1 of a namespace, every other process is killed when it ends: PID 1 runs one such tool at a time.
    ///
    /// # Errors
    /// As [`Tool::run`]; the error carries the last lines of both streams.
    pub fn run_merged(&self, on_line: &mut dyn FnMut(&str)) -> Result<(), CommandError> {
        let pipe_error = |source| CommandError::Pipe { line: self.line(), source };
        let (read, write) = std::io::pipe().map_err(pipe_error)?;
        let both = write.try_clone().map_err(pipe_error)?;
        let mut child = self.spawn(Stdio::null(), write.into(), both.into())?;
        let mut tail = VecDeque::with_capacity(TAIL_LINES);
        let (status, lines) = std::thread::scope(|scope| {
            // A daemon that keeps the pipe open would be waited for for ever: it is killed when its starter has ended.
            let waiter = scope.spawn(move || {
                let status = child.wait();
                namespace::kill_leftovers();
                status
            });
            let lines = each_line(read, &mut |line| {
                on_line(line);
                if tail.len() == TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(line.to_owned());
            });
            (waiter.join(), lines)
        });
        let status = match status {
            Ok(status) => status.map_err(pipe_error)?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        lines.map_err(pipe_error)?;
        if status.code().is_some_and(|code| self.ok_codes.contains(&code)) {
            Ok(())
        } else {
            Err(CommandError::Failed { line: self.line(), status, tail: Vec::from(tail).join("\n") })
        }
    }

    /// Runs with the caller's own standard streams, for a person to type into, and waits for its end.
    ///
    /// # Errors
    /// It is missing or cannot be started. How it ended is nobody's concern.
    pub fn run_interactive(&self) -> Result<(), CommandError> {
        let mut child = self.spawn(Stdio::inherit(), Stdio::inherit(), Stdio::inherit())?;
        child.wait().map(drop).map_err(|source| CommandError::Pipe { line: self.line(), source })
    }
}

/// Makes the caller's process group the foreground group of the terminal on standard input. Without a terminal there
/// is nothing to do. Async-signal-safe.
pub fn take_terminal() {
    let mut old = SigSet::empty();
    let mut blocked = SigSet::empty();
    // Taking the terminal from the background is answered with SIGTTOU, which would stop the taker.
    blocked.add(Signal::SIGTTOU);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), Some(&mut old)).ok();
    nix::unistd::tcsetpgrp(std::io::stdin(), nix::unistd::getpgrp()).ok();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&old), None).ok();
}
