//! The trace log of a build: every event, in a file of its own that stays.

use crate::event::Event;
use crate::report::BuildError;
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
        Event::Warning { message } => format!("warning: {message}"),
        Event::StepFinished { index, duration } => format!("== step {index} took {:.3} s", duration.as_secs_f64()),
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

/// `20260131T235959Z` (proleptic Gregorian calendar, from days since 1970; H. Hinnant's `civil_from_days`).
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
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
