//! The caller's side of a build: checks, log, the process that does the work, and what becomes of it.

use crate::cache::Cache;
use crate::engine::{self, Message, Orders};
use crate::event::Event;
use crate::log::TraceLog;
use crate::options::{BuildOptions, OnError};
use crate::report::{BuildError, Report};
use crate::{layers, preflight, work};
use isotope_plan::Plan;
use isotope_sys::command::take_terminal;
use isotope_sys::namespace::{self, Outcome};
use std::path::PathBuf;

/// The host name that programs of a build see; packages that note it down note a neutral one.
const HOSTNAME: &str = "localhost";

/// Builds. The calling process must have one thread; SIGINT, SIGTERM and SIGHUP are handled meanwhile.
///
/// # Errors
/// See [`BuildError`]. Whatever the error, nothing stays mounted, attached, running or half written.
pub fn run(plan: &Plan, options: &BuildOptions, on_event: &mut dyn FnMut(Event)) -> Result<Report, BuildError> {
    let options = &absolute(options)?;
    let problems = preflight::check(plan, options);
    if !problems.is_empty() {
        return Err(BuildError::Preflight(problems));
    }
    let pinned = options.lock.as_ref().map(|lock| lock.pin(plan.clone()));
    let plan = pinned.as_ref().unwrap_or(plan);
    let out_dir = &options.out_dir;
    std::fs::create_dir_all(out_dir).map_err(|source| BuildError::Io {
        what: "make",
        path: out_dir.clone(),
        source,
    })?;
    let cache = Cache::open(&options.cache_dir)?;
    let mut log = TraceLog::create(&cache.logs(), &plan.name)?;
    // Removed when this function returns: by then the namespace has gone, and with it every mount below.
    let work = if work::in_memory(options.work) { None } else { Some(cache.work(&plan.name)?) };
    let log_path = log.path().to_owned();
    let mut tell = |event: Event| {
        log.event(&event);
        on_event(event);
    };
    let steps = plan.with_inputs().map(|plan| plan.steps.len()).sum();
    tell(Event::BuildStarted { name: plan.name.clone(), steps, log: log_path.clone() });
    let orders = Orders { plan, options, cache: &cache, work: work.as_ref().map(|work| work.path()), log: &log_path };
    let (mut report, mut failure) = (None, None);
    let body = |channel| engine::main(orders, channel);
    let body = |channel| if options.offline { namespace::offline(body)(channel) } else { body(channel) };
    let outcome = namespace::run(HOSTNAME, body, &mut |line| {
        match serde_json::from_str::<Message>(line) {
            Ok(Message::Report(done)) => report = Some(*done),
            Ok(Message::Event(event)) => {
                match &*event {
                    Event::Failed(failed) => failure = Some(Box::new(failed.clone())),
                    Event::ShellEnded => take_terminal(),
                    _ => {}
                }
                tell(*event);
            }
            // What the runtime itself prints, or the reason why the namespaces could not be made.
            Err(_) => tell(Event::Output { line: line.to_owned() }),
        }
    });
    let ended = match outcome? {
        Outcome::Interrupted(signal) => Err(BuildError::Interrupted { signal }),
        Outcome::Killed(signal) => Err(BuildError::Killed { signal }),
        Outcome::Exited(_) => match (report, failure) {
            (_, Some(failure)) => Err(BuildError::Failed(failure)),
            (Some(report), None) => Ok(report),
            (None, None) => Err(BuildError::NoResult { log: log_path.clone() }),
        },
    };
    if let Err(error) = &ended {
        log.text(&error.to_string());
    }
    if options.layers
        && let Err(error) = layers::settle(&cache)
    {
        // They are good until the host is started again.
        log.text(&format!("layers could not be written to the disk: {error}"));
    }
    ended
}

/// The same options with absolute paths: hooks on the host have a working directory of their own.
fn absolute(options: &BuildOptions) -> Result<BuildOptions, BuildError> {
    let path = |path: &PathBuf| {
        std::path::absolute(path).map_err(|source| BuildError::Io {
            what: "find the place of",
            path: path.clone(),
            source,
        })
    };
    let on_error = match &options.on_error {
        OnError::Keep(dir) => OnError::Keep(path(dir)?),
        other => other.clone(),
    };
    Ok(BuildOptions {
        out_dir: path(&options.out_dir)?,
        cache_dir: path(&options.cache_dir)?,
        on_error,
        ..options.clone()
    })
}
