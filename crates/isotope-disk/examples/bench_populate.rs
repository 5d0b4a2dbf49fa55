//! How long it takes to bring a tree onto a filesystem in a raw image: Isotope's population, `cp -a` and `mke2fs -d`, in turns.
//!
//! `bench_populate TREE WORK-DIRECTORY [ROUNDS] [FILESYSTEM]` as root; prints one JSON object. Each run starts with an empty image and
//! ends when the filesystem is unmounted (the image complete in the page cache); reading is from a warm cache for all.
#![allow(clippy::print_stdout, reason = "its output is the result")]

use isotope_disk::{DiskOptions, Progress, assemble, populate};
use isotope_plan::layout::{
    DiskSize, Filesystem, FilesystemKind, Layout, Mount, Partition, PartitionKind, PartitionSize, SectorSize, Table,
};
use isotope_plan::{Bytes, Origin};
use isotope_sys::command::Tool;
use isotope_sys::loop_device::{LoopDevice, Part};
use std::cell::RefCell;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;
use uuid::Uuid;

/// One way to do it; says how long it took.
type Run = fn(&Bench) -> Result<f64, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (tree, work) =
        args.next().zip(args.next()).ok_or("usage: bench_populate TREE WORK-DIRECTORY [ROUNDS] [FILESYSTEM]")?;
    let rounds: usize = args.next().and_then(|arg| arg.to_str()?.parse().ok()).unwrap_or(5);
    let kind = match args.next().as_deref().and_then(Path::to_str) {
        Some("xfs") => FilesystemKind::Xfs,
        Some("btrfs") => FilesystemKind::Btrfs,
        _ => FilesystemKind::Ext4,
    };
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    let flags = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?;
    let bench = Bench {
        tree,
        raw: work.join("bench.raw"),
        mountpoint: work.join("bench.mnt"),
        kind,
        stages: RefCell::default(),
    };
    fs::create_dir_all(&bench.mountpoint)?;
    let scan = populate::scan(&bench.tree, &[])?;
    let content = scan.sizes.mounts.get("/").copied().unwrap_or_default();

    // In turns, so that what disturbs one disturbs the others; the round before the first fills the caches and is not counted.
    let mut names: Vec<(&str, Run)> = vec![("isotope", Bench::isotope), ("cp", Bench::cp)];
    if kind == FilesystemKind::Ext4 {
        names.push(("mke2fs", Bench::mke2fs));
    }
    let mut times = vec![Vec::new(); names.len()];
    for round in 0..=rounds {
        for ((_, run), times) in names.iter().zip(&mut times) {
            let seconds = run(&bench)?;
            if round > 0 {
                times.push(seconds);
            }
        }
    }
    fs::remove_file(&bench.raw)?;
    fs::remove_dir(&bench.mountpoint)?;
    let mut json = format!(
        "{{\"tree_bytes\": {}, \"data_bytes\": {}, \"inodes\": {}, \"filesystem\": \"{kind:?}\", \"cores\": {}",
        content.bytes.0,
        scan.data,
        content.inodes,
        std::thread::available_parallelism()?
    );
    for ((name, _), mut times) in names.iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let list: Vec<_> = times.iter().map(|time| format!("{time:.3}")).collect();
        json += &format!(", \"{name}\": {{\"median_s\": {median:.3}, \"all_s\": [{}]}}", list.join(", "));
    }
    let stages: Vec<_> = bench.stages.borrow().iter().map(|(name, time)| format!("{name:?}: {time:.3}")).collect();
    println!("{json}, \"isotope_stages_of_last_run\": {{{}}}}}", stages.join(", "));
    Ok(())
}

struct Bench {
    tree: PathBuf,
    raw: PathBuf,
    mountpoint: PathBuf,
    kind: FilesystemKind,
    /// Of the last run of Isotope: stage and seconds.
    stages: RefCell<Vec<(String, f64)>>,
}

