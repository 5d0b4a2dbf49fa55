//! Hooks: the scripts of a phase, `<phase>.d/NN-name`, found and ordered by dib-run-parts's rule.
//!
//! In: an element's directory. Out: its hooks, and what is wrong with its `*.d` directories.

use crate::diagnostic::Diagnostic;
use crate::nearest::suggest;
use crate::{Phase, Severity};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A script of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFile {
    /// Its element.
    pub element: String,
    /// Its phase.
    pub phase: Phase,
    /// File name, which orders it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Whether somebody may execute it. A set with one that is not does not resolve.
    pub executable: bool,
}

impl HookFile {
    /// The key of the order inside a phase: the leading number (none is 0), then the bytes of the name.
    pub(crate) fn order(&self) -> (u64, &str) {
        let digits = self.name.bytes().take_while(u8::is_ascii_digit).count();
        (self.name[..digits].parse().unwrap_or(0), &self.name)
    }
}

/// Whether run-parts would take a file of this name: `^[0-9A-Za-z_-]+$`.
fn is_hook_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The hooks of an element, and the problems (errors and warnings) of its `*.d` directories.
pub(crate) fn find(element: &str, dir: &Path) -> (BTreeMap<Phase, Vec<HookFile>>, Vec<Diagnostic>) {
    let (mut hooks, mut problems) = (BTreeMap::new(), Vec::new());
    for entry in sorted(dir, &mut problems) {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".d") else { continue };
        if !entry.is_dir() {
            continue;
        }
        match Phase::ALL.into_iter().find(|phase| phase.name() == stem && *phase != Phase::Export) {
            Some(phase) => {
                let found = of_phase(element, phase, &entry, &mut problems);
                hooks.insert(phase, found);
            }
            None => {
                let known = Phase::ALL.iter().filter(|phase| **phase != Phase::Export).map(|phase| phase.name());
                let message = format!("`{name}` is not a directory of hooks: there is no phase `{stem}`");
                problems.push(Diagnostic::error(&entry, message).hint(suggest(stem, known, "phases")));
            }
        }
    }
    (hooks, problems)
}

fn sorted(dir: &Path, problems: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    match std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => {
            let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            paths.sort();
            paths
        }
        Err(error) => {
            problems.push(Diagnostic::error(dir, format!("cannot be listed: {error}")));
            Vec::new()
        }
    }
}

fn of_phase(element: &str, phase: Phase, dir: &Path, problems: &mut Vec<Diagnostic>) -> Vec<HookFile> {
    let mut hooks = Vec::new();
    for path in sorted(dir, problems) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let meta = match path.metadata() {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => continue,
            Err(error) => {
                problems.push(Diagnostic::error(&path, format!("cannot be read: {error}")));
                continue;
            }
        };
        if is_hook_name(&name) {
            let executable = meta.permissions().mode() & 0o111 != 0;
            hooks.push(HookFile { element: element.to_owned(), phase, name, path, executable });
        } else {
            let message = format!("`{name}` is ignored: a hook's name has letters, digits, `_` and `-` only");
            let renamed: String = name.split('.').next().unwrap_or_default().to_owned();
            problems.push(
                Diagnostic::error(&path, message)
                    .severity(Severity::Warning)
                    .hint(Some(format!("rename it, for example to `{renamed}`"))),
            );
        }
    }
    hooks.sort_by(|a, b| a.order().cmp(&b.order()));
    hooks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_as_run_parts_orders_them() {
        let hook = |name: &str| HookFile {
            element: String::new(),
            phase: Phase::Install,
            name: name.to_owned(),
            path: PathBuf::new(),
            executable: true,
        };
        let mut hooks: Vec<HookFile> =
            ["100-c", "50-probe", "10-b", "10-a", "010-lead", "9-a", "a-nonum", "Zz-nonum"].map(hook).into();
        hooks.sort_by(|a, b| a.order().cmp(&b.order()));
        let names: Vec<&str> = hooks.iter().map(|hook| hook.name.as_str()).collect();
        assert_eq!(names, ["Zz-nonum", "a-nonum", "9-a", "010-lead", "10-a", "10-b", "50-probe", "100-c"]);
    }

    #[test]
    fn unknown_directories_and_ignored_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        for (file, mode) in [("instal.d/10-a", 0o755), ("install.d/10-a.sh", 0o755), ("install.d/20-b", 0o644)] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let (hooks, problems) = find("e", dir.path());
        assert_eq!(hooks[&Phase::Install].len(), 1);
        assert!(!hooks[&Phase::Install][0].executable);
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(text[0].contains("did you mean `install`?"), "{text:?}");
        assert!(text[1].contains("10-a.sh") && text[1].starts_with("warning"), "{text:?}");
    }
}
