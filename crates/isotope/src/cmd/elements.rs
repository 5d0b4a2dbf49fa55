//! `isotope elements`: the catalogue, and everything about one element.

mod card;
mod dib_card;

use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::subject;
use card::Card;
use dib_card::DibCard;
use isotope_element::dib::DibElement;
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
    /// `isotope` or `diskimage-builder`.
    format: &'static str,
    summary: String,
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
    let foreign = subject::dib_elements(ctx)?;
    let mut lines: Vec<Line<'_>> = catalogue
        .elements
        .values()
        .map(|element| Line {
            name: &element.name,
            format: "isotope",
            summary: element.manifest.summary.clone(),
            provides: element.manifest.provides.iter().map(|name| name.value.as_str()).collect(),
            requires: element.manifest.requires.iter().map(|name| name.value.as_str()).collect(),
            dir: &element.dir,
        })
        .chain(foreign.values().map(foreign_line))
        .collect();
    lines.sort_by_key(|line| line.name);
    for note in &catalogue.notes {
        ctx.out.note(&note.to_string());
    }
    ctx.out.data(&lines, || {
        let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
        let origin = |line: &Line<'_>| if line.format == "isotope" { "" } else { " (diskimage-builder)" };
        lines.iter().map(|line| format!("{:<width$}  {}{}\n", line.name, line.summary, origin(line))).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}

fn foreign_line(element: &DibElement) -> Line<'_> {
    Line {
        name: &element.name,
        format: "diskimage-builder",
        summary: element.summary().unwrap_or_default(),
        provides: element.provides.iter().map(|name| name.value.as_str()).collect(),
        requires: element.depends.iter().map(|name| name.value.as_str()).collect(),
        dir: &element.dir,
    }
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
        if let Some(element) = subject::dib_elements(ctx)?.get(name) {
            return show_foreign(element, ctx);
        }
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

fn show_foreign(element: &DibElement, ctx: &Context) -> anyhow::Result<ExitCode> {
    let card = DibCard::of(element).map_err(|errors| {
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Class::Configuration, text.join("\n\n"))
    })?;
    ctx.out.data(&card, || card.text())?;
    Ok(ExitCode::SUCCESS)
}
