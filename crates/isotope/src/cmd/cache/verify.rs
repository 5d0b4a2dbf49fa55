//! `isotope cache verify`: whether layers are still what they were.

use super::layers::about;
use super::{failed, key, store};
use crate::context::Context;
use crate::exit::Class;
use isotope_cache::{Evicted, Key, Verdict};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `cache verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The first digits of layers' keys [default: all layers]
    keys: Vec<String>,
    /// Remove those that are damaged, and those that stand on them
    #[arg(long)]
    repair: bool,
}

#[derive(Debug, serde::Serialize)]
struct Found {
    /// How many are what they were.
    sound: usize,
    /// Those of them whose digest was noted for the first time.
    first: usize,
    damaged: Vec<Damaged>,
    /// What is gone, with --repair.
    removed: Vec<String>,
    /// What should be gone, and is in use.
    in_use: Vec<String>,
}

#[derive(Debug, serde::Serialize)]
struct Damaged {
    key: String,
    about: Option<String>,
    damage: String,
}

/// Verifies; the exit code says whether anything is damaged now.
pub(super) fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let store = store(ctx)?;
    let keys: Vec<Key> = args.keys.iter().map(|digits| key(store.as_ref(), digits)).collect::<Result<_, _>>()?;
    let mut tell = |key: &Key| {
        if ctx.verbose {
            ctx.out.note(&format!("reading {}", key.short()));
        }
    };
    let verdicts = match &store {
        Some(store) => store.verify(&keys, &mut tell).map_err(failed)?,
        None => Vec::new(),
    };
    let damaged: Vec<Key> = verdicts.iter().filter(|it| it.damage.is_some()).map(|it| it.key.clone()).collect();
    let removed = match &store {
        Some(store) if args.repair => store.remove_with_descendants(&damaged).map_err(failed)?,
        _ => Evicted::default(),
    };
    let found = Found {
        sound: verdicts.len() - damaged.len(),
        first: verdicts.iter().filter(|verdict| verdict.first).count(),
        damaged: verdicts.iter().filter_map(told).collect(),
        removed: removed.removed.iter().map(Key::to_string).collect(),
        in_use: removed.kept.iter().map(Key::to_string).collect(),
    };
    ctx.out.data(&found, || text(&found))?;
    let left = damaged.iter().any(|key| !removed.removed.contains(key));
    Ok(if left { ExitCode::from(Class::Verdict.code()) } else { ExitCode::SUCCESS })
}

fn told(verdict: &Verdict) -> Option<Damaged> {
    let damage = verdict.damage.as_ref()?.to_string();
    Some(Damaged { key: verdict.key.to_string(), about: verdict.layer.as_ref().map(about), damage })
}

fn text(found: &Found) -> String {
    let mut text = String::new();
    let short = |key: &str| key.get(..12).unwrap_or(key).to_owned();
    for Damaged { key, about, damage } in &found.damaged {
        let about = about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
        writeln!(text, "damaged  {}{about}: {damage}", short(key)).unwrap_or_default();
    }
    for key in &found.removed {
        writeln!(text, "removed  {}", short(key)).unwrap_or_default();
    }
    for key in &found.in_use {
        writeln!(text, "in use   {}: end the build that uses it, and repair again", short(key)).unwrap_or_default();
    }
    let Found { sound, first, damaged, .. } = found;
    write!(text, "{sound} sound, {} damaged", damaged.len()).unwrap_or_default();
    if *first > 0 {
        write!(text, "; {first} had no digest to be compared with, and have one now").unwrap_or_default();
    }
    text.push('\n');
    text
}
