//! What is in an element's directory, as the merge sees it: first-level directories with their entries, and top-level files.
//!
//! In: the directory. Out: [`Contents`], and what is ignored in it. It must not know other elements.

use crate::{Diagnostic, Severity};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// First-level directories that are not merged.
const NOT_MERGED: [&str; 2] = ["tests", "__pycache__"];

/// What kind of thing an entry is, itself: links are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with its target's text. Links are copied as links.
    Link(PathBuf),
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Itself.
    pub kind: EntryKind,
    /// Whether it is, or leads to, a regular file that somebody may execute.
    pub executable: bool,
}

impl Entry {
    /// Reads one. `None`: a socket, a device or the like.
    pub(super) fn read(path: PathBuf) -> std::io::Result<Option<Self>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = path.symlink_metadata()?;
        let kind = if own.is_symlink() {
            EntryKind::Link(path.read_link()?)
        } else if own.is_dir() {
            EntryKind::Directory
        } else if own.is_file() {
            EntryKind::File
        } else {
            return Ok(None);
        };
        // A link that leads nowhere has no mode.
        let executable = path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
        Ok(Some(Self { name, path, kind, executable }))
    }

    /// Whether it is, or leads to, a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.path.is_file()
    }
}

/// A file that an element may have at its top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// What it is for.
    pub kind: Kind,
    /// The file.
    pub path: PathBuf,
}

/// What a top-level file is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `element-deps`.
    Depends,
    /// `element-provides`.
    Provides,
    /// `package-installs.json` or `.yaml`.
    PackageInstalls,
    /// `pkg-map`.
    PkgMap,
    /// `svc-map`.
    SvcMap,
    /// `source-repository-NAME`, with the name.
    SourceRepository(String),
    /// `block-device-ARCH.yaml`, with the architecture, or `default`.
    BlockDevice(String),
    /// `README.rst`.
    Readme,
    /// Nothing that diskimage-builder knows.
    Other,
}

impl Kind {
    /// By a file's name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "element-deps" => Self::Depends,
            "element-provides" => Self::Provides,
            "package-installs.json" | "package-installs.yaml" => Self::PackageInstalls,
            "pkg-map" => Self::PkgMap,
            "svc-map" => Self::SvcMap,
            "README.rst" => Self::Readme,
            _ => {
                let block_device = name.strip_prefix("block-device-").and_then(|name| name.strip_suffix(".yaml"));
                match (name.strip_prefix("source-repository-"), block_device) {
                    (Some(name), _) if !name.is_empty() => Self::SourceRepository(name.to_owned()),
                    (_, Some(arch)) if !arch.is_empty() => Self::BlockDevice(arch.to_owned()),
                    _ => Self::Other,
                }
            }
        }
    }
}

/// What is in an element's directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// First-level directories (also through links) by name, each with its entries sorted by name; those that are not merged are left out.
    pub dirs: BTreeMap<String, Vec<Entry>>,
    /// Top-level regular files (also through links), sorted by name.
    pub files: Vec<Entry>,
    /// What diskimage-builder leaves out without a word: notes and warnings.
    pub ignored: Vec<Diagnostic>,
}

