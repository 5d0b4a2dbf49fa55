//! The steps of a build from diskimage-builder's elements.

use super::EnvValue;
use crate::blockdev::{ImageSize, LayoutPlan};
use isotope_element::{Keep, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a step of a build from diskimage-builder's elements does. One build has [`DibAction::Begin`] first and once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "dib", rename_all = "kebab-case")]
pub enum DibAction {
    /// Make the build directory: the merged hooks, what hooks find in `$_LIB`, the environment.
    Begin(Box<DibBuild>),
    /// Run the hooks of a phase.
    Hooks(DibHooks),
    /// Make the tree of `root.d` one that programs run in: resolv.conf, /proc, /dev, /sys.
    Base,
    /// Install the packages of `-p` by the target's own `install-packages`.
    Packages(DibPackages),
    /// Take the finished tree out of its mounts, put it aside, and settle how large the image is.
    Gather(DibGather),
    /// Make the disk, if there is one, and put the tree onto it.
    Disk(Box<DibImage>),
    /// Take out of the tree what only the build needed.
    CleanUp,
}

impl DibAction {
    /// The word that names the step within its phase.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::Begin(_) => "begin",
            Self::Hooks(_) => "hooks",
            Self::Base => "base",
            Self::Packages(_) => "packages",
            Self::Gather(_) => "gather",
            Self::Disk(_) => "disk",
            Self::CleanUp => "clean-up",
        }
    }
}

/// What holds for the whole build.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DibBuild {
    /// The environment of hooks: the caller's, and what `disk-image-create` exports. Paths of the build directory come to it when
    /// there is one.
    pub environment: BTreeMap<String, EnvValue>,
    /// Functions of bash that hooks on the host can call, by name; their bodies.
    pub functions: BTreeMap<String, String>,
    /// Directories of the merged tree of hooks, each with the one whose mode it gets.
    pub hook_dirs: BTreeMap<PathBuf, PathBuf>,
    /// Files of the merged tree of hooks.
    pub hooks: BTreeMap<PathBuf, DibHookFile>,
    /// `--install-type`: what `environment.d/11-dib-install-type.bash` says from `extra-data.d` on.
    pub install_type: String,
    /// The elements, by their names, with what layers need to know of them.
    #[serde(default)]
    pub sources: BTreeMap<String, DibSource>,
    /// Patterns of the variables that the elements read, where all of them say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads_variables: Option<Vec<String>>,
    /// The sources that hooks fetch, where a recipe's lock may pin them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetches: Vec<DibFetch>,
    /// The block device configuration, as `dib-block-device` reads it.
    pub block_devices: String,
    /// Its parameters that are known before anything is made, in upstream's words.
    pub parameters: BTreeMap<String, String>,
    /// Where the build stops for a shell.
    pub breaks: DibBreaks,
    /// The working directory of hooks on the host.
    pub directory: PathBuf,
    /// The `isotope` binary, which hooks on the host start by the names of diskimage-builder's programs.
    pub binary: Option<PathBuf>,
    /// Seconds that one hook may take (`DIB_HOOK_TIMEOUT`).
    pub hook_timeout: Option<u64>,
    /// Times of files are those of the build's clock.
    pub clamp_times: bool,
    /// Outputs of an earlier build get another name.
    pub keep_old: bool,
    /// Elements of Isotope's make the tree and the disk; these hooks run in its sandbox, at the end of the phases of those.
    #[serde(default)]
    pub beside: bool,
}

/// A source that a hook fetches (`source-repository-NAME`), as far as a lock pins it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DibFetch {
    /// Its name.
    pub name: String,
    /// The element that lists it.
    pub element: String,
    /// How it is fetched.
    pub kind: DibFetchKind,
    /// Where it is. None: only the hook's shell can tell.
    pub url: Option<String>,
    /// Of a git repository: branch, tag or commit.
    pub reference: String,
    /// The variable that pins it: `DIB_REPOREF_NAME` is a commit, `DIB_REPOSHA256_NAME` a digest.
    pub variable: String,
}

/// How a source is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DibFetchKind {
    /// A git repository.
    Git,
    /// A file, or an archive that is unpacked.
    File,
}

/// What layers need to know of an element.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DibSource {
    /// Its directory.
    pub dir: PathBuf,
    /// Patterns of the files outside of phases that its hooks read; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<String>>,
}

/// A file of the merged tree of hooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DibHookFile {
    /// The element it comes from.
    pub element: String,
    /// Where it is there.
    pub source: PathBuf,
    /// For a link: its target's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<PathBuf>,
    /// Whether a layer of an earlier build may stand for it.
    #[serde(default, skip_serializing_if = "Keep::is_always")]
    pub keep: Keep,
}

/// Where a build stops for a shell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DibBreaks {
    /// `before-install`, `after-root`, `after-error`, …
    pub at: Vec<String>,
    /// What is run instead of a shell (`break_cmd`), by bash.
    pub command: Option<String>,
    /// After an error: on the host also where the phase is one of the target (`break_outside_target`).
    pub outside_target: bool,
}

/// The hooks of a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DibHooks {
    /// The phase's name: `install`; the directory is `install.d`.
    pub phase: String,
    /// Where they run.
    pub place: Place,
    /// Whether they get `TARGET_ROOT`.
    pub target_root: bool,
    /// Those that are known before the build, in order. Earlier hooks may add others.
    pub scripts: Vec<String>,
}

/// Packages named on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DibPackages {
    /// Their names.
    pub names: Vec<String>,
}

/// How large the image is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DibGather {
    /// For a tree whose size is known then.
    pub size: ImageSize,
    /// Print what takes how much room in the tree.
    pub show_usage: bool,
}

/// The disk of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DibImage {
    /// What is made; none: the tree stays a tree. Disks without a directory are made in `TMP_IMAGE_DIR`.
    pub layout: Option<LayoutPlan>,
    /// `/etc/fstab`.
    pub fstab: String,
}
