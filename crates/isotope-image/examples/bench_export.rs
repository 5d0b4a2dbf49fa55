//! How long a raw image takes to become a compressed qcow2: Isotope's writer and `qemu-img convert -c`, in turns.
//!
//! `bench_export RAW [WORK-DIRECTORY] [ROUNDS]`; prints one JSON object. Every run ends with the file on stable storage; the
//! input is in the page cache for all (the round before the first fills it and is not counted). `qemu-img` runs as it is
//! called usually, and with all that makes it faster: 16 coroutines and writes out of order (`-m 16 -W`).
#![allow(clippy::print_stdout, reason = "its output is the result")]

use isotope_image::export::{self, ExportOptions};
use isotope_plan::{Compression, Export, Format};
use isotope_sys::command::Tool;
use serde::Serialize;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Clock ticks a second in /proc/PID/stat (USER_HZ, a constant of the kernel's interface).
const TICKS: f64 = 100.0;

/// Who converts.
enum Contender {
    Isotope(Compression),
    QemuImg(&'static [&'static str]),
}

const CONTENDERS: &[(&str, Contender)] = &[
    ("isotope zstd", Contender::Isotope(Compression::Zstd)),
    ("isotope zlib", Contender::Isotope(Compression::Zlib)),
    ("qemu-img zlib", Contender::QemuImg(&[])),
    ("qemu-img zlib -m 16 -W", Contender::QemuImg(&["-m", "16", "-W"])),
    ("qemu-img zstd", Contender::QemuImg(&["-o", "compression_type=zstd"])),
    ("qemu-img zstd -m 16 -W", Contender::QemuImg(&["-o", "compression_type=zstd", "-m", "16", "-W"])),
];

/// One run.
#[derive(Debug, Clone, Copy, Serialize)]
struct Run {
    wall_s: f64,
    cpu_s: f64,
    bytes: u64,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    /// The fastest run.
    best: Run,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Report {
    virtual_bytes: u64,
    data_bytes: u64,
    processors: usize,
    qemu_img: String,
    rows: Vec<Row>,
    /// Time of qemu-img's zlib over time of our zstd; both by their best. Target: 4 or more.
    zstd_speedup_over_qemu_zlib: f64,
    /// Time of qemu-img's zstd over time of our zstd. Target: 1 or more.
    zstd_speedup_over_qemu_zstd: f64,
    /// Size of our zstd over size of qemu-img's zlib. Target: 1 or less.
    zstd_size_over_qemu_zlib: f64,
    /// Size of our zlib over size of qemu-img's zlib. Target: 1 or less.
    zlib_size_over_qemu_zlib: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let raw = args.next().ok_or("usage: bench_export RAW [WORK-DIRECTORY] [ROUNDS]")?;
    let work = args.next().or_else(|| raw.parent().map(Path::to_owned)).unwrap_or_default();
    let rounds: usize = args.next().and_then(|arg| arg.to_str()?.parse().ok()).unwrap_or(3);
    let out = work.join("bench-export.qcow2");
    let mut runs = vec![Vec::new(); CONTENDERS.len()];
    for round in 0..=rounds {
        for ((name, contender), runs) in CONTENDERS.iter().zip(&mut runs) {
            let run = time(|| convert(contender, &raw, &out), &out)?;
            if round == 0 {
                verify(name, &raw, &out)?;
            } else {
                runs.push(run);
            }
            std::fs::remove_file(&out)?;
        }
    }
    let report = report(&raw, runs)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

fn convert(contender: &Contender, raw: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    match contender {
        Contender::Isotope(compression) => {
            let file_name = out.file_name().and_then(|name| name.to_str()).ok_or("no name")?.to_owned();
            let export = Export::new(Format::Qcow2, *compression, Vec::new(), file_name);
            let dir = out.parent().ok_or("no directory")?;
            export::disk(&File::open(raw)?, &[export], dir, &ExportOptions::default(), &|_| {})?;
        }
        Contender::QemuImg(extra) => {
            let convert = Tool::new("qemu-img").args(["convert", "-c", "-f", "raw", "-O", "qcow2"]);
            convert.args(*extra).arg(raw).arg(out).run()?;
            File::open(out)?.sync_all()?;
        }
    }
    Ok(())
}

fn time(run: impl FnOnce() -> Result<(), Box<dyn Error>>, out: &Path) -> Result<Run, Box<dyn Error>> {
    let (cpu, clock) = (processor_time()?, Instant::now());
    run()?;
    let wall_s = clock.elapsed().as_secs_f64();
    Ok(Run { wall_s, cpu_s: processor_time()? - cpu, bytes: std::fs::metadata(out)?.len() })
}

/// Seconds of processor time of this process and of the children that it waited for (proc_pid_stat(5), fields 14 to 17).
fn processor_time() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(") ").ok_or("no fields in /proc/self/stat")?.1;
    let ticks: Result<Vec<f64>, _> = fields.split_ascii_whitespace().skip(11).take(4).map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / TICKS)
}

fn verify(name: &str, raw: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    Tool::new("qemu-img")
        .args(["check", "-q", "-f", "qcow2"])
        .arg(out)
        .run()
        .map_err(|error| format!("{name}: {error}"))?;
    let compare = Tool::new("qemu-img").args(["compare", "-q", "-f", "raw", "-F", "qcow2"]);
    compare.arg(raw).arg(out).run().map_err(|error| format!("{name}: {error}"))?;
    Ok(())
}

fn report(raw: &Path, runs: Vec<Vec<Run>>) -> Result<Report, Box<dyn Error>> {
    let file = File::open(raw)?;
    let virtual_bytes = file.metadata()?.len();
    let mut rows = Vec::new();
    for ((name, _), runs) in CONTENDERS.iter().zip(runs) {
        let best = runs.iter().copied().min_by(|a, b| a.wall_s.total_cmp(&b.wall_s)).ok_or("no rounds")?;
        rows.push(Row { name, best, runs });
    }
    let fastest = |begin: &str| {
        let of_name = rows.iter().filter(|row| row.name.starts_with(begin)).map(|row| row.best);
        of_name.min_by(|a, b| a.wall_s.total_cmp(&b.wall_s)).ok_or("no such contender")
    };
    let (zstd, zlib) = (fastest("isotope zstd")?, fastest("isotope zlib")?);
    let (qemu_zlib, qemu_zstd) = (fastest("qemu-img zlib")?, fastest("qemu-img zstd")?);
    // Out of order, qemu-img packs less tightly: its smallest counts.
    let qemu_bytes = rows.iter().filter(|row| row.name.starts_with("qemu-img zlib")).map(|row| row.best.bytes).min();
    let qemu_bytes = qemu_bytes.ok_or("no such contender")? as f64;
    Ok(Report {
        virtual_bytes,
        data_bytes: isotope_image::sparse::data_size(&file, virtual_bytes)?,
        processors: std::thread::available_parallelism()?.get(),
        qemu_img: Tool::new("qemu-img").arg("--version").run()?.text().lines().next().unwrap_or_default().to_owned(),
        zstd_speedup_over_qemu_zlib: qemu_zlib.wall_s / zstd.wall_s,
        zstd_speedup_over_qemu_zstd: qemu_zstd.wall_s / zstd.wall_s,
        zstd_size_over_qemu_zlib: zstd.bytes as f64 / qemu_bytes,
        zlib_size_over_qemu_zlib: zlib.bytes as f64 / qemu_bytes,
        rows,
    })
}
