//! How long a raw image takes to become a qcow2 (zstd, with its SHA-256) from nothing, and from the image made before.
//!
//! `bench_reuse RAW [WORK-DIRECTORY] [ROUNDS]`; prints one JSON object. Every run ends with the file on stable storage; the input is in the
//! page cache. `RAW` may be followed by `:RAW2`: the second disk is then made from the image of the first.
#![allow(clippy::print_stdout, reason = "its output is the result")]

use isotope_image::export::{self, Clusters, ExportOptions};
use isotope_plan::{Checksum, Compression, Export, Format};
use serde::Serialize;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Serialize)]
struct Run {
    name: &'static str,
    wall_s: f64,
    stored: u64,
    reused: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let raws = args.next().ok_or("usage: bench_reuse RAW[:RAW2] [WORK-DIRECTORY] [ROUNDS]")?;
    let (raw, second) = raws.split_once(':').unwrap_or((&raws, &raws));
    let work = args.next().map_or_else(|| Path::new(raw).with_file_name("bench-reuse"), PathBuf::from);
    let rounds: u32 = args.next().map_or(Ok(3), |rounds| rounds.parse())?;
    let earlier = work.join("earlier");
    std::fs::create_dir_all(&earlier)?;
    let mut runs = Vec::new();
    for round in 0..=rounds {
        let (first, clusters) = run("from nothing", raw, &earlier, None)?;
        std::fs::write(earlier.join("image.qcow2.clusters"), clusters.index.to_bytes())?;
        let (again, _) = run("from the image before", second, &work, Some(earlier.clone()))?;
        if round > 0 {
            runs.extend([first, again]);
        }
    }
    println!("{}", serde_json::to_string_pretty(&runs)?);
    std::fs::remove_dir_all(&work)?;
    Ok(())
}

fn run(name: &'static str, raw: &str, out: &Path, earlier: Option<PathBuf>) -> Result<(Run, Clusters), Box<dyn Error>> {
    let export = Export::new(Format::Qcow2, Compression::Zstd, vec![Checksum::Sha256], "image.qcow2".to_owned());
    let options = ExportOptions { index: true, earlier, ..ExportOptions::default() };
    let clock = Instant::now();
    let made = export::disk(&File::open(raw)?, &[export], out, &options, &|_| {})?;
    let wall_s = clock.elapsed().as_secs_f64();
    let clusters = made.into_iter().next().and_then(|made| made.clusters).ok_or("no clusters")?;
    Ok((Run { name, wall_s, stored: clusters.stored, reused: clusters.reused }, clusters))
}
