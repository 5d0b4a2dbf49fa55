//! `isotope cache ls`: parts, and layers with those used last first.

use super::parts::{self, Part};
use super::{failed, store};
use crate::context::Context;
use crate::upkeep::LAYERS;
use isotope_cache::{Entry, Layer};
use isotope_plan::Bytes;
use isotope_plan::calendar::Moment;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, serde::Serialize)]
struct Listing {
    dir: String,
    parts: Vec<Part>,
    layers: Vec<Row>,
}

#[derive(Debug, serde::Serialize)]
struct Row {
    key: String,
    parent: Option<String>,
    /// The plan that made it.
    plan: Option<String>,
    steps: Vec<String>,
    /// Allocated.
    bytes: u64,
    files: u64,
    /// Seconds since 1970.
    created: Option<u64>,
    /// Seconds since 1970.
    used: u64,
    /// Why it is of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
}

/// Lists.
pub(super) fn ls(ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut entries = match store(ctx)? {
        Some(store) => store.entries().map_err(failed)?,
        None => Vec::new(),
    };
    entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.key.cmp(&b.key)));
    let layers: Vec<Row> = entries.into_iter().map(row).collect();
    let mut parts = parts::parts(&ctx.cache_dir, LAYERS)?;
    let (files, bytes) = layers.iter().fold((0, 0), |sum, row| (sum.0 + row.files, sum.1 + row.bytes));
    parts.push(Part { name: LAYERS.to_owned(), files, bytes });
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let listing = Listing { dir: ctx.cache_dir.display().to_string(), parts, layers };
    ctx.out.data(&listing, || text(&listing))?;
    Ok(ExitCode::SUCCESS)
}

fn row(entry: Entry) -> Row {
    let Entry { key, layer, damage, used, bytes } = entry;
    Row {
        key: key.to_string(),
        parent: layer.as_ref().and_then(|layer| Some(layer.parent.as_ref()?.to_string())),
        plan: layer.as_ref().map(|layer| layer.name.clone()),
        steps: layer.iter().flat_map(|layer| &layer.steps).map(|step| step.id.clone()).collect(),
        bytes,
        files: layer.as_ref().map_or(0, |layer| layer.files),
        created: layer.as_ref().map(|layer| layer.created),
        used: used.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        damage: damage.map(|damage| damage.to_string()),
    }
}

fn text(listing: &Listing) -> String {
    let mut text = format!("{}\n", listing.dir);
    for part in &listing.parts {
        writeln!(text, "  {:<24} {:>6} files  {}", part.name, part.files, Bytes(part.bytes)).unwrap_or_default();
    }
    if listing.layers.is_empty() {
        return text;
    }
    writeln!(text, "\n{:<12}  {:<12}  {:>10}  {:<19}  steps", "layer", "on", "size", "last used").unwrap_or_default();
    for row in &listing.layers {
        let parent = row.parent.as_deref().map_or("", digits);
        let about = match &row.damage {
            Some(damage) => format!("of no use: {damage}"),
            None => format!("{}: {}", row.plan.as_deref().unwrap_or_default(), span(&row.steps)),
        };
        writeln!(
            text,
            "{:<12}  {parent:<12}  {:>10}  {}  {about}",
            digits(&row.key),
            Bytes(row.bytes).to_string(),
            Moment::of(row.used)
        )
        .unwrap_or_default();
    }
    text
}

fn digits(key: &str) -> &str {
    key.get(..12).unwrap_or(key)
}

/// Steps in a few words.
fn span(steps: &[String]) -> String {
    match steps {
        [] => String::new(),
        [one] => one.clone(),
        [first, .., last] => format!("{first} … {last} ({})", steps.len()),
    }
}

/// A layer in a few words.
pub(super) fn about(layer: &Layer) -> String {
    let steps: Vec<String> = layer.steps.iter().map(|step| step.id.clone()).collect();
    format!("{}: {}", layer.name, span(&steps))
}

/// A time for people, UTC.
pub(super) fn moment(time: SystemTime) -> String {
    Moment::of(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).to_string()
}
