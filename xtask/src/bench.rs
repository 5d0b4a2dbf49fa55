//! Benchmarks against peers, in one run each: qemu-img (export), cp and mke2fs (population), mmdebstrap (cold build).

use crate::{Xtask, host};
use anyhow::bail;
use std::process::ExitCode;

/// `cargo xtask bench [export|populate|build]`.
pub fn run(_xtask: &Xtask, args: &[String]) -> anyhow::Result<ExitCode> {
    host::say(&format!("{args:?}"));
    bail!("not yet wired")
}
