//! Trees over libostree: repositories, remotes and signatures, commits, deployments.
//!
//! [`Repo`] is a repository: created, opened, pulled into, committed to, looked into. [`Sysroot`] is the physical root of
//! an atomic system that is not running: stateroots and deployments. Both are given by path; nothing here looks at the
//! host's own `/ostree`.
//!
//! libostree starts threads (downloads, checksums). Who forks (`isotope_sys::namespace::run` wants one thread) uses this
//! crate in the forked child only. It must not know disks, boot loaders, elements or terminals.

#![forbid(unsafe_code)]

mod capability;
mod checkout;
mod checksum;
mod commit;
mod delta;
mod diff;
mod error;
mod fsck;
mod gpg_keys;
mod info;
mod kargs;
mod pull;
mod remote;
mod repo;
mod room;
mod scratch;
mod sign;
mod summary;
mod sysroot;
mod take;
pub mod tree;
mod tree_files;
mod wire;
mod worker;

pub use checkout::CheckoutOptions;
pub use checksum::{Checksum, NotAChecksum};
pub use commit::{Commit, Parent};
pub use delta::{Pruned, StaticDelta};
pub use diff::{Aspect, Diff, FileChange, PackageDiff};
pub use error::{ErrorClass, OstreeError};
pub use fsck::{FsckReport, Problem};
pub use info::{CommitInfo, Package};
pub use kargs::check_kernel_args;
pub use pull::{Progress, Pull, Pulled};
pub use remote::{Remote, Verify};
pub use repo::{Mode, Repo};
pub use sign::{Ed25519Secret, GpgKey};
pub use sysroot::{Bootloader, Deploy, Deployment, Sysroot, SysrootOptions, check_stateroot};
pub use tree_files::{FileKind, TreeEntry};

/// Metadata of commits and summaries are GVariants of libostree's own GLib.
pub use ostree::glib::Variant;
/// Makes a [`Variant`] of a string, a number, a list: `"x".to_variant()`.
pub use ostree::glib::prelude::ToVariant;
