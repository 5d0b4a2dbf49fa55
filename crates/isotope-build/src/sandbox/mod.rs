//! A root tree as a place to run programs in: its own `/dev`, `/proc`, `/sys`, `/tmp` and `/run`, none of which is
//! ever seen in the tree itself.
//!
//! The tree is bound to a second place of the build's private mount namespace, and the mounts are made below that: the
//! tree stays clean, and leaving is one detach of a path that the target has no say in. Mount points are opened with
//! `openat2(RESOLVE_NO_SYMLINKS)`, so a target's link never leads a mount elsewhere.

mod dev;
mod loan;
pub(crate) mod mounts;
mod resolv;
mod stubs;

use crate::event::Events;
use isotope_sys::command::{CommandError, TOOL_PATH, Tool};
use isotope_sys::target::{TargetDir, TargetError, TargetPath};
use loan::Loan;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use sys_mount::MountFlags;

/// Why a program could not be run in the target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The tree is not fit for it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A place where the sandbox mounts something is not a directory of the tree.
    #[error(
        "{path} of the target is not a directory; the sandbox mounts its own there, so it cannot be a link or a file"
    )]
    NotADirectory {
        /// The place.
        path: &'static str,
    },
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
    /// Files lent to the tree, absolute path → content, where their directory is there and they are not.
    pub lend: BTreeMap<String, String>,
}

/// Whether a bound directory can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only read.
    ReadOnly,
    /// Read and written.
    ReadWrite,
}

/// The `PATH` of programs in the target: the sandbox's stand-ins first.
#[must_use]
pub fn path() -> String {
    format!("{}:{TOOL_PATH}", stubs::BIN)
}

/// Directories that every tree has and the sandbox mounts on, with the mode of those it has to make.
const PLACES: [(&str, u32); 5] =
    [("/dev", 0o755), ("/proc", 0o755), ("/sys", 0o755), ("/tmp", 0o1777), ("/run", 0o755)];

/// A root tree and what is needed to enter it.
#[derive(Debug)]
pub struct TargetRoot {
    tree: TargetDir,
    scratch: PathBuf,
    devices: PathBuf,
    env: BTreeMap<String, String>,
}

impl TargetRoot {
    /// The tree at `tree`; `scratch` is a directory of the build's own, on a file system that allows programs, where the
    /// sandbox keeps its `/tmp` and `/run` from one entry to the next; `devices` an empty one, for its `/dev`. Needs a private
    /// mount namespace.
    ///
    /// # Errors
    /// One of them is not a directory, or `/dev` cannot be made.
    pub fn new(tree: &Path, scratch: &Path, devices: &Path) -> Result<Self, SandboxError> {
        for (name, mode) in [("root", 0o755), ("tmp", 0o1777), ("run", 0o755), ("run/lock", 0o1777)] {
            let path = scratch.join(name);
            std::fs::create_dir_all(&path)
                .and_then(|()| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)))
                .map_err(|source| SandboxError::Io { path, source })?;
        }
        dev::make(devices)?;
        Ok(Self {
            tree: TargetDir::open(tree)?,
            scratch: scratch.to_owned(),
            devices: devices.to_owned(),
            env: BTreeMap::new(),
        })
    }

    /// Adds environment variables that every program in the target sees (proxies).
    #[must_use]
    pub fn with_env(mut self, env: &BTreeMap<String, String>) -> Self {
        self.env.extend(env.clone());
        self
    }

    /// From now on the tree is the one at `tree`. Nothing of the old one is held open; `/tmp` and `/run` stay.
    ///
    /// # Errors
    /// It is not a directory.
    pub fn move_to(&mut self, tree: &Path) -> Result<(), SandboxError> {
        self.tree = TargetDir::open(tree)?;
        Ok(())
    }

    /// Where the tree is seen with the sandbox's mounts in it, while it is entered.
    #[must_use]
    pub fn entrance(&self) -> PathBuf {
        self.scratch.join("root")
    }

    /// The tree itself, free of mounts.
    #[must_use]
    pub const fn tree(&self) -> &TargetDir {
        &self.tree
    }

    /// Sets up the sandbox. Missing mount points (`/dev`, `/proc`, …) are made in the tree.
    ///
    /// # Errors
    /// A mount point is a link or not a directory, or the kernel refuses a mount.
    pub fn enter(&self, purpose: &Purpose) -> Result<Sandbox<'_>, SandboxError> {
        for (path, mode) in PLACES {
            match self.tree.symlink_metadata(path)? {
                None => self.tree.create_dir_all(path, mode)?,
                Some(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() => {}
                Some(_) => return Err(SandboxError::NotADirectory { path }),
            }
        }
        let place = self.entrance();
        mounts::plain_bind(self.tree.host_path(), &place)
            .map_err(|source| SandboxError::Mount { what: "the target tree".to_owned(), source })?;
        let bound = match TargetDir::open(&place) {
            Ok(bound) => bound,
            Err(error) => {
                mounts::detach(&place).ok();
                return Err(error.into());
            }
        };
        // From here on, dropping the sandbox detaches what is mounted.
        let mut sandbox = Sandbox { root: self, bound, loans: Vec::new(), place, entered: true };
        sandbox.furnish(purpose)?;
        Ok(sandbox)
    }
}

