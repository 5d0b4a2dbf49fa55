//! `isotope cache show`: all that is known of a layer.

use super::layers::{about, moment};
use super::{failed, key, store};
use crate::context::Context;
use crate::exit::{Class, Failure};
use anyhow::Context as _;
use isotope_cache::{Entry, Layer, Store};
use isotope_plan::Bytes;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

/// Arguments of `cache show`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The first digits of the layer's key
    key: String,
    /// List every name in it, not only how much is in each directory
    #[arg(long)]
    files: bool,
}

#[derive(Debug, serde::Serialize)]
struct Shown {
    key: String,
    #[serde(flatten)]
    layer: Option<Layer>,
    /// Why it is of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
    /// Seconds since 1970.
    used: u64,
    /// What it stands on, the next one first.
    stands_on: Vec<Below>,
    /// What it holds: by directory, or each name.
    content: Vec<Name>,
}

#[derive(Debug, serde::Serialize)]
struct Below {
    key: String,
    /// What it is; `None`: it is not there, or of no use.
    about: Option<String>,
    bytes: u64,
}

#[derive(Debug, serde::Serialize)]
struct Name {
    /// Below the directory of the plan's work: the tree is `tree`.
    path: String,
    kind: &'static str,
    /// Names in it; 1 for a name.
    names: u64,
    bytes: u64,
}

/// By how many parts of their paths names are added up.
const DEPTH: usize = 3;

/// Shows.
pub(super) fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let store = store(ctx)?;
    let key = key(store.as_ref(), &args.key)?;
    let gone = || Failure::new(Class::Environment, format!("layer {} is being removed", key.short()));
    let store = store.ok_or_else(gone)?;
    // As long as it is shown, nobody removes it.
    let held = store.look(&key).ok().flatten();
    let entry = store.entry(&key).map_err(failed)?.ok_or_else(gone)?;
    let mut names = Vec::new();
    let upper = store.dir().join(key.as_str()).join("upper");
    if upper.is_dir() {
        walk(&upper, "", &mut names)?;
    }
    drop(held);
    let stands_on = chain(&store, &entry)?;
    let Entry { key, layer, damage, used, .. } = entry;
    let shown = Shown {
        key: key.to_string(),
        layer,
        damage: damage.map(|damage| damage.to_string()),
        used: used.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        stands_on,
        content: if args.files { names } else { by_directory(&names) },
    };
    ctx.out.data(&shown, || text(&shown))?;
    Ok(ExitCode::SUCCESS)
}

fn chain(store: &Store, entry: &Entry) -> anyhow::Result<Vec<Below>> {
    let mut chain: Vec<Below> = Vec::new();
    let mut next = entry.layer.as_ref().and_then(|layer| layer.parent.clone());
    while let Some(key) = next.take() {
        let below = store.entry(&key).map_err(failed)?;
        let sound = below.as_ref().filter(|entry| entry.damage.is_none()).and_then(|entry| entry.layer.as_ref());
        next = sound.and_then(|layer| layer.parent.clone());
        let bytes = below.as_ref().map_or(0, |entry| entry.bytes);
        chain.push(Below { key: key.to_string(), about: sound.map(about), bytes });
        // Only a damaged store has a ring.
        next = next.filter(|next| chain.iter().all(|below| below.key != next.as_str()));
    }
    Ok(chain)
}

/// All names below `dir`, sorted.
fn walk(dir: &Path, prefix: &str, names: &mut Vec<Name>) -> anyhow::Result<()> {
    let cannot = || format!("cannot list {}", dir.display());
    let mut entries =
        std::fs::read_dir(dir).with_context(cannot)?.collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let meta = entry.metadata().with_context(|| format!("cannot look at {}", entry.path().display()))?;
        let kind = meta.file_type();
        let kind = match () {
            () if kind.is_dir() => "directory",
            () if kind.is_symlink() => "link",
            () if kind.is_file() => "file",
            // overlayfs: what is below is gone.
            () if kind.is_char_device() && meta.rdev() == 0 => "removed",
            () => "special",
        };
        // Names are bytes; a terminal must not be told to do something by one.
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy().escape_debug());
        names.push(Name { path: path.clone(), kind, names: 1, bytes: meta.blocks() * 512 });
        if meta.is_dir() {
            walk(&entry.path(), &format!("{path}/"), names)?;
        }
    }
    Ok(())
}

/// Added up by the first parts of their paths.
fn by_directory(names: &[Name]) -> Vec<Name> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for name in names.iter().filter(|name| name.kind != "directory") {
        let parts: Vec<&str> = name.path.split('/').collect();
        let directory = parts[..parts.len().saturating_sub(1).min(DEPTH)].join("/");
        let sum = sums.entry(directory).or_default();
        *sum = (sum.0 + 1, sum.1 + name.bytes);
    }
    let sums = sums.into_iter();
    sums.map(|(path, (names, bytes))| Name { path: format!("{path}/"), kind: "directory", names, bytes }).collect()
}

fn text(shown: &Shown) -> String {
    let mut text = format!("layer {}\n", shown.key);
    // Writing to a String cannot fail.
    write(&mut text, shown).unwrap_or_default();
    text
}

fn write(text: &mut String, shown: &Shown) -> std::fmt::Result {
    if let Some(damage) = &shown.damage {
        writeln!(text, "  of no use   {damage}")?;
    }
    let at = |seconds: u64| moment(UNIX_EPOCH + Duration::from_secs(seconds));
    if let Some(layer) = &shown.layer {
        writeln!(text, "  made        {}, by {}, in {:.1} s", at(layer.created), layer.name, layer.cost.as_secs_f64())?;
        writeln!(text, "  last used   {}", at(shown.used))?;
        writeln!(text, "  size        {}, {} names", Bytes(layer.bytes), layer.files)?;
        writeln!(
            text,
            "  digest      {}",
            layer.digest.as_deref().unwrap_or("not asked for yet (`isotope cache verify`)")
        )?;
        writeln!(text, "steps")?;
        for step in &layer.steps {
            writeln!(text, "  {}  {}  ({})", step.id, step.title, step.element)?;
        }
    }
    if !shown.stands_on.is_empty() {
        writeln!(text, "stands on")?;
    }
    for below in &shown.stands_on {
        let digits = below.key.get(..12).unwrap_or_default();
        let about = below.about.as_deref().unwrap_or("not there, or of no use");
        writeln!(text, "  {digits}  {:>10}  {about}", Bytes(below.bytes).to_string())?;
    }
    if let Some(layer) = &shown.layer {
        writeln!(text, "its key is made of")?;
        for (name, value) in &layer.inputs {
            writeln!(text, "  {name} = {}", value.escape_debug())?;
        }
    }
    writeln!(text, "content")?;
    for name in &shown.content {
        match name.kind {
            "directory" if name.path.ends_with('/') => {
                writeln!(text, "  {:>10}  {:>7} names  {}", Bytes(name.bytes).to_string(), name.names, name.path)?;
            }
            kind => writeln!(text, "  {:>10}  {kind:<9}  {}", Bytes(name.bytes).to_string(), name.path)?,
        }
    }
    Ok(())
}
