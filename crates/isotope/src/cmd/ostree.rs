//! `isotope ostree …`: looks into repositories, remotes and images with atomic systems, without booting them.

mod checkout;
mod diff;
mod fsck;
mod log;
mod ls;
mod refs;
mod status;
mod subject;

use crate::context::Context;
use crate::exit::{Class, Failure};
use isotope_ostree::{ErrorClass, OstreeError};
use isotope_plan::calendar::Moment;
use std::process::ExitCode;

/// Arguments of `ostree`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the refs, and what they point at
    Refs(refs::Args),
    /// Show a commit and those before it
    Log(log::Args),
    /// List the files of a commit
    Ls(ls::Args),
    /// List the deployments of an image or of a root directory
    Status(status::Args),
    /// Compare two commits: files and packages
    Diff(diff::Args),
    /// Write the files of a commit to a new directory
    Checkout(checkout::Args),
    /// Read and digest every object
    Fsck(fsck::Args),
}

/// Runs one of them.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let result = match &args.what {
        What::Refs(args) => refs::run(args, ctx),
        What::Log(args) => log::run(args, ctx),
        What::Ls(args) => ls::run(args, ctx),
        What::Status(args) => status::run(args, ctx),
        What::Diff(args) => diff::run(args, ctx),
        What::Checkout(args) => checkout::run(args, ctx),
        What::Fsck(args) => fsck::run(args, ctx),
    };
    result.map_err(classed)
}

/// Gives an error of isotope-ostree its exit code.
fn classed(error: anyhow::Error) -> anyhow::Error {
    let Some(cause) = error.downcast_ref::<OstreeError>() else { return error };
    let class = match cause.class() {
        ErrorClass::Asked => Class::Usage,
        ErrorClass::Content => Class::Configuration,
        ErrorClass::Host => Class::Environment,
        ErrorClass::Remote => Class::Remote,
    };
    // The failure says what the error says; below it come the error's causes.
    let message = cause.to_string();
    match error.downcast::<OstreeError>() {
        Ok(cause) => match std::error::Error::source(&cause).map(ToString::to_string) {
            Some(source) => anyhow::Error::msg(source).context(Failure::new(class, message)),
            None => Failure::new(class, message).into(),
        },
        Err(error) => error,
    }
}

/// Seconds since 1970 as `2026-01-31 12:00:00`, in UTC.
fn time(seconds: u64) -> String {
    Moment::of(seconds).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_date_says() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_700_000_000, "2023-11-14 22:13:20"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }
}
