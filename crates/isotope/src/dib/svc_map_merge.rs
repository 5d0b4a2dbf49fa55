//! `svc-map-merge --distro DISTRO --elements LIST --path PATH OUTFILE`: the services of all elements, by their names on a distribution.
//!
//! The element `svc-map` calls it on the host; what it writes, lines `SERVICE: NAME`, is read in the target by `svc-map`.

use super::package_installs_squash::{Which, write};
use crate::exit::{self, Class, Failure};
use clap::Parser;
use isotope_element::dib::svc_map;
use std::ffi::OsString;
use std::process::ExitCode;

/// Write one file of services from those of all elements
#[derive(Debug, Parser)]
#[command(name = "svc-map-merge", version, max_term_width = 110)]
struct Cli {
    /// The distribution, as in DISTRO_NAME
    #[arg(long)]
    distro: String,
    #[command(flatten)]
    which: Which,
}

pub fn main(args: &[OsString]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once(OsString::from("svc-map-merge")).chain(args.iter().cloned()));
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, false),
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let (_, set) = cli.which.find()?;
    let services = svc_map::merge(&set, &cli.distro).map_err(|errors| {
        Failure::new(Class::Verdict, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let lines: String = services.iter().map(|(service, name)| format!("{service}: {name}\n")).collect();
    write(&cli.which.outfile, &lines)
}
