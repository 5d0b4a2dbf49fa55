//! `isotope cache push` and `isotope cache pull`: layers to and from an OCI registry.
//!
//! A layer is of use with all layers below it only: they go and come with it.

use crate::context::Context;
use crate::exit::{Class, Failure};
use isotope_cache::{CacheError, Held, Key, Store};
use isotope_plan::Bytes;
use isotope_registry::{Pushed, Registry, RegistryError};
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `cache push`.
#[derive(Debug, clap::Args)]
pub struct Push {
    /// Where to: HOST[:PORT]/REPOSITORY; http:// before it for a registry without encryption on another machine
    registry: String,
    /// Keys of layers, or as many first digits as tell them apart; the layers below them go, too [default: all layers]
    key: Vec<String>,
}

/// Arguments of `cache pull`.
#[derive(Debug, clap::Args)]
pub struct Pull {
    /// Where from: HOST[:PORT]/REPOSITORY; http:// before it for a registry without encryption on another machine
    registry: String,
    /// Keys of layers; the layers below them come, too
    #[arg(required = true)]
    key: Vec<String>,
}

/// What became of a layer.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
enum Outcome {
    Sent { key: Key, name: String, bytes: u64 },
    AlreadyThere { key: Key, name: String },
    Pulled { key: Key, name: String, bytes: u64 },
    AlreadyHere { key: Key, name: String },
}

impl Outcome {
    fn line(&self) -> String {
        match self {
            Self::Sent { key, name, bytes } => format!("{}  sent, {}  {name}", key.short(), Bytes(*bytes)),
            Self::AlreadyThere { key, name } => format!("{}  already there  {name}", key.short()),
            Self::Pulled { key, name, bytes } => format!("{}  pulled, {}  {name}", key.short(), Bytes(*bytes)),
            Self::AlreadyHere { key, name } => format!("{}  already here  {name}", key.short()),
        }
    }
}

/// Gives layers.
pub fn push(args: &Push, ctx: &Context) -> anyhow::Result<ExitCode> {
    let registry = Registry::parse(&args.registry, &ctx.env).map_err(classed)?;
    let store = store(ctx)?;
    let known = store.keys().map_err(stored)?;
    let mut wanted: VecDeque<Key> = if args.key.is_empty() {
        known.clone().into()
    } else {
        args.key.iter().map(|text| choose(text, &known)).collect::<Result<_, _>>()?
    };
    let (mut outcomes, mut done) = (Vec::new(), BTreeSet::new());
    while let Some(key) = wanted.pop_front() {
        if !done.insert(key.clone()) {
            continue;
        }
        let Some(mut held) = store.look(&key).map_err(stored)? else {
            ctx.out.warning(&format!("layer {key} is not fit for use, and stays here"));
            continue;
        };
        wanted.extend(held.layer.parent.clone());
        let name = name(&held);
        outcomes.push(match registry.push(&mut held, &store) {
            Ok(Pushed::AlreadyThere) => Outcome::AlreadyThere { key, name },
            Ok(Pushed::Sent { bytes }) => Outcome::Sent { key, name, bytes },
            // Others can go all the same.
            Err(error @ RegistryError::Pack { .. }) if args.key.is_empty() => {
                ctx.out.warning(&format!("layer {key} stays here: {error}"));
                continue;
            }
            Err(error) => return Err(classed(error)),
        });
    }
    print(ctx, &outcomes)
}

/// Takes layers.
pub fn pull(args: &Pull, ctx: &Context) -> anyhow::Result<ExitCode> {
    let registry = Registry::parse(&args.registry, &ctx.env).map_err(classed)?;
    let store = store(ctx)?;
    let keys = args.key.iter().map(|text| text.parse::<Key>());
    let keys: Result<Vec<Key>, _> = keys.collect();
    let mut wanted = keys.map_err(|error| {
        Failure::new(Class::Usage, error.to_string()).hint("`isotope cache ls` on the machine that has it")
    })?;
    let (mut outcomes, mut done) = (Vec::new(), BTreeSet::new());
    while !wanted.is_empty() {
        wanted.retain(|key| done.insert(key.clone()));
        let mut here = Vec::new();
        for key in &wanted {
            here.push(store.look(key).map_err(stored)?.is_some());
        }
        let mut below = Vec::new();
        for ((key, here), pulled) in wanted.iter().zip(here).zip(registry.pull_all(&wanted, &store)) {
            let Some(held) = pulled.map_err(classed)? else {
                let message = format!("{} has no layer {key}", registry.place());
                let hint =
                    format!("`isotope cache push {} {}` on the machine that has it", registry.place(), key.short());
                return Err(Failure::new(Class::Remote, message).hint(hint).into());
            };
            let (key, name) = (key.clone(), name(&held));
            below.extend(held.layer.parent.clone());
            outcomes.push(if here {
                Outcome::AlreadyHere { key, name }
            } else {
                Outcome::Pulled { key, name, bytes: held.layer.bytes }
            });
        }
        wanted = below;
    }
    print(ctx, &outcomes)
}

fn store(ctx: &Context) -> anyhow::Result<Store> {
    Store::open(&ctx.cache_dir.join("layers")).map_err(stored)
}

fn name(held: &Held) -> String {
    let last = held.layer.steps.last().map(|step| format!(" up to {}", step.title));
    format!("{}{}", held.layer.name, last.unwrap_or_default())
}

/// The layer whose key begins so.
fn choose(text: &str, known: &[Key]) -> anyhow::Result<Key> {
    let mut fitting = known.iter().filter(|key| key.as_str().starts_with(text));
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key.clone()),
        (None, _) => Err(Failure::new(Class::Usage, format!("no layer has a key that begins with `{text}`"))
            .hint("`isotope cache ls` lists them")
            .into()),
        (Some(_), Some(_)) => {
            Err(Failure::new(Class::Usage, format!("several layers have keys that begin with `{text}`"))
                .hint("write more of its digits")
                .into())
        }
    }
}

fn print(ctx: &Context, outcomes: &[Outcome]) -> anyhow::Result<ExitCode> {
    ctx.out.data(&outcomes, || {
        outcomes.iter().fold(String::new(), |mut text, outcome| {
            writeln!(text, "{}", outcome.line()).unwrap_or_default();
            text
        })
    })?;
    Ok(ExitCode::SUCCESS)
}

fn stored(error: CacheError) -> anyhow::Error {
    classed(error.into())
}

/// Gives an error of isotope-registry its exit code and its hint.
fn classed(error: RegistryError) -> anyhow::Error {
    let class = match &error {
        RegistryError::Reference { .. } => Class::Usage,
        RegistryError::AuthFile { .. }
        | RegistryError::Helper { .. }
        | RegistryError::Pack { .. }
        | RegistryError::Cache(_)
        | RegistryError::Local { .. } => Class::Environment,
        RegistryError::Denied { .. }
        | RegistryError::Unreachable { .. }
        | RegistryError::Status { .. }
        | RegistryError::Refused { .. } => Class::Remote,
    };
    let failure = Failure::new(class, error.to_string()).hint(error.hint());
    match std::error::Error::source(&error).map(ToString::to_string) {
        Some(cause) => anyhow::anyhow!(cause).context(failure),
        None => failure.into(),
    }
}
