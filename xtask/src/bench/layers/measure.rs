//! One timed build: wall and CPU seconds, and the memory that it took from the host.

use super::{Ask, Contender};
use crate::Xtask;
use crate::bench::time;
use anyhow::Context;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use xshell::cmd;

/// What a build took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Seconds.
    pub wall: f64,
    /// Seconds of user and system time.
    pub cpu: f64,
    /// MiB that were available before and were not at the worst moment. Page cache is available; tmpfs is not.
    pub memory: u64,
}

/// Makes ready and builds.
pub(super) fn one(xtask: &Xtask, contender: &Contender, ask: Ask, log: &Path) -> anyhow::Result<Sample> {
    (contender.prepare)(xtask, ask)?;
    // What the build before has left to be written is not this one's work.
    cmd!(xtask.shell, "sync").quiet().run()?;
    let line = (contender.line)(ask);
    let before = available()?;
    let done = AtomicBool::new(false);
    let (timed, least) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut least = before;
            while !done.load(Ordering::Relaxed) {
                least = least.min(available().unwrap_or(least));
                std::thread::sleep(Duration::from_millis(50));
            }
            least
        });
        let timed = time(xtask, &line, log);
        done.store(true, Ordering::Relaxed);
        (timed, watch.join().unwrap_or(before))
    });
    let time = timed?;
    Ok(Sample { wall: time.wall, cpu: time.cpu, memory: before.saturating_sub(least) / 1024 })
}

/// KiB.
fn available() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("/proc/meminfo does not say what is available")
}

/// MiB that a directory takes; 0 if it is not there.
pub(super) fn disk(xtask: &Xtask, dir: &Path) -> anyhow::Result<u64> {
    if !dir.exists() {
        return Ok(0);
    }
    let text = cmd!(xtask.shell, "du -smx {dir}").quiet().ignore_status().read()?;
    text.split_whitespace().next().and_then(|number| number.parse().ok()).context("du printed no number")
}
