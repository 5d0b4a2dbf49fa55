//! PID 1 of a build: runs the plan's steps, one after the other.

use crate::build::{Build, Products, Scene, Stage};
use crate::cache::Cache;
use crate::error::{IN_THE_TREE, StepError};
use crate::event::{Event, Events, Failure, FailureClass};
use crate::layers::composed::Composed;
use crate::layers::image::Image;
use crate::layers::{self, Layers, Shared};
use crate::mask::Mask;
use crate::options::{BuildOptions, OnError};
use crate::report::{OutputFile, Report, StepTime};
use crate::sandbox::TargetRoot;
use crate::work::Work;
use crate::{failed_state, manifest, step};
use isotope_plan::{Plan, Step, StepAction};
use isotope_sys::namespace::{self, Channel};
use isotope_sys::{command, cpu};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What PID 1 says to the process that started it: one JSON line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// An event, to be handed on.
    Event(Box<Event>),
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
        say(&sink, &Message::Event(Box::new(event)));
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
    // What cannot be known of the archives before the first step, is the fault of the step that needs them.
    let fail = |error: StepError| {
        let all = orders.plan.with_inputs().flat_map(|plan| &plan.steps);
        let step = all.into_iter().find(|step| {
            matches!(
                (&error, &step.action),
                (StepError::Package(_), StepAction::Bootstrap(_)) | (StepError::Ostree(_), StepAction::OstreeDeploy(_))
            )
        });
        Box::new(step.map_or_else(|| outside(&error, orders.log), |step| error.explain(step, orders.log)))
    };
    let ground = Work::ground(orders.work, &orders.cache.mount()).map_err(fail)?;
    let total = orders.plan.with_inputs().map(|plan| plan.steps.len()).sum();
    let shared = Arc::new(Shared::of(orders.options, events).map_err(fail)?);
    let steps = Vec::with_capacity(total);
    let mut course = Course { orders, events, shared, start, total, before: 0, steps };
    let mut warnings = Vec::new();
    for (number, input) in orders.plan.inputs.iter().enumerate() {
        let work = Work::begin(&ground, &format!("input-{number}")).map_err(fail)?;
        warnings.extend(input.warnings.iter().cloned());
        warnings.extend(beforehand(input, work, &mut course, &fail)?);
    }
    let work = Work::begin(&ground, "image").map_err(fail)?;
    let outside = layers::outside(orders.plan, orders, &work, events).map_err(fail)?;
    let keyed = outside.map(|outside| Layers::of(orders.plan, &outside, orders, &course.shared));
    let mut layers = keyed.transpose().map_err(fail)?;
    let image = layers.as_mut().map(|layers| Image::of(layers, orders)).transpose().map_err(fail)?.flatten();
    if let Some((image, layers)) = image.as_ref().zip(layers.as_ref())
        && let Some(products) = image.restore(layers, orders, events).map_err(fail)?
    {
        course.pass(orders.plan, image.key().as_str());
        // What plans before this one warned of is among what it kept.
        let report =
            Report { manifest: manifest::path(orders.plan, orders.options), ..course.report(&products, vec![]) };
        image.give(layers, orders.plan);
        layers.give().map_err(fail)?;
        return Ok(report);
    }
    let mut build = prepare(orders.plan, orders, events, work, layers).map_err(fail)?;
    build.image = image;
    course.run(&mut build)?;
    warnings.extend(orders.plan.warnings.iter().cloned());
    let mut report = course.report(&build.products, warnings);
    let geometry = if let Stage::Closed(geometry) = &build.stage { Some(geometry) } else { None };
    report.manifest = manifest::write(orders.plan, orders.options, geometry, &report).map_err(fail)?;
    if let Some(image) = &build.image {
        image.keep(orders, &build.products.outputs, &report).map_err(fail)?;
    }
    if let Some(layers) = &build.layers {
        layers.give().map_err(fail)?;
        if let Some(image) = &build.image {
            image.give(layers, orders.plan);
        }
    }
    Ok(report)
}

