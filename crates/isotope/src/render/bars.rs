//! Events as progress bars: one for the whole build, one for the running step with bytes where they are known.

use super::{Renderer, seconds};
use crate::context::Context;
use crate::printer::Printer;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use isotope_build::Event;
use std::time::Duration;

/// Two bars at the bottom of the terminal; finished steps scroll above them.
pub struct Bars {
    out: Printer,
    all: MultiProgress,
    overall: ProgressBar,
    step: ProgressBar,
    title: String,
    bytes: bool,
}

const OVERALL: &str = "{bar:30.cyan/blue} {pos}/{len} steps  {elapsed_precise}  {msg}";
const STEP: &str = "  {spinner} {msg}";
const STEP_BYTES: &str = "  {spinner} {msg} {bar:20} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Bars {
    /// Bars on stderr.
    pub fn new(ctx: &Context) -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(0).with_style(style(OVERALL)));
        let step = all.add(ProgressBar::new_spinner().with_style(style(STEP)));
        Self { out: ctx.out.clone(), all, overall, step, title: String::new(), bytes: false }
    }

    fn above(&self, text: &str) {
        // The terminal may be gone; the build goes on.
        drop(self.all.println(text));
    }

    fn style_step(&mut self, bytes: bool) {
        if self.bytes != bytes {
            self.bytes = bytes;
            self.step.set_style(style(if bytes { STEP_BYTES } else { STEP }));
        }
    }
}

impl Renderer for Bars {
    fn show(&mut self, event: &Event) {
        match event {
            Event::BuildStarted { name, steps, log } => {
                self.overall.set_length(u64::try_from(*steps).unwrap_or(u64::MAX));
                self.overall.set_message(name.clone());
                self.step.enable_steady_tick(Duration::from_millis(120));
                self.above(&format!("building {name}; full log: {}", log.display()));
            }
            Event::StepStarted { index, title, phase, .. } => {
                self.overall.set_position(u64::try_from(index.saturating_sub(1)).unwrap_or(u64::MAX));
                self.title = format!("{phase}: {title}");
                self.style_step(false);
                self.step.reset();
                self.step.set_message(self.title.clone());
            }
            Event::Output { line } if !self.bytes => {
                let short: String = line.chars().filter(|c| !c.is_control()).take(60).collect();
                self.step.set_message(format!("{}  {}", self.title, self.out.paint("2", &short)));
            }
            Event::Progress { what, done, total: Some(total) } => {
                self.style_step(true);
                self.step.set_length(*total);
                self.step.set_position(*done);
                self.step.set_message(format!(
                    "{}{}",
                    self.title,
                    what.as_ref().map(|what| format!(": {what}")).unwrap_or_default()
                ));
            }
            Event::Packages { diff, since } => {
                self.above(&format!("  packages since {since}:"));
                for line in diff.to_string().lines() {
                    self.above(&format!("    {line}"));
                }
            }
            Event::Note { message } => self.above(message),
            Event::Warning { message } => self.above(&format!("{} {message}", self.out.paint("33", "warning:"))),
            Event::StepFinished { duration, .. } => {
                self.above(&format!(
                    "{} {}  {}",
                    self.out.paint("32", "✓"),
                    self.title,
                    self.out.paint("2", &seconds(*duration))
                ));
            }
            Event::ShellStarted { message } => {
                self.step.disable_steady_tick();
                drop(self.all.clear());
                self.out.note(message);
            }
            Event::ShellEnded => self.step.enable_steady_tick(Duration::from_millis(120)),
            Event::Failed(_) | Event::Finished { .. } => {
                self.step.finish_and_clear();
                self.overall.finish_and_clear();
            }
            _ => {}
        }
    }
}
