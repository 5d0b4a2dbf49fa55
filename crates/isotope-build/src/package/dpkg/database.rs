//! dpkg's database in a target, as far as a package that has just been unpacked needs it.
//!
//! `/var/lib/dpkg/status` (deb822; "install ok unpacked"), `info/NAME.*`, and the triggers directory as dpkg's own
//! specification (`/usr/share/doc/dpkg/spec/triggers.txt`) describes it: `File`, one file a trigger name, `Unincorp`
//! for activations that the next dpkg incorporates. Never used while a dpkg runs in the target.

use crate::package::deb::Deb;
use crate::package::deb::control::{Paragraph, paragraphs};
use isotope_sys::target::{TargetDir, TargetError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const ROOT: &str = "/var/lib/dpkg";

/// Makes an empty database, as it is before the first package.
///
/// # Errors
/// The target refuses.
pub fn create(target: &TargetDir, arch: &str) -> Result<(), TargetError> {
    for dir in ["alternatives", "info", "parts", "triggers", "updates"] {
        target.create_dir_all(format!("{ROOT}/{dir}"), 0o755)?;
    }
    for (file, content) in
        [("status", ""), ("available", ""), ("info/format", "1\n"), ("triggers/Unincorp", ""), ("triggers/File", "")]
    {
        target.write(format!("{ROOT}/{file}"), content, 0o644)?;
    }
    target.write(format!("{ROOT}/arch"), format!("{arch}\n"), 0o644)
}

/// The status database's paragraphs.
///
/// # Errors
/// It cannot be read.
pub fn status(target: &TargetDir) -> Result<Vec<Paragraph>, TargetError> {
    let path = format!("{ROOT}/status");
    if !target.exists(&path) {
        return Ok(Vec::new());
    }
    Ok(paragraphs(&target.read_text(&path)?).collect())
}

/// The state of a package, the last word of its status: `installed`, `unpacked`, …
#[must_use]
pub fn state(paragraph: &Paragraph) -> &str {
    paragraph.text("Status").rsplit(' ').next().unwrap_or_default()
}

/// Enters packages that have been unpacked, each with its list of paths.
///
/// # Errors
/// The target refuses.
pub fn register(target: &TargetDir, packages: &[(&Deb, &[Vec<u8>])]) -> Result<(), TargetError> {
    let mut status = target.read(format!("{ROOT}/status"))?;
    let mut triggers = Triggers::read(target)?;
    for (deb, list) in packages {
        let stem = format!("{ROOT}/info/{}", file_stem(deb));
        let mut lines = list.join(&b'\n');
        lines.push(b'\n');
        target.write(format!("{stem}.list"), lines, 0o644)?;
        for file in &deb.files {
            let path = format!("{stem}.{}", file.name);
            target.write(&path, &file.content, file.mode)?;
            target.set_times(&path, i64::try_from(file.mtime).unwrap_or(0))?;
        }
        triggers.add(&qualified_name(deb), &deb.file_text("triggers"));
        status.extend(stanza(deb).to_text().into_bytes());
    }
    for (_, list) in packages {
        triggers.note_paths(list);
    }
    target.write(format!("{ROOT}/status"), status, 0o644)?;
    triggers.write(target)
}

/// Its entry in the status database.
fn stanza(deb: &Deb) -> Paragraph {
    let mut stanza = deb.control.clone();
    stanza.set("Status", "install ok unpacked");
    let mut conffiles = String::new();
    for line in deb.file_text("conffiles").lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        // A line is a path, or a flag and a path; in the database the flag comes last.
        let (flag, path) = line.split_once(' ').filter(|_| !line.starts_with('/')).unwrap_or(("", line));
        let space = if flag.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _infallible = write!(conffiles, "\n {} newconffile{space}{flag}", path.trim());
    }
    if !conffiles.is_empty() {
        stanza.set("Conffiles", conffiles);
    }
    stanza
}

fn is_same(deb: &Deb) -> bool {
    deb.control.text("Multi-Arch") == "same"
}

/// What the package's files in `info/` begin with.
fn file_stem(deb: &Deb) -> String {
    qualified_name(deb)
}