/// Carries out a plan whose result another one uses, unless that result is there. What the user should know of it.
fn beforehand(
    plan: &Plan,
    work: Work,
    course: &mut Course<'_>,
    fail: &impl Fn(StepError) -> Box<Failure>,
) -> Result<Vec<String>, Box<Failure>> {
    let (orders, events) = (course.orders, course.events);
    let outside = layers::outside(plan, orders, &work, events).map_err(fail)?;
    let composed = Composed::of(plan, orders, outside.as_ref()).map_err(fail)?;
    let current = composed.as_ref().map_or(Ok(false), Composed::is_current).map_err(fail)?;
    // Where nothing is given, a compose that is current needs no keys.
    let keyed = outside.filter(|_| !current || course.shared.gives());
    let keyed = keyed.map(|outside| Layers::of(plan, &outside, orders, &course.shared));
    let layers = keyed.transpose().map_err(fail)?;
    let taken = match (&composed, &layers) {
        (Some(composed), Some(layers)) if !current => composed.take(orders, layers).map_err(fail)?,
        _ => false,
    };
    if let Some(composed) = composed.as_ref().filter(|_| current || taken) {
        course.pass(plan, &composed.name());
        give(Some(composed), layers.as_ref()).map_err(fail)?;
        return Ok(Vec::new());
    }
    let mut build = prepare(plan, orders, events, work, layers).map_err(fail)?;
    course.run(&mut build)?;
    if let Some(composed) = &composed {
        composed.note().map_err(fail)?;
    }
    give(composed.as_ref(), build.layers.as_ref()).map_err(fail)?;
    build.work.empty_tree().map_err(fail)?;
    Ok(build.products.warnings)
}

/// Gives a compose and its layers to the registry that wants them.
fn give(composed: Option<&Composed<'_>>, layers: Option<&Layers>) -> Result<(), StepError> {
    let Some(layers) = layers else { return Ok(()) };
    layers.give()?;
    composed.map_or(Ok(()), |composed| composed.give(layers))
}

/// The way through the steps of all plans of a build.
struct Course<'a> {
    orders: Orders<'a>,
    events: &'a Events,
    shared: Arc<Shared>,
    start: Instant,
    /// Steps of all plans.
    total: usize,
    /// Steps of the plans before this one.
    before: usize,
    steps: Vec<StepTime>,
}

impl Course<'_> {
    fn run(&mut self, build: &mut Build<'_>) -> Result<(), Box<Failure>> {
        for (number, step) in build.plan.steps.iter().enumerate() {
            let index = self.begins(number, step);
            let (begun, used) = (Instant::now(), cpu::used());
            build.scene = Scene::default();
            // What looks at the commit before keeps what it saw in memory.
            let looks = matches!(step.action, StepAction::OstreeParent(_));
            let layers = build.layers.as_ref().filter(|layers| layers.has(number) && !looks);
            let cached = layers.and_then(|layers| layers.name(number));
            if cached.is_none()
                && let Err(error) = take(step, number, build)
            {
                return Err(Box::new(give_up(&error, step, build, self.orders)));
            }
            // The programs of the step have all been waited for.
            let (duration, cpu) = (begun.elapsed(), cpu::used().saturating_sub(used));
            self.ends(index, StepTime { id: step.id.clone(), duration, cpu, cached });
            if self.orders.options.shell_at.as_ref() == Some(&step.id) {
                self.show(build, step)?;
                build.done = true;
            }
            if build.done {
                break;
            }
        }
        self.before += build.plan.steps.len();
        Ok(())
    }

    /// A shell behind a step.
    fn show(&self, build: &Build<'_>, step: &Step) -> Result<(), Box<Failure>> {
        let shown = failed_state::look(build, step);
        namespace::kill_leftovers();
        shown.map_err(|error| Box::new(error.explain(step, self.orders.log)))
    }

    /// All steps of a plan are what an earlier build has done, under `key`.
    fn pass(&mut self, plan: &Plan, key: &str) {
        for (number, step) in plan.steps.iter().enumerate() {
            let index = self.begins(number, step);
            let (none, cached) = (Duration::ZERO, Some(key.chars().take(12).collect()));
            self.ends(index, StepTime { id: step.id.clone(), duration: none, cpu: none, cached });
        }
        self.before += plan.steps.len();
    }

    /// What there is to tell of a build that is done, and warnings before its own; the manifest is not among it.
    fn report(&mut self, products: &Products, mut warnings: Vec<String>) -> Report {
        warnings.extend_from_slice(&products.warnings);
        Report {
            name: self.orders.plan.name.clone(),
            outputs: products.outputs.iter().cloned().map(OutputFile::from).collect(),
            manifest: None,
            log: self.orders.log.to_owned(),
            duration: self.start.elapsed(),
            steps: std::mem::take(&mut self.steps),
            packages: products.packages.clone(),
            commit: products.commit.clone(),
            deployed: products.deployed.clone(),
            warnings,
        }
    }

    fn begins(&self, number: usize, step: &Step) -> usize {
        let index = self.before + number + 1;
        let Step { id, title, phase, origin, action: _ } = step.clone();
        self.events.send(Event::StepStarted { index, total: self.total, id, title, phase, origin });
        index
    }

    fn ends(&mut self, index: usize, time: StepTime) {
        let StepTime { id: _, duration, cpu, cached } = time.clone();
        self.events.send(Event::StepFinished { index, duration, cpu, cached });
        self.steps.push(time);
    }
}

