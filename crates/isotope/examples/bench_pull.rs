//! How long a tree takes to be pulled over HTTP into a fresh bare repository: Isotope and `ostree pull`, in turns.
//!
//! `bench_pull REPOSITORY REF WORK-DIRECTORY [ROUNDS]` as root; prints one JSON object. The archive is served on 127.0.0.1 by the
//! harness's own server; the round before the first warms the page cache and is not counted. Signatures are checked by neither. Both sync
//! what they write (`core.fsync`).
#![allow(clippy::print_stdout, reason = "its output is the result")]

use isotope_ostree::{Mode, Pull, Remote, Repo, Verify};
use isotope_sys::command::Tool;
use isotope_vm::http::FileServer;
use serde::Serialize;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Serialize)]
struct Report {
    reference: String,
    objects: u32,
    transferred_bytes: u64,
    isotope_s: Vec<f64>,
    ostree_s: Vec<f64>,
    /// Time of `ostree pull` over ours, both by their best. Target: 1 or more.
    speedup: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let usage = "usage: bench_pull REPOSITORY REF WORK-DIRECTORY [ROUNDS]";
    let source = args.next().ok_or(usage)?;
    let reference = args.next().and_then(|arg| arg.into_os_string().into_string().ok()).ok_or(usage)?;
    let work = args.next().ok_or(usage)?;
    let rounds: usize = args.next().and_then(|arg| arg.to_str()?.parse().ok()).unwrap_or(3);
    let server = FileServer::start(&source)?;
    let repo = work.join("bench-pull");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut objects, mut transferred_bytes) = (0, 0);
    for round in 0..=rounds {
        let started = fresh(&repo)?;
        let into = Repo::create(&repo, Mode::Bare)?;
        into.set_remote(&Remote::new("bench", server.url(), Verify::None))?;
        let pulled = into.pull(&Pull::new("bench", [reference.as_str()]), &mut |_| {})?;
        (objects, transferred_bytes) = (pulled.objects, pulled.bytes);
        let our = started.elapsed().as_secs_f64();

        let started = fresh(&repo)?;
        let option = format!("--repo={}", repo.display());
        let ostree = |args: &[&str]| Tool::new("ostree").args(args).arg(&option).run().map(drop);
        ostree(&["init", "--mode=bare"])?;
        Tool::new("ostree").args(["remote", "add", &option, "--no-gpg-verify", "bench", &server.url()]).run()?;
        Tool::new("ostree").args(["pull", &option, "bench", &reference]).run()?;
        let their = started.elapsed().as_secs_f64();
        if round == 0 {
            ostree(&["fsck", "--quiet"])?;
        } else {
            ours.push(our);
            theirs.push(their);
        }
    }
    std::fs::remove_dir_all(&repo)?;
    let best = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    let speedup = best(&theirs) / best(&ours);
    let report = Report { reference, objects, transferred_bytes, isotope_s: ours, ostree_s: theirs, speedup };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// An empty place, and nothing left to be written from the run before.
fn fresh(repo: &Path) -> Result<Instant, Box<dyn Error>> {
    if repo.exists() {
        std::fs::remove_dir_all(repo)?;
    }
    rustix::fs::sync();
    Ok(Instant::now())
}
