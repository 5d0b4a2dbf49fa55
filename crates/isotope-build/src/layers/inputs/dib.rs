//! Inputs of steps that run hooks of diskimage-builder's elements: the hooks of the phase, all files outside of phases, and the environment;
//! less where an element's side file says so.

use super::{Gathered, is_proxy, of_the_session};
use crate::error::StepError;
use crate::layers::sources::{Sources, names};
use isotope_element::Phase;
use isotope_element::dib::environment::{EXPORTED, OF_OPERATING_SYSTEM};
use isotope_element::dib::side::{self, matches};
use isotope_plan::{DibBreaks, DibBuild, DibHookFile, DibHooks, Plan};
use std::path::{Path, PathBuf};

/// The command line. Hooks that do not name it do not depend on it: it counts from the first phase on that has one which does.
const ARGUMENTS: &str = "DIB_ARGS";

/// What holds for all phases. `own` is what is digested as a whole, and loses what is told one by one.
pub(super) fn of_begin(
    gathered: &mut Gathered,
    begin: &DibBuild,
    own: &mut DibBuild,
    sources: &mut Sources,
    clock: impl Fn(&str) -> bool,
) -> Result<(), StepError> {
    let unread = |name: &str| {
        let patterns = begin.reads_variables.as_ref();
        patterns.is_some_and(|all| !is_exported(name) && !all.iter().any(|one| matches(one, name)))
    };
    let arguments = shared_files(gathered, begin, sources)?;
    let unnamed = |name: &str| name == ARGUMENTS && !arguments;
    let but = |name: &str| clock(name) || of_the_session(name) || is_proxy(name) || unread(name) || unnamed(name);
    gathered.variables(&begin.environment, but);
    own.sources.clear();
    own.reads_variables = None;
    own.environment.clear();
    own.hooks.clear();
    own.hook_dirs.clear();
    own.binary = None;
    own.breaks = DibBreaks::default();
    own.hook_timeout = None;
    own.keep_old = false;
    Ok(())
}

/// The hooks of a phase. `false`: one of them is to be run each time.
pub(super) fn of_hooks(
    gathered: &mut Gathered,
    plan: &Plan,
    hooks: &DibHooks,
    sources: &mut Sources,
) -> Result<bool, StepError> {
    let of_phase = |dest: &Path| phase_of(dest).is_some_and(|phase| phase == hooks.phase);
    let own: Vec<(&PathBuf, &DibHookFile)> =
        plan.dib().into_iter().flat_map(|begin| &begin.hooks).filter(|(dest, _)| of_phase(dest)).collect();
    if !gathered.may_be_kept(own.iter().map(|(_, file)| file.keep)) {
        return Ok(false);
    }
    let mut arguments = false;
    for (dest, file) in own {
        gathered.file(&file.element, dest, sources.one(&file.source)?);
        arguments |= names(&file.source, ARGUMENTS)?;
    }
    if let Some(begin) = plan.dib().filter(|_| arguments) {
        gathered.variables(&begin.environment, |name| name != ARGUMENTS);
    }
    Ok(true)
}

/// The files of diskimage-builder's elements that are of no phase: those of the merged tree, and those that it has not, because
/// another element's stands in their place, which programs read where they are. Whether one of them names the command line.
fn shared_files(gathered: &mut Gathered, begin: &DibBuild, sources: &mut Sources) -> Result<bool, StepError> {
    let mut arguments = false;
    let counts = |element: &str, path: &Path| {
        let reads = begin.sources.get(element).and_then(|source| source.reads.as_ref());
        path.starts_with("environment.d")
            || reads.is_none_or(|all| all.iter().any(|one| matches(one, &path.to_string_lossy())))
    };
    for (element, source) in &begin.sources {
        for (path, mut digest) in sources.of(&source.dir)? {
            let merged = begin.hooks.get(&path).filter(|file| file.element == *element);
            let of_no_build = path == Path::new(side::FILE) || path.starts_with("tests");
            if phase_of(&path).is_some() || (of_no_build && merged.is_none()) || !counts(element, &path) {
                continue;
            }
            if let Some(file) = merged.filter(|file| file.source.is_symlink()) {
                // What is merged is what the link leads to.
                digest = sources.one(&file.source)?;
            }
            gathered.file(element, &path, digest);
            arguments |= names(&source.dir.join(&path), ARGUMENTS)?;
        }
    }
    Ok(arguments)
}

/// Variables of hooks that nobody gives but Isotope and the base distribution.
fn is_exported(name: &str) -> bool {
    EXPORTED.iter().chain(OF_OPERATING_SYSTEM).any(|one| *one == name)
}

/// The phase whose directory a file of merged hooks is in: `install` of `install.d/10-x`. Other directories that are named so
/// (`environment.d`, `modprobe.d`) are of no phase.
fn phase_of(dest: &Path) -> Option<&str> {
    let top = dest.components().next()?.as_os_str().to_str()?;
    top.strip_suffix(".d").filter(|name| Phase::ALL.iter().any(|phase| phase.name() == *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_phases_are_told_from_others() {
        for (path, phase) in [
            ("install.d/10-x", Some("install")),
            ("pre-finalise.d/sub/x", Some("pre-finalise")),
            ("environment.d/10-x", None),
            ("modprobe.d/app.conf", None),
            ("static/install.d/x", None),
            ("pkg-map", None),
        ] {
            assert_eq!(phase_of(Path::new(path)), phase, "{path}");
        }
    }
}
