//! A running phase as its output tells it: which hook runs, whether it takes too long; and no secrets in it.

use crate::error::StepError;
use crate::event::Events;
use isotope_plan::dib::is_secret;
use isotope_sys::command::Tool;
use isotope_sys::namespace;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The line by which `dib-run-parts` says that it starts a hook.
const RUNNING: &str = "dib-run-parts Running ";

/// How a phase failed.
pub(super) struct Failed {
    /// The hook that ran last; none: the environment's files were still being read.
    pub hook: Option<String>,
    /// It was killed after so many seconds.
    pub timeout: Option<u64>,
    pub source: isotope_sys::command::CommandError,
}

impl Failed {
    /// As the error of a step of this phase.
    pub(super) fn of(self, phase: &str, element: impl Fn(&str) -> String) -> StepError {
        let Self { hook, timeout, source } = self;
        let name = hook.unwrap_or_else(|| "environment.d".to_owned());
        let element = element(&name);
        StepError::DibHook { name: format!("{phase}.d/{name}"), element, timeout, source }
    }
}

#[derive(Default)]
struct Clock {
    deadline: Option<Instant>,
    over: bool,
    fired: bool,
}

/// Runs `dib-run-parts` to its end. Each hook may take `timeout` seconds; then all of the build's other processes are killed.
pub(super) fn run(tool: &Tool, timeout: Option<u64>, events: &Events) -> Result<(), Failed> {
    events.command(&tool.line());
    let clock = (Mutex::new(Clock::default()), Condvar::new());
    let limit = timeout.map(Duration::from_secs);
    let begin = || {
        let mut state = clock.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.deadline = limit.map(|limit| Instant::now() + limit);
        clock.1.notify_all();
    };
    let mut hook = None;
    let ended = std::thread::scope(|scope| {
        if limit.is_some() {
            scope.spawn(|| watch(&clock));
        }
        begin();
        let ended = tool.run_merged(&mut |line| {
            if let Some(path) = line.strip_prefix(RUNNING) {
                hook = path.rsplit('/').next().map(str::to_owned);
                begin();
            }
            events.output(&masked(line));
        });
        clock.0.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        clock.1.notify_all();
        ended
    });
    let fired = clock.0.lock().unwrap_or_else(PoisonError::into_inner).fired;
    ended.map_err(|source| Failed { hook, timeout: timeout.filter(|_| fired), source })
}

fn watch((state, changed): &(Mutex<Clock>, Condvar)) {
    let mut clock = state.lock().unwrap_or_else(PoisonError::into_inner);
    while !clock.over {
        let left = clock.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            clock.fired = true;
            namespace::kill_others();
            return;
        }
        let left = left.unwrap_or(Duration::from_secs(3600));
        clock = changed.wait_timeout(clock, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// A line of bash's trace without the values of variables whose names tell secrets.
fn masked(line: &str) -> String {
    if !line.starts_with('+') {
        return line.to_owned();
    }
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('=') {
        let (before, behind) = (&rest[..at], &rest[at + 1..]);
        let name = before.rsplit(|char: char| !char.is_ascii_alphanumeric() && char != '_').next().unwrap_or_default();
        out.push_str(before);
        out.push('=');
        rest = behind;
        if !name.is_empty() && is_secret(name) {
            let end = match behind.chars().next() {
                Some(quote @ ('\'' | '"')) => behind[1..].find(quote).map_or(behind.len(), |end| end + 2),
                _ => behind.find(char::is_whitespace).unwrap_or(behind.len()),
            };
            if end > 0 {
                out.push_str("***");
            }
            rest = &behind[end..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn traces_lose_secrets() {
        for (line, shown) in [
            ("+++ export DIB_DEV_USER_PASSWORD=dev", "+++ export DIB_DEV_USER_PASSWORD=***"),
            ("+ API_TOKEN='a b' X=1", "+ API_TOKEN=*** X=1"),
            ("+ A=1 B_SECRET=\"x y\"; C=3", "+ A=1 B_SECRET=***; C=3"),
            ("+ PASSWORD=", "+ PASSWORD="),
            ("PASSWORD=visible in no trace", "PASSWORD=visible in no trace"),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
