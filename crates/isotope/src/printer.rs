//! The one way to the terminal: data for people or as JSON on stdout, notes and warnings on stderr.

use std::io::{IsTerminal, Write};

/// Where output goes and how it looks.
#[derive(Debug, Clone)]
pub struct Printer {
    json: bool,
    quiet: bool,
    color: bool,
}

impl Printer {
    /// Settles colours: none when stdout is no terminal or `NO_COLOR` is set.
    pub fn new(json: bool, quiet: bool, no_color: bool) -> Self {
        Self { json, quiet, color: !no_color && std::io::stderr().is_terminal() }
    }

    /// Prints data: as JSON with `--json`, else as `text` gives it. A reader that went away is no error.
    pub fn data<T: serde::Serialize>(&self, value: &T, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        let body = if self.json { serde_json::to_string_pretty(value)? } else { text() };
        self.text(&body)
    }

    /// Prints text on stdout.
    pub fn text(&self, body: &str) -> anyhow::Result<()> {
        let mut stdout = std::io::stdout().lock();
        let written = stdout
            .write_all(body.as_bytes())
            .and_then(|()| if body.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
            .and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// Prints a note on stderr, unless quiet.
    #[expect(clippy::print_stderr, reason = "this is the printer")]
    pub fn note(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// Prints a warning on stderr.
    #[expect(clippy::print_stderr, reason = "this is the printer")]
    pub fn warning(&self, text: &str) {
        eprintln!("{} {text}", self.paint("33", "warning:"));
    }

    /// Wraps `text` in an ANSI style when colours are on.
    pub fn paint(&self, style: &str, text: &str) -> String {
        if self.color { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
