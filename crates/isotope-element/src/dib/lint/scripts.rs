//! Rules about what is run: scripts of the phases and files of environment.d.

use super::{Subject, told};
use crate::dib::environment::{self, EnvironmentFile, OF_OPERATING_SYSTEM, OF_PHASES};
use crate::dib::run_parts::{self, Candidate, NameFilter};
use crate::dib::{DibElement, text_of};
use crate::nearest::distance;
use crate::{Diagnostic, Phase, Severity};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the merge leaves out.
pub(super) fn ignored(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    found.extend(subject.contents.ignored.iter().cloned());
}

fn phases() -> impl Iterator<Item = String> {
    Phase::ALL.into_iter().filter(|phase| *phase != Phase::Export).map(|phase| format!("{phase}.d"))
}

/// What stands in a directory of scripts and is none.
pub(super) fn never_run(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some(tree) = subject.tree_of_mine() else { return };
    let scripts = phases().map(|phase| tree.scripts(&phase, &NameFilter::default()));
    for listing in scripts {
        let mine = listing.ignored.iter().filter(|one| subject.is_mine(&one.file.path));
        found.extend(mine.map(|one| one.diagnostic()));
    }
    for one in tree.environment().ignored.iter().filter(|one| subject.is_mine(&one.file.path)) {
        let message = format!(
            "`{}` is never read: the names of such files have letters, digits, `_`, `.` and `-`",
            one.file.name
        );
        found.push(told(&one.file.path, Severity::Warning, message, "rename it"));
    }
}

/// Directories whose names are nearly those of phases.
pub(super) fn directories(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for name in subject.contents.dirs.keys() {
        let known: Vec<String> = phases().chain(["environment.d".to_owned()]).collect();
        let near = known.iter().find(|known| (1..=2).contains(&distance(name, known)));
        // `post_install.d`, `install`.
        let plain = |name: &str| name.trim_end_matches(".d").replace(['_', '-'], "");
        let near = near.or_else(|| known.iter().find(|known| *known != name && plain(known) == plain(name)));
        if let Some(near) = near {
            let message = format!("nothing in `{name}` is run: there is no such phase");
            let hint = format!("did you mean `{near}`?");
            found.push(told(&subject.element.dir.join(name), Severity::Warning, message, hint));
        }
    }
}

/// Scripts that the kernel cannot start: bash starts them as scripts of its own, other programs do not.
pub(super) fn interpreters(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (dir, entries) in subject.contents.dirs.iter().filter(|(dir, _)| phases().any(|phase| phase == **dir)) {
        for entry in entries.iter().filter(|entry| entry.executable && NameFilter::default().takes(&entry.name)) {
            let start = std::fs::read(&entry.path).unwrap_or_default();
            if !start.starts_with(b"#!") && !start.starts_with(b"\x7fELF") {
                let message = format!("the hook `{dir}/{}` has no `#!` line", entry.name);
                let hint = "begin it with #!/bin/bash, or another interpreter";
                found.push(told(&entry.path, Severity::Warning, message, hint));
            }
        }
    }
}

/// The files of environment.d of the closure, in the order in which they are read. Not of the merged tree, which there is none of
/// where hooks collide.
fn environment_files(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) -> Vec<EnvironmentFile> {
    let contents = subject.closure.elements.iter().map(|element| element.contents().unwrap_or_default());
    let entries = contents.filter_map(|mut contents| contents.dirs.remove("environment.d")).flatten();
    let mut files = Vec::new();
    for file in run_parts::environment(entries.map(|entry| Candidate::of(entry.path)).collect()).scripts {
        match text_of(&file.path) {
            Ok(text) => files.push(EnvironmentFile { path: file.path, text }),
            Err(error) => found.push(error),
        }
    }
    files
}

/// Without an operating system of its own an element is used with one that sets these.
fn by_operating_system(subject: &Subject<'_>) -> BTreeSet<String> {
    let system = |element: &DibElement| element.provides.iter().any(|name| name.value == "operating-system");
    if subject.closure.elements.iter().any(system) {
        return BTreeSet::new();
    }
    OF_OPERATING_SYSTEM.iter().map(|name| (*name).to_owned()).collect()
}

