//! The `isotope` command: arguments → settings → one subcommand → exit code.
//!
//! This is the only crate that knows a terminal. It reads the environment once ([`context`]), hands plain values down,
//! and renders the events that come back ([`printer`]).

mod cmd;
mod context;
mod exit;
mod inspect;
mod printer;
mod render;
mod subject;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cmd::Cli::parse();
    let context = match context::Context::gather(&cli.global) {
        Ok(context) => context,
        Err(error) => return exit::report(&error, false),
    };
    match cmd::run(cli.command, &context) {
        Ok(code) => code,
        Err(error) => exit::report(&error, context.json),
    }
}
