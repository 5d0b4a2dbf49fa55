//! What is done with the state of a build that failed, before it is thrown away.

use crate::build::Build;
use crate::error::StepError;
use crate::event::{Event, Failure};
use crate::sandbox::Purpose;
use isotope_plan::Step;
use isotope_sys::command::Tool;
use std::path::Path;

/// Copies the tree to `dir`, or, where there is only a closed disk any more, the raw disk into it. Says what is there now.
pub(crate) fn keep(build: &Build<'_>, dir: &Path) -> Result<String, StepError> {
    std::fs::create_dir_all(dir).map_err(StepError::io("make", dir))?;
    let (from, to, what) = if build.has_tree() {
        (build.physical(), dir.to_owned(), "the tree")
    } else {
        (build.work.raw(), dir.join("disk.raw"), "the raw disk")
    };
    Tool::new("cp")
        .args(["--archive", "--sparse=always", "--no-target-directory"])
        .args([&from, &to])
        .run()
        .map_err(|source| StepError::Command { what: format!("keep {what}"), source })?;
    Ok(format!("{what} as it was is {}", to.display()))
}

/// Opens a shell where the step failed: in its sandbox if it ran in one, else on the host; with its environment.
pub(crate) fn shell(build: &Build<'_>, failure: &Failure) -> Result<(), StepError> {
    let step = failure.step.as_deref().unwrap_or("the build");
    let head = format!("{step} failed: {}\n{}\n", failure.message, failure.tail.join("\n"));
    open(build, build.scene.purpose.as_ref(), &head)
}

/// Opens a shell in the state behind a step: in the target, if it has a shell.
pub(crate) fn look(build: &Build<'_>, step: &Step) -> Result<(), StepError> {
    open(build, Some(&Purpose::default()), &format!("{} is done ({}).\n", step.id, step.title))
}

fn open(build: &Build<'_>, purpose: Option<&Purpose>, head: &str) -> Result<(), StepError> {
    let tree = build.target.tree();
    let inside = ["/bin/bash", "/bin/sh"].into_iter().find(|path| build.has_tree() && tree.exists(path));
    let what = |place: &str| format!("{head}This is a shell {place}; `exit` ends the build.");
    let sandbox = match (purpose, inside) {
        (Some(purpose), Some(program)) => Some((build.target.enter(purpose)?, program)),
        _ => None,
    };
    let (tool, message) = match &sandbox {
        Some((sandbox, program)) => (sandbox.tool(program)?, what("in the target, in the sandbox of its steps")),
        None => {
            let tool =
                Tool::new("/bin/sh").env("TARGET_ROOT", tree.host_path()).current_dir(build.work.host_directory());
            (tool, what(&format!("on the host; the tree is {}", tree.host_path().display())))
        }
    };
    let tool = build.scene.env.iter().fold(tool, |tool, (name, value)| tool.env(name, value));
    let tool = tool.env("TERM", "linux").env("PS1", "isotope# ").arg("-i").terminal();
    build.events.send(Event::ShellStarted { message });
    let ended = tool.run_interactive();
    build.events.send(Event::ShellEnded);
    ended.map_err(|source| StepError::Command { what: "open a shell".to_owned(), source })
}
