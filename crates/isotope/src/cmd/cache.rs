//! `isotope cache`: what is kept between builds, and throwing it away.
//!
//! Layers are looked after by [`isotope_cache`]: they go as a whole, in an order of their own, and never while they are used. All
//! other parts are files.

mod layers;
mod parts;
mod prune;
mod repository;
mod share;
mod show;
mod verify;

use crate::context::Context;
use crate::exit::{Class, Failure};
use isotope_cache::{CacheError, Key, Store};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `cache`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List what is kept: the parts of the cache with their sizes, and the layers of steps
    Ls,
    /// Show a layer: its steps, what its key is made of, what it stands on, and what it holds
    Show(show::Args),
    /// Compare layers with what they were when they were made
    Verify(verify::Args),
    /// Remove what is kept; nothing that a running build uses
    Prune(prune::Args),
    /// Give layers to an OCI registry, so that other machines need not build them
    Push(share::Push),
    /// Take layers from an OCI registry
    Pull(share::Pull),
}

/// Looks after the cache.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Ls => layers::ls(ctx),
        What::Show(args) => show::run(args, ctx),
        What::Verify(args) => verify::run(args, ctx),
        What::Prune(args) => prune::run(args, ctx),
        What::Push(args) => share::push(args, ctx),
        What::Pull(args) => share::pull(args, ctx),
    }
}

/// Where layers are.
fn place(cache_dir: &Path) -> PathBuf {
    cache_dir.join(crate::upkeep::LAYERS)
}

/// The store of layers, if there is one.
fn store(ctx: &Context) -> anyhow::Result<Option<Store>> {
    Store::existing(&place(&ctx.cache_dir)).map_err(failed)
}

/// An error of the store, with its class.
fn failed(error: CacheError) -> anyhow::Error {
    anyhow::Error::new(error)
        .context(Failure::new(Class::Environment, "the layers of the cache cannot be looked after"))
}

/// The one layer whose key begins with these digits.
fn key(store: Option<&Store>, digits: &str) -> anyhow::Result<Key> {
    let found = match store {
        Some(store) if !digits.is_empty() => store.find(digits).map_err(failed)?,
        _ => Vec::new(),
    };
    match &found[..] {
        [key] => Ok(key.clone()),
        [] => Err(Failure::new(Class::Usage, format!("no layer has a key that begins with `{digits}`"))
            .hint("`isotope cache ls` lists all layers")
            .into()),
        several => {
            let keys: Vec<&str> = several.iter().map(Key::short).collect();
            let message =
                format!("{} layers have a key that begins with `{digits}`: {}", several.len(), keys.join(", "));
            Err(Failure::new(Class::Usage, message).hint("write more digits").into())
        }
    }
}
