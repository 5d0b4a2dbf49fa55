//! The test ladder: unit (no privilege, no network), host (root, loop devices, mirrors), vm (boots in QEMU).

use crate::{Xtask, host};
use anyhow::bail;
use std::process::ExitCode;
use std::time::Instant;
use xshell::cmd;

/// A rung of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    Unit,
    Host,
    Vm,
}

/// `cargo xtask test [unit|host|vm|all]`.
pub fn run(xtask: &Xtask, args: &[String]) -> anyhow::Result<ExitCode> {
    let rungs: &[Rung] = match args.first().map(String::as_str) {
        None | Some("all") => &[Rung::Unit, Rung::Host, Rung::Vm],
        Some("unit") => &[Rung::Unit],
        Some("host") => &[Rung::Host],
        Some("vm") => &[Rung::Vm],
        Some(other) => bail!("there is no test rung `{other}`; there are unit, host, vm and all"),
    };
    let need = if rungs == [Rung::Unit] { host::Need::Build } else { host::Need::Everything };
    host::setup(xtask, need)?;
    for rung in rungs {
        let start = Instant::now();
        climb(xtask, *rung)?;
        host::say(&format!("{rung:?} tests passed in {:.0} s", start.elapsed().as_secs_f64()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Tests whose names begin with `host_` or `vm_` belong to those rungs; all others are unit tests.
fn climb(xtask: &Xtask, rung: Rung) -> anyhow::Result<()> {
    let shell = &xtask.shell;
    let _dir = shell.push_dir(&xtask.root);
    match rung {
        Rung::Unit => cmd!(shell, "cargo test --locked --workspace -- --skip host_ --skip vm_").run()?,
        Rung::Host => {
            if !host::is_root() {
                bail!("the host tests attach loop devices and mount: run them as root (sudo -E cargo xtask test host)");
            }
            host::compile(xtask, host::Profile::Dev)?;
            let _dib = shell.push_env(host::DIB_VARIABLE, host::dib(xtask)?);
            cmd!(shell, "cargo test --locked --workspace --tests -- host_ --test-threads=2").run()?;
        }
        Rung::Vm => {
            if !host::is_root() {
                bail!("the VM tests build images: run them as root (sudo -E cargo xtask test vm)");
            }
            host::compile(xtask, host::Profile::Dev)?;
            let _dib = shell.push_env(host::DIB_VARIABLE, host::dib(xtask)?);
            cmd!(shell, "cargo test --locked --workspace --test vm").run()?;
        }
    }
    Ok(())
}
