//! `isotope compose`: from packages to an ostree commit, by a treefile; or from a commit to one with more packages.

use super::build::{self, LayerArgs, WorkArg};
use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::render::{self, LogFormat};
use crate::{subject, timings};
use isotope_build::{BuildOptions, CommitReport, OnError};
use isotope_ostree::Repo;
use isotope_plan::compose::{self, Base, ComposeOptions, Derived, LAYOUT_KEY};
use isotope_plan::treefile::{self, Disk, Request};
use isotope_plan::{HostFacts, Plan, SignKey};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `compose`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The treefile, YAML or JSON
    #[arg(value_name = "TREEFILE", required_unless_present = "from", conflicts_with = "from")]
    treefile: Option<PathBuf>,
    /// The archive repository that gets the commit; made if it is not there
    #[arg(long, value_name = "DIR")]
    repo: PathBuf,
    /// The ref, instead of the treefile's
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// The release that packages are of, instead of the treefile's
    #[arg(long, value_name = "RELEASE", conflicts_with = "from")]
    release: Option<String>,
    /// Set a variable of the treefile; wins over its own
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "from")]
    set: Vec<String>,
    /// Version of the commit [default: as automatic-version-prefix counts]
    #[arg(id = "commit_version", long = "version", value_name = "VERSION")]
    version: Option<String>,
    /// The commit to follow [default: the ref's own]
    #[arg(long, value_name = "REV")]
    parent: Option<String>,
    /// One line about the commit
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Sign the commit: ed25519:FILE (the secret key, base64), or gpg:KEY
    #[arg(long, value_name = "KEY")]
    sign: Vec<String>,
    /// GPG's home directory, for --sign gpg:KEY [default: ~/.gnupg]
    #[arg(long, value_name = "DIR")]
    gpg_homedir: Option<PathBuf>,
    /// Make a static delta from the parent
    #[arg(long)]
    delta: bool,
    /// Compose even if nothing has changed
    #[arg(long)]
    force: bool,
    /// Derive from this commit (or ref) of the repository
    #[arg(long, value_name = "COMMIT", requires = "add")]
    from: Option<String>,
    /// Packages to add to the commit, with --from
    #[arg(long, value_name = "PACKAGE", num_args = 1.., requires = "from")]
    add: Vec<String>,
    /// Also add what those packages recommend
    #[arg(long, requires = "from")]
    recommends: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Where the tree is made: in memory where enough is free, or on disk below the cache directory
    #[arg(long, value_enum, default_value = "auto")]
    work: WorkArg,
    /// Where the tree of a compose that fails is kept [default: nowhere]
    #[arg(long, value_name = "DIR")]
    keep_dir: Option<PathBuf>,
    #[command(flatten)]
    layers: LayerArgs,
    /// Use no network: what the cache does not have is named, and the compose fails
    #[arg(long)]
    offline: bool,
    /// How events are shown
    #[arg(long, value_enum, default_value = "auto")]
    log_format: LogFormat,
    #[command(flatten)]
    timings: timings::Args,
}