/// Its name, with the architecture where it can be installed for several at once.
#[must_use]
pub fn qualified_name(deb: &Deb) -> String {
    if is_same(deb) { format!("{}:{}", deb.name(), deb.control.text("Architecture")) } else { deb.name().to_owned() }
}

/// Interests and activations.
#[derive(Debug, Default)]
struct Triggers {
    /// `/path NAME[/noawait]`, in the order of their packages.
    file: Vec<String>,
    /// Trigger name → interested packages, for the ones that changed.
    named: BTreeMap<String, Vec<String>>,
    /// Activated trigger names.
    activated: BTreeSet<String>,
    unincorporated: String,
}

impl Triggers {
    fn read(target: &TargetDir) -> Result<Self, TargetError> {
        let mut triggers = Self::default();
        for entry in target.read_dir(format!("{ROOT}/triggers"))? {
            let Some(name) = entry.name.to_str().filter(|name| *name != "Lock") else { continue };
            let text = target.read_text(format!("{ROOT}/triggers/{name}"))?;
            match name {
                "Unincorp" => triggers.unincorporated = text,
                "File" => triggers.file = text.lines().map(str::to_owned).collect(),
                _ => drop(triggers.named.insert(name.to_owned(), text.lines().map(str::to_owned).collect())),
            }
        }
        Ok(triggers)
    }

    /// Takes the control file `triggers` of a package.
    fn add(&mut self, package: &str, control: &str) {
        for line in control.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(directive), Some(name)) = (words.next(), words.next()) else { continue };
            let package =
                if directive.ends_with("-noawait") { format!("{package}/noawait") } else { package.to_owned() };
            if directive.starts_with("activate") {
                self.activated.insert(name.to_owned());
            } else if name.starts_with('/') {
                push_new(&mut self.file, format!("{name} {package}"));
            } else {
                push_new(self.named.entry(name.to_owned()).or_default(), package);
            }
        }
    }

    /// Activates the file triggers that lie above new paths.
    fn note_paths(&mut self, list: &[Vec<u8>]) {
        let interests: BTreeSet<&str> = self.file.iter().filter_map(|line| line.split(' ').next()).collect();
        for path in list {
            let Ok(mut path) = std::str::from_utf8(path) else { continue };
            while !path.is_empty() {
                if interests.contains(path) && !self.activated.contains(path) {
                    self.activated.insert(path.to_owned());
                }
                path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            }
        }
    }

    fn write(&self, target: &TargetDir) -> Result<(), TargetError> {
        let file = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        target.write(format!("{ROOT}/triggers/File"), file(&self.file), 0o644)?;
        for (name, packages) in &self.named {
            target.write(format!("{ROOT}/triggers/{name}"), file(packages), 0o644)?;
        }
        let mut text = self.unincorporated.clone();
        for name in &self.activated {
            // `-`: no package waits for it. dpkg runs all pending triggers at the end of the transaction anyway.
            text.push_str(name);
            text.push_str(" -\n");
        }
        target.write(format!("{ROOT}/triggers/Unincorp"), text, 0o644)
    }
}

fn push_new(lines: &mut Vec<String>, line: String) {
    if !lines.contains(&line) {
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interests_are_kept_and_paths_activate_them() {
        let mut triggers = Triggers::default();
        triggers.add("man-db", "interest-noawait /usr/share/man # pages\ninterest man-index\n");
        triggers.add("man-db", "interest-noawait /usr/share/man\n");
        triggers.add("libx:amd64", "\nactivate-noawait ldconfig\n");
        triggers.note_paths(&[b"/.".to_vec(), b"/usr/share/manual".to_vec()]);
        assert_eq!(triggers.file, ["/usr/share/man man-db/noawait"]);
        assert_eq!(triggers.named["man-index"], ["man-db"]);
        assert_eq!(triggers.activated.iter().collect::<Vec<_>>(), ["ldconfig"]);
        triggers.note_paths(&[b"/usr/share/man/man1/a.1.gz".to_vec()]);
        assert_eq!(triggers.activated.iter().collect::<Vec<_>>(), ["/usr/share/man", "ldconfig"]);
    }
}
