//! The `isotope` command: arguments → settings → one subcommand → exit code.
//!
//! This is the only crate that knows a terminal. It reads the environment once ([`context`]), hands plain values down,
//! and renders the events that come back ([`printer`]). Started by the name of one of diskimage-builder's programs, it is that
//! program ([`dib`]).

mod cmd;
mod context;
mod dib;
mod exit;
mod inspect;
mod printer;
mod render;
mod subject;
mod timings;
mod upkeep;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = dib::by_name(std::env::args_os()) {
        return code;
    }
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
