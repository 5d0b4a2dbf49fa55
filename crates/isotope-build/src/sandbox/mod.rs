//! A root tree as a place to run programs in: its own `/dev`, `/proc`, `/sys`, `/tmp` and `/run`, none of which is
//! ever seen in the tree itself.
//!
//! The tree is bound to a second place of the build's private mount namespace, and the mounts are made below that: the
//! tree stays clean, and leaving is one detach of a path that the target has no say in. Mount points are opened with
//! `openat2(RESOLVE_NO_SYMLINKS)`, so a target's link never leads a mount elsewhere.

use crate::event::Events;
use isotope_sys::command::{CommandError, Tool};
use isotope_sys::target::{TargetDir, TargetError, TargetPath};
use std::path::{Path, PathBuf};

/// Why a program could not be run in the target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The tree is not fit for it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A mount failed.
    #[error("cannot mount {what} in the sandbox")]
    Mount {
        /// What was to be mounted.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of the sandbox's own failed.
    #[error("cannot make {} for the sandbox", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// What a sandbox is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purpose {
    /// Maintainer scripts run: `policy-rc.d` forbids services to start.
    pub packages: bool,
    /// `update-initramfs` and the like do nothing for now: a later step does it once.
    pub defer_initramfs: bool,
    /// Seen read-only at `/run/isotope/element`.
    pub element: Option<PathBuf>,
}

/// A root tree and what is needed to enter it.
#[derive(Debug)]
pub struct TargetRoot {
    tree: TargetDir,
}

/// Whether a bound directory can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only read.
    ReadOnly,
    /// Read and written.
    ReadWrite,
}

impl TargetRoot {
    /// The tree itself, free of mounts.
    #[must_use]
    pub const fn tree(&self) -> &TargetDir {
        &self.tree
    }

    /// Sets up the sandbox. Missing mount points (`/dev`, `/proc`, …) are made in the tree.
    ///
    /// # Errors
    /// A mount point is a link or not a directory, or the kernel refuses a mount.
    pub fn enter(&self, _purpose: &Purpose) -> Result<Sandbox<'_>, SandboxError> {
        todo!()
    }
}

/// An entered tree. Dropping it leaves.
#[derive(Debug)]
pub struct Sandbox<'a> {
    root: &'a TargetRoot,
    bound: TargetDir,
}

impl Sandbox<'_> {
    /// The tree with the sandbox's mounts in it (the one without them is `TargetRoot::tree`).
    #[must_use]
    pub const fn dir(&self) -> &TargetDir {
        &self.bound
    }

    /// Mounts a directory or file of the host at a place of the target, which must exist. It goes when the sandbox does.
    ///
    /// # Errors
    /// The place has a link in it, or the kernel refuses.
    pub fn bind(&self, _host: &Path, _at: impl AsRef<TargetPath>, _access: Access) -> Result<(), SandboxError> {
        todo!()
    }

    /// A program of the target, looked up in its `PATH`, with the environment of the target: `PATH` with the sandbox's
    /// stubs first, `HOME=/root`, `LC_ALL=C`; `fsync` suppressed.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn tool(&self, _program: &str) -> Result<Tool, SandboxError> {
        todo!()
    }

    /// Runs a tool to its end; its lines go to `events`, and what it leaves running is killed.
    ///
    /// # Errors
    /// As [`Tool::run_merged`].
    pub fn run(&self, tool: &Tool, events: &Events) -> Result<(), CommandError> {
        events.command(&tool.line());
        tool.run_merged(&mut |line| events.output(line))
    }

    /// Leaves: undoes what was done to the tree and detaches all mounts.
    ///
    /// # Errors
    /// The tree refuses.
    pub fn leave(self) -> Result<(), SandboxError> {
        let _ = self.root;
        todo!()
    }
}
