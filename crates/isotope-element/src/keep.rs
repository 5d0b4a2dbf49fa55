//! How long what a hook leaves may be taken from the cache: `cache = false` and `max_age` in an element's words.

use crate::document::At;
use crate::nearest::suggest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Whether an earlier build's layer may stand for a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// As long as its inputs are the same.
    #[default]
    Always,
    /// So, but for so many seconds at most.
    For(u64),
    /// It is run in each build, and so is all that follows.
    Never,
}

impl Keep {
    /// Whether nothing is said of it.
    #[must_use]
    pub fn is_always(&self) -> bool {
        *self == Self::Always
    }
}

/// What layers may do with a hook.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hook")]
pub(crate) struct RawHook {
    /// The hook's file in the element: `install.d/50-fetch`.
    pub name: At<String>,
    /// `false`: it is run in each build, and so is all that follows.
    pub cache: Option<At<bool>>,
    /// What it leaves is taken from the cache for so long: `30 min`, `12 h`, `7 d`.
    pub max_age: Option<At<String>>,
}

/// Something wrong: where, what, what to do.
pub(crate) type Fault = (Range<usize>, String, Option<String>);

/// What the element in `dir` says of its hooks, by their files; and what is wrong with it.
pub(crate) fn of_hooks(dir: &Path, hooks: &[At<RawHook>]) -> (BTreeMap<PathBuf, Keep>, Vec<Fault>) {
    let (mut keep, mut faults) = (BTreeMap::new(), Vec::new());
    let known = if hooks.is_empty() { Vec::new() } else { known(dir) };
    for At { value: hook, .. } in hooks {
        let name = &hook.name;
        if !known.contains(&name.value) {
            let hint = suggest(&name.value, known.iter().map(String::as_str), "hooks of the element");
            faults.push((name.span.clone(), format!("`{}` is no hook of this element", name.value), hint));
        }
        match hook.keep() {
            Ok(kept) => drop(keep.insert(PathBuf::from(&name.value), kept)),
            Err((span, message)) => faults.push((span.clone(), message, None)),
        }
    }
    (keep, faults)
}

/// `PHASE.d/NAME` of all hooks that are there.
fn known(dir: &Path) -> Vec<String> {
    let list = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let phases = list(dir).filter(|path| path.extension().is_some_and(|extension| extension == "d"));
    let mut names: Vec<String> = phases
        .flat_map(|phase| list(&phase).collect::<Vec<_>>())
        .filter_map(|path| Some(path.strip_prefix(dir).ok()?.display().to_string()))
        .collect();
    names.sort();
    names
}

impl RawHook {
    /// What it says; or which of its values is wrong, and how.
    fn keep(&self) -> Result<Keep, (&Range<usize>, String)> {
        match (&self.cache, &self.max_age) {
            (Some(At { value: false, .. }), None) => Ok(Keep::Never),
            (Some(At { value: false, .. }), Some(age)) => {
                Err((&age.span, "`max_age` has no meaning beside `cache = false`".to_owned()))
            }
            (_, Some(age)) => match seconds(&age.value) {
                Some(seconds) => Ok(Keep::For(seconds)),
                None => Err((&age.span, format!("`{}` is no time: write `30 min`, `12 h` or `7 d`", age.value))),
            },
            (_, None) => Ok(Keep::Always),
        }
    }
}

/// `30 min`, `12 h`, `7 d`; not nothing.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let unit = match text[digits..].trim() {
        "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit).filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in [
            ("30 min", Some(1800)),
            ("12h", Some(43_200)),
            ("7 d", Some(604_800)),
            ("0 d", None),
            ("7", None),
            ("d", None),
            ("1.5 h", None),
            ("-1 h", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
