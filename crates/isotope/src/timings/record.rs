//! What happened when: the events of a build, sorted by step.
//!
//! In: events, each with the time that has gone by. Out: a [`Record`]. No clock, no file, no terminal.

use isotope_build::Event;
use isotope_element::Phase;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// All that is known of a build's course. Times count from its beginning.
#[derive(Debug, Default)]
pub struct Record {
    /// The image's name.
    pub name: String,
    /// The trace log.
    pub log: PathBuf,
    /// How many steps the plan has.
    pub planned: usize,
    /// The steps that ran, in order.
    pub steps: Vec<Step>,
    /// When the last event came.
    pub end: Duration,
    /// How it ended.
    pub ending: Ending,
}

/// How a build ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It said nothing of it: it was interrupted or killed.
    #[default]
    CutShort,
    /// It made these files.
    Finished(Vec<PathBuf>),
    /// It failed, for this reason.
    Failed(String),
}

/// A step that ran.
#[derive(Debug, PartialEq)]
pub struct Step {
    /// Its place in the plan, from 1.
    pub index: usize,
    /// `install/03-packages`.
    pub id: String,
    /// For people.
    pub title: String,
    /// Its phase.
    pub phase: Phase,
    /// The element that asked for it.
    pub element: String,
    /// When it began.
    pub start: Duration,
    /// How long it took; of a step that did not end: until the build did.
    pub wall: Duration,
    /// Its processor time, once it has ended.
    pub cpu: Option<Duration>,
    /// What the cache had for it, in words that begin with `hit` or `miss`; `None`: the cache was not asked.
    pub cached: Option<String>,
    /// Whether it came to its end.
    pub ended: bool,
    /// Parts of its work, in the order in which they began.
    pub activities: Vec<Activity>,
    /// The programs that the engine started, and when.
    pub commands: Vec<(Duration, String)>,
}

impl Step {
    /// The bytes that its activities have counted.
    pub fn bytes(&self) -> u64 {
        self.activities.iter().map(|activity| activity.bytes).sum()
    }
}

/// A part of a step's work: something that counts bytes ("copying the tree"), a stage, a hook.
#[derive(Debug, PartialEq, Eq)]
pub struct Activity {
    /// What it is.
    pub what: String,
    /// When it was first told of.
    pub start: Duration,
    /// When the next began, or it was last told of.
    pub end: Duration,
    /// Bytes done; 0 where none are counted.
    pub bytes: u64,
    /// Whether it lasts until the next activity or the end of the step, because nothing is told of its own end.
    open: bool,
}

/// By how many commands a step is described at most. A loop over thousands of files must not make a timeline of megabytes.
const COMMANDS: usize = 500;

/// What the engine says of a step that has ended.
struct Taken<'a> {
    wall: Duration,
    cpu: Duration,
    cached: Option<&'a str>,
}

impl Record {
    /// Adds an event that came `at` this time.
    pub fn add(&mut self, at: Duration, event: &Event) {
        self.end = self.end.max(at);
        match event {
            Event::BuildStarted { name, steps, log } => {
                (self.name, self.planned, self.log) = (name.clone(), *steps, log.clone());
            }
            Event::StepStarted { index, id, title, phase, origin, .. } => self.steps.push(Step {
                index: *index,
                id: id.clone(),
                title: title.clone(),
                phase: *phase,
                element: origin.element.clone(),
                start: at,
                wall: Duration::ZERO,
                cpu: None,
                cached: None,
                ended: false,
                activities: Vec::new(),
                commands: Vec::new(),
            }),
            Event::StepFinished { index, duration, cpu, cached } => {
                let cached = cached.as_ref().map(|key| format!("hit {key}"));
                self.finished(at, *index, Taken { wall: *duration, cpu: *cpu, cached: cached.as_deref() });
            }
            Event::Failed(failure) => self.ending = Ending::Failed(failure.message.clone()),
            Event::Finished { outputs, .. } => self.ending = Ending::Finished(outputs.clone()),
            _ => {
                if let Some(step) = self.steps.last_mut().filter(|step| !step.ended) {
                    step.event(at, event);
                }
            }
        }
        if let Some(step) = self.steps.last_mut().filter(|step| !step.ended) {
            step.wall = at.saturating_sub(step.start);
            step.extend(at);
        }
    }

