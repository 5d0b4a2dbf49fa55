//! Treefiles: what a tree is composed of, in rpm-ostree's words, as YAML or JSON, and with an `apt` section for Debian's packages.
//!
//! In: a file, those it includes, and what it is read for ([`Request`]). Out: a [`Treefile`] all of whose values are settled, or
//! everything that is wrong, with file, line and the nearest known key. Nothing is fetched and nothing is decided about a host.
//! The keys are documented in docs/treefile.md.

mod apt;
mod keys;
mod layer;
mod load;
mod read;
mod repos;
mod subst;

pub use layer::{AddFile, Check, Placed, RemoveFrom};
pub use load::{Disk, Files, load};
pub(crate) use subst::dated as subst_dated;

use crate::BootLocation;
use isotope_element::yaml as node;
use isotope_element::{Arch, Diagnostic, Family};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a treefile is read for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `${basearch}`, and the architecture of `packages-ARCH` and `arch-include`.
    pub arch: Arch,
    /// `${releasever}`, instead of the treefile's own.
    pub release: Option<String>,
    /// Variables that win over the treefile's `variables`.
    pub variables: BTreeMap<String, String>,
}

/// Why a treefile cannot be used; all reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct TreefileErrors {
    /// Each with its place.
    pub errors: Vec<Diagnostic>,
}

/// An archive that packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// URL, or `host:NAME` for the one that the composing host itself uses.
    pub uri: String,
    /// Suite, or repository id.
    pub suite: String,
    /// Components of Debian.
    pub components: Vec<String>,
    /// Key file on the composing host.
    pub keyring: Option<PathBuf>,
    /// Whether signatures are checked.
    pub verify: bool,
}

/// A settled treefile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Treefile {
    /// The file itself.
    pub file: PathBuf,
    /// It and all that it includes, each once.
    pub files: Vec<PathBuf>,
    /// The architecture it was read for.
    pub arch: Arch,
    /// Decides the package manager: Debian's where there is an `apt` section.
    pub family: Family,
    /// `debian`, `fedora`, …
    pub distro: String,
    /// `trixie`, `42`, …
    pub release: String,
    /// Where packages come from, in order.
    pub archives: Vec<Placed<Archive>>,
    /// The ref.
    pub reference: Option<Placed<String>>,
    /// Installed first.
    pub bootstrap_packages: Vec<Placed<String>>,
    /// Installed.
    pub packages: Vec<Placed<String>>,
    /// Never installed.
    pub exclude_packages: Vec<Placed<String>>,
    /// Also what packages merely recommend.
    pub recommends: bool,
    /// With documentation.
    pub documentation: bool,
    /// Translations of these languages only.
    pub install_langs: Option<Vec<String>>,
    /// Enabled.
    pub units: Vec<Placed<String>>,
    /// The unit behind `default.target`.
    pub default_target: Option<Placed<String>>,
    /// Absolute paths in the tree.
    pub remove_files: Vec<Placed<String>>,
    /// Files of packages.
    pub remove_from_packages: Vec<Placed<RemoveFrom>>,
    /// Files beside the treefile.
    pub add_files: Vec<Placed<AddFile>>,
    /// Scripts, in order.
    pub postprocess: Vec<Placed<String>>,
    /// A script in a file, after those.
    pub postprocess_script: Option<Placed<PathBuf>>,
    /// Prefix and suffix of versions that count themselves.
    pub version: Option<(String, String)>,
    /// The text in os-release that the version replaces.
    pub mutate_os_release: Option<String>,
    /// `/tmp` is a directory.
    pub tmp_is_dir: bool,
    /// `/etc/machine-id` is there, and empty.
    pub machineid_compat: bool,
    /// Files are labelled by the tree's policy: `Some` where the treefile says so or not.
    pub selinux: Option<Placed<bool>>,
    /// Groups that are in `/etc/group` in any case.
    pub etc_group_members: Vec<String>,
    /// Where kernels are left.
    pub boot_location: BootLocation,
    /// dracut's arguments; `None`: no initramfs is made.
    pub initramfs: Option<Vec<String>>,
    /// Users and groups of the parent commit keep their numbers.
    pub preserve_passwd: bool,
    /// What users are compared with.
    pub check_passwd: Check,
    /// What groups are compared with.
    pub check_groups: Check,
    /// Users that may go.
    pub ignore_removed_users: Vec<String>,
    /// Groups that may go.
    pub ignore_removed_groups: Vec<String>,
    /// Metadata of the commit.
    pub commit_metadata: BTreeMap<String, String>,
    /// What has no effect.
    pub warnings: Vec<Diagnostic>,
}
