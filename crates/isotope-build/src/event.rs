//! What a build tells while it runs: data, for a printer to render and for the trace log to keep.

use isotope_element::{Origin, Phase};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One thing that happened. As JSON: `{"event":"step-started", …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The first event.
    BuildStarted {
        /// The image's name.
        name: String,
        /// How many steps the plan has.
        steps: usize,
        /// Where everything is written down, step by step.
        log: PathBuf,
    },
    /// A step begins.
    StepStarted {
        /// Its place in the plan, from 1.
        index: usize,
        /// How many steps there are.
        total: usize,
        /// `install/03-packages`.
        id: String,
        /// For people: "install 14 packages".
        title: String,
        /// Its phase.
        phase: Phase,
        /// Who asked for it.
        origin: Origin,
    },
    /// A program is started; its whole command line.
    Command {
        /// The line, quoted for a shell.
        line: String,
    },
    /// A program printed a line.
    Output {
        /// The line.
        line: String,
    },
    /// How far the running step is.
    Progress {
        /// What is being counted ("downloading", "copying the tree"), if the step does several things.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        what: Option<String>,
        /// Bytes done.
        done: u64,
        /// Bytes in all, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// What packages a compose has that the commit before it had not, and the other way round.
    Packages {
        /// The difference.
        diff: PackageDiff,
        /// The version of the commit before, or the beginning of its checksum.
        since: String,
    },
    /// What a person may want to read: what is in the cache, and why the rest is not.
    Note {
        /// The message.
        message: String,
    },
    /// Something the user should know; the build goes on.
    Warning {
        /// The message.
        message: String,
    },
    /// A step is done.
    StepFinished {
        /// Its place in the plan, from 1.
        index: usize,
        /// How long it took.
        duration: Duration,
        /// Processor time, user and system, of the build's process and of all programs of the step.
        #[serde(default)]
        cpu: Duration,
        /// The beginning of the key of what an earlier build left of it; `None`: it was done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cached: Option<String>,
    },
    /// A person has the terminal until [`Event::ShellEnded`]: print nothing.
    ShellStarted {
        /// What kind of shell it is, for people.
        message: String,
    },
    /// The shell has ended.
    ShellEnded,
    /// The build failed; nothing follows.
    Failed(Failure),
    /// The build is done; nothing follows.
    Finished {
        /// How long it took.
        duration: Duration,
        /// The files it made.
        outputs: Vec<PathBuf>,
    },
}

/// The difference between the packages of two trees, each list sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PackageDiff {
    /// Name and version.
    pub added: Vec<(String, String)>,
    /// Name and version.
    pub removed: Vec<(String, String)>,
    /// Name, version before, version now.
    pub changed: Vec<(String, String, String)>,
}

impl PackageDiff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for PackageDiff {
    /// A line for each package: `+` added, `-` removed, `~` changed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { added, removed, changed } = self;
        let mut lines: Vec<(&str, String)> = Vec::new();
        lines.extend(added.iter().map(|(name, version)| (name.as_str(), format!("+ {name} {version}"))));
        lines.extend(removed.iter().map(|(name, version)| (name.as_str(), format!("- {name} {version}"))));
        lines.extend(changed.iter().map(|(name, old, new)| (name.as_str(), format!("~ {name} {old} → {new}"))));
        lines.sort();
        match lines.as_slice() {
            [] => f.write_str("the same"),
            lines => f.write_str(&lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")),
        }
    }
}

/// A failed step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step's id, unless the build failed outside any step.
    pub step: Option<String>,
    /// The step's title.
    pub title: Option<String>,
    /// Who asked for the step.
    pub origin: Option<Origin>,
    /// What went wrong, the causes after it, from the outside in.
    pub message: String,
    /// The last lines that the step's programs printed.
    pub tail: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The exit status of the program that failed, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// What kind of thing failed.
    pub class: FailureClass,
    /// Where everything is written down.
    pub log: Option<PathBuf>,
}

/// Kinds of failures; exit codes follow them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// The recipe or an element asks for something that does not work (a failing hook, a package that is not there).
    Configuration,
    /// This host lacks something (a tool, memory, disk space, privileges).
    Environment,
    /// A mirror or server did not deliver.
    Remote,
    /// A fault of Isotope itself.
    Internal,
}

/// Where events go. Cheap to clone; usable from any thread. Secrets are masked on the way.
#[derive(Clone)]
pub struct Events {
    sink: Arc<dyn Fn(Event) + Send + Sync>,
    start: Instant,
    /// Milliseconds after `start`.
    last_progress: Arc<AtomicU64>,
}

/// Progress is told no more often than this.
const PROGRESS_INTERVAL_MS: u64 = 100;

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// Events go to `sink`.
    #[must_use]
    pub fn new(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), start: Instant::now(), last_progress: Arc::default() }
    }

    /// Events go nowhere.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    /// Sends an event.
    pub fn send(&self, event: Event) {
        (self.sink)(event);
    }

    /// A program printed this line.
    pub fn output(&self, line: &str) {
        self.send(Event::Output { line: line.to_owned() });
    }

    /// A program with this command line is being started.
    pub fn command(&self, line: &str) {
        self.send(Event::Command { line: line.to_owned() });
    }

    /// How far the step is, in bytes. May be called for each block: what comes too soon after the last one is dropped.
    pub fn progress(&self, what: &str, done: u64, total: Option<u64>) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last_progress.load(Ordering::Relaxed);
        if total != Some(done) && now.saturating_sub(last) < PROGRESS_INTERVAL_MS {
            return;
        }
        self.last_progress.store(now, Ordering::Relaxed);
        self.send(Event::Progress { what: Some(what.to_owned()), done, total });
    }

    /// The step begins with another part of its work: a line of output, and an activity of its own in the timeline.
    pub fn stage(&self, what: &str) {
        self.output(what);
        self.send(Event::Progress { what: Some(what.to_owned()), done: 0, total: None });
    }

    /// Something a person may want to read.
    pub fn note(&self, message: impl Into<String>) {
        self.send(Event::Note { message: message.into() });
    }

    /// Something the user should know.
    pub fn warning(&self, message: impl Into<String>) {
        self.send(Event::Warning { message: message.into() });
    }
}