    fn finished(&mut self, at: Duration, index: usize, taken: Taken<'_>) {
        let Some(step) = self.steps.iter_mut().rev().find(|step| step.index == index) else { return };
        step.extend(at);
        let Taken { wall, cpu, cached } = taken;
        // The engine's own figure; the event's way here is not the step's work.
        (step.wall, step.cpu, step.ended) = (wall, Some(cpu), true);
        step.cached = cached.map(str::to_owned);
        let end = step.start + wall;
        for activity in &mut step.activities {
            (activity.start, activity.end) = (activity.start.min(end), activity.end.min(end));
        }
    }

    /// The phases as they came, each with when it began and ended; a phase that comes again (in the plan of an input) stands again.
    pub fn phases(&self) -> Vec<(Phase, Duration, Duration)> {
        let mut phases: Vec<(Phase, Duration, Duration)> = Vec::new();
        for step in &self.steps {
            let end = step.start + step.wall;
            match phases.last_mut() {
                Some((phase, _, last)) if *phase == step.phase => *last = end,
                _ => phases.push((step.phase, step.start, end)),
            }
        }
        phases
    }

    /// The steps, those first that took longest.
    pub fn by_time(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        steps.sort_by(|a, b| b.wall.cmp(&a.wall).then(a.index.cmp(&b.index)));
        steps
    }

    /// Processor time of all steps.
    pub fn cpu(&self) -> Duration {
        self.steps.iter().filter_map(|step| step.cpu).sum()
    }

    /// Where the timeline lies if nobody names a place: beside the outputs.
    pub fn default_file(name: &str, out_dir: &Path) -> PathBuf {
        out_dir.join(format!("{name}.timings.html"))
    }
}

impl Step {
    fn event(&mut self, at: Duration, event: &Event) {
        match event {
            Event::Progress { what, done, total } => {
                self.progress(at, what.as_deref().unwrap_or("working"), *done, *total);
            }
            Event::Command { line } if self.commands.len() < COMMANDS => self.commands.push((at, line.clone())),
            Event::Output { line } => match hook(line) {
                Some(Hook::Runs(name)) => self.begin(at, name, 0, true),
                Some(Hook::Completed) => self.close(at),
                None => {}
            },
            _ => {}
        }
    }

    fn progress(&mut self, at: Duration, what: &str, done: u64, total: Option<u64>) {
        let stage = done == 0 && total.is_none();
        match self.activities.last_mut() {
            // The same thing once more, from the beginning, is another activity.
            Some(last) if last.what == what && done >= last.bytes && !stage => {
                (last.bytes, last.end, last.open) = (done, at, false);
            }
            _ => self.begin(at, what, done, stage),
        }
    }

    fn begin(&mut self, at: Duration, what: &str, bytes: u64, open: bool) {
        self.close(at);
        self.activities.push(Activity { what: what.to_owned(), start: at, end: at, bytes, open });
    }

    /// What is open ends.
    fn close(&mut self, at: Duration) {
        self.extend(at);
        if let Some(last) = self.activities.last_mut() {
            last.open = false;
        }
    }

    /// What is open lasts until now.
    fn extend(&mut self, at: Duration) {
        if let Some(last) = self.activities.last_mut().filter(|last| last.open) {
            last.end = at;
        }
    }
}

/// What `dib-run-parts` says of a hook.
enum Hook<'a> {
    Runs(&'a str),
    Completed,
}

