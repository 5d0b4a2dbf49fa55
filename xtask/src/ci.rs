//! What continuous integration runs: formatting, lints, generated files, then the whole test ladder.

use crate::{Xtask, docs, host, tests};
use std::process::ExitCode;
use xshell::cmd;

/// `cargo xtask ci`.
pub fn run(xtask: &Xtask) -> anyhow::Result<ExitCode> {
    host::setup(xtask, host::Need::Everything)?;
    let shell = &xtask.shell;
    {
        let _dir = shell.push_dir(&xtask.root);
        if cmd!(shell, "cargo fmt --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
            cmd!(shell, "cargo fmt --all --check").run()?;
        } else {
            host::say("skipped: formatting (this toolchain has no rustfmt)");
        }
        if cmd!(shell, "cargo clippy --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
            cmd!(shell, "cargo clippy --locked --workspace --all-targets -- -D warnings").run()?;
        } else {
            host::say("skipped: lints (this toolchain has no clippy)");
        }
    }
    docs::run(xtask, &["--check".to_owned()])?;
    tests::run(xtask, &[])
}
