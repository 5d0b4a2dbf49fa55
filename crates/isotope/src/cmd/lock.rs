//! `isotope lock`: write down which packages, archives, commits and sources a recipe is made of, so that `isotope build --locked` makes it of
//! exactly those.

use super::build;
use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::printer::Printer;
use crate::subject::{self, Subject};
use isotope_build::lock::Update;
use isotope_build::{BuildOptions, Event, Events};
use isotope_plan::Plan;
use isotope_plan::lock::{Lock, LockDiff};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `lock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A recipe (its name in recipes/, or a file), or elements, or a recipe and more elements
    #[arg(value_name = "RECIPE|ELEMENT")]
    names: Vec<String>,
    /// The recipe's file
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Set a variable; wins over the recipe and the environment
    #[arg(long = "set", value_name = "ELEMENT.VAR=VALUE")]
    set: Vec<String>,
    /// The lock file [default: the recipe's path with .lock instead of .toml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Resolve these packages (or refs, or sources) anew, or everything if none is named, and show what changes
    #[arg(long, value_name = "PACKAGE", num_args = 0.., conflicts_with = "check")]
    update: Option<Vec<String>>,
    /// Say whether the lock is what would be written now; exit with 1 if it is not
    #[arg(long)]
    check: bool,
    /// Also take all packages of the lock into the cache
    #[arg(long, conflicts_with = "check")]
    fetch: bool,
    /// Use no network: resolve from the index files in the cache
    #[arg(long)]
    offline: bool,
}

/// What `lock` tells.
#[derive(Debug, Serialize)]
struct Told<'a> {
    /// The lock file.
    file: &'a Path,
    /// Whether the recipe can be built from the lock as it is. Only told by `--check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    fits: Option<bool>,
    /// Whether the lock is what would be written now. Only told by `--check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<bool>,
    /// From the lock that there was to the one that is there now, or would be.
    difference: LockDiff,
}

/// Locks.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    if args.names.is_empty() && args.recipe.is_none() {
        let failure = Failure::new(Class::Usage, "no recipe is named");
        return Err(failure.hint("name it first: isotope lock RECIPE --update PACKAGE").into());
    }
    let subject = subject::Args::of(&args.names, args.recipe.as_deref(), &args.set);
    let Subject { plan, recipe, .. } = subject::settle(&subject, ctx)?;
    let file = place(args.output.as_deref(), recipe.as_deref(), "--output")?;
    let old = read(&file)?;
    let options = BuildOptions {
        proxy: build::proxy(&ctx.env),
        offline: args.offline,
        ..BuildOptions::new(".", ctx.cache_dir.clone())
    };
    let resolver = Resolver { plan: &plan, options: &options, events: events(ctx) };
    if args.check {
        return check(&file, old, &resolver, ctx);
    }
    let update = match &args.update {
        None => Update::Missing,
        Some(names) if names.is_empty() => Update::All,
        Some(names) => named(names, old.as_ref(), &file)?,
    };
    let lock = resolver.lock(old.as_ref(), &update)?;
    write(&file, &lock)?;
    let first = old.is_none();
    let difference = LockDiff::of(&old.unwrap_or_else(|| Lock::new(&lock.name)), &lock);
    let summary = summary(&lock);
    ctx.out.data(&Told { file: &file, fits: None, current: None, difference: difference.clone() }, || match first {
        // Of the first lock everything is new.
        true => format!("{}: {summary}", file.display()),
        false => format!("{difference}\n{}: {summary}", file.display()),
    })?;
    if args.fetch {
        isotope_build::lock::fetch(&plan, &options, &lock, &resolver.events).map_err(build::explain)?;
        ctx.out.note("all packages of the lock are in the cache");
    }
    Ok(ExitCode::SUCCESS)
}

struct Resolver<'a> {
    plan: &'a Plan,
    options: &'a BuildOptions,
    events: Events,
}

impl Resolver<'_> {
    fn lock(&self, old: Option<&Lock>, update: &Update) -> anyhow::Result<Lock> {
        isotope_build::lock::lock(self.plan, self.options, old, update, &self.events).map_err(build::explain)
    }
}