fn hook(line: &str) -> Option<Hook<'_>> {
    let (_, told) = line.split_once("dib-run-parts ")?;
    if let Some(path) = told.strip_prefix("Running ") {
        return Some(Hook::Runs(path.rsplit('/').next().unwrap_or(path)));
    }
    told.ends_with(" completed").then_some(Hook::Completed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{build, ms, step_started};
    use super::*;

    #[test]
    fn steps_have_the_engine_s_times_and_their_own_activities() {
        let record = build();
        let [tree, disk] = &record.steps[..] else { panic!("{:?}", record.steps) };
        assert_eq!((tree.start, tree.wall, tree.cpu), (ms(10), ms(2000), Some(ms(3500))));
        let told: Vec<_> = tree.activities.iter().map(|it| (it.what.as_str(), it.start, it.end, it.bytes)).collect();
        assert_eq!(
            told,
            [("downloading", ms(100), ms(900), 4 << 20), ("unpacking packages", ms(1000), ms(1900), 9 << 20)]
        );
        assert_eq!(tree.bytes(), 13 << 20);
        assert_eq!(disk.activities[0].what, "partitioning a disk of 2 GiB");
        assert_eq!((disk.activities[0].start, disk.activities[0].end), (ms(2100), ms(2500)), "until the next");
        assert_eq!(record.ending, Ending::Finished(vec![PathBuf::from("/out/cloud.qcow2")]));
        assert_eq!(record.cpu(), ms(4000));
        assert_eq!(record.by_time()[0].id, "root/01-tree");
    }

    #[test]
    fn a_step_that_failed_lasts_until_the_build_ended() {
        let mut record = Record::default();
        record.add(ms(5), &step_started(1, "install/01-hook", Phase::Install, "x"));
        record
            .add(ms(50), &Event::Output { line: "2026 dib-run-parts Running /tmp/in_target.d/install.d/50-x".into() });
        record.add(ms(80), &Event::Warning { message: "late".into() });
        let step = &record.steps[0];
        assert!(!step.ended && step.wall == ms(75) && step.cpu.is_none());
        assert_eq!((step.activities[0].what.as_str(), step.activities[0].end), ("50-x", ms(80)));
        assert_eq!(record.ending, Ending::CutShort);
    }

    #[test]
    fn hooks_of_dib_run_parts_are_activities() {
        let mut record = Record::default();
        record.add(ms(0), &step_started(1, "install/01-run-parts", Phase::Install, "x"));
        for (at, line) in [
            (10, "dib-run-parts Running /d/05-a"),
            (20, "some dib-run-parts 99 text"),
            (30, "dib-run-parts 05-a completed"),
            (40, "dib-run-parts Running /d/06-b"),
            (70, "dib-run-parts 06-b completed"),
            (90, "dib-run-parts ----- PROFILING -----"),
        ] {
            record.add(ms(at), &Event::Output { line: line.into() });
        }
        let told: Vec<_> = record.steps[0].activities.iter().map(|it| (it.what.as_str(), it.start, it.end)).collect();
        assert_eq!(told, [("05-a", ms(10), ms(30)), ("06-b", ms(40), ms(70))]);
    }

    #[test]
    fn the_same_phase_once_more_is_another_stretch() {
        let mut record = Record::default();
        for (index, phase) in [(1, Phase::Root), (2, Phase::Root), (3, Phase::Export), (4, Phase::Root)] {
            record.add(ms(index * 10), &step_started(usize::try_from(index).unwrap(), "s", phase, "x"));
            let finished = Event::StepFinished {
                index: usize::try_from(index).unwrap(),
                duration: ms(5),
                cpu: ms(1),
                cached: None,
            };
            record.add(ms(index * 10 + 6), &finished);
        }
        let phases: Vec<_> = record.phases();
        assert_eq!(phases[0], (Phase::Root, ms(10), ms(25)));
        assert_eq!(phases.len(), 3);
    }
}