/// Composes.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut facts = isotope_build::facts::gather(&ctx.env, &ctx.cache_dir);
    let plan = plan(args, &facts)?;
    if args.dry_run {
        ctx.out.data(&plan, || isotope_plan::show(&plan))?;
        return Ok(ExitCode::SUCCESS);
    }
    for warning in &plan.warnings {
        ctx.out.warning(warning);
    }
    // Key files may lie anywhere.
    let keyrings = isotope_plan::needed_keyrings(&plan).into_keys().filter(|keyring| keyring.is_file());
    facts.keyrings.extend(keyrings.map(Path::to_owned));
    let repo = std::path::absolute(&args.repo)?;
    let beside = repo.parent().unwrap_or(Path::new("/")).to_owned();
    subject::preflight(&plan, &facts, &beside, ctx)?;
    let options = BuildOptions {
        on_error: args.keep_dir.clone().map_or(OnError::Clean, OnError::Keep),
        work: args.work.into(),
        proxy: build::proxy(&ctx.env),
        offline: args.offline,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..BuildOptions::new(beside, ctx.cache_dir.clone())
    };
    let options = args.layers.apply(options, ctx);
    let mut renderer = render::renderer(args.log_format, ctx);
    let timings = args.timings.timings(ctx.env.get(timings::VARIABLE), &plan.name, &options.out_dir);
    let report = build::timed(timings, ctx, |add| {
        isotope_build::run(&plan, &options, &mut |event| {
            add(&event);
            renderer.show(&event);
        })
    })?;
    if args.log_format != LogFormat::Json {
        ctx.out.data(&report, || report.commit.as_ref().map(describe).unwrap_or_default())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The plan that the arguments mean.
fn plan(args: &Args, facts: &HostFacts) -> anyhow::Result<Plan> {
    let options = ComposeOptions {
        repo: std::path::absolute(&args.repo)?,
        reference: args.reference.clone(),
        version: args.version.clone(),
        parent: args.parent.clone(),
        subject: args.subject.clone(),
        sign: args.sign.iter().map(|key| sign_key(key, args)).collect::<Result<_, _>>()?,
        delta: args.delta,
        force: args.force,
    };
    let planned = match (&args.treefile, &args.from) {
        (_, Some(from)) => {
            let base = base(&options.repo, from)?;
            compose::derive(&base, &Derived { add: args.add.clone(), recommends: args.recommends }, &options, facts)
        }
        (Some(file), None) => {
            let file = std::path::absolute(file)?;
            let request = Request { arch: facts.arch, release: args.release.clone(), variables: variables(&args.set)? };
            let treefile = treefile::load(&file, &Disk, &request)
                .map_err(|errors| Failure::new(Class::Configuration, errors.to_string()))?;
            compose::plan(&treefile, &options, facts)
        }
        (None, None) => return Err(Failure::new(Class::Usage, "name a treefile, or a commit with --from").into()),
    };
    planned.map_err(|errors| subject::problems(&errors.problems))
}

/// What a commit says of itself, to derive from it.
fn base(repo: &Path, rev: &str) -> anyhow::Result<Base> {
    let wrong = |error: isotope_ostree::OstreeError| Failure::new(Class::Configuration, error.to_string());
    let repo = Repo::open(repo).map_err(wrong)?;
    let info = repo.metadata(&repo.resolve(rev).map_err(wrong)?).map_err(wrong)?;
    let layout = info.metadata.get(LAYOUT_KEY).and_then(|text| serde_json::from_str(text).ok());
    let Some(layout) = layout else {
        let message = format!("commit {} does not say how its tree was made (metadata {LAYOUT_KEY})", info.checksum);
        return Err(Failure::new(Class::Configuration, message)
            .hint("derive from a commit that `isotope compose` has made from a treefile")
            .into());
    };
    Ok(Base { checksum: info.checksum.to_string(), version: info.version, layout })
}

fn variables(set: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::new(Class::Usage, format!("`--set {text}` has not the form NAME=VALUE")).into()),
    };
    set.iter().map(pair).collect()
}

fn sign_key(text: &str, args: &Args) -> anyhow::Result<SignKey> {
    match text.split_once(':') {
        Some(("ed25519", file)) if !file.is_empty() => Ok(SignKey::Ed25519 { file: std::path::absolute(file)? }),
        Some(("gpg", key)) if !key.is_empty() => {
            let home = args.gpg_homedir.as_ref().map(std::path::absolute).transpose()?;
            Ok(SignKey::Gpg { key: key.to_owned(), home })
        }
        _ => {
            let message = format!("`--sign {text}` names no key");
            Err(Failure::new(Class::Usage, message).hint("write --sign ed25519:FILE, or --sign gpg:KEYID").into())
        }
    }
}

fn describe(commit: &CommitReport) -> String {
    let CommitReport { repo, reference, checksum, version, parent, unchanged, packages: _ } = commit;
    let mut text = format!("{checksum}  {reference}");
    if let Some(version) = version {
        write!(text, "  version {version}").unwrap_or_default();
    }
    text.push('\n');
    match (unchanged, parent) {
        (Some(why), _) => writeln!(text, "no new commit: {why}").unwrap_or_default(),
        (None, Some(parent)) => writeln!(text, "follows {parent}").unwrap_or_default(),
        (None, None) => {}
    }
    writeln!(text, "in {}", repo.display()).unwrap_or_default();
    text
}
