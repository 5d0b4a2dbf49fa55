//! Which files of a directory run, and in which order: dib-run-parts's two rules.
//!
//! Scripts: regular files (also through links) that may be executed, whose names match [`NameFilter`], by `LC_ALL=C sort -n`:
//! the leading number, then the bytes. Files of `environment.d`: regular files whose names have letters, digits, `_`, `.` and
//! `-` only, executable or not, by their bytes alone (diskimage-builder sorts their whole paths, which begin with no number).

use super::contents::list;
use crate::{Diagnostic, Severity};
use regex::Regex;
use std::cmp::Ordering;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// dib-run-parts itself, for bash: the file that hook trees have at their top. It is ours; it prints what diskimage-builder's
/// prints, because tools parse that.
pub const SCRIPT: &str = include_str!("dib-run-parts.bash");

/// The names that scripts may have, without `RUN_PARTS_REGEX`.
pub const NAMES: &str = "^[0-9A-Za-z_-]+$";

/// Which names scripts may have.
#[derive(Debug, Clone)]
pub struct NameFilter(Regex);

impl Default for NameFilter {
    fn default() -> Self {
        Self(Regex::new(NAMES).expect("a constant"))
    }
}

impl NameFilter {
    /// By the value of `RUN_PARTS_REGEX`; unset or empty is the default.
    ///
    /// # Errors
    /// It is no regular expression; told as the message of a usage error.
    pub fn new(value: Option<&str>) -> Result<Self, String> {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(Self::default()) };
        Regex::new(value).map(Self).map_err(|error| format!("RUN_PARTS_REGEX is no regular expression: {error}"))
    }

    /// Whether a script of this name would run.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// Whether a file of this name in `environment.d` is read.
#[must_use]
pub fn is_environment_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// The order of `LC_ALL=C sort -n`: the number that a name begins with (none is 0, `-5` is less), then the bytes.
#[must_use]
pub fn by_number(a: &str, b: &str) -> Ordering {
    Number::of(a).cmp(&Number::of(b)).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

/// A decimal number of any length.
#[derive(Debug, PartialEq, Eq)]
struct Number<'n> {
    negative: bool,
    /// Without leading zeros.
    whole: &'n str,
    /// Without trailing zeros.
    fraction: &'n str,
}

impl<'n> Number<'n> {
    fn of(text: &'n str) -> Self {
        let text = text.trim_start_matches([' ', '\t']);
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let digits = |text: &'n str| text.split(|char: char| !char.is_ascii_digit()).next().unwrap_or_default();
        let whole = digits(text);
        let fraction = text[whole.len()..].strip_prefix('.').map_or("", digits).trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        Self { negative: negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction }
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole.to_owned(), number.fraction.to_owned());
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
        }
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A file of a directory that might run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is, or what it leads to.
    pub kind: CandidateKind,
}

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// A regular file that may be executed.
    Executable,
    /// A regular file that may not.
    Plain,
    /// A directory: never run, and never told.
    Directory,
    /// A link that leads nowhere, or something else.
    Other,
}

impl Candidate {
    /// A file on disk, links followed.
    #[must_use]
    pub fn of(path: PathBuf) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = match path.metadata() {
            Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => CandidateKind::Executable,
            Ok(meta) if meta.is_file() => CandidateKind::Plain,
            Ok(meta) if meta.is_dir() => CandidateKind::Directory,
            _ => CandidateKind::Other,
        };
        Self { name, path, kind }
    }
}

/// Why a file does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody may execute it.
    NotExecutable,
    /// Its name does not match.
    Name,
    /// A link that leads nowhere, a socket or the like.
    NoFile,
}

/// A file that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The file.
    pub file: Candidate,
    /// Why not.
    pub why: Why,
}

impl Ignored {
    /// What is told of it. Data beside scripts is common, so that only what looks like a script is a warning.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let Candidate { name, path, .. } = &self.file;
        let script = std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!"));
        let stem = name.split('.').next().unwrap_or_default();
        let (message, hint, severe) = match self.why {
            Why::NotExecutable => (
                format!("`{name}` is never run: it is not executable"),
                format!("chmod +x {}; if it is data, keep it in a directory of its own", path.display()),
                script || NameFilter::default().takes(name),
            ),
            Why::Name => (
                format!("`{name}` is never run: a script's name has letters, digits, `_` and `-` only"),
                format!("rename it, for example to `{}`", if stem.is_empty() { "10-name" } else { stem }),
                true,
            ),
            Why::NoFile => (
                format!("`{name}` is never run: it is no file"),
                "a link must lead to a file that is in the merged tree of hooks too".to_owned(),
                true,
            ),
        };
        let severity = if severe { Severity::Warning } else { Severity::Note };
        Diagnostic::error(path, message).severity(severity).hint(hint)
    }
}

/// What runs, and what does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// In order.
    pub scripts: Vec<Candidate>,
    /// Sorted by name.
    pub ignored: Vec<Ignored>,
}

/// Sorts candidates of a directory of scripts.
#[must_use]
pub fn scripts(candidates: Vec<Candidate>, filter: &NameFilter) -> Listing {
    let mut listing = Listing::default();
    for file in candidates {
        let why = match file.kind {
            CandidateKind::Directory => continue,
            CandidateKind::Other => Why::NoFile,
            CandidateKind::Plain => Why::NotExecutable,
            CandidateKind::Executable if !filter.takes(&file.name) => Why::Name,
            CandidateKind::Executable => {
                listing.scripts.push(file);
                continue;
            }
        };
        listing.ignored.push(Ignored { file, why });
    }
    listing.scripts.sort_by(|a, b| by_number(&a.name, &b.name));
    listing.ignored.sort_by(|a, b| a.file.name.cmp(&b.file.name));
    listing
}

/// Sorts candidates of `environment.d`.
#[must_use]
pub fn environment(candidates: Vec<Candidate>) -> Listing {
    let mut listing = Listing::default();
    for file in candidates {
        let why = match file.kind {
            CandidateKind::Directory => continue,
            CandidateKind::Other => Why::NoFile,
            _ if !is_environment_name(&file.name) => Why::Name,
            _ => {
                listing.scripts.push(file);
                continue;
            }
        };
        listing.ignored.push(Ignored { file, why });
    }
    listing.scripts.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    listing.ignored.sort_by(|a, b| a.file.name.cmp(&b.file.name));
    listing
}

/// The candidates of a directory.
///
/// # Errors
/// It cannot be listed.
pub fn candidates(dir: &Path) -> Result<Vec<Candidate>, Diagnostic> {
    Ok(list(dir)?.into_iter().map(Candidate::of).collect())
}

#[cfg(test)]
mod tests;
