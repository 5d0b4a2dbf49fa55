//! What a hook fetches from the network: no key of a layer knows of it, and nothing verifies it.

use crate::keep::Keep;
use crate::{Diagnostic, Severity, Spot};
use std::path::Path;

/// Programs that fetch, as they stand on a line of a script.
const PROGRAMS: [&str; 11] = [
    "curl",
    "wget",
    "cache-url",
    "git clone",
    "git fetch",
    "git pull",
    "pip install",
    "pip3 install",
    "npm install",
    "go install",
    "cargo install",
];

const HINT: &str = "what it fetches is no input of its layer, and is not verified: list a package or a source instead, or say `max_age` or `cache = false` of the hook";

/// A note for each line of a hook that fetches. `name`: `install.d/50-x`. What says how long its result is kept has been thought about.
pub(crate) fn told(path: &Path, name: &str, keep: Keep, found: &mut Vec<Diagnostic>) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    if !keep.is_always() {
        return;
    }
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let code = if line.trim_start().starts_with('#') { "" } else { line };
        if let Some((program, at)) = PROGRAMS.iter().find_map(|program| Some((program, find_word(code, program)?))) {
            let start = offset + at;
            let message = format!("the hook `{name}` downloads with {program}");
            let diagnostic = Diagnostic::error(path, message).severity(Severity::Note).hint(HINT.to_owned());
            found.push(diagnostic.at(Spot::of(&text, start..start + program.len())));
        }
        offset += line.len();
    }
}

fn find_word(text: &str, word: &str) -> Option<usize> {
    let inside = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.');
    text.match_indices(word).map(|(at, _)| at).find(|&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(inside) && !after.is_some_and(inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_words() {
        assert_eq!(find_word("x curl y", "curl"), Some(2));
        assert_eq!(find_word("libcurl4 curl-config", "curl"), None);
    }

    #[test]
    fn downloads_are_named_unless_their_age_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("50-x");
        std::fs::write(
            &path,
            "#!/bin/sh\n# curl\napt-get install -y curl-minimal\ngit clone https://x\ngit status\nsudo curl -O y\n",
        )
        .unwrap();
        let lines = |keep| {
            let mut found = Vec::new();
            told(&path, "install.d/50-x", keep, &mut found);
            found.iter().map(|one| one.spot.as_ref().map_or(0, |spot| spot.line)).collect::<Vec<_>>()
        };
        assert_eq!(lines(Keep::Always), [4, 6]);
        assert!(lines(Keep::For(3600)).is_empty() && lines(Keep::Never).is_empty());
    }
}
