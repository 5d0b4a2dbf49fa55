//! `diskimage-builder [--dry-run] [--stop-on-failure] FILE…`: builds the images that YAML files define, one after the other.

use crate::exit::{self, Class, Failure};
use crate::printer::Printer;
use clap::{CommandFactory, Parser};
use isotope_plan::dib::definitions::{self, Invocation};
use isotope_sys::command::Tool;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

/// Build the images that YAML files define
///
/// A file is a list of maps. Their keys are the options of disk-image-create: imagename, arch, types, environment, ramdisk,
/// debug-trace, uncompressed, clear, logfile, checksum, image-size, image-extra-size, image-cache, max-online-resize, min-tmpfs,
/// mkfs-journal-size, mkfs-options, no-tmpfs, offline, qemu-img-options, root-label, ramdisk-element, install-type, docker-target,
/// packages, skip-base, elements. A map with the imagename of an earlier one, or without any, adds to that one.
#[derive(Debug, Parser)]
#[command(name = "diskimage-builder", version, max_term_width = 110)]
struct Cli {
    /// Files with definitions
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show the commands and run none
    #[arg(long)]
    dry_run: bool,
    /// Stop at the first image that cannot be built
    #[arg(long)]
    stop_on_failure: bool,
}

/// As clap knows it, for the manual page.
pub fn command() -> clap::Command {
    Cli::command()
}

pub fn main(args: &[OsString]) -> ExitCode {
    let cli = Cli::parse_from(std::iter::once(OsString::from("diskimage-builder")).chain(args.iter().cloned()));
    match run(&cli) {
        Ok(code) => code,
        Err(error) => exit::report(&error, false),
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let mut texts = Vec::new();
    for file in &cli.files {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::new(Class::Verdict, format!("cannot read {}: {error}", file.display())))?;
        texts.push((file.as_path(), text));
    }
    let texts: Vec<(&Path, &str)> = texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let definitions = definitions::read(&texts).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(Class::Verdict, told.join("\n"))
    })?;
    let out = Printer::new(false, false, true);
    let mut failed = Vec::new();
    for definition in &definitions {
        let invocation = definition.invocation();
        out.text(&invocation.shell_line())?;
        if cli.dry_run {
            continue;
        }
        let status = carry_out(&invocation)?;
        if status.success() {
            continue;
        }
        failed.push(invocation.shell_line());
        // A signal is meant for the whole run.
        let interrupted = status.signal().is_some() || status.code().is_some_and(|code| code > 128);
        if cli.stop_on_failure || interrupted {
            break;
        }
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(
        Class::Verdict,
        format!("{} of {} images could not be built:\n{}", failed.len(), definitions.len(), failed.join("\n")),
    )
    .into())
}

/// This same binary, by the program's name, with the terminal and the signals of this one.
fn carry_out(invocation: &Invocation) -> anyhow::Result<ExitStatus> {
    let own = std::env::current_exe()?;
    let tool = Tool::new(own.to_string_lossy().into_owned()).args(&invocation.arguments).foreground();
    let mut command = tool.to_std()?;
    command.arg0(invocation.program.name());
    Ok(super::in_our_place(command, &invocation.environment)?)
}
