//! One problem of one file: where, what, and what to do; printed with the source line and a caret.

use std::fmt;
use std::path::PathBuf;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be built.
    Error,
    /// Probably not what its author wants.
    Warning,
    /// Worth knowing.
    Note,
}

/// A place in a text file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// How many characters the caret marks, at least 1.
    pub width: u32,
    /// The whole line.
    pub text: String,
}

/// A problem in an element. `Display` prints it whole: message, place, source line, caret, hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// The file or directory.
    pub file: PathBuf,
    /// Where in the file, if it is about a place in it.
    pub spot: Option<Spot>,
    /// What is wrong, lower case, naming the thing.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A problem that stops an element from loading.
pub type ManifestError = Diagnostic;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl std::error::Error for Diagnostic {}
