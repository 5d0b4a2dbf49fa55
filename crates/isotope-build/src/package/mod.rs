//! Package managers behind one trait. Adding one: a file here, and a line in [`manager`].

mod apt;
pub mod deb;
mod digest;
mod dnf;
mod dpkg;
mod hold;

use crate::event::Events;
use crate::sandbox::{SandboxError, TargetRoot};
use isotope_element::Family;
use isotope_plan::lock::{LockedArchive, LockedPackage, LockedTree};
use isotope_plan::{Bootstrap, PackagePolicy, Packages, Source, Target};
use isotope_sys::command::CommandError;
use isotope_sys::target::{TargetDir, TargetError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use hold::hold;

/// What a package manager can do for a build.
///
/// It runs as PID 1's child in the build's own mount namespace. Processes it leaves behind are killed after each call.
pub trait PackageManager {
    /// Which packages a tree made by [`PackageManager::bootstrap`] and [`ArchiveCtx::upcoming`] would have now, sorted; needs
    /// no tree. It may download them.
    ///
    /// # Errors
    /// The archive cannot be reached or verified, or a package is not there.
    fn resolve(&self, what: &Bootstrap, ctx: &ArchiveCtx<'_>) -> Result<Vec<ResolvedPackage>, PackageError>;

    /// What a lock file says of such a tree: the packages that [`PackageManager::resolve`] would name, with all that it takes
    /// to get exactly them again. Downloads as little as it can.
    ///
    /// # Errors
    /// As [`PackageManager::resolve`]; or the archive's index has no digests.
    fn lock(&self, what: &Bootstrap, ctx: &ArchiveCtx<'_>, keep: Keep<'_>) -> Result<Resolution, PackageError>;

    /// Takes all packages of `ctx.lock` into the cache.
    ///
    /// # Errors
    /// They are gone, or the archive cannot be reached.
    fn fetch(&self, ctx: &ArchiveCtx<'_>) -> Result<(), PackageError>;

    /// What the archives of `ctx.sources` are now: each suite's name, and the date and digest of what its archive has signed. Fetches what has
    /// changed; needs no tree.
    ///
    /// # Errors
    /// An archive cannot be reached or verified.
    fn archive(&self, ctx: &ArchiveCtx<'_>) -> Result<BTreeMap<String, String>, PackageError>;

    /// Makes the base tree in the empty directory `ctx.target.tree()`.
    ///
    /// It may fetch what [`ArchiveCtx::upcoming`] will want, too.
    ///
    /// # Errors
    /// The archive cannot be reached or verified, a package is not there, or its scripts fail.
    fn bootstrap(&self, what: &Bootstrap, ctx: &PackageCtx<'_>) -> Result<(), PackageError>;

    /// Installs and removes packages.
    ///
    /// # Errors
    /// As [`PackageManager::bootstrap`].
    fn transaction(&self, what: &Packages, ctx: &PackageCtx<'_>) -> Result<(), PackageError>;

    /// What is installed in a tree, sorted by name; needs no sandbox.
    ///
    /// # Errors
    /// The package database cannot be read.
    fn installed(&self, tree: &TargetDir) -> Result<Vec<InstalledPackage>, PackageError>;

    /// The paths of an installed package, sorted; `None`: it is not installed. Needs no sandbox.
    ///
    /// # Errors
    /// The package database cannot be read.
    fn files(&self, tree: &TargetDir, package: &str) -> Result<Option<Vec<String>>, PackageError>;

    /// Removes what package management left in the tree: downloads, lists, logs, caches. Called once, at the end of
    /// the tree phases, whether or not the plan has a sysprep.
    ///
    /// # Errors
    /// The tree refuses.
    fn clean(&self, ctx: &PackageCtx<'_>) -> Result<(), PackageError>;
}

/// What a package manager needs of the archives, without a tree.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveCtx<'a> {
    /// What is being made.
    pub spec: &'a Target,
    /// The plan's archives: those of its bootstrap step, empty if it has none.
    pub sources: &'a [Source],
    /// A directory of this package manager's own that outlives the build (downloads); other builds use it meanwhile.
    pub cache_dir: &'a Path,
    /// A directory of this build's own, gone when it ends.
    pub scratch: &'a Path,
    /// Where output and progress go.
    pub events: &'a Events,
    /// The transactions that the plan has in store after this step.
    pub upcoming: &'a [&'a Packages],
    /// What no transaction may do.
    pub policy: &'a PackagePolicy,
    /// Proxy settings (`http_proxy`, `https_proxy`, `no_proxy`).
    pub proxy: &'a BTreeMap<String, String>,
    /// The only packages there are, if the build is locked.
    pub lock: Option<&'a LockedTree>,
    /// No network: index files are taken as they are in the cache, and package files from there.
    pub offline: bool,
}

/// What a package manager works with.
#[derive(Debug, Clone, Copy)]
pub struct PackageCtx<'a> {
    /// The archives.
    pub archives: ArchiveCtx<'a>,
    /// The tree, and the sandbox around it.
    pub target: &'a TargetRoot,
    /// The one clock, in seconds since 1970.
    pub epoch: u64,
    /// Whether an initramfs step is still to come: then scripts that make one are deferred to it.
    pub defer_initramfs: bool,
}

impl<'a> Deref for PackageCtx<'a> {
    type Target = ArchiveCtx<'a>;

    fn deref(&self) -> &ArchiveCtx<'a> {
        &self.archives
    }
}

/// What is kept of an earlier lock where packages are resolved for a new one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep<'a> {
    /// Packages that keep their versions, where the archive (or the cache) still has them.
    pub packages: &'a [LockedPackage],
    /// Whether others were named, which alone are to be updated.
    pub named: bool,
}

/// What a lock says of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolution {
    /// The archives, in the plan's order.
    pub archives: Vec<LockedArchive>,
    /// The packages, sorted.
    pub packages: Vec<LockedPackage>,
}

/// A package that would be installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResolvedPackage {
    /// Name, version and architecture, as its package manager writes them in one word.
    pub name: String,
    /// What tells it from any other file of that name: a digest, or the repository that signs it.
    pub digest: String,
}

