//! `isotope ostree checkout`: the files of a commit as a directory.

use super::subject::{Subject, Trust};
use crate::context::Context;
use crate::exit::{Class, Failure};
use isotope_ostree::{CheckoutOptions, Checksum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `ostree checkout`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository's directory, a root directory, a URL, or an image
    subject: String,
    /// The directory to make; it must not exist
    dest: PathBuf,
    /// A ref or a commit [default: the default deployment, or the only ref]
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Only this directory of the commit
    #[arg(long, value_name = "PATH", default_value = "/")]
    path: String,
    /// Everything belongs to the caller, even if root does it
    #[arg(long)]
    no_owners: bool,
    /// Take a remote's commit whoever signed it, or nobody
    #[arg(long, conflicts_with_all = ["gpg_key", "ed25519_key"])]
    no_verify: bool,
    #[command(flatten)]
    trust: Trust,
}

/// What was written.
#[derive(Debug, serde::Serialize)]
struct Written<'a> {
    commit: &'a Checksum,
    path: &'a str,
    dest: &'a PathBuf,
}

/// Checks out.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.subject, &args.trust, ctx)?;
    if subject.remote && !args.trust.is_given() && !args.no_verify {
        let message = "nobody is trusted to have signed the remote's commits";
        let hint = "name who: --gpg-key FILE or --ed25519-key KEY; or take it as it is: --no-verify";
        return Err(Failure::new(Class::Usage, message).hint(hint).into());
    }
    let commit = subject.commit(args.rev.as_deref(), Some(&args.path))?;
    let owners = nix::unistd::geteuid().is_root() && !args.no_owners;
    let subpath = Some(args.path.clone()).filter(|path| path != "/");
    subject.repo.checkout(&commit, &args.dest, &CheckoutOptions { subpath, owners, links: false })?;
    let written = Written { commit: &commit, path: &args.path, dest: &args.dest };
    ctx.out.data(&written, || format!("{} of commit {commit} is in {}", args.path, args.dest.display()))?;
    Ok(ExitCode::SUCCESS)
}
