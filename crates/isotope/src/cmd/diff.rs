//! `isotope diff A B`: how two images differ: partitions, boot regions, boot entries, packages, files. Exit code 1 if they do.

use crate::context::Context;
use crate::exit::Class;
use crate::inspect::deployments::{self, Booted};
use crate::inspect::files::{FileFacts, Files};
use crate::inspect::{self, Image, Inspection};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A raw or qcow2 image
    a: PathBuf,
    /// Another one
    b: PathBuf,
    /// Do not compare the files of the root filesystems
    #[arg(long)]
    no_files: bool,
}

/// One difference.
#[derive(Debug, Serialize)]
struct Difference {
    /// `disk`, `region`, `partition`, `boot`, `package`, `file`.
    what: &'static str,
    /// What it is about.
    name: String,
    /// In the first image; absent: not there.
    a: Option<String>,
    /// In the second image.
    b: Option<String>,
}

/// Compares.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let (a, b) = (inspect::inspect(&args.a)?, inspect::inspect(&args.b)?);
    let (image_a, image_b) = (Image::open(&args.a)?, Image::open(&args.b)?);
    let mut found = Vec::new();
    compare(&mut found, "disk", &disk(&a), &disk(&b));
    compare(&mut found, "region", &regions(&image_a)?, &regions(&image_b)?);
    compare(&mut found, "partition", &partitions(&a), &partitions(&b));
    compare(&mut found, "boot", &entries(&a), &entries(&b));
    compare(&mut found, "package", &packages(&a), &packages(&b));
    if !args.no_files {
        compare(&mut found, "file", &tree(&image_a, ctx)?, &tree(&image_b, ctx)?);
    }
    ctx.out.data(&found, || describe(&found))?;
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Class::Verdict.code()) })
}

type Facts = BTreeMap<String, String>;

fn compare(found: &mut Vec<Difference>, what: &'static str, a: &Facts, b: &Facts) {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in names.into_iter().filter(|name| a.get(*name) != b.get(*name)) {
        found.push(Difference { what, name: name.clone(), a: a.get(name).cloned(), b: b.get(name).cloned() });
    }
}

fn describe(found: &[Difference]) -> String {
    if found.is_empty() {
        return "no difference".to_owned();
    }
    let none = "-".to_owned();
    let line = |one: &Difference| {
        let (a, b) = (one.a.as_ref().unwrap_or(&none), one.b.as_ref().unwrap_or(&none));
        format!("{:<10} {}: {a} → {b}\n", one.what, one.name)
    };
    found.iter().map(line).collect::<String>() + &format!("{} differences", found.len())
}

fn disk(found: &Inspection) -> Facts {
    let mut facts = Facts::from([("size".to_owned(), found.virtual_size.to_string())]);
    if let Some(table) = &found.table {
        facts
            .insert("table".to_owned(), format!("{:?} {} sectors of {}", table.kind, table.disk_id, table.sector_size));
    }
    facts
}

/// Digests of the parts whose bytes should be the same for the same inputs: the table, the boot code before the first
/// filesystem, and EFI system and BIOS boot partitions.
fn regions(image: &Image) -> anyhow::Result<Facts> {
    let mut facts = Facts::new();
    let digest = |start: u64, length: u64| -> anyhow::Result<String> {
        let mut hasher = Sha256::new();
        let mut offset = start;
        while offset < start + length {
            let mut buffer = vec![0; usize::try_from((start + length - offset).min(1 << 20))?];
            image.disk.read_exact_at(&mut buffer, offset)?;
            hasher.update(&buffer);
            offset += buffer.len() as u64;
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    };
    facts.insert("first MiB (boot code and partition table)".to_owned(), digest(0, image.disk.size().min(1 << 20))?);
    for entry in image.table.iter().flat_map(|table| &table.partitions) {
        if let Some((start, length)) =
            image.range(entry).filter(|_| matches!(entry.kind.name(), "BIOS boot" | "EFI system"))
        {
            facts.insert(format!("partition {} ({})", entry.number, entry.kind.name()), digest(start, length)?);
        }
    }
    Ok(facts)
}

fn partitions(found: &Inspection) -> Facts {
    let describe = |part: &inspect::PartitionFacts| {
        let filesystem = part.filesystem.as_ref().map(|fs| format!("{} {:?} {:?}", fs.kind, fs.label, fs.uuid));
        format!(
            "{} {}..{} {:?} {}",
            part.type_name,
            part.entry.first_lba,
            part.entry.last_lba,
            part.entry.uuid,
            filesystem.unwrap_or_default()
        )
    };
    found.partitions.iter().map(|part| (format!("{} {}", part.entry.number, part.entry.name), describe(part))).collect()
}

fn entries(found: &Inspection) -> Facts {
    let efi = found
        .boot
        .efi
        .iter()
        .map(|(path, image)| (path.clone(), format!("{:?} signed={}", image.program, image.signed)));
    let menu =
        found.boot.entries.iter().enumerate().map(|(index, title)| (format!("menu entry {index}"), title.clone()));
    efi.chain(menu).collect()
}

fn packages(found: &Inspection) -> Facts {
    let system = found.system.iter().flat_map(|system| &system.packages);
    system.map(|package| (format!("{}:{}", package.name, package.arch), package.version.clone())).collect()
}

/// Every file of the root filesystem: kind, mode, owner, and the digest of its content or its link's target. No times.
fn tree(image: &Image, ctx: &Context) -> anyhow::Result<Facts> {
    let (files, notes) = image.root();
    for note in notes {
        ctx.out.warning(&note);
    }
    let mut facts = Facts::new();
    if let Some(files) = files {
        // Of an atomic system: what is booted by default, as it will see itself; not the repository's thousands of objects.
        match deployments::read(files.as_ref()).first() {
            Some(first) => {
                let booted = Booted::new(files.as_ref(), first);
                walk(&booted, "", &mut facts)?;
            }
            None => walk(files.as_ref(), "", &mut facts)?,
        }
    }
    Ok(facts)
}

fn walk(files: &dyn Files, dir: &str, facts: &mut Facts) -> anyhow::Result<()> {
    let place = if dir.is_empty() { "/" } else { dir };
    for name in files.list(place)? {
        let path = format!("{dir}/{name}");
        let FileFacts { kind, mode, uid, gid, size } = files.facts(&path)?;
        let content = match kind {
            "file" => {
                let digest = Sha256::digest(files.read(&path)?);
                let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                format!("{size} bytes {hex}")
            }
            "symlink" => files.link(&path)?,
            _ => String::new(),
        };
        facts.insert(path.clone(), format!("{kind} {mode:04o} {uid}:{gid} {content}"));
        if kind == "directory" {
            walk(files, &path, facts)?;
        }
    }
    Ok(())
}
