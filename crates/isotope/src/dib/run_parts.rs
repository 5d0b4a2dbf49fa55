//! `dib-run-parts [--list] DIRECTORY`: reads `DIRECTORY/../environment.d`, then runs the scripts of DIRECTORY by their numbers.
//!
//! Files of environment.d are bash, so bash does it, by the very script that hook trees have at their top. It gets the caller's
//! whole environment, terminal and standard streams, as diskimage-builder's program does.

use crate::exit::{self, Class, Failure};
use isotope_element::dib::run_parts::SCRIPT;
use isotope_sys::command::Tool;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

pub fn main(args: &[OsString]) -> ExitCode {
    match run(args) {
        Ok(code) => code,
        Err(error) => exit::report(&error, false),
    }
}

fn run(args: &[OsString]) -> anyhow::Result<ExitCode> {
    let tool = Tool::new("bash").args(["-c", SCRIPT, "dib-run-parts"]).args(args).foreground();
    let command = tool.to_std().map_err(|error| {
        Failure::new(Class::Environment, error.to_string()).hint("install bash: environment.d is written in it")
    })?;
    Ok(super::code_of(super::in_our_place(command, &BTreeMap::new())?))
}
