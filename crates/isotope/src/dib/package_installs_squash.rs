//! `package-installs-squash --elements LIST --path PATH OUTFILE`: the packages that elements wish for, by phase, as JSON.
//!
//! The element `package-installs` calls it on the host; what it writes is read in the target by `package-installs-v2`.

use crate::exit::{self, Class, Failure};
use clap::Parser;
use isotope_element::dib::{Catalogue, ElementSet, ElementsPath, closure, load, squash};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write one file of packages from those of all elements
#[derive(Debug, Parser)]
#[command(name = "package-installs-squash", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    which: Which,
}

/// Which elements, and what is written: of the programs that read one kind of file of all elements.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Elements, separated by blanks
    #[arg(long)]
    elements: String,
    /// Directories of elements, separated by colons
    #[arg(long)]
    path: String,
    /// The file that is written
    pub outfile: PathBuf,
}

impl Which {
    /// Finds the elements, in their order.
    pub fn find(&self) -> anyhow::Result<(Catalogue, ElementSet)> {
        let catalogue = load(&ElementsPath::parse(&self.path)).map_err(|error| super::load_failure(&error))?;
        let names: Vec<String> = self.elements.split_whitespace().map(str::to_owned).collect();
        let mut set = closure(&catalogue, &names);
        // The list is complete: what an element depends on and the list has not is provided by another.
        set.elements.retain(|element| names.contains(&element.name));
        Ok((catalogue, set))
    }
}

pub fn main(args: &[OsString]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once(OsString::from("package-installs-squash")).chain(args.iter().cloned()));
    match run(&cli.which) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, false),
    }
}

fn run(which: &Which) -> anyhow::Result<()> {
    let (catalogue, set) = which.find()?;
    let env: BTreeMap<String, String> = std::env::vars().collect();
    let squashed = squash(&catalogue, &set, &env).map_err(|error| Failure::new(Class::Verdict, error.to_string()))?;
    write(&which.outfile, &squashed.json())
}

/// Writes the result.
pub fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text)
        .map_err(|error| Failure::new(Class::Environment, format!("cannot write {}: {error}", file.display())).into())
}
