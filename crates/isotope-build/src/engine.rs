//! PID 1 of a build: runs the plan's steps, one after the other.

use crate::build::{Build, Products, Scene, Stage};
use crate::cache::Cache;
use crate::error::StepError;
use crate::event::{Event, Events, Failure, FailureClass};
use crate::mask::Mask;
use crate::options::{BuildOptions, OnError};
use crate::report::{Report, StepTime};
use crate::sandbox::TargetRoot;
use crate::work::Work;
use crate::{failed_state, manifest, step};
use isotope_plan::{Plan, Step};
use isotope_sys::command;
use isotope_sys::namespace::{self, Channel};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What PID 1 says to the process that started it: one JSON line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// An event, to be handed on.
    Event(Event),
    /// The build is done.
    Report(Box<Report>),
}

/// What a build is run with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders<'a> {
    pub plan: &'a Plan,
    pub options: &'a BuildOptions,
    pub cache: &'a Cache,
    /// The locked work directory, unless work is in memory.
    pub work: Option<&'a Path>,
    pub log: &'a Path,
}

/// Runs the plan; returns the exit status.
pub(crate) fn main(orders: Orders<'_>, channel: Channel) -> i32 {
    let channel = Arc::new(channel);
    let say = |channel: &Channel, message: &Message| match serde_json::to_string(message) {
        Ok(line) => channel.send(&line),
        // Paths that are not UTF-8; the line is lost, the build goes on.
        Err(error) => channel.send(&format!("{error}")),
    };
    let mask = Mask::of(orders.plan);
    let sink = Arc::clone(&channel);
    let events = Events::new(move |mut event| {
        mask.event(&mut event);
        say(&sink, &Message::Event(event));
    });
    let trace = events.clone();
    command::observe(move |line| trace.command(line));
    let executed = std::panic::catch_unwind(AssertUnwindSafe(|| execute(orders, &events)));
    match executed.unwrap_or_else(|panic| Err(Box::new(panicked(panic.as_ref(), orders.log)))) {
        Ok(report) => {
            let outputs = report.outputs.iter().map(|output| output.path.clone()).collect();
            events.send(Event::Finished { duration: report.duration, outputs });
            say(&channel, &Message::Report(Box::new(report)));
            0
        }
        Err(failure) => {
            events.send(Event::Failed(*failure));
            1
        }
    }
}

fn execute(orders: Orders<'_>, events: &Events) -> Result<Report, Box<Failure>> {
    let start = Instant::now();
    let mut build = prepare(orders, events).map_err(|error| Box::new(outside(&error, orders.log)))?;
    let total = orders.plan.steps.len();
    let mut steps = Vec::with_capacity(total);
    for (number, step) in orders.plan.steps.iter().enumerate() {
        let index = number + 1;
        let (id, title) = (step.id.clone(), step.title.clone());
        events.send(Event::StepStarted { index, total, id, title, phase: step.phase, origin: step.origin.clone() });
        let begun = Instant::now();
        build.scene = Scene::default();
        let result = step::of(&step.action).run(step, &mut build);
        namespace::kill_leftovers();
        if let Err(error) = result {
            return Err(Box::new(give_up(&error, step, &build, orders)));
        }
        let duration = begun.elapsed();
        events.send(Event::StepFinished { index, duration });
        steps.push(StepTime { id: step.id.clone(), duration });
        if build.done {
            break;
        }
    }
    let mut report = Report {
        name: orders.plan.name.clone(),
        outputs: std::mem::take(&mut build.products.outputs),
        manifest: None,
        log: orders.log.to_owned(),
        duration: start.elapsed(),
        steps,
        packages: std::mem::take(&mut build.products.packages),
        commit: build.products.commit.take(),
        warnings: orders.plan.warnings.iter().chain(&build.products.warnings).cloned().collect(),
    };
    let geometry = if let Stage::Closed(geometry) = &build.stage { Some(geometry) } else { None };
    let written = manifest::write(orders.plan, orders.options, geometry, &report);
    report.manifest = written.map_err(|error| Box::new(outside(&error, orders.log)))?;
    Ok(report)
}

fn prepare<'a>(orders: Orders<'a>, events: &Events) -> Result<Build<'a>, StepError> {
    let work = Work::prepare(orders.work, &orders.cache.mount())?;
    let target = TargetRoot::new(&work.tree(), &work.scratch())?.with_env(&orders.options.proxy);
    Ok(Build {
        plan: orders.plan,
        options: orders.options,
        cache: orders.cache,
        events: events.clone(),
        work,
        target,
        stage: Stage::Tree,
        sealed: false,
        compose: None,
        done: false,
        products: Products::default(),
        scene: Scene::default(),
    })
}

/// A step failed: what is done with the state, and what is told.
fn give_up(error: &StepError, step: &Step, build: &Build<'_>, orders: Orders<'_>) -> Failure {
    let mut failure = error.explain(step, orders.log);
    match &orders.options.on_error {
        OnError::Clean => {}
        OnError::Keep(dir) => match failed_state::keep(build, dir) {
            Ok(kept) => failure.hints.push(kept),
            Err(error) => failure.hints.push(format!("nothing could be kept: {error}")),
        },
        OnError::Shell => {
            failure.hints.retain(|hint| !hint.starts_with("--on-error=shell"));
            if let Err(error) = failed_state::shell(build, &failure) {
                failure.hints.push(format!("no shell could be opened: {error}"));
            }
            namespace::kill_leftovers();
        }
    }
    failure
}

/// A fault of this program. Where it happened has been written to standard error.
fn panicked(panic: &(dyn Any + Send), log: &Path) -> Failure {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Failure {
        step: None,
        title: None,
        origin: None,
        message: format!("a fault of Isotope itself: {}", text.unwrap_or("no more is known")),
        tail: Vec::new(),
        hints: vec!["please report it, with the log".to_owned()],
        class: FailureClass::Internal,
        log: Some(log.to_owned()),
    }
}

/// A failure that is no step's.
fn outside(error: &StepError, log: &Path) -> Failure {
    let mut message = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        message = format!("{message}: {source}");
    }
    Failure {
        step: None,
        title: None,
        origin: None,
        message,
        tail: Vec::new(),
        hints: Vec::new(),
        class: FailureClass::Environment,
        log: Some(log.to_owned()),
    }
}
