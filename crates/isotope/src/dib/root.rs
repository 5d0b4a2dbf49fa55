//! Builds by a user who may become root with sudo, as diskimage-builder's programs are used by nodepool and in CI.
//!
//! diskimage-builder calls sudo for each command that needs it; here the whole program is started again, once, by sudo. The caller's
//! environment must survive that, whatever sudoers says of variables, and must not be on a command line, where all can read it: it goes
//! through a file that only the caller can read, beside a link by which the program knows its name. Outputs belong to the caller.

use anyhow::Context as _;
use isotope_plan::dib::Program;
use isotope_sys::command::Tool;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The file with the environment: `NAME=value`, each ended by a zero byte, as in `/proc/PID/environ`.
const ENVIRONMENT: &str = "environment";

/// `UID:GID` of the caller, for the program that runs as root.
const CALLER: &str = "ISOTOPE_CALLER";

/// Whether this is not root and could become it.
pub fn can_become() -> bool {
    !rustix::process::geteuid().is_root() && Tool::new("sudo").to_std().is_ok()
}

/// Runs the program once more, as root.
pub fn again(program: Program, args: &[OsString]) -> anyhow::Result<ExitCode> {
    let dir = tempfile::Builder::new().prefix("isotope-").tempdir().context("cannot make a directory for sudo")?;
    let link = dir.path().join(program.name());
    symlink(std::env::current_exe()?, &link)?;
    let file = File::options().write(true).create_new(true).mode(0o600).open(dir.path().join(ENVIRONMENT));
    let mut bytes = Vec::new();
    for (name, value) in std::env::vars_os() {
        bytes.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    file.and_then(|mut file| file.write_all(&bytes)).context("cannot write the environment for sudo")?;
    let sudo = Tool::new("sudo").arg("--").arg(&link).args(args).foreground().to_std()?;
    Ok(super::code_of(super::in_our_place(sudo, &BTreeMap::new())?))
}

/// Where the environment of the caller is, if this is the program that sudo started.
fn handed_over(program: &Path) -> Option<(PathBuf, String)> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
    let (uid, gid) = (number("SUDO_UID")?, number("SUDO_GID")?);
    let file = program.parent()?.join(ENVIRONMENT);
    let meta = file.symlink_metadata().ok()?;
    let its_own = meta.is_file() && meta.uid() == uid && meta.mode().trailing_zeros() >= 6;
    (rustix::process::geteuid().is_root() && its_own).then(|| (file, format!("{uid}:{gid}")))
}

/// Puts the caller's environment in place of sudo's: the program is started over with it. `None`: there is nothing to restore.
pub fn restore(name: &OsStr, args: &[OsString]) -> Option<anyhow::Error> {
    let (file, caller) = handed_over(Path::new(name))?;
    Some(start_over(name, args, &file, &caller))
}

#[expect(clippy::disallowed_methods, reason = "it takes the place of this process, so nothing is started")]
fn start_over(name: &OsStr, args: &[OsString], file: &Path, caller: &str) -> anyhow::Error {
    let started = || -> anyhow::Result<std::convert::Infallible> {
        let bytes = std::fs::read(file).context("cannot read the caller's environment")?;
        let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((owned(&pair[..at]), owned(&pair[at + 1..])))
        });
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args);
        let last = Path::new(name).file_name().unwrap_or(name);
        command.arg0(last).env_clear().envs(pairs).env(CALLER, caller);
        Err(command.exec().into())
    };
    match started() {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

/// Takes the caller out of an environment that hooks will see.
pub fn caller(environment: &mut BTreeMap<String, String>) -> Option<(u32, u32)> {
    let text = environment.remove(CALLER)?;
    let (uid, gid) = text.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

/// Gives files to the caller; of directories, all that is in them. Links are not followed.
pub fn give(paths: &[PathBuf], (uid, gid): (u32, u32)) -> std::io::Result<()> {
    for path in paths {
        let Ok(meta) = path.symlink_metadata() else { continue };
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
        if meta.is_dir() {
            let inside: std::io::Result<Vec<PathBuf>> =
                std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect();
            give(&inside?, (uid, gid))?;
        }
    }
    Ok(())
}
