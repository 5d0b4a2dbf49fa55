//! How long it takes from a tree in which one file changed to a finished qcow2: all anew, and from what the build before kept.
//!
//! `bench_incremental TREE [WORK-DIRECTORY] [ROUNDS]`, as root; prints one JSON object. The disk is one ext4 of size auto, the output is
//! compressed by zstd and has its SHA-256. `TREE` is not changed: an overlay is laid over it.
#![allow(clippy::print_stdout, reason = "its output is the result")]

use isotope_disk::populate::Changes;
use isotope_disk::{Assembly, DiskOptions, Incremental};
use isotope_image::export::{self, ExportOptions, kept};
use isotope_plan::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use isotope_plan::{Bytes, Checksum, Compression, Export, Format, Origin};
use nix::mount::MsFlags;
use serde::Serialize;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;
use uuid::Uuid;

/// Seconds of each stage.
#[derive(Default, Serialize)]
struct Run {
    name: &'static str,
    assemble_s: f64,
    finish_s: f64,
    export_s: f64,
    keep_s: f64,
    notes: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let tree = args.next().ok_or("usage: bench_incremental TREE [WORK-DIRECTORY] [ROUNDS]")?;
    let work = args.next().unwrap_or_else(|| PathBuf::from("/var/tmp/bench-incremental"));
    let rounds: usize = args.next().and_then(|arg| arg.to_str()?.parse().ok()).unwrap_or(3);
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?;
    let mut runs = Vec::new();
    for _ in 0..rounds {
        fs::remove_dir_all(&work).ok();
        for dir in ["upper", "overlay", "merged", "mnt", "out"] {
            fs::create_dir_all(work.join(dir))?;
        }
        let (disk, image) = (work.join("kept-disk"), work.join("kept-image"));
        let keep = Incremental { keep: Some(&disk), earlier: None };
        runs.push(run("anew, and kept", &tree, &work, &keep, None)?);
        let (upper, merged) = (work.join("upper"), work.join("merged"));
        let data = format!(
            "lowerdir={},upperdir={},workdir={}",
            tree.display(),
            upper.display(),
            work.join("overlay").display()
        );
        nix::mount::mount(Some("overlay"), &merged, Some("overlay"), MsFlags::empty(), Some(data.as_str()))?;
        fs::write(merged.join("etc/motd"), "a hook has changed this\n")?;
        runs.push(run("changed, anew", &merged, &work, &Incremental::default(), None)?);
        let mut changes = Changes::new();
        changes.add_upper(&upper)?;
        let how = Incremental { earlier: Some((&disk, &changes)), keep: None };
        runs.push(run("changed, from before", &merged, &work, &how, Some(&image))?);
        nix::mount::umount(&merged)?;
    }
    println!("{}", serde_json::to_string_pretty(&runs)?);
    fs::remove_dir_all(&work)?;
    Ok(())
}

fn run(
    name: &'static str,
    tree: &Path,
    work: &Path,
    how: &Incremental<'_>,
    earlier: Option<&Path>,
) -> Result<Run, Box<dyn Error>> {
    let (raw, mountpoint) = (work.join("disk.raw"), work.join("mnt"));
    let mut run = Run { name, ..Run::default() };
    let (layout, options) = (layout(), DiskOptions::new(1_700_000_000, Uuid::from_u128(1)));
    let mut assembly = Assembly {
        layout: &layout,
        tree,
        raw: &raw,
        mountpoint: &mountpoint,
        options: &options,
        progress: &mut |_| {},
    };
    let clock = Instant::now();
    let made = how.make(&mut assembly)?;
    run.assemble_s = clock.elapsed().as_secs_f64();
    run.notes = made.notes;
    let clock = Instant::now();
    made.disk.finish(&mut |_| {})?;
    run.finish_s = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let exports = [Export::new(Format::Qcow2, Compression::Zstd, vec![Checksum::Sha256], "image.qcow2".to_owned())];
    let options = ExportOptions { index: true, earlier: earlier.map(Path::to_owned), ..ExportOptions::default() };
    let outputs = export::disk(&File::open(&raw)?, &exports, &work.join("out"), &options, &|_| {})?;
    run.export_s = clock.elapsed().as_secs_f64();
    let clusters = outputs.first().and_then(|output| output.clusters.as_ref()).ok_or("no clusters")?;
    run.notes.push(format!("{} of {} clusters from before", clusters.reused, clusters.stored));
    run.notes.extend(clusters.note.clone());
    if how.keep.is_some() {
        let clock = Instant::now();
        kept::keep(&work.join("kept-image"), &exports, &outputs)?;
        run.keep_s = clock.elapsed().as_secs_f64();
    }
    Ok(run)
}

fn layout() -> Layout {
    let filesystem = Filesystem {
        kind: FilesystemKind::Ext4,
        label: None,
        uuid: Uuid::from_u128(2),
        mount: Some(Mount { path: "/".to_owned(), options: String::new(), passno: 1 }),
        mkfs_options: Vec::new(),
    };
    let root = Partition {
        name: "root".to_owned(),
        number: 1,
        kind: PartitionKind::Root,
        size: PartitionSize::Auto,
        uuid: Uuid::from_u128(3),
        filesystem: Some(filesystem),
        origin: Origin { element: "bench".to_owned(), file: None, line: None },
    };
    Layout {
        table: Table::Gpt,
        sector_size: SectorSize::B512,
        size: DiskSize::Auto,
        align: Bytes::mib(1),
        disk_id: Uuid::from_u128(4),
        partitions: vec![root],
    }
}
