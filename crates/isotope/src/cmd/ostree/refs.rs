//! `isotope ostree refs`: all refs, with version, time and commit.

use super::subject::{Subject, Trust};
use super::time;
use crate::context::Context;
use isotope_ostree::{CommitInfo, OstreeError};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `ostree refs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository's directory, a root directory, a URL, or an image
    subject: String,
    #[command(flatten)]
    trust: Trust,
}

/// Lists.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.subject, &args.trust, ctx)?;
    let refs: BTreeMap<String, CommitInfo> = match subject.remote_name() {
        Some(name) => {
            let url = args.subject.clone();
            subject.repo.remote_refs(name)?.ok_or(OstreeError::NoSummary { url })?
        }
        None => {
            let refs = subject.repo.refs()?;
            let infos = refs.into_iter().map(|(name, commit)| Ok((name, subject.repo.metadata(&commit)?)));
            infos.collect::<Result<_, OstreeError>>()?
        }
    };
    ctx.out.data(&refs, || {
        let mut text = String::new();
        for (name, info) in &refs {
            let version = info.version.as_deref().unwrap_or("-");
            writeln!(text, "{}  {}  {version:<16} {name}", info.checksum.short(), time(info.timestamp))
                .unwrap_or_default();
        }
        if refs.is_empty() { "no refs".to_owned() } else { text }
    })?;
    Ok(ExitCode::SUCCESS)
}