impl Contents {
    pub(super) fn read(dir: &Path) -> Result<Self, Vec<Diagnostic>> {
        let mut contents = Self::default();
        let mut errors = Vec::new();
        for path in list(dir).map_err(|error| vec![error])? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if NOT_MERGED.contains(&name.as_str()) {
                    continue;
                }
                match list(&path) {
                    Ok(paths) => {
                        let entries = paths.into_iter().filter_map(|path| contents.entry(path, Level::Inside));
                        let entries: Vec<Entry> = entries.collect();
                        contents.dirs.insert(name, entries);
                    }
                    Err(error) => errors.push(error),
                }
            } else if let Some(entry) = contents.entry(path, Level::Top) {
                contents.files.push(entry);
            }
        }
        if errors.is_empty() { Ok(contents) } else { Err(errors) }
    }

    /// Top-level files that diskimage-builder knows.
    pub fn sources(&self) -> impl Iterator<Item = SourceFile> + '_ {
        self.files.iter().map(|entry| SourceFile { kind: Kind::of(&entry.name), path: entry.path.clone() })
    }

    /// The names of architectures (or `default`) that there is a block device configuration for.
    #[must_use]
    pub fn block_devices(&self) -> BTreeMap<String, PathBuf> {
        let named = |file: SourceFile| match file.kind {
            Kind::BlockDevice(arch) => Some((arch, file.path)),
            _ => None,
        };
        self.sources().filter_map(named).collect()
    }

    fn ignore(&mut self, path: &Path, severity: Severity, message: String, hint: &str) {
        self.ignored.push(Diagnostic::error(path, message).severity(severity).hint(hint.to_owned()));
    }

    fn entry(&mut self, path: PathBuf, level: Level) -> Option<Entry> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let entry = match Entry::read(path.clone()) {
            Ok(Some(entry)) => entry,
            Ok(None) => {
                let message = format!("`{name}` is ignored: it is neither a file nor a directory nor a link");
                self.ignore(&path, Severity::Warning, message, "take it away");
                return None;
            }
            Err(error) => {
                self.ignore(&path, Severity::Warning, format!("`{name}` is ignored: {error}"), "take it away");
                return None;
            }
        };
        match level {
            Level::Top if name.ends_with(".pyc") => return None,
            Level::Top if !entry.is_file() => {
                let message = format!("`{name}` is ignored: the link leads nowhere");
                self.ignore(&path, Severity::Warning, message, "mend the link, or take it away");
                return None;
            }
            Level::Inside if name.starts_with('.') => {
                let message = format!("`{name}` is ignored: files whose names begin with a dot are not merged");
                self.ignore(&path, Severity::Warning, message, "rename it, or put it into a directory of its own");
                return None;
            }
            _ => {}
        }
        if name.chars().any(char::is_whitespace) {
            let message = format!("`{name}` has white space in its name, which diskimage-builder cannot copy");
            self.ignore(&path, Severity::Warning, message, "rename it");
        }
        Some(entry)
    }
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    Inside,
}

/// The paths in a directory, sorted by bytes.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| Diagnostic::error(dir, format!("cannot be listed: {error}")))?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    fn names(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn directories_and_top_level_files_as_the_merge_sees_them() {
        let world = World::new();
        world.hook("e/install.d/10-a").file("e/install.d/20-b", 0o644, "").file("e/install.d/.hidden", 0o644, "");
        world.file("e/tests/x", 0o644, "").file("e/__pycache__/x.pyc", 0o644, "").file("e/static/etc/x", 0o644, "");
        world.file("e/.git/HEAD", 0o644, "").file("e/.gitignore", 0o644, "").file("e/old.pyc", 0o644, "");
        world.link("e/install.d/30-link", "10-a").link("e/install.d/40-gone", "missing").link("e/gone", "missing");
        world.link("e/bin", "install.d");
        let contents = Contents::read(&world.path().join("e")).unwrap();
        assert_eq!(contents.dirs.keys().collect::<Vec<_>>(), [".git", "bin", "install.d", "static"]);
        assert_eq!(names(&contents.files), [".gitignore"]);
        let install = &contents.dirs["install.d"];
        assert_eq!(names(install), ["10-a", "20-b", "30-link", "40-gone"]);
        assert_eq!(install.iter().map(|entry| entry.executable).collect::<Vec<_>>(), [true, false, true, false]);
        assert_eq!(install[2].kind, EntryKind::Link("10-a".into()));
        assert_eq!(names(&contents.dirs["bin"]), names(install));
        let told: Vec<String> = contents.ignored.iter().map(|one| one.message.clone()).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().any(|text| text.starts_with("`.hidden` is ignored")), "{told:?}");
        assert!(told.iter().any(|text| text.starts_with("`gone` is ignored: the link leads nowhere")), "{told:?}");
    }

    #[test]
    fn files_are_known_by_their_names() {
        for (name, kind) in [
            ("element-deps", Kind::Depends),
            ("package-installs.json", Kind::PackageInstalls),
            ("source-repository-glean", Kind::SourceRepository("glean".to_owned())),
            ("block-device-ppc64el.yaml", Kind::BlockDevice("ppc64el".to_owned())),
            ("block-device-default.yml", Kind::Other),
            ("elements-deps", Kind::Other),
            ("README.md", Kind::Other),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }
}