/// Does a step, and keeps what it left.
fn take(step: &Step, number: usize, build: &mut Build<'_>) -> Result<(), StepError> {
    if build.layers.as_ref().is_some_and(|layers| layers.seals(build.plan, number)) {
        build.seal(step)?;
        layers::done(build, number)?;
    }
    let result = step::of(&step.action).run(step, build);
    namespace::kill_leftovers();
    result?;
    let of_tree = build.layers.as_ref().is_some_and(|layers| layers.is_of_tree(number));
    if of_tree { layers::done(build, number) } else { Ok(()) }
}

fn prepare<'a>(
    plan: &'a Plan,
    orders: Orders<'a>,
    events: &Events,
    mut work: Work,
    mut layers: Option<Layers>,
) -> Result<Build<'a>, StepError> {
    layers.as_mut().map_or(Ok(()), |layers| layers.begin(plan, orders, &work, events))?;
    work.furnish(layers.is_some())?;
    let target = TargetRoot::new(&work.tree(), &work.scratch(), &work.devices())?.with_env(&orders.options.proxy);
    let resumed = layers.as_ref().is_some_and(Layers::is_resumed);
    let mut build = Build {
        plan,
        options: orders.options,
        cache: orders.cache,
        events: events.clone(),
        work,
        target,
        stage: Stage::Tree,
        layers,
        image: None,
        deployment: None,
        dib: None,
        sealed: false,
        compose: None,
        done: false,
        products: Products::default(),
        scene: Scene::default(),
    };
    if resumed {
        layers::state::load(&mut build)?;
        layers::enter(&mut build)?;
    }
    Ok(build)
}

/// A step failed: what is done with the state, and what is told.
fn give_up(error: &StepError, step: &Step, build: &Build<'_>, orders: Orders<'_>) -> Failure {
    let mut failure = error.explain(step, orders.log);
    if build.deployment.is_some() && failure.tail.iter().any(|line| line.contains("Read-only file system")) {
        failure.hints.insert(0, IN_THE_TREE.to_owned());
    }
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
        status: None,
        hints: vec!["please report it, with the log".to_owned()],
        class: FailureClass::Internal,
        log: Some(log.to_owned()),
    }
}

/// A failure that is no step's.
pub(crate) fn outside(error: &StepError, log: &Path) -> Failure {
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
        status: None,
        hints: Vec::new(),
        class: FailureClass::Environment,
        log: Some(log.to_owned()),
    }
}
