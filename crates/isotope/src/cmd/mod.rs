//! The subcommands: one file each, one variant and one line of [`run`] each.

pub mod boot;
pub mod build;
pub mod cache;
pub mod check;
pub mod completions;
pub mod compose;
pub mod diff;
pub mod doctor;
pub mod elements;
pub mod generate;
pub mod inspect;
pub mod layout;
pub mod lock;
pub mod new;
pub mod ostree;
pub mod plan;
pub mod shell;

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
    /// Build an image from a recipe or from elements
    Build(build::Args),
    /// Show what a build would do, in order
    Plan(plan::Args),
    /// Open a shell in the state behind a step of a build
    Shell(shell::Args),
    /// Look into ostree repositories, remotes, and images with atomic systems
    Ostree(ostree::Args),
    /// Compose an ostree commit from packages, by a treefile
    Compose(compose::Args),
    /// List elements, or show one
    Elements(elements::Args),
    /// Check an element or a recipe
    Check(check::Args),
    /// Make a new element or recipe
    New(new::Args),
    /// Write down which packages, commits and archives a recipe is made of
    Lock(lock::Args),
    /// Show what is in an image: partitions, filesystems, boot entries, deployments, packages
    Inspect(inspect::Args),
    /// Show what a block device configuration of diskimage-builder makes
    Layout(layout::Args),
    /// Compare two images
    Diff(diff::Args),
    /// Boot an image in QEMU
    Boot(boot::Args),
    /// What is kept between builds
    Cache(cache::Args),
    /// What this host can do, and what to install
    Doctor(doctor::Args),
    /// Print a shell's completion script
    Completions(completions::Args),
    /// Write the generated documentation
    #[command(hide = true)]
    Generate(generate::Args),
}

/// Runs one subcommand.
pub fn run(command: Command, ctx: &Context) -> anyhow::Result<ExitCode> {
    match command {
        Command::Build(args) => build::run(&args, ctx),
        Command::Plan(args) => plan::run(&args, ctx),
        Command::Shell(args) => shell::run(&args, ctx),
        Command::Ostree(args) => ostree::run(&args, ctx),
        Command::Compose(args) => compose::run(&args, ctx),
        Command::Elements(args) => elements::run(&args, ctx),
        Command::Check(args) => check::run(&args, ctx),
        Command::New(args) => new::run(&args, ctx),
        Command::Lock(args) => lock::run(&args, ctx),
        Command::Inspect(args) => inspect::run(&args, ctx),
        Command::Layout(args) => layout::run(&args, ctx),
        Command::Diff(args) => diff::run(&args, ctx),
        Command::Boot(args) => boot::run(&args, ctx),
        Command::Cache(args) => cache::run(&args, ctx),
        Command::Doctor(args) => doctor::run(&args, ctx),
        Command::Completions(args) => completions::run(&args, ctx),
        Command::Generate(args) => generate::run(&args, ctx),
    }
}
