//! `isotope ostree diff`: what differs between two commits. Exit code 1 if something does.

use super::subject::{Subject, Trust};
use crate::context::Context;
use crate::exit::{Class, Failure};
use isotope_ostree::{Aspect, Checksum, Diff, FileChange};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Arguments of `ostree diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A repository's directory, a root directory, a URL, or an image
    subject: String,
    /// The old commit [default: the second deployment, or the new commit's parent]
    #[arg(long, value_name = "REV")]
    from: Option<String>,
    /// The new commit [default: the default deployment, or the only ref]
    #[arg(long, value_name = "REV")]
    to: Option<String>,
    /// The new commit is in this repository, root, URL or image
    #[arg(long, value_name = "SUBJECT")]
    with: Option<String>,
    /// Only packages
    #[arg(long)]
    packages: bool,
    #[command(flatten)]
    trust: Trust,
}

/// Compares.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let subject = Subject::open(&args.subject, &args.trust, ctx)?;
    let other = args.with.as_ref().map(|text| Subject::open(text, &args.trust, ctx)).transpose()?;
    let new_side = other.as_ref().unwrap_or(&subject);
    let subdir = if args.packages { None } else { Some("/") };
    let new = new_side.commit(args.to.as_deref(), subdir)?;
    let old = match (&args.from, other.is_some()) {
        (Some(from), _) => subject.commit(Some(from), subdir)?,
        (None, true) => subject.commit(None, subdir)?,
        (None, false) => before(&subject, &new, subdir)?,
    };
    let mut diff = if args.packages {
        let infos = (subject.repo.metadata(&old)?, new_side.repo.metadata(&new)?);
        let packages = isotope_ostree::PackageDiff::between(&infos.0.packages, &infos.1.packages);
        Diff { files: Vec::new(), packages }
    } else {
        subject.repo.diff(&old, &new_side.repo, &new)?
    };
    diff.files.retain(|_| !args.packages);
    ctx.out.data(&diff, || describe(&diff, &old, &new))?;
    Ok(if diff.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(Class::Verdict.code()) })
}

/// What the new commit is compared with when nothing else is said.
fn before(subject: &Subject, new: &Checksum, subdir: Option<&str>) -> anyhow::Result<Checksum> {
    if let Some(second) = subject.deployments.get(1) {
        return Ok(second.checksum.clone());
    }
    let parent = subject.repo.metadata(new)?.parent;
    let parent = parent.ok_or_else(|| {
        Failure::new(Class::Usage, format!("commit {} has no parent to compare it with", new.short()))
            .hint("name the old commit by --from, or another place by --with")
    })?;
    subject.commit(Some(parent.as_str()), subdir)
}

fn describe(diff: &Diff, old: &Checksum, new: &Checksum) -> String {
    let mut text = format!("from {old}\nto   {new}\n");
    if diff.is_empty() {
        return text + "no difference";
    }
    write_all(&mut text, diff).unwrap_or_default();
    text
}

fn write_all(text: &mut String, diff: &Diff) -> std::fmt::Result {
    let packages = &diff.packages;
    for one in &packages.added {
        writeln!(text, "+ package {} {} {}", one.name, one.version, one.arch)?;
    }
    for one in &packages.removed {
        writeln!(text, "- package {} {} {}", one.name, one.version, one.arch)?;
    }
    for (was, is) in &packages.changed {
        writeln!(text, "  package {} {} → {} {}", is.name, was.version, is.version, is.arch)?;
    }
    for change in &diff.files {
        writeln!(text, "{}", line(change))?;
    }
    let counts = (packages.added.len() + packages.removed.len() + packages.changed.len(), diff.files.len());
    writeln!(text, "{} packages, {} files", counts.0, counts.1)
}

fn line(change: &FileChange) -> String {
    let mark = match change.aspects.first() {
        Some(Aspect::Added) => '+',
        Some(Aspect::Removed) => '-',
        _ => ' ',
    };
    let mut words = Vec::new();
    if let (Some(old), Some(new)) = (&change.old, &change.new) {
        for aspect in &change.aspects {
            words.push(match aspect {
                Aspect::Added | Aspect::Removed => continue,
                Aspect::Kind => format!("{:?} → {:?}", old.kind, new.kind).to_lowercase(),
                Aspect::Content => match (&old.target, &new.target) {
                    (Some(old), Some(new)) => format!("→ {old} became → {new}"),
                    _ => format!("{} → {} bytes", old.size, new.size),
                },
                Aspect::Mode => format!("mode {:04o} → {:04o}", old.mode, new.mode),
                Aspect::Owner => format!("owner {}:{} → {}:{}", old.uid, old.gid, new.uid, new.gid),
                Aspect::Xattrs => "attributes".to_owned(),
            });
        }
    }
    let words = if words.is_empty() { String::new() } else { format!("  ({})", words.join(", ")) };
    format!("{mark} {}{words}", change.path)
}