/// Says whether the lock is current, and if it is not, whether it still fits.
fn check(file: &Path, old: Option<Lock>, resolver: &Resolver<'_>, ctx: &Context) -> anyhow::Result<ExitCode> {
    let none = || Failure::new(Class::Verdict, format!("there is no lock file {}", file.display()));
    let old = old.ok_or_else(|| none().hint("write it: isotope lock RECIPE"))?;
    let difference = LockDiff::of(&old, &resolver.lock(Some(&old), &Update::All)?);
    let current = difference.is_empty();
    let fits = current || LockDiff::of(&old, &resolver.lock(Some(&old), &Update::Missing)?).is_empty();
    let verdict = match (current, fits) {
        (true, _) => "the lock is current",
        (false, true) => "the lock fits the recipe; the archives have something newer (isotope lock --update)",
        (false, false) => "the lock does not fit the recipe, or packages of it are gone (isotope lock)",
    };
    let text = format!("{difference}\n{verdict}");
    ctx.out.data(&Told { file, fits: Some(fits), current: Some(current), difference }, || text)?;
    Ok(if current { ExitCode::SUCCESS } else { ExitCode::from(Class::Verdict.code()) })
}

/// The names to update, all of which the lock has.
fn named(names: &[String], old: Option<&Lock>, file: &Path) -> anyhow::Result<Update> {
    let Some(old) = old else {
        let message = format!("there is no lock file {} to update", file.display());
        return Err(Failure::new(Class::Usage, message).hint("write it first: isotope lock RECIPE").into());
    };
    let unknown: Vec<&str> = names.iter().filter(|name| !old.has(name)).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(Update::Named(names.to_vec()));
    }
    let message = format!("the lock does not have {}", unknown.join(", "));
    Err(Failure::new(Class::Usage, message).hint("name packages of the lock, or none to update all of them").into())
}

/// Where the lock file is: as given, or beside the recipe.
pub(super) fn place(given: Option<&Path>, recipe: Option<&Path>, option: &str) -> anyhow::Result<PathBuf> {
    match (given, recipe) {
        (Some(file), _) => Ok(file.to_owned()),
        (None, Some(recipe)) => Ok(recipe.with_extension("lock")),
        (None, None) => {
            let message = "elements from a command line have no recipe whose lock file could be used";
            Err(Failure::new(Class::Usage, message).hint(format!("name one with {option} FILE")).into())
        }
    }
}

/// Reads a lock file, if it is there.
pub(super) fn read(file: &Path) -> anyhow::Result<Option<Lock>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::new(Class::Environment, format!("cannot read {}: {error}", file.display())).into());
        }
    };
    let told = |errors: Vec<isotope_element::Diagnostic>| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Class::Configuration, errors.join("\n"))
    };
    Ok(Some(Lock::parse(file, &text).map_err(told)?))
}

/// Writes it whole or not at all.
fn write(file: &Path, lock: &Lock) -> anyhow::Result<()> {
    let new = file.with_extension("lock.new");
    let written = std::fs::write(&new, lock.to_text()).and_then(|()| std::fs::rename(&new, file));
    written.map_err(|error| {
        let message = format!("cannot write {}: {error}", file.display());
        Failure::new(Class::Environment, message).hint("name a place that can be written with --output FILE").into()
    })
}

fn summary(lock: &Lock) -> String {
    let Lock { trees, commits, gits, downloads, .. } = lock;
    let packages: usize = trees.iter().map(|tree| tree.packages.len()).sum();
    let size = trees.iter().flat_map(|tree| &tree.packages).map(|package| package.size).sum();
    let archives: usize = trees.iter().map(|tree| tree.archives.len()).sum();
    let mut text = format!("{packages} packages ({}) of {archives} archives", isotope_plan::Bytes(size));
    for (count, what) in [(commits.len(), "commits"), (gits.len() + downloads.len(), "sources")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

/// What tools print is shown if it is asked for; warnings always.
fn events(ctx: &Context) -> Events {
    let (out, verbose): (Printer, bool) = (ctx.out.clone(), ctx.verbose);
    Events::new(move |event| match event {
        Event::Output { line } if verbose => out.note(&line),
        Event::Command { line } if verbose => out.note(&format!("+ {line}")),
        Event::Warning { message } => out.warning(&message),
        _ => {}
    })
}
