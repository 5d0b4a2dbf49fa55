//! `isotope.toml` of an element: what layers need to know of it, where its author wants more than the safe default.
//!
//! ```toml
//! reads = ["static/*", "pkg-map"]      # of its files outside of phases, only these are read by hooks
//! env = ["DIB_APP_*"]                  # of the caller's variables, it reads only these
//!
//! [[hooks]]
//! name = "install.d/50-fetch"
//! max_age = "12 h"                     # or cache = false
//! ```

use crate::document;
use crate::keep::{Fault, Keep, RawHook, of_hooks};
use crate::{Diagnostic, Spot};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Its name.
pub const FILE: &str = "isotope.toml";

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SideFile {
    /// Patterns of paths in the element: of the files outside of phases, hooks read these. None: they may read all.
    pub reads: Option<Vec<String>>,
    /// Patterns of names of variables that the element reads, beside those that are always exported. None: it may read all.
    pub env: Option<Vec<String>>,
    /// Hooks of which something is said, by their paths in the element.
    pub keep: BTreeMap<PathBuf, Keep>,
}

/// The side file of an element in diskimage-builder's format.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "isotope.toml", rename = "SideFile")]
pub(crate) struct RawSideFile {
    /// Paths in the element, with `*` for anything: of its files outside of phases, hooks read these and no others.
    pub reads: Option<Vec<String>>,
    /// Names of variables, with `*` for anything, that it reads beside those that are always exported.
    pub env: Option<Vec<String>>,
    /// What layers may do with its hooks.
    #[serde(default)]
    pub hooks: Vec<document::At<RawHook>>,
}

impl SideFile {
    /// Reads that of an element; an element without one says nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(dir: &Path) -> Result<Self, Vec<Diagnostic>> {
        let file = dir.join(FILE);
        if !file.is_file() {
            return Ok(Self::default());
        }
        let text = super::text_of(&file).map_err(|error| vec![error])?;
        let raw: RawSideFile = document::parse(&file, &text)?;
        let (keep, faults) = of_hooks(dir, &raw.hooks);
        let told =
            |(span, message, hint): Fault| Diagnostic::error(&file, message).at(Spot::of(&text, span)).hint(hint);
        let errors: Vec<Diagnostic> = faults.into_iter().map(told).collect();
        if errors.is_empty() { Ok(Self { reads: raw.reads, env: raw.env, keep }) } else { Err(errors) }
    }
}

/// Whether a text is of a pattern, in which `*` is anything.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_anything() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("static/*", "static/etc/x", true),
            ("static/*", "other/static/x", false),
            ("*.conf", "a/b.conf", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_side_file_is_held_against_its_element() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(SideFile::read(dir.path()).unwrap(), SideFile::default());
        std::fs::create_dir(dir.path().join("install.d")).unwrap();
        std::fs::write(dir.path().join("install.d/50-fetch"), "").unwrap();
        let write = |text: &str| std::fs::write(dir.path().join(FILE), text).unwrap();
        write("reads = [\"static/*\"]\n[[hooks]]\nname = \"install.d/50-fetch\"\nmax_age = \"12 h\"\n");
        let side = SideFile::read(dir.path()).unwrap();
        assert_eq!(side.keep[Path::new("install.d/50-fetch")], Keep::For(43_200));
        assert_eq!((side.reads.unwrap(), side.env), (vec!["static/*".to_owned()], None));
        write(
            "[[hooks]]\nname = \"install.d/50-fech\"\ncache = false\n[[hooks]]\nname = \"install.d/50-fetch\"\nmax_age = \"soon\"\n",
        );
        let told: Vec<String> = SideFile::read(dir.path()).unwrap_err().iter().map(ToString::to_string).collect();
        assert!(told[0].contains("install.d/50-fetch") && told[0].contains(":2:"), "{told:?}");
        assert!(told[1].contains("`soon` is no time"), "{told:?}");
    }
}
