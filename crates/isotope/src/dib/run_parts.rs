//! `dib-run-parts [--list] DIRECTORY`: reads `DIRECTORY/../environment.d`, then runs the scripts of DIRECTORY by their numbers.
//!
//! Files of environment.d are bash, so bash does it, by the very script that hook trees have at their top. It gets the caller's
//! whole environment, terminal and standard streams, as diskimage-builder's program does.

use crate::exit::{self, Class, Failure};
use isotope_element::dib::run_parts::SCRIPT;
use isotope_sys::command::Tool;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, Stdio};

pub fn main(args: &[OsString]) -> ExitCode {
    match run(args) {
        Ok(code) => code,
        Err(error) => exit::report(&error, false),
    }
}

fn run(args: &[OsString]) -> anyhow::Result<ExitCode> {
    let tool = Tool::new("bash").args(["-c", SCRIPT, "dib-run-parts"]).args(args).foreground();
    let mut command = tool.to_std().map_err(|error| {
        Failure::new(Class::Environment, error.to_string()).hint("install bash: environment.d is written in it")
    })?;
    command.env_clear().envs(std::env::vars_os());
    let status = command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit()).status()?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
