//! Break points: a shell for a person, or a command, at a point of the build.

use super::{Dib, hooks};
use crate::build::Build;
use crate::error::StepError;
use crate::event::Event;
use isotope_plan::Place;
use isotope_sys::command::Tool;

/// Stops here if the caller's `break` says so.
pub(super) fn at(point: &str, place: Place, dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    if !dib.plan.breaks.at.iter().any(|at| at == point) {
        return Ok(());
    }
    build.events.output("Starting debug shell. Exit to resume building.");
    build.events.output(&format!("At stage {point}"));
    let tool = match place {
        Place::Host => {
            let env = dib.environment(Place::Host, true);
            Tool::new("bash").environment(env).current_dir(&dib.plan.directory)
        }
        Place::Target => hooks::program(dib, "bash")?,
    };
    let tool = match &dib.plan.breaks.command {
        Some(command) => tool.args(["-c", command]),
        None => tool,
    };
    let (where_it_is, mount) = (if place == Place::Host { "on the host" } else { "in the target" }, dib.mount());
    let message = format!("{point}: a shell {where_it_is}; the tree is {}; `exit` goes on", mount.display());
    build.events.send(Event::ShellStarted { message });
    let ended = tool.terminal().run_interactive();
    build.events.send(Event::ShellEnded);
    ended.map_err(|source| StepError::Command { what: format!("stop at {point}"), source })?;
    build.events.output("Resuming");
    Ok(())
}
