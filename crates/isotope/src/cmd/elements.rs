//! `isotope elements`: the catalogue, and everything about one element.

mod card;

use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::subject;
use card::Card;
use serde::Serialize;
use std::process::ExitCode;

/// Arguments of `elements`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

/// What to show.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// List all elements of the search path (default)
    List,
    /// Show an element: variables, phases, dependencies, README
    Show {
        /// Its name, or a name it provides
        name: String,
    },
}

/// A line of the list.
#[derive(Debug, Serialize)]
struct Line<'c> {
    name: &'c str,
    summary: &'c str,
    provides: Vec<&'c str>,
    requires: Vec<&'c str>,
    dir: &'c std::path::Path,
}

/// Shows elements.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    match &args.what {
        None | Some(What::List) => list(ctx),
        Some(What::Show { name }) => show(name, ctx),
    }
}

fn list(ctx: &Context) -> anyhow::Result<ExitCode> {
    let catalogue = subject::catalogue(ctx)?;
    let lines: Vec<Line<'_>> = catalogue
        .elements
        .values()
        .map(|element| Line {
            name: &element.name,
            summary: &element.manifest.summary,
            provides: element.manifest.provides.iter().map(|name| name.value.as_str()).collect(),
            requires: element.manifest.requires.iter().map(|name| name.value.as_str()).collect(),
            dir: &element.dir,
        })
        .collect();
    for note in &catalogue.notes {
        ctx.out.note(&note.to_string());
    }
    ctx.out.data(&lines, || {
        let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
        lines.iter().map(|line| format!("{:<width$}  {}\n", line.name, line.summary)).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str, ctx: &Context) -> anyhow::Result<ExitCode> {
    let catalogue = subject::catalogue(ctx)?;
    let provider = || {
        let mut providers = catalogue
            .elements
            .values()
            .filter(|element| element.manifest.provides.iter().any(|provided| provided.value == name));
        providers.next().filter(|_| providers.next().is_none())
    };
    let Some(element) = catalogue.elements.get(name).or_else(provider) else {
        // The resolver knows the nearest names.
        let message = catalogue
            .resolve(&[name])
            .err()
            .map_or_else(|| format!("there is no element `{name}`"), |errors| errors.to_string());
        return Err(Failure::new(Class::Usage, message).hint("`isotope elements list` lists them all").into());
    };
    let card = Card::of(element)?;
    ctx.out.data(&card, || card.text())?;
    Ok(ExitCode::SUCCESS)
}
