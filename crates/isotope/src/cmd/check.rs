//! `isotope check PATH`: an element, a directory of elements, or a recipe, without building anything. Elements have element.toml,
//! or are in diskimage-builder's format ([`dib`]).

mod dib;

use crate::context::Context;
use crate::exit::{Class, Failure};
use crate::subject::{self, Refusal};
use isotope_element::{Catalogue, Diagnostic, Severity};
use isotope_plan::{ProblemClass, Recipe};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An element's directory, a directory of elements, or a recipe's file
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Warnings fail too
    #[arg(long)]
    strict: bool,
}

/// One thing that was found.
#[derive(Debug, Serialize)]
struct Finding {
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// All of it, for people.
    #[serde(skip)]
    text: String,
}

impl From<&Diagnostic> for Finding {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            file: Some(diagnostic.file.clone()),
            line: diagnostic.spot.as_ref().map(|spot| spot.line),
            column: diagnostic.spot.as_ref().map(|spot| spot.column),
            message: diagnostic.message.clone(),
            hint: diagnostic.hint.clone(),
            text: diagnostic.to_string(),
        }
    }
}

impl Finding {
    fn problem(problem: &isotope_plan::Problem) -> Self {
        let origin = problem.origin.as_ref();
        Self {
            severity: "error",
            file: origin.and_then(|origin| origin.file.clone()),
            line: origin.and_then(|origin| origin.line),
            column: problem.spot.as_ref().map(|spot| spot.column),
            message: problem.message.clone(),
            hint: problem.remedy.clone(),
            text: format!("error: {problem}"),
        }
    }
}

/// Checks.
pub fn run(args: &Args, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    for path in &args.paths {
        let path = std::path::absolute(path)?;
        if path.join("element.toml").exists() {
            findings.extend(element(&path, ctx));
        } else if path.is_dir() && dib::is_for(&path) {
            findings.extend(dib::check(&path, ctx));
            if holds_elements(&path) {
                findings.extend(directory(&path, ctx)?);
            }
        } else if path.is_dir() {
            findings.extend(directory(&path, ctx)?);
        } else if path.is_file() {
            findings.extend(recipe(&path, ctx)?);
        } else {
            let message = format!("{} is neither an element's directory nor a recipe's file", path.display());
            return Err(Failure::new(Class::Usage, message)
                .hint("name a directory with element.toml, or a .toml file")
                .into());
        }
    }
    let bad = |finding: &Finding| finding.severity == "error" || (args.strict && finding.severity == "warning");
    let failed = findings.iter().any(bad);
    ctx.out.data(&findings, || describe(&findings))?;
    Ok(if failed { ExitCode::from(Class::Verdict.code()) } else { ExitCode::SUCCESS })
}

fn describe(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing to complain about".to_owned();
    }
    let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
    let count = |severity: &str| findings.iter().filter(|finding| finding.severity == severity).count();
    format!("{}\n\n{} errors, {} warnings", texts.join("\n\n"), count("error"), count("warning"))
}

/// All elements of the search path, with `dir` before the others.
fn load(dir: Option<&Path>, ctx: &Context) -> Result<Catalogue, Vec<Diagnostic>> {
    let dir = dir.map(Path::to_owned).filter(|dir| !ctx.elements_path.contains(dir));
    let path: Vec<PathBuf> = dir.into_iter().chain(ctx.elements_path.iter().cloned()).collect();
    isotope_element::load(&path)
}

/// One element: it must load, and resolve with what it requires.
fn element(dir: &Path, ctx: &Context) -> Vec<Finding> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let catalogue = match load(dir.parent(), ctx) {
        Ok(catalogue) => catalogue,
        Err(errors) => {
            let own: Vec<Finding> =
                errors.iter().filter(|error| error.file.starts_with(dir)).map(Finding::from).collect();
            // Its own faults first; without any, those of others that keep it from being resolved.
            return if own.is_empty() { errors.iter().map(Finding::from).collect() } else { own };
        }
    };
    let mut findings: Vec<Finding> =
        catalogue.notes.iter().filter(|note| note.file.starts_with(dir)).map(Finding::from).collect();
    if let Some(element) = catalogue.elements.get(&name) {
        findings.extend(isotope_element::lint::advice(element).iter().map(Finding::from));
    }
    if let Err(errors) = catalogue.resolve(&[&name]) {
        // What the lint has told of a file (a hook that is not executable) is not told again.
        let told = |finding: &Finding| {
            let place = |finding: &Finding| (finding.severity, finding.file.clone(), finding.line);
            findings.iter().any(|other| place(other) == place(finding))
        };
        let more: Vec<Finding> = errors.errors.iter().map(Finding::from).filter(|finding| !told(finding)).collect();
        findings.extend(more);
    }
    findings
}

fn holds_elements(dir: &Path) -> bool {
    let mut entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.any(|entry| entry.path().join("element.toml").exists())
}

/// All elements of a directory.
fn directory(dir: &Path, ctx: &Context) -> anyhow::Result<Vec<Finding>> {
    let entries = std::fs::read_dir(dir)
        .map_err(|error| Failure::new(Class::Usage, format!("cannot list {}: {error}", dir.display())))?;
    let mut elements: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.join("element.toml").exists()).collect();
    elements.sort();
    if elements.is_empty() {
        let message = format!("{} has no element.toml and holds no elements", dir.display());
        return Err(Failure::new(Class::Usage, message).hint("`isotope new element NAME` makes one").into());
    }
    if let Err(errors) = load(Some(dir), ctx) {
        return Ok(errors.iter().map(Finding::from).collect());
    }
    Ok(elements.iter().flat_map(|element_dir| element(element_dir, ctx)).collect())
}

/// A recipe: it must parse, resolve and plan; what only this host lacks does not count.
fn recipe(file: &Path, ctx: &Context) -> anyhow::Result<Vec<Finding>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Class::Usage, format!("cannot read the recipe {}: {error}", file.display())))?;
    let recipe = match Recipe::parse(file, &text) {
        Ok(recipe) => recipe,
        Err(errors) => return Ok(errors.errors.iter().map(Finding::from).collect()),
    };
    let catalogue = match load(None, ctx) {
        Ok(catalogue) => catalogue,
        Err(errors) => return Ok(errors.iter().map(Finding::from).collect()),
    };
    let facts = isotope_build::facts::gather(&ctx.env, &ctx.cache_dir);
    Ok(match subject::plan(&recipe, &catalogue, &facts, ctx) {
        Ok(plan) => plan
            .warnings
            .iter()
            .map(|warning| Finding::from(&Diagnostic::error(file, warning).severity(Severity::Warning)))
            .collect(),
        Err(Refusal::Elements(errors)) => errors.iter().map(Finding::from).collect(),
        Err(Refusal::Plan(problems)) => {
            let own = problems.iter().filter(|problem| problem.class != ProblemClass::Environment);
            own.map(Finding::problem).collect()
        }
    })
}
