//! The step that makes an atomic root: which commit, from where, whose signature, with which kernel arguments. Data only.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A deployment of an ostree commit in a physical root that is made for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OstreeDeploy {
    /// The directory below `/ostree/deploy`.
    pub stateroot: String,
    /// Name of the remote, at build time and in the booted system.
    pub remote: String,
    /// Where the build pulls from: `http://…`, `https://…` or `file:///…`.
    pub url: String,
    /// A branch or a commit.
    pub rev: String,
    /// An input plan of this build makes the commit.
    #[serde(default)]
    pub composed: bool,
    /// Whose signature the build wants. A commit that this build composed itself needs none.
    pub verify: OstreeVerify,
    /// What is left in the image so that the booted system upgrades.
    pub upgrade: OstreeUpgrade,
    /// How the kernel finds the root filesystem: `UUID=…` or `LABEL=…`; fstab says the same.
    pub root: String,
    /// Kernel arguments in order, `root=` first; `ostree=` comes with the deployment.
    pub kernel_args: Vec<String>,
}

/// Where the booted system looks for upgrades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OstreeUpgrade {
    /// The remote's URL; `None`: nobody has named one, and the system says so when it is asked to upgrade.
    pub url: Option<String>,
    /// The branch that is followed; `None`: the commit's own alone.
    pub reference: Option<String>,
    /// Whose signature it wants.
    pub verify: OstreeVerify,
}

/// Whose signature a commit must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum OstreeVerify {
    /// A GPG signature.
    Gpg {
        /// Files of public keys on this host; they are copied into the image.
        keys: Vec<PathBuf>,
        /// File or directory of keys in the booted system.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keypath: Option<String>,
    },
    /// An ed25519 signature.
    Ed25519 {
        /// Public keys, in base64.
        keys: Vec<String>,
    },
    /// None is wanted.
    None,
}