impl Bench {
    fn empty(&self, size: u64) -> Result<File, Box<dyn Error>> {
        if self.raw.exists() {
            fs::remove_file(&self.raw)?;
        }
        // What the run before has left to be written is its own debt.
        rustix::fs::sync();
        let file = File::options().read(true).write(true).create_new(true).open(&self.raw)?;
        file.set_len(size)?;
        Ok(file)
    }

    fn layout(&self) -> Layout {
        let uuid = Uuid::from_u128(0x1507_0be0_0000_4000_8000_0000_0000_0001);
        let mount = Some(Mount { path: "/".into(), options: "defaults".into(), passno: 1 });
        let filesystem = Some(Filesystem { kind: self.kind, label: None, uuid, mount, mkfs_options: vec![] });
        let origin = Origin { element: "bench".into(), file: None, line: None };
        let (kind, size) = (PartitionKind::Root, PartitionSize::Rest);
        let partitions = vec![Partition { name: "root".into(), number: 1, kind, size, uuid, filesystem, origin }];
        let (table, sector_size, size) = (Table::Gpt, SectorSize::B512, DiskSize::Auto);
        Layout { table, sector_size, size, align: Bytes::mib(1), disk_id: uuid, partitions }
    }

    /// The whole of it: measure, partition, mkfs, mount, copy, fstab, trim, unmount.
    fn isotope(&self) -> Result<f64, Box<dyn Error>> {
        drop(self.empty(0)?);
        let start = Instant::now();
        let options = DiskOptions::new(1_700_000_000, Uuid::nil());
        let mut stages = Vec::new();
        let mut note = |progress| {
            if let Progress::Stage(name) = progress {
                stages.push((name, start.elapsed().as_secs_f64()));
            }
        };
        let disk = assemble(&self.layout(), &self.tree, &self.raw, &self.mountpoint, &options, &mut note)?;
        disk.finish(&mut note)?;
        let total = start.elapsed().as_secs_f64();
        let ends = stages.iter().skip(1).map(|(_, at)| *at).chain([total]);
        let each = stages.iter().zip(ends).map(|((name, from), to)| (name.clone(), to - from));
        *self.stages.borrow_mut() = each.collect();
        Ok(total)
    }

    fn size(&self) -> Result<u64, Box<dyn Error>> {
        let scan = populate::scan(&self.tree, &[])?;
        Ok(isotope_plan::geometry::place(&self.layout(), &scan.sizes)?.total_bytes().0)
    }

    /// mkfs and mount with the host's defaults, `cp -a`, unmount.
    fn cp(&self) -> Result<f64, Box<dyn Error>> {
        let size = self.size()?;
        let file = self.empty(size)?;
        let start = Instant::now();
        let device = LoopDevice::attach(&file, Part { offset: 0, length: size, block_size: 512, read_only: false })?;
        let (mkfs, kind) = match self.kind {
            FilesystemKind::Xfs => ("mkfs.xfs", "xfs"),
            FilesystemKind::Btrfs => ("mkfs.btrfs", "btrfs"),
            _ => ("mkfs.ext4", "ext4"),
        };
        Tool::new(mkfs).arg("-q").arg(device.path()).run()?;
        nix::mount::mount(
            Some(device.path()),
            &self.mountpoint,
            Some(kind),
            nix::mount::MsFlags::empty(),
            None::<&str>,
        )?;
        Tool::new("cp").arg("-a").arg(self.tree.join(".")).arg(&self.mountpoint).run()?;
        nix::mount::umount(&self.mountpoint)?;
        drop(device);
        Ok(start.elapsed().as_secs_f64())
    }

    fn mke2fs(&self) -> Result<f64, Box<dyn Error>> {
        drop(self.empty(self.size()?)?);
        let start = Instant::now();
        Tool::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-d"]).arg(&self.tree).arg(&self.raw).run()?;
        Ok(start.elapsed().as_secs_f64())
    }
}
