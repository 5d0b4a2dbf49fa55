//! The log of `disk-image-create`: each line with its time, as tools that read it expect, on standard output and in `--logfile`.
//!
//! A line is `YYYY-MM-DD HH:MM:SS.mmm | TEXT`, in UTC. Lines by which bash traces the switching of its own trace say nothing and are
//! left out. `DIB_QUIET` keeps standard output empty, `DIB_NO_TIMESTAMP` leaves out the time there; the file always has it.

use anyhow::Context as _;
use isotope_build::Event;
use isotope_plan::calendar::Moment;
use isotope_plan::dib::Request;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the lines go.
pub struct Log {
    file: Option<File>,
    quiet: bool,
    timestamps: bool,
}

impl Log {
    /// As the request says; the log file is emptied.
    pub fn open(request: &Request) -> anyhow::Result<Self> {
        let path = request.logfile.as_ref().map(|path| request.directory.join(path));
        let file = path
            .map(|path| File::create(&path).with_context(|| format!("cannot write the log file {}", path.display())));
        Ok(Self { file: file.transpose()?, quiet: request.quiet, timestamps: !request.no_timestamp })
    }

    /// Writes a line, or several. A reader that went away is no error.
    pub fn line(&self, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut stdout = std::io::stdout().lock();
        for line in text.trim_end_matches('\n').split('\n').filter(|line| !is_noise(line)) {
            let stamped = format!("{} | {line}\n", stamp(now));
            if !self.quiet {
                let shown = if self.timestamps { stamped.clone() } else { format!("{line}\n") };
                let _gone = stdout.write_all(shown.as_bytes());
            }
            if let Some(mut file) = self.file.as_ref() {
                let _full = file.write_all(stamped.as_bytes());
            }
        }
        let _gone = stdout.flush();
    }
}

impl Log {
    /// What happens in a build, as lines. Progress in bytes is for terminals, not for logs.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Output { line } => self.line(line),
            Event::Note { message } => self.line(message),
            Event::Warning { message } => self.line(&format!("WARNING {message}")),
            Event::StepStarted { title, .. } => self.line(&format!("{title} ...")),
            Event::StepFinished { duration, .. } => self.line(&format!("... done in {:.3} s", duration.as_secs_f64())),
            Event::Packages { diff, since } => self.line(&format!("packages since {since}:\n{diff}")),
            Event::ShellStarted { message } => self.line(message),
            Event::Failed(failure) => self.line(&format!("ERROR {}", failure.message)),
            Event::Finished { duration, .. } => self.line(&format!("done in {:.1} s", duration.as_secs_f64())),
            _ => {}
        }
    }
}

/// What bash prints when a script turns its trace on or off.
fn is_noise(line: &str) -> bool {
    line.contains("set +o") || line.contains("xtrace")
}

fn stamp(now: Duration) -> String {
    format!("{}.{:03}", Moment::of(now.as_secs()), now.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(stamp(Duration::from_millis(1_700_000_000_007)), "2023-11-14 22:13:20.007");
    }

    #[test]
    fn switching_of_traces_is_noise() {
        assert!(is_noise("+ set +o xtrace") && is_noise("++ shopt -po xtrace"));
        assert!(!is_noise("Setting up libx"));
    }
}
