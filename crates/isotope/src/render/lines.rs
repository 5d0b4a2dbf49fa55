//! Events as a readable log (CI, files) and as JSON lines (scripts).

use super::{Renderer, seconds};
use crate::context::Context;
use crate::printer::Printer;
use isotope_build::Event;
use std::io::Write as _;
use std::time::Instant;

/// A readable log on stderr.
pub struct Text {
    out: Printer,
    verbose: bool,
    start: Instant,
    /// Tenths of the running step's bytes that have been told.
    told: u64,
}

impl Text {
    /// The log, with every tool's output when verbose.
    pub fn new(ctx: &Context) -> Self {
        Self { out: ctx.out.clone(), verbose: ctx.verbose, start: Instant::now(), told: 0 }
    }

    fn line(&self, text: &str) {
        self.out.note(&format!("[{:>7.1}] {text}", self.start.elapsed().as_secs_f64()));
    }

    fn progress(&mut self, what: Option<&str>, done: u64, total: u64) {
        let tenths = done.saturating_mul(4).checked_div(total).unwrap_or_default();
        if tenths > self.told && tenths < 4 {
            self.told = tenths;
            let (done, total) = (isotope_plan::Bytes(done), isotope_plan::Bytes(total));
            self.line(&format!("          {} {done} of {total}", what.unwrap_or("done")));
        }
    }
}

impl Renderer for Text {
    fn show(&mut self, event: &Event) {
        match event {
            Event::BuildStarted { name, steps, log } => {
                self.line(&format!("building {name}: {steps} steps; full log: {}", log.display()));
            }
            Event::StepStarted { index, total, title, phase, origin, .. } => {
                self.told = 0;
                self.line(&format!("[{index:>2}/{total}] {phase}: {title}  ({})", origin.element));
            }
            Event::Command { line } if self.verbose => self.line(&format!("          $ {line}")),
            Event::Output { line } if self.verbose => self.line(&format!("          {line}")),
            Event::Progress { what, done, total: Some(total) } => self.progress(what.as_deref(), *done, *total),
            Event::Packages { diff, since } => {
                self.line(&format!("          packages since {since}:"));
                for line in diff.to_string().lines() {
                    self.line(&format!("            {line}"));
                }
            }
            Event::Note { message } => self.line(message),
            Event::Warning { message } => self.out.warning(message),
            Event::StepFinished { duration, .. } if duration.as_secs() >= 1 => {
                self.line(&format!("          took {}", seconds(*duration)));
            }
            Event::ShellStarted { message } => self.out.note(message),
            Event::Finished { duration, .. } => self.line(&format!("done in {}", seconds(*duration))),
            _ => {}
        }
    }
}

/// JSON lines on stdout.
pub struct Json;

impl Renderer for Json {
    fn show(&mut self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            // A reader that went away must not end the build.
            drop(writeln!(std::io::stdout().lock(), "{line}"));
        }
    }
}
