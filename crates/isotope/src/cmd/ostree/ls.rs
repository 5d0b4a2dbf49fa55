//! `isotope ostree ls`: the files of a commit.

use super::subject::{Subject, Trust};
use crate::context::Context;
use crate::exit::{Class, Failure};
use isotope_ostree::{FileKind, TreeEntry};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `ostree ls`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository's directory, a root directory, a URL, or an image
    subject: String,
    /// A path in the commit
    #[arg(default_value = "/")]
    path: String,
    /// A ref or a commit [default: the default deployment, or the only ref]
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// All that is below
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Show extended attributes
    #[arg(short = 'X', long)]
    xattrs: bool,
    /// Show the objects' checksums
    #[arg(short = 'C', long)]
    checksum: bool,
    #[command(flatten)]
    trust: Trust,
}

/// Lists.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.subject, &args.trust, ctx)?;
    let commit = subject.commit(args.rev.as_deref(), Some(&args.path))?;
    let Some(entries) = subject.repo.ls(&commit, &args.path, args.recursive)? else {
        let message = format!("commit {} has no {}", commit.short(), args.path);
        return Err(Failure::new(Class::Usage, message).hint("/etc of a commit is /usr/etc").into());
    };
    ctx.out.data(&entries, || entries.iter().map(|entry| line(entry, args)).collect())?;
    Ok(ExitCode::SUCCESS)
}

fn line(entry: &TreeEntry, args: &Args) -> String {
    let kind = match entry.kind {
        FileKind::File => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
    };
    let mut text = format!("{kind}{:04o} {:>5} {:>5} {:>11} ", entry.mode, entry.uid, entry.gid, entry.size);
    if args.checksum {
        write!(text, "{} ", entry.checksum).unwrap_or_default();
    }
    text.push_str(&entry.path);
    if let Some(target) = &entry.target {
        write!(text, " -> {target}").unwrap_or_default();
    }
    for (name, value) in entry.xattrs.iter().filter(|_| args.xattrs) {
        write!(text, "\n      {name}={value}").unwrap_or_default();
    }
    text.push('\n');
    text
}
