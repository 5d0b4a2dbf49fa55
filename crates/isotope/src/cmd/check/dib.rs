//! `isotope check` for elements in diskimage-builder's format: a directory without element.toml.
//!
//! What their files say is judged by `isotope_element::dib::lint`; what only a shell can tell, bash and shellcheck are asked.

use super::Finding;
use crate::context::Context;
use isotope_element::dib::lint::{Dialect, Linter, ShellFile, shell_files};
use isotope_element::dib::{DibElement, LoadError, load};
use isotope_element::{Diagnostic, Severity, Spot};
use isotope_sys::command::{CommandError, Tool};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Whether a directory is an element of this format, or holds such elements.
pub(super) fn is_for(dir: &Path) -> bool {
    isotope_element::dib::looks_like(dir) || !elements_in(dir).is_empty()
}

/// Elements in a directory: those with a marker, and those with at least a README.rst or a script to run.
fn elements_in(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let element = |path: &PathBuf| {
        !path.join("element.toml").exists()
            && (isotope_element::dib::looks_like(path) || path.join("README.rst").is_file())
    };
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).filter(element).collect();
    found.sort();
    found
}

/// An element, or all elements of a directory.
pub(super) fn check(dir: &Path, ctx: &Context) -> Vec<Finding> {
    let (elements, first) = if isotope_element::dib::looks_like(dir) {
        (vec![dir.to_owned()], dir.parent().unwrap_or(dir))
    } else {
        (elements_in(dir), dir)
    };
    let path = ctx.dib_path(Some(first));
    let catalogue = match load(&path) {
        Ok(catalogue) => catalogue,
        Err(LoadError::Path(error)) => return vec![Finding::from(&Diagnostic::error(&error.entry, error.to_string()))],
        Err(LoadError::Files(errors)) => return errors.iter().map(Finding::from).collect(),
    };
    let native = native(ctx);
    let linter = Linter::new(&catalogue, &native);
    let mut shells = Shells::default();
    let mut found = Vec::new();
    for element in &elements {
        match DibElement::read(element) {
            // The catalogue's own is another where this one is overridden: this one is asked for.
            Ok(Some(element)) => {
                found.extend(linter.check(&element));
                shells.add(&element);
            }
            Ok(None) => found.push(Diagnostic::error(element, "this is no directory")),
            Err(errors) => found.extend(errors),
        }
    }
    found.extend(shells.ask(dir));
    found.iter().map(Finding::from).collect()
}

/// Names that Isotope's own elements have or provide. Faults of those are told when they are checked.
fn native(ctx: &Context) -> BTreeSet<String> {
    let elements = isotope_element::load(&ctx.elements_path).map(|catalogue| catalogue.elements).unwrap_or_default();
    let names = elements.into_values().flat_map(|element| {
        let provided = element.manifest.provides.into_iter().map(|name| name.value);
        provided.chain([element.name]).collect::<Vec<_>>()
    });
    names.collect()
}

/// Scripts, by the shell that they are for.
#[derive(Default)]
struct Shells {
    files: Vec<ShellFile>,
}

impl Shells {
    fn add(&mut self, element: &DibElement) {
        self.files.extend(shell_files(element));
    }

    fn ask(&self, dir: &Path) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (dialect, name) in [(Dialect::Bash, "bash"), (Dialect::Sh, "sh")] {
            let files: Vec<&Path> =
                self.files.iter().filter(|file| file.dialect == dialect).map(|file| file.path.as_path()).collect();
            if files.is_empty() {
                continue;
            }
            found.extend(files.iter().filter_map(|file| parse(name, file)));
            if Tool::exists("shellcheck") {
                found.extend(files.chunks(100).flat_map(|files| shellcheck(name, files)));
            } else {
                let message =
                    format!("shellcheck is not installed: scripts for {name} were parsed, and not checked further");
                found.push(Diagnostic::error(dir, message).severity(Severity::Note));
            }
        }
        found
    }
}

/// What the shell itself says when it reads a file without running it.
fn parse(shell: &str, file: &Path) -> Option<Diagnostic> {
    let error = Tool::new(shell).arg("-n").arg(file).run().err()?;
    let CommandError::Failed { tail, .. } = error else {
        return Some(Diagnostic::error(file, error.to_string()).severity(Severity::Note));
    };
    let first = tail.lines().next().unwrap_or("it cannot be parsed").to_owned();
    // `FILE: line 3: syntax error …` of bash, `FILE: 3: …` of dash.
    let rest = first.strip_prefix(&format!("{}: ", file.display())).unwrap_or(&first);
    let rest = rest.strip_prefix("line ").unwrap_or(rest);
    let (line, message) = rest.split_once(": ").unwrap_or(("", rest));
    let diagnostic = Diagnostic::error(file, format!("{shell} cannot read this: {message}"));
    Some(match line.parse::<usize>().ok().and_then(|line| spot(file, line, 1, None)) {
        Some(spot) => diagnostic.at(spot),
        None => diagnostic,
    })
}

#[derive(Deserialize)]
struct Comments {
    comments: Vec<Comment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    file: PathBuf,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    code: u32,
    message: String,
}

/// What shellcheck says of a file as a whole; that it cannot parse a file is no news where the shell itself can.
const OF_FILES: [u32; 5] = [1017, 1113, 1114, 1115, 1128];

/// Its errors, as warnings.
fn shellcheck(shell: &str, files: &[&Path]) -> Vec<Diagnostic> {
    let tool =
        Tool::new("shellcheck").args(["--norc", "--format=json1", "--severity=error"]).arg(format!("--shell={shell}"));
    let output = match tool.args(files).ok_codes(&[0, 1]).run() {
        Ok(output) => output.text(),
        Err(error) => return vec![Diagnostic::error(Path::new(""), error.to_string()).severity(Severity::Note)],
    };
    let comments = serde_json::from_str::<Comments>(&output).map(|found| found.comments).unwrap_or_default();
    let told = |comment: Comment| {
        let end = (comment.end_line == comment.line).then_some(comment.end_column);
        let diagnostic =
            Diagnostic::error(&comment.file, format!("shellcheck SC{:04}: {}", comment.code, comment.message));
        let diagnostic = diagnostic.severity(Severity::Warning);
        match spot(&comment.file, comment.line, comment.column, end) {
            Some(spot) => diagnostic.at(spot),
            None => diagnostic,
        }
    };
    comments.into_iter().filter(|comment| comment.code >= 2000 || OF_FILES.contains(&comment.code)).map(told).collect()
}

/// A place of a file, lines and columns from 1. A line behind the last one, where files end too early, is the last one.
fn spot(file: &Path, line: usize, column: usize, end: Option<usize>) -> Option<Spot> {
    let text = std::fs::read_to_string(file).ok()?;
    let last = text.lines().count();
    let start: usize = text.split_inclusive('\n').take(line.min(last).checked_sub(1)?).map(str::len).sum();
    let content = text.get(start..)?.lines().next()?;
    let byte = |column: usize| content.char_indices().nth(column - 1).map_or(content.len(), |(at, _)| at);
    let from = byte(column.max(1));
    let to = end.map_or(content.len(), |end| byte(end.max(1)).max(from));
    Some(Spot::of(&text, start + from..start + to))
}
