//! `isotope ostree log`: a commit and those before it.

use super::subject::{Subject, Trust};
use super::time;
use crate::context::Context;
use isotope_ostree::CommitInfo;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `ostree log`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository's directory, a root directory, a URL, or an image
    subject: String,
    /// A ref or a commit [default: the default deployment, or the only ref]
    rev: Option<String>,
    /// List the packages
    #[arg(long)]
    packages: bool,
    #[command(flatten)]
    trust: Trust,
}

/// Shows.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.subject, &args.trust, ctx)?;
    let commit = subject.commit(args.rev.as_deref(), None)?;
    subject.fetch_history(&commit)?;
    let log = subject.repo.log(commit.as_str())?;
    ctx.out.data(&log, || {
        let mut text = String::new();
        for info in &log {
            describe(&mut text, info, args.packages).unwrap_or_default();
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn describe(text: &mut String, info: &CommitInfo, packages: bool) -> std::fmt::Result {
    writeln!(text, "commit {}", info.checksum)?;
    if let Some(parent) = &info.parent {
        writeln!(text, "  parent    {parent}")?;
    }
    writeln!(text, "  date      {} UTC", time(info.timestamp))?;
    for (name, value) in [("version", &info.version), ("kernel", &info.linux), ("content", &info.content)] {
        if let Some(value) = value {
            writeln!(text, "  {name:<9} {value}")?;
        }
    }
    if let (Some(unpacked), Some(archived)) = (info.unpacked, info.archived) {
        writeln!(text, "  size      {unpacked}, {archived} to download")?;
    }
    if !info.signed.is_empty() {
        writeln!(text, "  signed    {} (not checked here)", info.signed.join(", "))?;
    }
    if !info.packages.is_empty() {
        writeln!(text, "  packages  {}", info.packages.len())?;
    }
    for (key, value) in info.metadata.iter().filter(|(key, _)| !["version", "ostree.linux"].contains(&key.as_str())) {
        writeln!(text, "  {key} = {value}")?;
    }
    writeln!(text)?;
    for line in [info.subject.as_str()].into_iter().chain(info.body.lines()).filter(|line| !line.is_empty()) {
        writeln!(text, "    {line}")?;
    }
    for package in info.packages.iter().filter(|_| packages) {
        writeln!(text, "    {} {} {}", package.name, package.version, package.arch)?;
    }
    writeln!(text)
}
