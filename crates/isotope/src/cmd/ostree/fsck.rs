//! `isotope ostree fsck`: every object is there and is what its name says. Exit code 1 if not.

use super::subject::{Subject, Trust};
use crate::context::Context;
use crate::exit::{Class, Failure};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `ostree fsck`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository's directory, a root directory, or an image
    subject: String,
}

/// Checks.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.subject, &Trust::default(), ctx)?;
    if subject.remote {
        let message = "a remote is checked where it is, or object by object when it is pulled";
        return Err(Failure::new(Class::Usage, message).hint("name its directory").into());
    }
    let report = subject.repo.fsck(&mut |_, _| {})?;
    ctx.out.data(&report, || {
        let mut text = String::new();
        for problem in &report.problems {
            writeln!(text, "{}: {}", problem.what, problem.problem).unwrap_or_default();
        }
        for commit in &report.partial {
            writeln!(text, "{commit}: only a part of it was pulled; left out").unwrap_or_default();
        }
        let counts = (report.commits, report.objects, report.problems.len());
        write!(text, "{} commits, {} objects, {} problems", counts.0, counts.1, counts.2).unwrap_or_default();
        text
    })?;
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Class::Verdict.code()) })
}
