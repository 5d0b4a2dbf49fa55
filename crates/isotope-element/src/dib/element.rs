//! One element: its name, what it depends on and what it provides.
//!
//! In: a directory. Out: [`DibElement`]. What else is in the directory is read by [`DibElement::contents`] when it is wanted.

use super::Contents;
use super::side::SideFile;
use crate::{Diagnostic, Located, Phase};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// An element of diskimage-builder's: a directory without any marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DibElement {
    /// The last part of [`DibElement::dir`]: an element that is a symbolic link has its target's name.
    pub name: String,
    /// Its directory, without symbolic links.
    pub dir: PathBuf,
    /// As it stands in its directory of ELEMENTS_PATH.
    pub listed: PathBuf,
    /// Names in `element-deps`, each once, in the file's order.
    pub depends: Vec<Located<String>>,
    /// Names in `element-provides`, each once, in the file's order.
    pub provides: Vec<Located<String>>,
    /// What layers are told of it.
    pub side: SideFile,
}

impl DibElement {
    /// Reads the element at `listed`. `None`: it is no directory, or nothing could name it.
    ///
    /// # Errors
    /// `element-deps` or `element-provides` is there and cannot be read; or everything that is wrong with `isotope.toml`.
    pub fn read(listed: &Path) -> Result<Option<Self>, Vec<Diagnostic>> {
        // A link that leads nowhere is no directory.
        let Ok(dir) = listed.canonicalize() else { return Ok(None) };
        let name = dir.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let Some(name) = name.filter(|_| dir.is_dir()) else { return Ok(None) };
        let depends = names(&dir.join("element-deps")).map_err(|error| vec![error])?;
        let provides = names(&dir.join("element-provides")).map_err(|error| vec![error])?;
        let side = SideFile::read(&dir)?;
        Ok(Some(Self { name, dir, listed: listed.to_owned(), depends, provides, side }))
    }

    /// What is in the directory.
    ///
    /// # Errors
    /// Directories that cannot be listed.
    pub fn contents(&self) -> Result<Contents, Vec<Diagnostic>> {
        Contents::read(&self.dir)
    }

    /// The first paragraph of README.rst, on one line, without its title.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        summary(&std::fs::read_to_string(self.dir.join("README.rst")).ok()?)
    }
}

/// One name a line, stripped, blank lines dropped. There is no syntax for comments.
fn names(file: &Path) -> Result<Vec<Located<String>>, Diagnostic> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let hint = "it is a text file with the name of one element a line".to_owned();
            return Err(Diagnostic::error(file, format!("cannot be read: {error}")).hint(hint));
        }
    };
    let mut found: Vec<Located<String>> = Vec::new();
    for (line, name) in (1..).zip(text.lines().map(str::trim)) {
        if !name.is_empty() && !found.iter().any(|other| other.value == name) {
            found.push(Located { value: name.to_owned(), line });
        }
    }
    Ok(found)
}

/// Whether a directory has what only elements have: it is taken for one, not for a directory of elements.
#[must_use]
pub fn looks_like(dir: &Path) -> bool {
    let file = |name: &str| dir.join(name).is_file();
    if ["element-deps", "element-provides", "package-installs.yaml", "package-installs.json", "pkg-map", "svc-map"]
        .into_iter()
        .any(file)
    {
        return true;
    }
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names = names.map(|name| name.to_string_lossy().into_owned());
    names.any(|name| {
        let phase = |stem: &str| stem == "environment" || Phase::ALL.iter().any(|phase| phase.name() == stem);
        let hooks = name.strip_suffix(".d").is_some_and(phase) && dir.join(&name).is_dir();
        let own = name.starts_with("source-repository-") || name.starts_with("block-device-");
        hooks || (own && dir.join(&name).is_file())
    })
}

/// The first paragraph of a reStructuredText, on one line: titles, comments, targets and directives are not part of it.
fn summary(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let adornment = |line: &str| {
        let first = line.chars().next();
        line.len() > 1
            && first.is_some_and(|first| first.is_ascii_punctuation() && line.chars().all(|char| char == first))
    };
    let mut paragraph: Vec<&str> = Vec::new();
    let mut skipping = false;
    for (index, line) in lines.iter().enumerate() {
        let next = lines.get(index + 1).copied().unwrap_or_default();
        if line.is_empty() {
            if !paragraph.is_empty() {
                break;
            }
            // What follows a directive or a comment, indented, is its own.
        } else if skipping && line.starts_with([' ', '\t']) {
        } else if line.starts_with("..") {
            skipping = true;
        } else if adornment(line) || (paragraph.is_empty() && adornment(next)) {
            skipping = false;
        } else {
            skipping = false;
            paragraph.push(line.trim());
        }
    }
    (!paragraph.is_empty()).then(|| paragraph.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    #[test]
    fn names_are_stripped_and_blank_lines_dropped() {
        let world = World::new();
        world.file("e/element-deps", 0o644, "  a \n\n# no comment\nb\na\n\tc");
        let element = DibElement::read(&world.path().join("e")).unwrap().unwrap();
        let found: Vec<(&str, u32)> = element.depends.iter().map(|name| (&*name.value, name.line)).collect();
        assert_eq!(found, [("a", 1), ("# no comment", 3), ("b", 4), ("c", 6)]);
        assert!(element.provides.is_empty());
    }

    #[test]
    fn a_linked_element_has_its_targets_name() {
        let world = World::new();
        world.element("real", &[], &[]).link("alias", "real").link("nowhere", "missing").file("plain", 0o644, "");
        let element = DibElement::read(&world.path().join("alias")).unwrap().unwrap();
        assert_eq!(element.name, "real");
        assert_eq!(element.listed, world.path().join("alias"));
        for name in ["nowhere", "plain"] {
            assert_eq!(DibElement::read(&world.path().join(name)).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let world = World::new();
        world.file("e/element-deps/x", 0o644, "");
        let error = DibElement::read(&world.path().join("e")).unwrap_err()[0].to_string();
        assert!(error.contains("cannot be read") && error.contains("e/element-deps"), "{error}");
        let hooks =
            "[[hooks]]\nname = \"install.d/no\"\ncache = false\n[[hooks]]\nname = \"install.d/nor\"\ncache = false\n";
        world.file("side/isotope.toml", 0o644, hooks);
        assert_eq!(DibElement::read(&world.path().join("side")).unwrap_err().len(), 2, "all faults at once");
    }

    #[test]
    fn summaries_are_first_paragraphs() {
        for (text, expected) in [
            ("==\nvm\n==\nSets up a disk\nwith partitions.\n\nMore.\n", Some("Sets up a disk with partitions.")),
            ("vm\n--\n\n.. note::\n   Old.\n\n   Very.\n\nIt does *x*.\n", Some("It does *x*.")),
            ("Only words\n", Some("Only words")),
            ("title\n=====\n", None),
            ("", None),
        ] {
            assert_eq!(summary(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn elements_are_told_from_directories_of_elements() {
        let world = World::new();
        world.element("a/vm", &[], &[]).file("a/vm/element-deps", 0o644, "").file("a/pkg-map/README.rst", 0o644, "");
        world.hook("b/install.d/10-x").file("c/environment.d/10-x", 0o644, "").file("d/source-repository-x", 0o644, "");
        assert!(!looks_like(&world.path().join("a")), "pkg-map is a directory there, the element of this name");
        for name in ["a/vm", "b", "c", "d"] {
            assert!(looks_like(&world.path().join(name)), "{name}");
        }
    }
}
