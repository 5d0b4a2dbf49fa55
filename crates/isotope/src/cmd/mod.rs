//! The subcommands: one file each, one variant and one line of [`run`] each.

pub mod completions;

use crate::context::{Context, Global};
use std::process::ExitCode;

/// Build bootable disk images from elements.
#[derive(Debug, clap::Parser)]
#[command(name = "isotope", version, about, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Cli {
    /// Options of all subcommands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 what was checked is not as it should be, 2 usage, 3 configuration (recipe, element, \
layout), 4 environment (host tool, permission, space), 5 remote (mirror), 6 build (a hook or a package failed), 70 internal, \
130/143 interrupted.";

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print a shell's completion script
    Completions(completions::Args),
    /// Write the manual pages
    #[command(hide = true)]
    Man(completions::ManArgs),
}

/// Runs one subcommand.
pub fn run(command: Command, ctx: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Completions(args) => completions::run(&args, ctx),
        Command::Man(args) => completions::man(&args, ctx),
    }
}
