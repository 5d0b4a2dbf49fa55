//! `isotope plan`: what a build would do, in order and with origins; as text, as JSON, as a picture.

use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::subject::{self, Subject};
use isotope_build::{BuildOptions, Forecast};
use isotope_plan::draw;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    subject: subject::Args,
    /// Draw elements and phases as SVG into a file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write them for Graphviz into a file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Say which steps an earlier build has done, and why the first that is not there is done again
    #[arg(long, conflicts_with_all = ["svg", "dot"])]
    cached: bool,
}

/// Plans, and builds nothing.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let Subject { plan, facts, .. } = subject::settle(&args.subject, ctx)?;
    if args.cached {
        let options = BuildOptions {
            proxy: super::build::proxy(&ctx.env),
            fixed_clock: ctx.env.contains_key("SOURCE_DATE_EPOCH"),
            ..BuildOptions::new(".", ctx.cache_dir.clone())
        };
        let forecast = isotope_build::forecast(&plan, &options).map_err(super::build::explain)?;
        ctx.out.data(&forecast, || show(&forecast))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut printed = false;
    for (file, text) in [(&args.svg, draw::svg as fn(&_) -> String), (&args.dot, draw::dot)] {
        let Some(file) = file else { continue };
        printed |= file.as_os_str() == "-";
        write(file, &text(&plan), ctx)?;
    }
    if !printed {
        ctx.out.data(&plan, || isotope_plan::show(&plan))?;
    }
    for problem in isotope_plan::preflight(&plan, &facts) {
        ctx.out.note(&format!("this host cannot build it yet: {problem}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(forecast: &Forecast) -> String {
    let mut lines: Vec<String> = forecast
        .steps
        .iter()
        .map(|step| {
            let key = step.key.as_deref().unwrap_or("not known yet");
            format!("{}  {key:<13}  {}", if step.hit { "hit " } else { "miss" }, step.id)
        })
        .collect();
    lines.push(forecast.why.clone().unwrap_or_else(|| "everything is in the cache".to_owned()));
    lines.join("\n")
}

fn write(file: &Path, text: &str, ctx: &Context) -> anyhow::Result<()> {
    if file.as_os_str() == "-" {
        return ctx.out.text(text);
    }
    std::fs::write(file, text)
        .map_err(|error| Failure::new(Class::Environment, format!("cannot write {}: {error}", file.display())))?;
    ctx.out.note(&format!("wrote {}", file.display()));
    Ok(())
}
