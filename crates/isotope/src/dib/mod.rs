//! diskimage-builder's programs, by name of the binary: `element-info`, `dib-run-parts` and so on as links to `isotope`.
//!
//! In: the command line and the environment of diskimage-builder's users. Out: what its own programs print, and their exit
//! codes. One file each, one line of [`PROGRAMS`] each.

mod block_device;
mod block_device_state;
pub mod disk_image_create;
mod diskimage_builder;
mod element_info;
mod log;
mod options;
mod package_installs_squash;
mod root;
mod run_parts;
mod svc_map_merge;

use element_info::load_failure;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

/// Runs with the arguments, without the program's name.
type Program = fn(&[OsString]) -> ExitCode;

/// By the last part of the path that a program is started by.
pub const PROGRAMS: &[(&str, Program)] = &[
    ("dib-block-device", block_device::main),
    ("dib-run-parts", run_parts::main),
    ("disk-image-create", disk_image_create::disk),
    ("diskimage-builder", diskimage_builder::main),
    ("element-info", element_info::main),
    ("package-installs-squash", package_installs_squash::main),
    ("ramdisk-image-create", disk_image_create::ramdisk),
    ("svc-map-merge", svc_map_merge::main),
];

/// Runs a program with this one's environment and standard streams; `more` is set beside that.
fn in_our_place(mut command: Command, more: &BTreeMap<String, String>) -> std::io::Result<ExitStatus> {
    command.env_clear().envs(std::env::vars_os()).envs(more);
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit()).status()
}

/// An exit status as the shell tells it: 128 and the number of the signal, for one that ended by a signal.
fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Those with a command line of their own, for their manual pages.
pub fn commands() -> Vec<clap::Command> {
    let disk = [isotope_plan::dib::Program::Disk, isotope_plan::dib::Program::Ramdisk].map(options::command);
    disk.into_iter().chain([diskimage_builder::command(), element_info::command()]).collect()
}

/// Runs as another program, if the binary was started by its name.
pub fn by_name(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let path = args.next()?;
    let name = Path::new(&path).file_name()?.to_str()?;
    let (_, program) = PROGRAMS.iter().find(|(known, _)| *known == name)?;
    Some(program(&args.collect::<Vec<_>>()))
}
