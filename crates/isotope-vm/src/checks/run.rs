//! Runs a guest from power-on to a verdict.

use super::{CheckSet, builtin};
use crate::accel::Accel;
use crate::console::Event;
use crate::error::VmError;
use crate::life;
use crate::verdict::{CheckResult, CheckStatus, Verdict};
use crate::vm::Vm;
use isotope_plan::{Check, CheckKind};
use std::time::{Duration, Instant};

/// What a guest's examination tells while it goes on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// QEMU runs.
    Started,
    /// The guest let us in, so many seconds after power-on.
    LoggedIn(f64),
    /// A check ended.
    Checked(&'a CheckResult),
}

/// Starts the machine if it does not run yet, waits until it lets us in, asks everything in `set`, and judges.
///
/// # Errors
/// Somebody asked to stop, or the host failed; whatever the guest does wrong is in the verdict.
pub fn examine(
    vm: &mut Vm,
    set: &CheckSet,
    boot_timeout: Duration,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Verdict, VmError> {
    let started = Instant::now();
    let mut verdict = Verdict::new(vm.spec());
    if !vm.is_running() {
        vm.start()?;
        progress(Progress::Started);
    }
    let booted = vm.wait_for_ssh(boot_timeout);
    let boot = match &booted {
        Ok(time) => {
            verdict.boot_seconds = Some(time.as_secs_f64());
            progress(Progress::LoggedIn(time.as_secs_f64()));
            result_of_harness("boots and lets the harness in", CheckStatus::Passed, *time, String::new())
        }
        Err(VmError::Interrupted) => return Err(VmError::Interrupted),
        Err(error) => {
            result_of_harness("boots and lets the harness in", CheckStatus::Failed, started.elapsed(), chain(error))
        }
    };
    progress(Progress::Checked(&boot));
    verdict.results.push(boot);
    if booted.is_ok() {
        let own = set.builtin.as_ref().map(builtin::checks).unwrap_or_default();
        for check in own.iter().chain(&set.elements) {
            if let (CheckKind::OstreeLife, Some(life)) = (check.kind, &set.life) {
                verdict.results.extend(life::live(vm, life, &check.element, boot_timeout, progress)?);
            } else {
                let result = ask(vm, check)?;
                progress(Progress::Checked(&result));
                verdict.results.push(result);
            }
            // A guest that is gone answers nothing: one reason, not a failure of every check that is left.
            match vm.look_around() {
                Ok(()) => {}
                Err(VmError::Interrupted) => return Err(VmError::Interrupted),
                Err(error) => {
                    let gone =
                        result_of_harness("the guest stays up", CheckStatus::Failed, Duration::ZERO, chain(&error));
                    progress(Progress::Checked(&gone));
                    verdict.results.push(gone);
                    break;
                }
            }
        }
    }
    let trouble: Vec<Event> =
        vm.events().into_iter().filter(|event| event.kind.is_trouble() || event.kind.is_stuck()).collect();
    if set.builtin.is_some() {
        let lines: Vec<&str> = trouble.iter().map(|event| event.line.as_str()).collect();
        let status = if trouble.is_empty() { CheckStatus::Passed } else { CheckStatus::Failed };
        let console = result_of_harness("the console shows no trouble", status, Duration::ZERO, lines.join("\n"));
        progress(Progress::Checked(&console));
        verdict.results.push(console);
    }
    verdict.console_events = trouble;
    verdict.seconds = started.elapsed().as_secs_f64();
    Ok(verdict)
}

fn result_of_harness(name: &str, status: CheckStatus, time: Duration, message: String) -> CheckResult {
    result_of(builtin::ELEMENT, name, status, time, message)
}

pub(crate) fn result_of(
    element: &str,
    name: &str,
    status: CheckStatus,
    time: Duration,
    message: String,
) -> CheckResult {
    CheckResult { element: element.to_owned(), name: name.to_owned(), status, seconds: time.as_secs_f64(), message }
}

fn ask(vm: &Vm, check: &Check) -> Result<CheckResult, VmError> {
    if check.kind == CheckKind::OstreeLife {
        let reason = "no repository to serve commits from: give --tree-repo DIR".to_owned();
        return Ok(result_of(&check.element, &check.name, CheckStatus::Skipped, Duration::ZERO, reason));
    }
    ask_root(vm, &check.element, &check.name, &check.run, Duration::from_secs(u64::from(check.timeout.max(1))))
}

/// Runs a script as root; `limit` is meant for real processors: translation is several times slower and gets more.
pub(crate) fn ask_root(
    vm: &Vm,
    element: &str,
    name: &str,
    script: &str,
    limit: Duration,
) -> Result<CheckResult, VmError> {
    let factor = if vm.spec().accel == Accel::Tcg { 4 } else { 1 };
    let limit = limit * factor;
    let started = Instant::now();
    let (status, message) = match vm.ssh()?.root_script(script, limit) {
        Ok(output) => match output.status {
            0 => (CheckStatus::Passed, String::new()),
            77 => (CheckStatus::Skipped, output.tail(5)),
            124 => (CheckStatus::Failed, format!("not done after {} s\n{}", limit.as_secs(), output.tail(20))),
            255 => (CheckStatus::Failed, format!("the connection broke\n{}", output.tail(20))),
            other => (CheckStatus::Failed, format!("exit status {other}\n{}", output.tail(30))),
        },
        Err(VmError::Interrupted) => return Err(VmError::Interrupted),
        Err(error) => (CheckStatus::Failed, chain(&error)),
    };
    Ok(result_of(element, name, status, started.elapsed(), message.trim_end().to_owned()))
}

pub(crate) fn chain(error: &VmError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!("\n{error}"));
        cause = error.source();
    }
    text
}