/// An entered tree. Dropping it leaves.
#[derive(Debug)]
#[must_use = "dropping it leaves the sandbox"]
pub struct Sandbox<'a> {
    root: &'a TargetRoot,
    bound: TargetDir,
    loans: Vec<Loan>,
    place: PathBuf,
    entered: bool,
}

impl Sandbox<'_> {
    /// The tree with the sandbox's mounts in it (the one without them is [`TargetRoot::tree`]).
    #[must_use]
    pub const fn dir(&self) -> &TargetDir {
        &self.bound
    }

    /// Mounts a directory or file of the host at a place of the target, which must exist. It goes when the sandbox does.
    ///
    /// # Errors
    /// The place has a link in it, or the kernel refuses.
    pub fn bind(&self, host: &Path, at: impl AsRef<TargetPath>, access: Access) -> Result<(), SandboxError> {
        mounts::bind(self.dir(), host, at.as_ref(), access)
    }

    /// A program of the target, looked up in its `PATH`, with the environment of the target: `PATH` with the sandbox's
    /// stubs first, `HOME=/root`, `LC_ALL=C`; `fsync` suppressed.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn tool(&self, program: &str) -> Result<Tool, SandboxError> {
        let mut tool = Tool::new(program)
            .env("PATH", path())
            .env("SYSTEMD_OFFLINE", "1")
            .without_sync()
            .in_root(self.dir())
            .map_err(|source| SandboxError::Io { path: self.place.clone(), source })?;
        for (name, value) in &self.root.env {
            tool = tool.env(name, value);
        }
        Ok(tool)
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
    pub fn leave(mut self) -> Result<(), SandboxError> {
        self.close()
    }

    fn furnish(&mut self, purpose: &Purpose) -> Result<(), SandboxError> {
        let scratch = &self.root.scratch;
        let bound = &self.bound;
        let own = [("dev", self.root.devices.clone()), ("tmp", scratch.join("tmp")), ("run", scratch.join("run"))];
        for (name, host) in own {
            mounts::bind(bound, &host, &TargetPath::new("/").join(name), Access::ReadWrite)?;
        }
        let strict = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mounts::filesystem(bound, "proc", "/proc", strict)?;
        mounts::filesystem(bound, "sysfs", "/sys", strict | MountFlags::RDONLY)?;
        stubs::place(&TargetDir::open(scratch.join("run"))?, purpose)?;
        if let Some(element) = &purpose.element {
            bound.create_dir_all("/run/isotope/element", 0o755)?;
            mounts::bind(bound, element, TargetPath::new("/run/isotope/element"), Access::ReadOnly)?;
        }
        // The host's file, whatever it is there; a host without one resolves no names, and neither does its target.
        let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        self.loans.extend(resolv::lend(bound, &resolver)?);
        if purpose.packages && bound.exists("/usr/sbin") {
            self.loans.push(Loan::place(bound, "/usr/sbin", "policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)?);
        }
        for (path, content) in &purpose.lend {
            if let Some((dir, name)) =
                path.rsplit_once('/').filter(|(dir, _)| bound.exists(*dir) && !bound.exists(path))
            {
                self.loans.push(Loan::place(bound, dir, name, content, 0o644)?);
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), SandboxError> {
        if !std::mem::take(&mut self.entered) {
            return Ok(());
        }
        let mut returned = Ok(());
        for loan in self.loans.drain(..).rev() {
            returned = returned.and(loan.take_back(&self.root.tree));
        }
        mounts::detach(&self.place).map_err(|source| SandboxError::Io { path: self.place.clone(), source })?;
        Ok(returned?)
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        // The error of the step is the one that counts; the namespace takes the rest with it.
        self.close().ok();
    }
}
