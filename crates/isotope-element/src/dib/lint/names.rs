//! Rules about names: dependencies, what is provided, what other elements have too.

use super::{Subject, told};
use crate::dib::{DibResolveError, HookTreeError, UPSTREAM, resolve};
use crate::{Diagnostic, Located, Severity, Spot};
use std::path::Path;

/// Names that are no names: comments, several on one line.
pub(super) fn dependencies(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (file, names) in [("element-deps", &subject.element.depends), ("element-provides", &subject.element.provides)] {
        let file = subject.element.dir.join(file);
        for name in names.iter().filter(|name| name.value.contains(['#', ' ', '\t', '/', ':', '\'', '"'])) {
            let message = format!("`{}` names no element", name.value);
            let hint = "one name a line; there is no syntax for comments";
            found.push(at(&file, name, told(&file, Severity::Error, message, hint)));
        }
    }
}

fn at(file: &Path, name: &Located<String>, diagnostic: Diagnostic) -> Diagnostic {
    let Ok(text) = std::fs::read_to_string(file) else { return diagnostic };
    let start: usize = text.split_inclusive('\n').take(name.line.saturating_sub(1) as usize).map(str::len).sum();
    let column = text[start..].lines().next().and_then(|line| line.find(&name.value)).unwrap_or(0);
    diagnostic.at(Spot::of(&text, start + column..start + column + name.value.len()))
}

/// That it has no operating system is no fault of an element's; all else that keeps it from resolving is.
pub(super) fn resolution(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Err(errors) = resolve(subject.linter.catalogue, std::slice::from_ref(&subject.element.name)) else { return };
    for error in &errors.errors {
        let diagnostic = error.diagnostic(&subject.element.dir);
        match error {
            DibResolveError::MissingOs { .. } => {}
            DibResolveError::Missing { name, .. } => found.extend(missing(subject, name, diagnostic)),
            _ => found.push(diagnostic),
        }
    }
}

/// A dependency that is on no path: somebody else's fault if it is an element that everybody has.
fn missing(subject: &Subject<'_>, name: &str, diagnostic: Diagnostic) -> Option<Diagnostic> {
    if name.contains(['#', ' ', '\t', '/', ':', '\'', '"']) {
        return None;
    }
    let providers = subject.linter.catalogue.providers(name);
    if !providers.is_empty() {
        let message = format!("`{name}` is no element: the build must have one that provides it");
        let hint = format!("there are {}", providers.join(", "));
        return Some(Diagnostic { message, ..diagnostic }.severity(Severity::Note).hint(hint));
    }
    let native = subject.linter.native.contains(name);
    Some(if UPSTREAM.contains(&name) {
        let own = if native { "; Isotope has an element of its own of this name, in its own format" } else { "" };
        let hint = "put the `elements` directory of the diskimage-builder package on ELEMENTS_PATH";
        Diagnostic {
            message: format!("`{name}` is diskimage-builder's, which is not on ELEMENTS_PATH{own}"),
            ..diagnostic
        }
        .severity(Severity::Warning)
        .hint(hint.to_owned())
    } else if native {
        let hint = "an element with element.toml can depend on it; or put an element of this name on ELEMENTS_PATH";
        Diagnostic { message: format!("`{name}` is an element of Isotope's, in Isotope's own format"), ..diagnostic }
            .hint(hint.to_owned())
    } else {
        diagnostic
    })
}

/// Elements of the same name elsewhere on the path.
pub(super) fn overrides(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let others: Vec<_> = subject.linter.catalogue.all_named(&subject.element.name).skip(1).collect();
    for other in others {
        let message = format!("Element <{}> overrides <{}>", subject.element.dir.display(), other.dir.display());
        let merged =
            ["package-installs.json", "package-installs.yaml"].iter().any(|file| other.dir.join(file).exists());
        let hint = if merged {
            "the package-installs of both are used; of all else only the first's"
        } else {
            "nothing of the second is used"
        };
        found.push(told(&subject.element.dir, Severity::Note, message, hint));
    }
}

/// Hooks of one name: in the closure they end every build with it; elsewhere, every build with both.
pub(super) fn collisions(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    match &subject.tree {
        Err(HookTreeError::Duplicates(duplicates)) => {
            found.extend(duplicates.iter().map(|duplicate| {
                let mut diagnostic = duplicate.diagnostic();
                if !subject.is_mine(&diagnostic.file) {
                    let hint = diagnostic.hint.take().unwrap_or_default();
                    diagnostic.hint = Some(format!("{hint}; `{}` depends on both", subject.element.name));
                }
                diagnostic
            }));
        }
        Err(HookTreeError::Files(errors)) => found.extend(errors.iter().cloned()),
        Ok(_) => {}
    }
    for (dir, entries) in &subject.contents.dirs {
        for entry in entries {
            let path = Path::new(dir).join(&entry.name);
            let others = subject.linter.entries.get(&path).into_iter().flatten();
            let others: Vec<&str> = others.filter(|other| could_meet(subject, other)).copied().collect();
            if !others.is_empty() {
                let message = format!("{} is in {} too", path.display(), others.join(", "));
                let hint = "a build with both ends with `There is a duplicated hook in your elements`; rename it";
                found.push(told(&entry.path, Severity::Note, message, hint));
            }
        }
    }
}

/// Whether two elements can be in one build at all, and are not already told of.
fn could_meet(subject: &Subject<'_>, other: &str) -> bool {
    if other == subject.element.name || subject.closure.names().contains(&other) {
        return false;
    }
    let Some(other) = subject.linter.catalogue.elements.get(other) else { return false };
    let provided = |name: &String| other.provides.iter().any(|provided| provided.value == *name);
    !subject.element.provides.iter().any(|own| provided(&own.value)) && !provided(&subject.element.name)
}

pub(super) fn readme(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    if !subject.element.dir.join("README.rst").is_file() {
        let hint = "say in a few lines what the element does and which variables it reads";
        found.push(told(&subject.element.dir, Severity::Warning, "the element has no README.rst", hint));
    }
}