/// A package in a tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstalledPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, in its distribution's words.
    pub arch: String,
    /// The source package it was made from, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// Why packages could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// A program failed.
    #[error("{what}")]
    Command {
        /// What it was to do: "cannot download packages".
        what: String,
        /// The program's end.
        source: CommandError,
    },
    /// The archive did not deliver, or what it delivered is not what it signed.
    #[error("{0}")]
    Remote(String),
    /// Packages that no archive has.
    #[error("no package archive has {}", .0.join(", "))]
    NotFound(Vec<String>),
    /// Packages of the lock that are neither in the cache nor in the archive.
    #[error("{}", gone(packages, *offline))]
    Gone {
        /// Each with where it was looked for.
        packages: Vec<String>,
        /// Their names.
        names: Vec<String>,
        /// What the archives said of their date when the lock was written.
        dates: Vec<String>,
        /// The archive was not asked.
        offline: bool,
    },
    /// Packages that somebody wants and the lock does not have.
    #[error("the lock does not have {}", .0.join(", "))]
    NotLocked(Vec<String>),
    /// Without the network, something is not there: all of it.
    #[error("this build is offline, and the cache does not have:\n  {}", .0.join("\n  "))]
    Offline(Vec<String>),
    /// What is asked for cannot be done, and what to do instead.
    #[error("{0}")]
    Unsupported(String),
    /// A package file is damaged.
    #[error(transparent)]
    Deb(#[from] deb::DebError),
    /// A package cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] dpkg::UnpackError),
    /// The sandbox refused.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The tree refused.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A file on the host failed.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// The deed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl PackageError {
    /// What a person can do about it, beside what the message says.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let update = |names: &[String]| {
            // More than a few names are all of them.
            let names = if names.len() > 4 { "" } else { &format!(" {}", names.join(" ")) };
            format!("or take newer versions: `isotope lock --update{names}`")
        };
        match self {
            Self::Gone { offline: true, names, .. } => vec![
                "take them into the cache while there is a network: `isotope lock --fetch`, or one build without --offline"
                    .to_owned(),
                update(names),
            ],
            Self::Gone { dates, names, .. } => {
                let date = dates.first().map_or_else(|| "of the lock's date".to_owned(), |date| format!("of {date}"));
                let snapshot = format!(
                    "build from a snapshot of the archive {date}: give its address as the mirror (--set ELEMENT.mirror=URL)"
                );
                vec![snapshot, update(names)]
            }
            Self::NotLocked(_) => vec!["write the lock anew for what the recipe wants now: `isotope lock`".to_owned()],
            Self::Offline(_) => vec!["build once without --offline: what it downloads is kept".to_owned()],
            _ => Vec::new(),
        }
    }
}

fn gone(packages: &[String], offline: bool) -> String {
    let what = if offline {
        "this build is offline, and the cache does not have what the lock wants"
    } else {
        "packages of the lock are gone"
    };
    format!("{what}:\n  {}", packages.join("\n  "))
}

/// The name of a family's directory in the cache of downloads.
#[must_use]
pub const fn directory(family: Family) -> &'static str {
    match family {
        Family::Debian => "debian",
        Family::Redhat => "redhat",
    }
}

/// The package manager of a family.
///
/// # Errors
/// There is none (yet).
pub fn manager(family: Family) -> Result<Box<dyn PackageManager>, PackageError> {
    match family {
        Family::Debian => Ok(Box::new(apt::Apt)),
        Family::Redhat => Ok(Box::new(dnf::Dnf)),
    }
}
