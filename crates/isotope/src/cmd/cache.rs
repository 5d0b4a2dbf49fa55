//! `isotope cache`: what is kept between builds, and throwing it away.

mod repository;
mod share;

use crate::context::Context;
use anyhow::Context as _;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Arguments of `cache`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List what is kept, with sizes
    Ls,
    /// Remove what is kept
    Prune {
        /// Only files older than this many days
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u64>,
    },
    /// Give layers to an OCI registry, so that other machines need not build them
    Push(share::Push),
    /// Take layers from an OCI registry
    Pull(share::Pull),
}

/// One part of the cache: a directory directly below it.
#[derive(Debug, serde::Serialize)]
struct Part {
    name: String,
    files: u64,
    bytes: u64,
}

/// Lists or prunes.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::Ls => {
            let parts = parts(&ctx.cache_dir)?;
            ctx.out.data(&parts, || {
                let mut text = format!("{}\n", ctx.cache_dir.display());
                for part in &parts {
                    writeln!(text, "  {:<24} {:>6} files  {}", part.name, part.files, isotope_plan::Bytes(part.bytes))
                        .unwrap_or_default();
                }
                text
            })?;
        }
        What::Prune { older_than } => {
            let before = older_than.map(|days| SystemTime::now() - Duration::from_secs(days.saturating_mul(86400)));
            let mut total = Part { name: "removed".to_owned(), files: 0, bytes: 0 };
            prune(&ctx.cache_dir, before, &mut total)?;
            ctx.out.data(&total, || format!("removed {} files, {}", total.files, isotope_plan::Bytes(total.bytes)))?;
        }
        What::Push(args) => return share::push(args, ctx),
        What::Pull(args) => return share::pull(args, ctx),
    }
    Ok(ExitCode::SUCCESS)
}

fn parts(dir: &Path) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for entry in entries(dir)? {
        let mut part = Part { name: entry.file_name().to_string_lossy().into_owned(), files: 0, bytes: 0 };
        measure(&entry.path(), &mut part)?;
        parts.push(part);
    }
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(parts)
}

fn entries(dir: &Path) -> anyhow::Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(dir) {
        Ok(entries) => entries.collect::<Result<_, _>>().with_context(|| format!("cannot list {}", dir.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", dir.display())),
    }
}

fn measure(path: &Path, part: &mut Part) -> anyhow::Result<()> {
    let own = path.symlink_metadata().with_context(|| format!("cannot look at {}", path.display()))?;
    if own.is_dir() {
        for entry in entries(path)? {
            measure(&entry.path(), part)?;
        }
    } else {
        part.files += 1;
        part.bytes += own.len();
    }
    Ok(())
}

/// Removes files, and directories that are empty then; never a directory with something in it, and nothing of a running build,
/// whose work directory is locked.
fn prune(dir: &Path, before: Option<SystemTime>, total: &mut Part) -> anyhow::Result<()> {
    for entry in entries(dir)? {
        let path = entry.path();
        let own = path.symlink_metadata()?;
        if own.is_dir() {
            if locked(&path) {
                continue;
            }
            if repository::is(&path) {
                repository::prune(&path, before, total)?;
                continue;
            }
            prune(&path, before, total)?;
            // Not empty: something in it is young, or in use.
            drop(std::fs::remove_dir(&path));
        } else if before.is_none_or(|before| own.modified().is_ok_and(|modified| modified < before)) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            total.files += 1;
            total.bytes += own.len();
        }
    }
    Ok(())
}

/// Whether a directory, or a file `lock` in it, is locked by a running build.
fn locked(dir: &Path) -> bool {
    [dir.to_owned(), dir.join("lock")].iter().any(|path| {
        std::fs::File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
    })
}
