//! What came of a build that succeeded, and why one did not.

use crate::event::{Failure, PackageDiff};
use crate::package::InstalledPackage;
use isotope_plan::{Checksum, Format};
use isotope_sys::namespace::NamespaceError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A build that succeeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The image's name.
    pub name: String,
    /// The files it made.
    pub outputs: Vec<OutputFile>,
    /// The `manifest.json` beside them.
    pub manifest: Option<PathBuf>,
    /// The trace log.
    pub log: PathBuf,
    /// How long it took.
    pub duration: Duration,
    /// How long each step took, in order.
    pub steps: Vec<StepTime>,
    /// What is installed in the image.
    pub packages: Vec<InstalledPackage>,
    /// The commit of a compose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitReport>,
    /// The commit that is deployed in the image, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<DeployedCommit>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What a compose made, or found made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitReport {
    /// The repository.
    pub repo: PathBuf,
    /// The ref.
    pub reference: String,
    /// The commit that the ref points at.
    pub checksum: String,
    /// Its version.
    pub version: Option<String>,
    /// The commit before it.
    pub parent: Option<String>,
    /// Why no commit was made, if none was.
    pub unchanged: Option<String>,
    /// What its packages are beside those of the commit before; `None`: there was none, or it lists no packages.
    pub packages: Option<PackageDiff>,
}

/// A commit that is deployed in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedCommit {
    /// Its checksum.
    pub commit: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The ref or commit that was asked for.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The stateroot.
    pub stateroot: String,
    /// The remote.
    pub remote: String,
    /// Where it came from; `None`: composed by this build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whose signature it had: `gpg`, `ed25519`, `none`, or `composed` by this build.
    pub verified: String,
    /// Where the booted system looks for upgrades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_url: Option<String>,
    /// Whose signature it wants then: `gpg`, `ed25519` or `none`.
    pub upgrade_verified: String,
}

/// One file that a build made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// Its length in bytes.
    pub size: u64,
    /// Its digests, in hexadecimal.
    pub digests: BTreeMap<Checksum, String>,
}

/// How long a step took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTime {
    /// The step's id.
    pub id: String,
    /// How long it took.
    pub duration: Duration,
    /// Processor time, user and system, of the build's process and of all programs of the step.
    #[serde(default)]
    pub cpu: Duration,
    /// The beginning of the key of what an earlier build left of it; `None`: it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<String>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// What must be so before anything begins is not: all that was found.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Preflight(Vec<Problem>),
    /// A step failed.
    #[error("{}", .0.message)]
    Failed(Box<Failure>),
    /// The user interrupted it; nothing is left behind.
    #[error("interrupted; nothing is left behind")]
    Interrupted {
        /// The signal's number; the exit code is 128 more.
        signal: i32,
    },
    /// The build's process was killed from outside.
    #[error("the build process was killed by signal {signal}; nothing is left behind")]
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// The build's process ended and said nothing: a fault of Isotope itself.
    #[error("the build process ended without a result; its log is {}", log.display())]
    NoResult {
        /// The trace log.
        log: PathBuf,
    },
    /// The namespaces could not be made.
    #[error("cannot start the build")]
    Namespace(#[from] NamespaceError),
    /// A file of the build itself (log, cache) failed.
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

/// Something that would have made the build fail, found before it began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}
