//! What a good element has, beyond what makes it load: `isotope check`.
//!
//! In: an element's directory. Out: errors, warnings and notes. One rule, one function, one line in [`RULES`].

use crate::diagnostic::{Diagnostic, Severity, Spot, sort};
use crate::{Element, HookFile, VarDecl, catalogue};
use std::collections::BTreeSet;
use std::path::Path;

/// A rule looks at one element.
type Rule = fn(&Element, &mut Vec<Diagnostic>);

const RULES: &[Rule] = &[readme, checks, helps, unused_variables, hooks_run, downloads];

/// Everything that can be said about the element of this directory: why it does not load, or else the [`advice`].
#[must_use]
pub fn check(dir: &Path) -> Vec<Diagnostic> {
    let dir = match std::path::absolute(dir) {
        Ok(dir) => dir,
        Err(error) => return vec![Diagnostic::error(dir, format!("this is no directory: {error}"))],
    };
    match catalogue::load_one(&dir) {
        Ok((element, mut found)) => {
            found.extend(advice(&element));
            sort(&mut found);
            found
        }
        Err(errors) => errors,
    }
}

/// What could be better in an element that loads.
#[must_use]
pub fn advice(element: &Element) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for rule in RULES {
        rule(element, &mut found);
    }
    sort(&mut found);
    found
}

fn warning(file: &Path, message: impl Into<String>, hint: &str) -> Diagnostic {
    Diagnostic::error(file, message).severity(Severity::Warning).hint(hint.to_owned())
}

/// The line of the manifest that declares a variable.
fn declaration(element: &Element, decl: &VarDecl) -> Option<Spot> {
    let text = std::fs::read_to_string(&element.manifest.file).ok()?;
    spot_of_line(&text, decl.line)
}

fn spot_of_line(text: &str, line: u32) -> Option<Spot> {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
    let content = text.get(before..)?.lines().next()?;
    Some(Spot::of(text, before..before + content.len()))
}

fn readme(element: &Element, found: &mut Vec<Diagnostic>) {
    if !element.dir.join("README.md").is_file() {
        let hint = "say in a few lines what the element does and how its variables are used";
        found.push(warning(&element.dir, "the element has no README.md", hint));
    }
}

fn checks(element: &Element, found: &mut Vec<Diagnostic>) {
    if element.manifest.checks.is_empty() {
        let hint = "add a [[checks]] that proves the element's work inside the booted image";
        found.push(warning(&element.manifest.file, "the element has no checks", hint));
    }
}

fn helps(element: &Element, found: &mut Vec<Diagnostic>) {
    for decl in element.manifest.vars.values().filter(|decl| decl.help.trim().is_empty()) {
        let diagnostic = warning(
            &element.manifest.file,
            format!("the variable `{}` has no help", decl.name),
            "add help = \"…\"; people see it in `isotope elements show`",
        );
        found.push(Diagnostic { spot: declaration(element, decl), ..diagnostic });
    }
}

/// A variable that no template, condition, list or hook of the element uses. Another element may use it, so it is a warning.
fn unused_variables(element: &Element, found: &mut Vec<Diagnostic>) {
    let manifest = &element.manifest;
    let mut used: BTreeSet<&str> =
        manifest.all_templates().iter().flat_map(|template| &template.names).map(String::as_str).collect();
    used.extend(manifest.conditions().flat_map(|condition| condition.vars.keys()).map(String::as_str));
    used.extend(manifest.packages.iter().filter_map(|section| section.names_from.as_deref()));
    // Hooks may source files that stand beside them, so every hook's text counts.
    let hooks: Vec<String> = all_hooks(element).filter_map(|hook| text_of(&hook.path)).collect();
    for decl in manifest.vars.values().filter(|decl| !used.contains(decl.name.as_str())) {
        let mut names = decl.env.clone();
        names.push(decl.name.to_ascii_uppercase());
        if hooks.iter().any(|hook| names.iter().any(|name| has_word(hook, name))) {
            continue;
        }
        let diagnostic = warning(
            &manifest.file,
            format!("nothing in this element uses the variable `{}`", decl.name),
            "use it in a template, a condition or a hook, or take it away",
        );
        found.push(Diagnostic { spot: declaration(element, decl), ..diagnostic });
    }
}

fn hooks_run(element: &Element, found: &mut Vec<Diagnostic>) {
    for hook in all_hooks(element) {
        if !hook.executable {
            let hint = format!("chmod +x {}", hook.path.display());
            found.push(Diagnostic::error(&hook.path, format!("the hook `{}` is not executable", hook.name)).hint(hint));
        }
        let start = std::fs::read(&hook.path).unwrap_or_default();
        if !start.starts_with(b"#!") && !start.starts_with(b"\x7fELF") {
            let message = format!("the hook `{}` has no `#!` line: the kernel cannot run it", hook.name);
            found.push(
                Diagnostic::error(&hook.path, message)
                    .hint("begin it with #!/bin/sh, or another interpreter".to_owned()),
            );
        }
    }
}

/// Downloads in hooks.
fn downloads(element: &Element, found: &mut Vec<Diagnostic>) {
    for hook in all_hooks(element) {
        let own = hook.path.strip_prefix(&element.dir).unwrap_or(&hook.path);
        let keep = element.manifest.keep.get(own).copied().unwrap_or_default();
        crate::downloads::told(&hook.path, &hook.name, keep, found);
    }
}

fn all_hooks(element: &Element) -> impl Iterator<Item = &HookFile> {
    element.hooks.values().flatten()
}

/// The text of a hook, if it is text.
fn text_of(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Whether a word occurs, also as the tail of `ISOTOPE_<ELEMENT>_<VAR>`.
fn has_word(text: &str, word: &str) -> bool {
    let inside = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        before.is_none_or(|char| !char.is_ascii_alphanumeric()) && !after.is_some_and(inside)
    })
}

#[cfg(test)]
mod tests;
