//! `isotope ostree status`: the deployments of an image or of a root directory, the default first.

use super::subject::{Subject, Trust};
use super::time;
use crate::context::Context;
use crate::exit::{Class, Failure};
use isotope_ostree::Deployment;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `ostree status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An image, or a root directory
    subject: String,
}

/// Lists.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.subject, &Trust::default(), ctx)?;
    if subject.remote || !subject.repo.path().ends_with("ostree/repo") {
        let message = format!("{} is a repository: it has refs, not deployments", args.subject);
        return Err(Failure::new(Class::Usage, message).hint("`isotope ostree refs` lists them").into());
    }
    ctx.out.data(&subject.deployments, || {
        let mut text = String::new();
        for deployment in &subject.deployments {
            describe(&mut text, deployment).unwrap_or_default();
        }
        if text.is_empty() { "no deployments".to_owned() } else { text }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn describe(text: &mut String, one: &Deployment) -> std::fmt::Result {
    let marks: Vec<&str> = [(one.index == 0, "default"), (one.pinned, "pinned"), (one.staged, "staged")]
        .into_iter()
        .filter_map(|(holds, word)| holds.then_some(word))
        .collect();
    let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
    writeln!(text, "{} {}.{}{marks}", one.stateroot, one.checksum, one.serial)?;
    let date = one.timestamp.map(|seconds| format!("{} UTC", time(seconds)));
    let kargs = Some(one.kargs.join(" "));
    let rows = [
        ("version", &one.version),
        ("date", &date),
        ("origin", &one.origin),
        ("title", &one.title),
        ("kernel", &one.linux),
        ("kargs", &kargs),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            writeln!(text, "  {name:<8} {value}")?;
        }
    }
    writeln!(text, "  {:<8} /{}", "path", one.path.display())
}
