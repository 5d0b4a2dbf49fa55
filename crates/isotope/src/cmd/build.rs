//! `isotope build`: settle the recipe, make the plan, check the host, run it, say what came out.

use super::lock;
use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::render::{self, LogFormat};
use crate::subject::{self, Subject};
use crate::timings::{self, Timings};
use crate::upkeep;
use isotope_build::{BuildError, BuildOptions, Event, FailureClass, OnError, Refresh, Report, WorkPlace};
use isotope_plan::lock::Lock;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `build`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: subject::Args,
    /// Directory that gets the outputs
    #[arg(long, value_name = "DIR", default_value = ".")]
    output_dir: PathBuf,
    /// What to do with the state of a build that fails
    #[arg(long, value_enum, default_value = "clean")]
    on_error: OnErrorArg,
    /// Where `--on-error=keep` leaves the tree [default: OUTPUT_DIR/NAME.failed]
    #[arg(long, value_name = "DIR")]
    keep_dir: Option<PathBuf>,
    /// Where the tree is made: in memory where enough is free, or on disk below the cache directory
    #[arg(long, value_enum, default_value = "auto")]
    work: WorkArg,
    #[command(flatten)]
    layers: LayerArgs,
    /// Threads for compression and copying [default: all processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Build from exactly the packages and commits of the lock file beside the recipe (`isotope lock`), or fail
    #[arg(long)]
    locked: bool,
    /// The lock file, with --locked, which it implies [default: the recipe's path with .lock]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Use no network: what the cache does not have is named, and the build fails
    #[arg(long)]
    offline: bool,
    /// How events are shown
    #[arg(long, value_enum, default_value = "auto")]
    log_format: LogFormat,
    #[command(flatten)]
    timings: timings::Args,
    #[command(flatten)]
    upkeep: upkeep::Args,
}

impl Args {
    /// The lock to build from, if it is to be built from one.
    fn lock(&self, recipe: Option<&Path>) -> anyhow::Result<Option<Lock>> {
        if !self.locked && self.lock.is_none() {
            return Ok(None);
        }
        let file = lock::place(self.lock.as_deref(), recipe, "--lock")?;
        let none = || {
            let message = format!("there is no lock file {}", file.display());
            Failure::new(Class::Usage, message).hint("write it with `isotope lock RECIPE`, or name another with --lock")
        };
        Ok(Some(lock::read(&file)?.ok_or_else(none)?))
    }
}

/// What to do with the state of a build that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnErrorArg {
    /// Throw it away
    Clean,
    /// Keep the tree in a directory
    Keep,
    /// Open a shell in the sandbox of the step that failed
    Shell,
}

/// What is taken from earlier builds, and what is left for later ones.
#[derive(Debug, clap::Args)]
pub(super) struct LayerArgs {
    /// Do again what an earlier build has done: everything, or the steps of an element and what follows them
    #[arg(long, value_name = "ELEMENT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    refresh: Vec<String>,
    /// Take images, composes and layers that the cache does not have from a registry: HOST[:PORT]/REPOSITORY; may be given several times
    #[arg(long, value_name = "REGISTRY", conflicts_with_all = ["no_layers", "offline"])]
    cache_from: Vec<String>,
    /// Give image, composes and layers of the build to a registry when it has succeeded, also those that the cache had
    #[arg(long, value_name = "REGISTRY", conflicts_with_all = ["no_layers", "offline"])]
    cache_to: Option<String>,
    /// Neither take what earlier builds left as layers in the cache nor leave any
    #[arg(long, conflicts_with = "refresh")]
    no_layers: bool,
}

impl LayerArgs {
    /// `options` with them.
    pub(super) fn apply(&self, options: BuildOptions, ctx: &Context) -> BuildOptions {
        BuildOptions {
            layers: !self.no_layers,
            refresh: refresh(&self.refresh),
            cache_from: self.cache_from.clone(),
            cache_to: self.cache_to.clone(),
            credentials: ctx.env.clone(),
            fixed_clock: ctx.env.contains_key("SOURCE_DATE_EPOCH"),
            ..options
        }
    }
}

/// Where the tree is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum WorkArg {
    /// In memory where enough of it is free
    Auto,
    /// In memory
    Memory,
    /// On disk
    Disk,
}

impl From<WorkArg> for WorkPlace {
    fn from(arg: WorkArg) -> Self {
        match arg {
            WorkArg::Auto => Self::Auto,
            WorkArg::Memory => Self::Memory,
            WorkArg::Disk => Self::Disk,
        }
    }
}

