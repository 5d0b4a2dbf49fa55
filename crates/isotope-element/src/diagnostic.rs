//! One problem of one file: where, what, and what to do; printed with the source line and a caret.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

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

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
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

impl Spot {
    /// The place of these bytes of a text; only their first line is marked.
    #[must_use]
    pub fn of(text: &str, span: Range<usize>) -> Self {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let mut end = span.end.clamp(start, line_end);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let count = |range: Range<usize>| u32::try_from(text[range].chars().count()).unwrap_or(u32::MAX);
        Self {
            line: line_of(text, start),
            column: count(line_start..start) + 1,
            width: count(start..end).max(1),
            text: text[line_start..line_end].trim_end_matches('\r').to_owned(),
        }
    }

    /// The place of a word in a line (from 1); without the word there, the whole line.
    #[must_use]
    pub fn of_word(text: &str, line: u32, word: &str) -> Self {
        let start: usize = text.split_inclusive('\n').take((line as usize).saturating_sub(1)).map(str::len).sum();
        let whole = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let (at, length) = match whole.find(word) {
            Some(at) => (at, word.len()),
            None => (whole.len() - whole.trim_start().len(), whole.trim().len()),
        };
        Self::of(text, start + at..start + at + length)
    }
}

/// The line of a byte, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> u32 {
    let newlines = text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count();
    u32::try_from(newlines + 1).unwrap_or(u32::MAX)
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

impl Diagnostic {
    /// An error about a whole file or directory.
    #[must_use]
    pub fn error(file: &Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, file: file.to_owned(), spot: None, message: message.into(), hint: None }
    }

    /// The same with another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, spot: Spot) -> Self {
        self.spot = Some(spot);
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The line, if it is about one.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.spot.as_ref().map(|spot| spot.line)
    }

    /// Key of the order in which problems are listed: file, then place.
    pub(crate) fn sort_key(&self) -> (PathBuf, u32, u32, String) {
        let (line, column) = self.spot.as_ref().map_or((0, 0), |spot| (spot.line, spot.column));
        (self.file.clone(), line, column, self.message.clone())
    }
}

/// Sort by file and place, and drop repetitions.
pub(crate) fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_cached_key(Diagnostic::sort_key);
    diagnostics.dedup();
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        let file = self.file.display();
        match &self.spot {
            None if self.file.as_os_str().is_empty() => {}
            None => write!(f, "\n  --> {file}")?,
            Some(Spot { line, column, width, text }) => {
                let number = line.to_string();
                let margin = " ".repeat(number.len());
                // The caret line repeats the tabs of the source line, so that both are indented alike on any terminal.
                let before: String =
                    text.chars().take(*column as usize - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let carets = "^".repeat(*width as usize);
                write!(
                    f,
                    "\n{margin}--> {file}:{line}:{column}\n{margin} |\n{number} | {text}\n{margin} | {before}{carets}"
                )?;
            }
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_marks_the_place() {
        let text = "a = 1\n\tnäme = \"xé\"\n";
        let start = text.find('"').unwrap();
        let diagnostic = Diagnostic::error(Path::new("e/element.toml"), "`xé` is no name")
            .at(Spot::of(text, start..start + 5))
            .hint("use ASCII".to_owned());
        insta::assert_snapshot!(diagnostic.to_string(), @r#"
        error: `xé` is no name
         --> e/element.toml:2:9
          |
        2 | 	näme = "xé"
          | 	       ^^^^
          hint: use ASCII
        "#);
    }

    #[test]
    fn spots_stay_inside_the_text() {
        for span in [0..0, 0..99, 99..120, Range { start: 3, end: 2 }] {
            let spot = Spot::of("ab\nc", span);
            assert!(spot.width >= 1 && spot.line <= 2);
        }
    }
}
