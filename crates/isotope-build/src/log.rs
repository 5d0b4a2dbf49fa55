//! The trace log of a build: every event, in a file of its own that stays.

use crate::event::Event;
use crate::report::BuildError;
use isotope_plan::calendar::Moment;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// An open log.
#[derive(Debug)]
pub(crate) struct TraceLog {
    file: File,
    path: PathBuf,
    start: Instant,
}

impl TraceLog {
    /// A new log `NAME-TIMESTAMP.log` in `dir`.
    pub(crate) fn create(dir: &Path, name: &str) -> Result<Self, BuildError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let stamp = timestamp(now);
        let mut path = dir.join(format!("{name}-{stamp}.log"));
        let mut number = 1;
        loop {
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file, path, start: Instant::now() }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    number += 1;
                    path = dir.join(format!("{name}-{stamp}-{number}.log"));
                }
                Err(source) => return Err(BuildError::Io { what: "create the log", path, source }),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes an event down. A log that cannot be written does not end the build.
    pub(crate) fn event(&mut self, event: &Event) {
        if let Some(text) = describe(event) {
            self.text(&text);
        }
    }

    /// Writes text down.
    pub(crate) fn text(&mut self, text: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        let mut lines = String::new();
        for line in text.lines() {
            lines.push_str(&format!("[{seconds:9.3}] {line}\n"));
        }
        drop(self.file.write_all(lines.as_bytes()));
    }
}

fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::BuildStarted { name, steps, .. } => format!("build {name}: {steps} steps"),
        Event::StepStarted { index, total, id, title, phase, origin } => {
            let file = origin.file.as_deref().map(|file| format!(", {}", file.display())).unwrap_or_default();
            format!("== step {index}/{total} {id} ({phase}): {title}  [{}{file}]", origin.element)
        }
        Event::Command { line } => format!("$ {line}"),
        Event::Output { line } => format!("  {line}"),
        Event::Progress { .. } => return None,
        Event::Packages { diff, since } => format!("packages since {since}:\n{diff}"),
        Event::Note { message } => message.clone(),
        Event::Warning { message } => format!("warning: {message}"),
        Event::StepFinished { index, duration, cpu, cached: _ } => {
            format!("== step {index} took {:.3} s, {:.3} s of CPU", duration.as_secs_f64(), cpu.as_secs_f64())
        }
        Event::ShellStarted { message } => format!("shell: {message}"),
        Event::ShellEnded => "shell: ended".to_owned(),
        Event::Failed(failure) => {
            let step = failure.step.as_deref().unwrap_or("the build");
            format!("FAILED {step}: {}\n{}", failure.message, failure.tail.join("\n"))
        }
        Event::Finished { duration, outputs } => {
            let outputs: String = outputs.iter().map(|path| format!(" {}", path.display())).collect();
            format!("finished in {:.3} s:{outputs}", duration.as_secs_f64())
        }
    })
}

/// `20260131T235959Z`.
fn timestamp(seconds: u64) -> String {
    let Moment { year, month, day, hour, minute, second } = Moment::of(seconds);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps_of_known_moments() {
        assert_eq!(timestamp(0), "19700101T000000Z");
        assert_eq!(timestamp(951_782_400), "20000229T000000Z");
        assert_eq!(timestamp(1_767_225_599), "20251231T235959Z");
    }
}
