//! `--timings`: where the time of a build went, as a table for the terminal and as one HTML file that needs nothing else.
//!
//! ```text
//! events ─▶ record (what happened when) ─▶ table, html (text)
//! ```
//! Only this file reads the clock and writes; what is rendered is decided by the record alone.

mod html;
mod page;
mod record;
mod table;

use crate::exit::{Class, Failure};
use isotope_build::Event;
use isotope_image::output::{OutputError, PendingOutput};
use record::Record;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The variable that asks for timings: `1`, or the file; empty and `0` do not.
pub const VARIABLE: &str = "ISOTOPE_TIMINGS";

/// The option, for every subcommand that runs a plan.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Tell which steps took how long, and write a timeline [default: OUTPUT_DIR/NAME.timings.html]
    #[arg(long, value_name = "FILE", require_equals = true)]
    timings: Option<Option<PathBuf>>,
}

/// Timings that somebody wants.
pub struct Timings {
    start: Instant,
    record: Record,
    file: PathBuf,
}

impl Args {
    /// The timings of a build of `name` into `out_dir`, if the option or the variable ([`VARIABLE`], with its `value`) asks for them.
    pub fn timings(&self, value: Option<&String>, name: &str, out_dir: &Path) -> Option<Timings> {
        match &self.timings {
            Some(file) => Some(Timings::new(file.as_deref(), name, out_dir)),
            None => by_variable(value, name, out_dir),
        }
    }
}

/// The timings that the variable alone asks for.
pub fn by_variable(value: Option<&String>, name: &str, out_dir: &Path) -> Option<Timings> {
    match value.map(String::as_str) {
        None | Some("" | "0") => None,
        Some("1") => Some(Timings::new(None, name, out_dir)),
        Some(file) => Some(Timings::new(Some(Path::new(file)), name, out_dir)),
    }
}

impl Timings {
    fn new(file: Option<&Path>, name: &str, out_dir: &Path) -> Self {
        let file = file.map_or_else(|| Record::default_file(name, out_dir), Path::to_owned);
        Self { start: Instant::now(), record: Record::default(), file }
    }

    /// Notes an event.
    pub fn add(&mut self, event: &Event) {
        self.record.add(self.start.elapsed(), event);
    }

    /// Writes the timeline, and gives what a person should read: the table and where the timeline is. Also of a build that failed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> anyhow::Result<String> {
        if self.record.name.is_empty() {
            return Ok("no timings: the build did not begin".to_owned());
        }
        let cannot =
            |error: OutputError| Failure::new(Class::Environment, format!("cannot write the timeline: {error}"));
        let pending = PendingOutput::create(&self.file).map_err(cannot)?;
        let page = page::page(&self.record);
        pending.file().write_all(page.as_bytes()).map_err(|error| cannot(pending.error("write", error)))?;
        let file = pending.commit().map_err(cannot)?;
        Ok(format!("{}timeline: {}", table::table(&self.record), file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isotope_element::{Origin, Phase};
    use std::time::Duration;

    pub(super) fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    pub(super) fn step_started(index: usize, id: &str, phase: Phase, title: &str) -> Event {
        let element = if index == 1 { "debian-minimal" } else { "isotope" };
        let origin = Origin { element: element.into(), file: None, line: None };
        Event::StepStarted { index, total: 3, id: id.into(), title: title.into(), phase, origin }
    }

    fn progress(what: &str, done: u64, total: Option<u64>) -> Event {
        Event::Progress { what: Some(what.into()), done, total }
    }

    /// Two steps of a build.
    pub(super) fn build() -> Record {
        let mut record = Record::default();
        for (at, event) in [
            (0, Event::BuildStarted { name: "cloud".into(), steps: 3, log: "/cache/logs/cloud.log".into() }),
            (10, step_started(1, "root/01-tree", Phase::Root, "make the <base> tree")),
            (20, Event::Command { line: "apt-get -o 'A=\"<&>\"' update".into() }),
            (100, progress("downloading", 1 << 20, Some(4 << 20))),
            (900, progress("downloading", 4 << 20, Some(4 << 20))),
            (1000, progress("unpacking packages", 1 << 20, Some(9 << 20))),
            (1900, progress("unpacking packages", 9 << 20, Some(9 << 20))),
            (2020, Event::StepFinished { index: 1, duration: ms(2000), cpu: ms(3500), cached: None }),
            (2050, step_started(2, "disk/02-disk", Phase::BlockDevice, "make the disk")),
            (2100, progress("partitioning a disk of 2 GiB", 0, None)),
            (2500, progress("copying the tree", 0, Some(1_024_000))),
            (2900, progress("copying the tree", 1_024_000, Some(1_024_000))),
            (2960, Event::StepFinished { index: 2, duration: ms(900), cpu: ms(500), cached: None }),
            (3100, Event::Finished { duration: ms(3100), outputs: vec!["/out/cloud.qcow2".into()] }),
        ] {
            record.add(ms(at), &event);
        }
        record
    }

    #[test]
    fn the_variable_asks_or_does_not() {
        let asked = |value: &str| by_variable(Some(&value.to_owned()), "n", Path::new("/o")).map(|it| it.file);
        assert_eq!((asked(""), asked("0")), (None, None));
        assert_eq!(asked("1"), Some("/o/n.timings.html".into()));
        assert_eq!(asked("there/x.html"), Some("there/x.html".into()));
    }

    #[test]
    fn a_timeline_is_written_complete_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut timings = by_variable(Some(&"1".to_owned()), "cloud", dir.path()).unwrap();
        timings.record = build();
        let told = timings.finish().unwrap();
        let file = dir.path().join("cloud.timings.html");
        assert!(told.ends_with(&format!("timeline: {}", file.display())), "{told}");
        assert!(std::fs::read_to_string(file).unwrap().ends_with("</html>\n"));
    }
}
