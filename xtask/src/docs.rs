//! Generated documentation: manual pages, completions, JSON Schemas, the element catalogue, the CLI reference.

use crate::{Xtask, host};
use anyhow::bail;
use std::process::ExitCode;
use xshell::cmd;

/// `cargo xtask docs [--check]`.
pub fn run(xtask: &Xtask, args: &[String]) -> anyhow::Result<ExitCode> {
    let isotope = host::compile(xtask, host::Profile::Dev)?;
    let shell = &xtask.shell;
    let committed = xtask.root.join("docs/generated");
    if args.iter().any(|arg| arg == "--check") {
        let fresh = xtask.root.join("target/docs-check");
        shell.remove_path(&fresh)?;
        cmd!(shell, "{isotope} generate {fresh}").quiet().run()?;
        if cmd!(shell, "diff -r -u {committed} {fresh}").quiet().run().is_err() {
            bail!("docs/generated is not current; run `cargo xtask docs` and commit");
        }
    } else {
        shell.remove_path(&committed)?;
        cmd!(shell, "{isotope} generate {committed}").quiet().run()?;
    }
    Ok(ExitCode::SUCCESS)
}