/// Builds.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let Subject { plan, facts, recipe } = subject::settle(&args.subject, ctx)?;
    let lock = args.lock(recipe.as_deref())?;
    for warning in &plan.warnings {
        ctx.out.warning(warning);
    }
    subject::preflight(&plan, &facts, &args.output_dir, ctx)?;
    let bound = args.upkeep.bound(ctx.env.get(upkeep::VARIABLE))?;
    let output_dir = std::path::absolute(&args.output_dir)?;
    let options = BuildOptions {
        on_error: match args.on_error {
            OnErrorArg::Clean => OnError::Clean,
            OnErrorArg::Shell => OnError::Shell,
            OnErrorArg::Keep => {
                OnError::Keep(args.keep_dir.clone().unwrap_or_else(|| output_dir.join(format!("{}.failed", plan.name))))
            }
        },
        work: args.work.into(),
        jobs: args.jobs,
        proxy: proxy(&ctx.env),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        lock,
        offline: args.offline,
        ..BuildOptions::new(output_dir, ctx.cache_dir.clone())
    };
    let options = args.layers.apply(options, ctx);
    let mut renderer = render::renderer(args.log_format, ctx);
    let timings = args.timings.timings(ctx.env.get(timings::VARIABLE), &plan.name, &options.out_dir);
    let ended = timed(timings, ctx, |add| {
        isotope_build::run(&plan, &options, &mut |event| {
            add(&event);
            renderer.show(&event);
        })
    });
    if let Some(told) = bound.keep(&ctx.cache_dir) {
        ctx.out.note(&told);
    }
    let report = ended?;
    if args.log_format != LogFormat::Json {
        ctx.out.data(&report, || describe(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a build whose events go to the timings, too; then tells and writes those, also of a build that fails.
pub(super) fn timed(
    mut timings: Option<Timings>,
    ctx: &Context,
    build: impl FnOnce(&mut dyn FnMut(&Event)) -> Result<Report, BuildError>,
) -> anyhow::Result<Report> {
    let ended = build(&mut |event| {
        if let Some(timings) = &mut timings {
            timings.add(event);
        }
    });
    let told = timings.map(Timings::finish).transpose();
    // The build's own error wins.
    let report = ended.map_err(explain);
    match told {
        Ok(told) => told.into_iter().for_each(|text| ctx.out.note(&text)),
        Err(error) if report.is_err() => ctx.out.warning(&error.to_string()),
        Err(error) => return Err(error),
    }
    report
}

/// `--refresh`, without a name or with some.
fn refresh(names: &[String]) -> Refresh {
    match names {
        [] => Refresh::Nothing,
        names if names.iter().any(String::is_empty) => Refresh::Everything,
        names => Refresh::Elements(names.to_vec()),
    }
}

/// Proxy settings, the only part of the caller's environment that a build sees.
pub(super) fn proxy(env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    ["http_proxy", "https_proxy", "no_proxy"]
        .iter()
        .filter_map(|name| {
            let value = env.get(*name).or_else(|| env.get(&name.to_uppercase()))?;
            Some(((*name).to_owned(), value.clone()))
        })
        .collect()
}

fn describe(report: &Report) -> String {
    let mut text = String::new();
    for output in &report.outputs {
        let digest = output.digests.iter().next().map(|(kind, hex)| format!("  {kind:?} {hex}").to_lowercase());
        writeln!(text, "{}  {}{}", output.path.display(), isotope_plan::Bytes(output.size), digest.unwrap_or_default())
            .unwrap_or_default();
    }
    text
}

/// A build's error with its class and what to do about it.
pub fn explain(error: BuildError) -> anyhow::Error {
    let failure = match error {
        BuildError::Failed(failure) => {
            let class = match failure.class {
                FailureClass::Configuration => Class::Build,
                FailureClass::Environment => Class::Environment,
                FailureClass::Remote => Class::Remote,
                _ => Class::Internal,
            };
            let mut message = String::new();
            if let (Some(step), Some(title)) = (&failure.step, &failure.title) {
                let origin =
                    failure.origin.as_ref().map(|origin| format!(" of element {}", origin.element)).unwrap_or_default();
                write!(message, "step {step} ({title}){origin} failed\n  ").unwrap_or_default();
            }
            message.push_str(&failure.message);
            if !failure.tail.is_empty() {
                message.push_str("\n  its last output:");
                for line in &failure.tail {
                    write!(message, "\n    {line}").unwrap_or_default();
                }
            }
            let mut hints = failure.hints.clone();
            if let Some(log) = &failure.log {
                hints.push(format!("the full log is {}", log.display()));
            }
            Failure { class, message, hints }
        }
        BuildError::Preflight(problems) => Failure {
            class: Class::Environment,
            message: problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            hints: problems.into_iter().filter_map(|problem| problem.hint).collect(),
        },
        BuildError::Interrupted { signal } | BuildError::Killed { signal } => {
            Failure::new(Class::Interrupted(u8::try_from(signal).unwrap_or(9)), error.to_string())
        }
        BuildError::Io { .. } | BuildError::Namespace(_) => {
            return anyhow::Error::new(error).context(Failure::new(Class::Environment, "the build could not start"));
        }
        other => return other.into(),
    };
    failure.into()
}
