//! The steps of a compose: from packages to an ostree commit. Data only.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A script that stands in the plan itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// What it is called in messages: `postprocess 2`.
    pub name: String,
    /// The whole text; `/bin/sh` runs it unless it begins with `#!`.
    pub content: String,
}

/// What a compose begins with: the commit before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OstreeParent {
    /// The archive repository; made if it is not there.
    pub repo: PathBuf,
    /// The ref that the compose moves.
    pub reference: String,
    /// The commit (or ref) to follow instead of the ref's own.
    pub parent: Option<String>,
    /// The users and groups of the parent keep their numbers.
    pub keep_users: bool,
    /// Files like `/etc/passwd` and `/etc/group` on this host whose numbers hold beside the parent's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_files: Vec<PathBuf>,
    /// Compose even if nothing has changed.
    pub force: bool,
}

/// A commit as the base of a derived one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OstreeCheckout {
    /// The archive repository that has it.
    pub repo: PathBuf,
    /// A ref or a checksum.
    pub rev: String,
}

/// What is removed from a package-made tree and set in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OstreeTrim {
    /// Paths, relative to the tree.
    pub remove_files: Vec<String>,
    /// Files of packages.
    pub remove_from_packages: Vec<RemoveFromPackage>,
    /// The unit behind `default.target`.
    pub default_target: Option<String>,
    /// A text in os-release's VERSION and PRETTY_NAME that the compose's version replaces.
    pub mutate_os_release: Option<String>,
    /// Users' languages and documentation of packages that were installed with all of them (Debian).
    pub no_documentation: bool,
    /// Translations of these languages stay; `None`: all.
    pub languages: Option<Vec<String>>,
}

/// Files of a package that go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveFromPackage {
    /// The package.
    pub package: String,
    /// Regular expressions; a file whose path matches one goes.
    pub patterns: Vec<String>,
}

/// Where kernels are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootLocation {
    /// In `/usr/lib/modules/VERSION` only.
    #[default]
    Modules,
    /// Also in `/usr/lib/ostree-boot`, where old deployers look.
    New,
}

/// Kernels and their initramfs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OstreeKernel {
    /// Arguments for dracut; `None`: no initramfs is made.
    pub initramfs: Option<Vec<String>>,
    /// An initramfs that is there already stays as it is.
    pub keep_existing: bool,
    /// Where they are left.
    pub boot_location: BootLocation,
}

/// The layout of an ostree tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OstreeTree {
    /// `/tmp` is a directory, not a link to `/sysroot/tmp`.
    pub tmp_is_dir: bool,
    /// `/etc/machine-id` is an empty file; else it is absent.
    pub machineid_compat: bool,
    /// Groups that also stay in `/etc/group` where the others move to `/usr/lib/group`.
    pub etc_group_members: Vec<String>,
    /// What is checked of the users' numbers.
    pub check_users: UserCheck,
    /// What is checked of the groups' numbers.
    pub check_groups: UserCheck,
    /// Users that may go from one commit to the next; `*`: all.
    pub ignore_removed_users: Vec<String>,
    /// Groups that may go.
    pub ignore_removed_groups: Vec<String>,
}

/// What users and groups of a new tree are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserCheck {
    /// The parent commit: a number that differs, or a user that is gone, is an error.
    #[default]
    Previous,
    /// Nothing.
    None,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OstreeCommit {
    /// The archive repository.
    pub repo: PathBuf,
    /// The ref that it moves.
    pub reference: String,
    /// The commit (or ref) to follow instead of the ref's own.
    pub parent: Option<String>,
    /// One line about it.
    pub subject: String,
    /// Its version.
    pub version: CommitVersion,
    /// More metadata.
    pub metadata: BTreeMap<String, String>,
    /// Label the files by the tree's own SELinux policy.
    pub selinux: bool,
    /// Keys that sign it, and the summary.
    pub sign: Vec<SignKey>,
    /// Make a static delta from the parent.
    pub delta: bool,
}

/// How a commit gets its version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum CommitVersion {
    /// It has none.
    #[default]
    None,
    /// This one.
    Given {
        /// The text.
        version: String,
    },
    /// The prefix; with a number one higher than the parent's, if the parent has the same prefix.
    Automatic {
        /// What it begins with.
        prefix: String,
        /// What stands between prefix and number.
        suffix: String,
    },
}

/// A key that signs commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum SignKey {
    /// A secret key in a file, base64, as libostree has it: 64 bytes, the public key last.
    Ed25519 {
        /// The file on this host.
        file: PathBuf,
    },
    /// A key of a GPG keyring on this host.
    Gpg {
        /// Its id or fingerprint.
        key: String,
        /// The directory of the keyring; `None`: the caller's own.
        home: Option<PathBuf>,
    },
}

impl CommitVersion {
    /// The version of a commit whose parent has the version `parent`.
    #[must_use]
    pub fn after(&self, parent: Option<&str>) -> Option<String> {
        match self {
            Self::None => None,
            Self::Given { version } => Some(version.clone()),
            Self::Automatic { prefix, suffix } => Some(next(prefix, suffix, parent)),
        }
    }
}

fn next(prefix: &str, suffix: &str, parent: Option<&str>) -> String {
    let Some(rest) = parent.and_then(|parent| parent.strip_prefix(prefix)) else { return prefix.to_owned() };
    if rest.is_empty() {
        return format!("{prefix}{suffix}1");
    }
    // A longer prefix that merely begins alike (`26` and `261.3`) is another one.
    match rest.strip_prefix(suffix).map(str::parse::<u64>) {
        Some(Ok(number)) => format!("{prefix}{suffix}{}", number.saturating_add(1)),
        _ => prefix.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::CommitVersion;

    #[test]
    fn versions_count_within_their_prefix() {
        let version = CommitVersion::Automatic { prefix: "26".into(), suffix: ".".into() };
        for (parent, expected) in [
            (None, "26"),
            (Some("25.17"), "26"),
            (Some("26"), "26.1"),
            (Some("26.1"), "26.2"),
            (Some("26.9"), "26.10"),
            (Some("261.3"), "26"),
            (Some("26.x"), "26"),
        ] {
            assert_eq!(version.after(parent).as_deref(), Some(expected), "{parent:?}");
        }
        assert_eq!(CommitVersion::Given { version: "1".into() }.after(Some("9")).as_deref(), Some("1"));
        assert_eq!(CommitVersion::None.after(Some("9")), None);
    }
}
