//! How a build is to be done on this host; what is to be built is the plan's.

use isotope_plan::lock::Lock;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What to do with the state of a build that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnError {
    /// Throw it away.
    #[default]
    Clean,
    /// Move the tree to this directory, which must not exist or be empty.
    Keep(PathBuf),
    /// Open a shell in the sandbox of the step that failed, with the terminal; then throw it away.
    Shell,
}

/// Where the tree and the raw disk are while they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WorkPlace {
    /// In memory where enough of it is available, else on disk.
    #[default]
    Auto,
    /// On a tmpfs that vanishes with the build.
    Memory,
    /// In a locked directory below the cache directory.
    Disk,
}

/// How to build.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Where the outputs go; made if it is not there.
    pub out_dir: PathBuf,
    /// Downloads, logs and, on disk, work directories.
    pub cache_dir: PathBuf,
    /// What to do with the state of a build that failed.
    pub on_error: OnError,
    /// Where the tree is made.
    pub work: WorkPlace,
    /// Threads for compression and copying; `None`: as many as there are processors.
    pub jobs: Option<usize>,
    /// Proxy settings for downloads and hooks (`http_proxy`, `https_proxy`, `no_proxy`, in lower case).
    pub proxy: BTreeMap<String, String>,
    /// Version of the tool, for `manifest.json`.
    pub tool_version: String,
    /// The only packages and commits there are; `None`: what the archives have now.
    pub lock: Option<Lock>,
    /// No network: what is not in the cache is missing. Programs of the build see no network either.
    pub offline: bool,
    /// Keep what steps leave as layers, and take what earlier builds left instead of doing the same again.
    pub layers: bool,
    /// Elements whose steps are done again, with all that follow: [`Refresh`].
    pub refresh: Refresh,
    /// Open a shell in the state behind the step of that id, and do nothing further.
    pub shell_at: Option<String>,
    /// Registries from which images, composes and layers are taken that the cache does not have: `HOST[:PORT]/REPOSITORY`.
    pub cache_from: Vec<String>,
    /// The registry that gets image, composes and layers of a build that succeeds.
    pub cache_to: Option<String>,
    /// The environment that says where credentials of registries are (`REGISTRY_AUTH_FILE`, `HOME`, …).
    pub credentials: BTreeMap<String, String>,
    /// The user has set the build's clock (`SOURCE_DATE_EPOCH`): then it is an input of every step. Otherwise it is the time of the
    /// build, and steps that were done at another time are still the same.
    pub fixed_clock: bool,
}

/// What is done again although a layer has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Refresh {
    /// Nothing.
    #[default]
    Nothing,
    /// Every step.
    Everything,
    /// The steps of these elements, and what follows them.
    Elements(Vec<String>),
}

impl BuildOptions {
    /// Outputs to `out_dir`, everything else as by default.
    #[must_use]
    pub fn new(out_dir: impl Into<PathBuf>, cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            out_dir: out_dir.into(),
            cache_dir: cache_dir.into(),
            on_error: OnError::default(),
            work: WorkPlace::default(),
            jobs: None,
            proxy: BTreeMap::new(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            lock: None,
            offline: false,
            layers: true,
            refresh: Refresh::default(),
            shell_at: None,
            cache_from: Vec::new(),
            cache_to: None,
            credentials: BTreeMap::new(),
            fixed_clock: false,
        }
    }
}
