//! What every subcommand gets: the settings that hold for all of them, and the environment, read once.

use crate::printer::Printer;
use anyhow::Context as _;
use isotope_element::dib::ElementsPath;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Environment variables that Isotope itself reads. Elements add their own aliases, which come from `Context::env`.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("ELEMENTS_PATH", "colon separated directories of elements, before the built-in ones"),
    ("ISOTOPE_CACHE_DIR", "where downloads, logs and work directories are kept"),
    (
        crate::upkeep::VARIABLE,
        "how much layers in the cache may take, such as 10GiB, or `unlimited`; 20 GiB if it is not set",
    ),
    ("ISOTOPE_DATA_DIR", "where the built-in elements and recipes are"),
    (crate::timings::VARIABLE, "1, or a file: tell which steps took how long, and write a timeline, as --timings does"),
    ("REGISTRY_AUTH_FILE", "the file with credentials of registries, instead of the container tools' usual ones"),
    ("SOURCE_DATE_EPOCH", "the clock of the build, in seconds since 1970"),
    ("NO_COLOR", "no colours"),
];

/// In the data directory, beside `elements`.
const DIB_ELEMENTS: &str = "elements-dib";

/// Options that every subcommand takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Directories of elements, before ELEMENTS_PATH and the built-in ones (repeat or separate by colons)
    #[arg(long, global = true, value_name = "DIR", value_delimiter = ':')]
    pub elements_path: Vec<PathBuf>,
    /// Where downloads, logs and work directories are kept [default: /var/cache/isotope as root, else ~/.cache/isotope]
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Show more: the output of every tool (-v)
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Show less: only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The settings of a run.
pub struct Context {
    /// Where elements are looked for, earlier wins; the built-in directory is the last.
    pub elements_path: Vec<PathBuf>,
    /// Isotope's own elements in diskimage-builder's format, if there are any.
    pub dib_elements: Option<PathBuf>,
    /// Where the built-in recipes are.
    pub recipes_dir: PathBuf,
    /// Where downloads, logs and work directories are kept.
    pub cache_dir: PathBuf,
    /// The environment, read once.
    pub env: BTreeMap<String, String>,
    /// Data is printed as JSON.
    pub json: bool,
    /// Every tool's output is shown.
    pub verbose: bool,
    /// Only warnings and errors are shown.
    pub quiet: bool,
    /// The one way to the terminal.
    pub out: Printer,
}

impl Context {
    /// Reads the environment and settles the paths.
    pub fn gather(global: &Global) -> anyhow::Result<Self> {
        let env = environment();
        let data = data_dir(&env)?;
        let mut elements_path = global.elements_path.clone();
        if let Some(path) = env.get("ELEMENTS_PATH") {
            elements_path.extend(path.split(':').filter(|part| !part.is_empty()).map(PathBuf::from));
        }
        elements_path.push(data.join("elements"));
        Ok(Self {
            elements_path,
            dib_elements: Some(data.join(DIB_ELEMENTS)).filter(|dir| dir.is_dir()),
            recipes_dir: data.join("recipes"),
            cache_dir: cache_dir(global, &env)?,
            json: global.json,
            verbose: global.verbose,
            quiet: global.quiet,
            out: Printer::new(global.json, global.quiet, env.contains_key("NO_COLOR")),
            env,
        })
    }
}

impl Context {
    /// Where elements in diskimage-builder's format are looked for: `first`, then as for others, then our own.
    pub fn dib_path(&self, first: Option<&Path>) -> ElementsPath {
        let entries = first
            .into_iter()
            .chain(self.elements_path.iter().map(PathBuf::as_path))
            .chain(self.dib_elements.as_deref());
        entries.fold(ElementsPath::default(), ElementsPath::then)
    }
}

/// The environment, but for what is no text.
pub fn environment() -> BTreeMap<String, String> {
    let text = |(key, value): (OsString, OsString)| Some((key.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// Isotope's own elements in diskimage-builder's format, for programs that have no [`Context`].
pub fn dib_elements() -> Option<PathBuf> {
    let env = std::env::var_os("ISOTOPE_DATA_DIR").and_then(|dir| dir.into_string().ok());
    let env = env.map(|dir| ("ISOTOPE_DATA_DIR".to_owned(), dir)).into_iter().collect();
    let dir = data_dir(&env).ok()?.join(DIB_ELEMENTS);
    dir.is_dir().then_some(dir)
}

/// The directory that holds `elements/` and `recipes/`: `ISOTOPE_DATA_DIR`, else beside an installed binary
/// (`PREFIX/share/isotope`), else the checkout that the binary was compiled from.
fn data_dir(env: &BTreeMap<String, String>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = env.get("ISOTOPE_DATA_DIR") {
        return Ok(PathBuf::from(dir));
    }
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let installed = program.parent().and_then(Path::parent).map(|prefix| prefix.join("share/isotope"));
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    installed
        .into_iter()
        .chain([checkout])
        .find(|dir| dir.join("elements").is_dir())
        .and_then(|dir| dir.canonicalize().ok())
        .context("the built-in elements are neither in PREFIX/share/isotope nor in the checkout; set ISOTOPE_DATA_DIR")
}

fn cache_dir(global: &Global, env: &BTreeMap<String, String>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = &global.cache_dir {
        return Ok(std::path::absolute(dir)?);
    }
    if let Some(dir) = env.get("ISOTOPE_CACHE_DIR") {
        return Ok(PathBuf::from(dir));
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/cache/isotope"));
    }
    let base = env
        .get("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env.get("HOME").map(|home| Path::new(home).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set; name a directory with --cache-dir")?;
    Ok(base.join("isotope"))
}
