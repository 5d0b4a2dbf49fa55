//! Everything that would make the build fail, looked for before it begins.

use crate::options::{BuildOptions, OnError};
use crate::report::Problem;
use isotope_plan::lock::pulled;
use isotope_plan::{OstreeDeploy, Plan, StepAction};
use std::os::unix::fs::PermissionsExt;

/// All that is found.
pub(crate) fn check(plan: &Plan, options: &BuildOptions) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem =
        |message: String, hint: Option<&str>| problems.push(Problem { message, hint: hint.map(str::to_owned) });
    if !rustix::process::geteuid().is_root() {
        problem("a build needs root: it mounts, and makes files of other users".to_owned(), Some("run it with sudo"));
    }
    for step in plan.with_inputs().flat_map(|plan| &plan.steps) {
        if let StepAction::Hook(hook) = &step.action {
            let script = hook.script.display();
            match hook.script.metadata() {
                Err(error) => {
                    problem(format!("hook {script} of element {} cannot be read: {error}", step.origin.element), None)
                }
                Ok(meta) if meta.permissions().mode() & 0o111 == 0 => {
                    problem(
                        format!("hook {script} of element {} is not executable", step.origin.element),
                        Some("chmod +x it"),
                    );
                }
                Ok(_) => {}
            }
        }
    }
    let unfit = options.lock.iter().flat_map(|lock| lock.problems(plan));
    unfit.for_each(|found| problem(found.message, found.remedy.as_deref()));
    if options.offline {
        let remote = |deploy: &&OstreeDeploy| !deploy.url.starts_with("file:");
        for deploy in plan.with_inputs().flat_map(pulled).filter(remote) {
            let message = format!("this build is offline, and {} is pulled from {}", deploy.rev, deploy.url);
            problem(message, Some("pull it into a repository on this host, and give that one's file:// URL"));
        }
    }
    if let OnError::Keep(dir) = &options.on_error
        && dir.read_dir().is_ok_and(|mut entries| entries.next().is_some())
    {
        let message = format!("{} is to keep the tree of a failed build, but it is not empty", dir.display());
        problem(message, Some("remove it, or name another"));
    }
    problems
}
