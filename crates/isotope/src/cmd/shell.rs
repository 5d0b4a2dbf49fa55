//! `isotope shell`: a shell in the state behind a step of a build.
//!
//! What the cache has of the steps before is taken from there; the rest is done first, and kept.

use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::render::{self, LogFormat};
use crate::subject::{self, Subject};
use isotope_build::BuildOptions;
use std::process::ExitCode;

/// Arguments of `shell`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The step's id, as `isotope plan` shows it, or its end: `50-hook-60-sshd`
    step: String,
    #[command(flatten)]
    subject: subject::Args,
}

/// Opens it.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let Subject { plan, facts, .. } = subject::settle(&args.subject, ctx)?;
    let step = find(&plan, &args.step)?;
    let scratch = tempfile::tempdir()?;
    subject::preflight(&plan, &facts, scratch.path(), ctx)?;
    let options = BuildOptions {
        proxy: super::build::proxy(&ctx.env),
        fixed_clock: ctx.env.contains_key("SOURCE_DATE_EPOCH"),
        shell_at: Some(step),
        ..BuildOptions::new(scratch.path(), ctx.cache_dir.clone())
    };
    let mut renderer = render::renderer(LogFormat::Text, ctx);
    isotope_build::run(&plan, &options, &mut |event| renderer.show(&event)).map_err(super::build::explain)?;
    Ok(ExitCode::SUCCESS)
}

/// The step whose id is `text`, or ends with it.
fn find(plan: &isotope_plan::Plan, text: &str) -> anyhow::Result<String> {
    let ids = || plan.steps.iter().map(|step| &step.id);
    if let Some(id) = ids().find(|id| *id == text) {
        return Ok(id.clone());
    }
    let ends: Vec<&String> = ids().filter(|id| id.ends_with(text)).collect();
    match ends[..] {
        [id] => Ok(id.clone()),
        [] => Err(Failure::new(Class::Usage, format!("the plan has no step `{text}`"))
            .hint("`isotope plan` shows the ids of all steps")
            .into()),
        _ => {
            let ends: Vec<&str> = ends.iter().map(|id| id.as_str()).collect();
            Err(Failure::new(Class::Usage, format!("`{text}` is the end of several steps: {}", ends.join(", "))).into())
        }
    }
}
