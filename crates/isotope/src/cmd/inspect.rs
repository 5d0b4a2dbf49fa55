//! `isotope inspect IMAGE`: partitions, filesystems, boot entries, deployments, os-release, packages.

use crate::context::Context;
use crate::inspect::{self, Inspection};
use isotope_plan::Bytes;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A raw or qcow2 image
    image: PathBuf,
    /// List every package
    #[arg(long)]
    packages: bool,
}

/// Inspects.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let inspection = inspect::inspect(&args.image)?;
    ctx.out.data(&inspection, || describe(&inspection, args.packages))?;
    Ok(ExitCode::SUCCESS)
}

fn describe(found: &Inspection, packages: bool) -> String {
    let mut text = String::new();
    write_all(&mut text, found, packages).unwrap_or_default();
    text
}

fn write_all(text: &mut String, found: &Inspection, packages: bool) -> std::fmt::Result {
    writeln!(text, "{}\n  disk {}, file {}", found.image, Bytes(found.virtual_size), Bytes(found.file_size))?;
    match &found.table {
        Some(table) => {
            writeln!(text, "  {:?} table {}, sectors of {} bytes", table.kind, table.disk_id, table.sector_size)?
        }
        None => writeln!(text, "  no partition table")?,
    }
    for problem in found.table.iter().flat_map(|table| &table.problems) {
        writeln!(text, "  problem: {problem}")?;
    }
    for part in &found.partitions {
        let filesystem = part.filesystem.as_ref().map(|fs| {
            let label = fs.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
            format!("{}{label} {}", fs.kind, fs.uuid.as_deref().unwrap_or("-"))
        });
        let (entry, size) = (&part.entry, Bytes(part.bytes));
        let filesystem = filesystem.unwrap_or_else(|| "no filesystem".to_owned());
        writeln!(
            text,
            "  {}  {:<12} {:<20} {:>10}  {filesystem}",
            entry.number,
            entry.name,
            part.type_name,
            size.to_string()
        )?;
    }
    writeln!(text, "boot\n  BIOS  {:?}", found.boot.bios)?;
    for (path, image) in &found.boot.efi {
        writeln!(
            text,
            "  EFI   {path}  {:?}, {}{}",
            image.program,
            image.machine,
            if image.signed { ", signed" } else { "" }
        )?;
    }
    for entry in &found.boot.entries {
        writeln!(text, "  menu  {entry}")?;
    }
    for (place, one) in found.deployments.iter().enumerate() {
        if place == 0 {
            writeln!(text, "deployments")?;
        }
        let index = one.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        let origin = one.origin.as_deref().unwrap_or("no origin");
        writeln!(text, "  {index}  {} {}.{}  {origin}", one.stateroot, one.commit, one.serial)?;
        if let Some(args) = &one.kernel_args {
            writeln!(text, "     {args}")?;
        }
    }
    if let Some(system) = &found.system {
        let name = system.os_release.get("PRETTY_NAME").map_or("unknown system", String::as_str);
        writeln!(text, "system\n  {name}, {} packages", system.packages.len())?;
        for line in &system.fstab {
            writeln!(text, "  fstab {line}")?;
        }
        for package in system.packages.iter().filter(|_| packages) {
            writeln!(text, "  {} {} {}", package.name, package.version, package.arch)?;
        }
    }
    for note in &found.notes {
        writeln!(text, "note: {note}")?;
    }
    Ok(())
}
