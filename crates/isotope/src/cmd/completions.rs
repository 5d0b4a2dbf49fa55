//! `isotope completions SHELL`.

use crate::context::Context;
use clap::CommandFactory;
use std::process::ExitCode;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the completion script.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "isotope", &mut script);
    ctx.out.text(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
