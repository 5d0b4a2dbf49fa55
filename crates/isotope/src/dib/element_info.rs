//! `element-info [--env] ELEMENT…`: the elements, with all that they depend on.
//!
//! It reads `ELEMENTS_PATH`; Isotope's own elements in diskimage-builder's format stand behind it. It adds nothing: `base` and
//! disk layouts are `disk-image-create`'s business.

use crate::context;
use crate::exit::{self, Class, Failure};
use crate::printer::Printer;
use clap::{CommandFactory, Parser};
use isotope_element::dib::{DibResolveErrors, ElementsPath, LoadError, load, resolve};
use std::ffi::OsString;
use std::process::ExitCode;

/// Show elements with all that they depend on
#[derive(Debug, Parser)]
#[command(name = "element-info", version, max_term_width = 110)]
struct Cli {
    /// Elements
    #[arg(required = true, value_name = "ELEMENT")]
    elements: Vec<String>,
    /// Print lines for `eval` in bash: IMAGE_ELEMENT, IMAGE_ELEMENT_YAML, get_image_element_array
    #[arg(short, long)]
    env: bool,
}

/// As clap knows it, for the manual page.
pub fn command() -> clap::Command {
    Cli::command()
}

pub fn main(args: &[OsString]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once(OsString::from("element-info")).chain(args.iter().cloned()));
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, false),
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let out = Printer::new(false, false, true);
    let catalogue = load(&path()?).map_err(|error| load_failure(&error))?;
    for note in &catalogue.notes {
        out.note(&format!("WARNING {}", note.message));
    }
    let set = resolve(&catalogue, &cli.elements).map_err(|errors| failure(&errors))?;
    out.text(&if cli.env { set.env() } else { set.line() })
}

/// `ELEMENTS_PATH`, then our own elements, where there are any.
pub fn path() -> anyhow::Result<ElementsPath> {
    let given = std::env::var("ELEMENTS_PATH").ok().filter(|path| !path.is_empty());
    let own = context::dib_elements();
    match (given, own) {
        (Some(given), Some(own)) => Ok(ElementsPath::parse(&given).then(&own)),
        (Some(given), None) => Ok(ElementsPath::parse(&given)),
        (None, Some(own)) => Ok(ElementsPath::default().then(&own)),
        (None, None) => {
            let failure = Failure::new(Class::Verdict, "$ELEMENTS_PATH must be set.");
            Err(failure.hint("it is a list of directories of elements, separated by colons").into())
        }
    }
}

/// diskimage-builder's exit code is 1 whatever is wrong.
pub fn load_failure(error: &LoadError) -> anyhow::Error {
    let hint = "each entry of ELEMENTS_PATH is a directory that holds elements";
    Failure::new(Class::Verdict, error.to_string()).hint(hint).into()
}

pub fn failure(errors: &DibResolveErrors) -> anyhow::Error {
    let told: Vec<String> =
        errors.errors.iter().map(|error| error.diagnostic(std::path::Path::new("")).to_string()).collect();
    Failure::new(Class::Verdict, told.join("\n")).into()
}
