//! Runs the hooks of a phase, on the host or in the target.

use super::follow::{self, Failed};
use super::{Dib, breaks, mounts};
use crate::build::Build;
use crate::error::StepError;
use isotope_plan::{DibHooks, DibPackages, Place, Step};
use isotope_sys::command::Tool;
use std::path::Path;

/// Where the target sees the merged hooks, read-only.
pub(super) const IN_TARGET: &str = "/tmp/in_target.d";
/// Hooks say the device that they made in lines with this.
const BLOCK_DEVICE: &str = "IMAGE_BLOCK_DEVICE=";

pub(super) fn run(hooks: &DibHooks, dib: &mut Dib, build: &mut Build<'_>) -> Result<(), StepError> {
    match hooks.place {
        Place::Host => on_host(hooks, dib, build),
        Place::Target => in_target(hooks, dib, build),
    }
}

pub(super) fn on_host(hooks: &DibHooks, dib: &mut Dib, build: &Build<'_>) -> Result<(), StepError> {
    let phase = &hooks.phase;
    breaks::at(&format!("before-{phase}"), Place::Host, dib, build)?;
    let dir = dib.hooks().join(format!("{phase}.d"));
    if dir.is_dir() {
        build.events.output(&format!("Running hooks from {}", dir.display()));
        let env = dib.environment(Place::Host, hooks.target_root);
        let said = dib.dir.join("said");
        let runner = dib.lib().join("dib-run-parts");
        let tool = if phase == "block-device" {
            // What it prints is kept aside; what it reports goes the usual way.
            let script = r#"exec >"$3"; exec "$1" "$2""#;
            Tool::new("bash").args(["-c", script, "bash"]).args([&runner, &dir, &said])
        } else {
            Tool::new(&runner).arg(&dir)
        };
        let tool = before_the_disk(tool.environment(env).current_dir(&dib.plan.directory), dib);
        let ended = follow::run(&tool, dib.plan.hook_timeout, &build.events);
        done(ended, hooks, dib, build)?;
        if phase == "block-device" {
            listen(&said, dib, build)?;
        }
    }
    breaks::at(&format!("after-{phase}"), Place::Host, dib, build)
}

fn in_target(hooks: &DibHooks, dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    let phase = &hooks.phase;
    let dir = format!("{phase}.d");
    if !dib.hooks().join(&dir).is_dir() {
        return Ok(());
    }
    let lent = mounts::lend_hooks(dib)?;
    breaks::at(&format!("before-{phase}"), Place::Target, dib, build)?;
    let tool = program(dib, &format!("{IN_TARGET}/dib-run-parts"))?.arg(format!("{IN_TARGET}/{dir}"));
    let ended = follow::run(&tool, dib.plan.hook_timeout, &build.events);
    done(ended, hooks, dib, build)?;
    initramfs(dib, build)?;
    breaks::at(&format!("after-{phase}"), Place::Target, dib, build)?;
    lent.take_back()
}

/// An initramfs that was left to a trigger which never came.
fn initramfs(dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    if !dib.tree()?.exists("/tmp/.isotope-initramfs") {
        return Ok(());
    }
    let tool = program(dib, &format!("{IN_TARGET}/.isotope/bin/update-initramfs"))?;
    tool.run_merged(&mut |line| build.events.output(line))
        .map_err(|source| StepError::Command { what: "make the initramfs".to_owned(), source })
}

/// A program of the target, in its root, with the environment that hooks have there.
pub(super) fn program(dib: &Dib, program: &str) -> Result<Tool, StepError> {
    let mount = dib.mount();
    let tool = Tool::new(program).environment(dib.environment(Place::Target, false));
    let tool = tool.in_root(&dib.tree()?).map_err(StepError::io("enter", &mount))?;
    Ok(before_the_disk(tool, dib))
}

/// While there is but a tree, which is thrown away if anything fails, nothing need be on a disk.
fn before_the_disk(tool: Tool, dib: &Dib) -> Tool {
    if dib.points.is_empty() { tool.without_sync() } else { tool }
}

pub(super) fn done(ended: Result<(), Failed>, hooks: &DibHooks, dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    let Err(failed) = ended else { return Ok(()) };
    let place = if dib.plan.breaks.outside_target { Place::Host } else { hooks.place };
    breaks::at("after-error", place, dib, build)?;
    let element = |name: &str| {
        let dir = if name == "environment.d" { String::new() } else { format!("{}.d", hooks.phase) };
        let file = dib.plan.hooks.get(&Path::new(&dir).join(name));
        file.map_or_else(|| "an earlier hook's making".to_owned(), |file| file.element.clone())
    };
    Err(failed.of(&hooks.phase, element))
}

/// What hooks of `block-device.d` printed: shown, and the device taken from it.
fn listen(said: &Path, dib: &mut Dib, build: &Build<'_>) -> Result<(), StepError> {
    let text = std::fs::read(said).map_err(StepError::io("read", said))?;
    for line in String::from_utf8_lossy(&text).lines() {
        build.events.output(line);
        let value = line.trim().trim_start_matches("export ").strip_prefix(BLOCK_DEVICE);
        if let Some(value) = value.map(|value| value.trim_matches(['"', '\'']).to_owned()).filter(|it| !it.is_empty()) {
            dib.vars.insert("IMAGE_BLOCK_DEVICE".to_owned(), value);
        }
    }
    Ok(())
}

/// `-p`: by the target's own `install-packages`.
pub(super) fn packages(packages: &DibPackages, step: &Step, dib: &Dib, build: &Build<'_>) -> Result<(), StepError> {
    let lent = mounts::lend_hooks(dib)?;
    let tool = program(dib, "install-packages")?.args(&packages.names);
    follow::run(&tool, dib.plan.hook_timeout, &build.events).map_err(|failed| StepError::Command {
        what: format!("{} by the target's install-packages", step.title),
        source: failed.source,
    })?;
    lent.take_back()
}