/// Variables that files of environment.d read where nothing sets them.
pub(super) fn environment(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let files = environment_files(subject, found);
    let unset = environment::unset(&files, &by_operating_system(subject));
    let mine = unset.iter().filter(|one| subject.is_mine(&one.file));
    found.extend(mine.map(|one| one.diagnostic(if one.demanded { Severity::Note } else { Severity::Warning })));
}

/// Variables that scripts read under `set -u` where nothing sets them: their users have to.
pub(super) fn unbound(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let mut known = by_operating_system(subject);
    // What cannot be read has been told.
    known.extend(environment::set_by(&environment_files(subject, &mut Vec::new())));
    for (dir, entries) in subject.contents.dirs.iter().filter(|(dir, _)| phases().any(|phase| phase == **dir)) {
        let mut known = known.clone();
        let here = OF_PHASES.iter().filter(|(_, dirs)| dirs.contains(&dir.as_str()));
        known.extend(here.map(|(name, _)| (*name).to_owned()));
        for entry in entries.iter().filter(|entry| entry.executable && dialect(&entry.path).is_some()) {
            let Ok(text) = text_of(&entry.path) else { continue };
            if !stops_at_unset(&text) {
                continue;
            }
            let file = EnvironmentFile { path: entry.path.clone(), text };
            found.extend(environment::unset(&[file], &known).iter().map(|one| one.diagnostic(Severity::Note)));
        }
    }
}

/// What scripts fetch by themselves: of a layer, it is no input.
pub(super) fn downloads(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (dir, entries) in subject.contents.dirs.iter().filter(|(dir, _)| phases().any(|phase| phase == **dir)) {
        for entry in entries.iter().filter(|entry| entry.executable) {
            let name = format!("{dir}/{}", entry.name);
            let keep = subject.element.side.keep.get(Path::new(&name)).copied().unwrap_or_default();
            crate::downloads::told(&entry.path, &name, keep, found);
        }
    }
}

/// Whether a script says `set -u`.
fn stops_at_unset(text: &str) -> bool {
    text.lines().enumerate().any(|(index, line)| {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let flag =
            |word: &str| word == "nounset" || (word.starts_with('-') && !word.starts_with("--") && word.contains('u'));
        (first == "set" || (index == 0 && first.starts_with("#!"))) && words.any(flag)
    })
}

/// Which shell a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// bash; files of environment.d too.
    Bash,
    /// Another Bourne shell.
    Sh,
}

/// A file whose syntax a shell can judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellFile {
    /// The file.
    pub path: PathBuf,
    /// For which shell.
    pub dialect: Dialect,
}

/// The shell scripts of an element: in the directories of phases and in `bin` by their first line; in environment.d all that are read.
#[must_use]
pub fn shell_files(element: &DibElement) -> Vec<ShellFile> {
    let mut found = Vec::new();
    for (dir, entries) in element.contents().unwrap_or_default().dirs {
        let environment = dir == "environment.d";
        if !(environment || dir == "bin" || phases().any(|phase| phase == dir)) {
            continue;
        }
        for entry in entries.into_iter().filter(super::super::Entry::is_file) {
            let dialect = if environment { Some(Dialect::Bash) } else { dialect(&entry.path) };
            found.extend(dialect.map(|dialect| ShellFile { path: entry.path, dialect }));
        }
    }
    found
}

/// By the interpreter of the first line.
fn dialect(path: &std::path::Path) -> Option<Dialect> {
    let bytes = std::fs::read(path).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.strip_prefix("#!")?.split_whitespace().map(|word| word.rsplit('/').next().unwrap_or(word));
    let program = match words.next()? {
        "env" => words.find(|word| !word.starts_with('-') && !word.contains('='))?,
        other => other,
    };
    match program {
        "bash" => Some(Dialect::Bash),
        "sh" | "dash" => Some(Dialect::Sh),
        _ => None,
    }
}
