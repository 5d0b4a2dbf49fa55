//! The lock as text: stable, sorted, a package a line.

use super::{Lock, LockedArchive, LockedCommit, LockedDownload, LockedGit, LockedPackage, LockedTree};
use std::fmt::Write;

const HEAD: &str =
    "# Written by `isotope lock`. Keep it beside the recipe, in git; `isotope lock --update` brings it up to date.\n";

impl Lock {
    /// The file's text: the same for the same lock.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut sorted = self.clone();
        sorted.sort();
        let Self { format, name, trees, commits, gits, downloads } = &sorted;
        let mut text = format!("{HEAD}format = {format}\nname = {}\n", quoted(name));
        for tree in trees {
            tree_text(&mut text, tree);
        }
        for LockedCommit { reference, url, commit, version } in commits {
            table(&mut text, "commit", &[("ref", reference), ("url", url), ("commit", commit)]);
            optional(&mut text, "version", version.as_deref());
        }
        for LockedGit { name, url, reference, commit } in gits {
            table(&mut text, "git", &[("name", name), ("url", url), ("ref", reference), ("commit", commit)]);
        }
        for LockedDownload { name, url, size, sha256 } in downloads {
            table(&mut text, "download", &[("name", name), ("url", url)]);
            line(&mut text, &format!("size = {size}\nsha256 = {}", quoted(sha256)));
        }
        text
    }
}

fn tree_text(text: &mut String, tree: &LockedTree) {
    let LockedTree { name, arch, distro, release, packages, archives } = tree;
    table(text, "tree", &[("name", name), ("arch", &arch.to_string()), ("distro", distro), ("release", release)]);
    line(text, "packages = [");
    for LockedPackage { name, version, arch, archive, path, size, sha256 } in packages {
        let [name, version, arch] = [name, version, arch].map(|word| quoted(word));
        let [archive, path, sha256] = [archive, path, sha256].map(|word| quoted(word));
        line(
            text,
            &format!(
                "    {{ name = {name}, version = {version}, arch = {arch}, archive = {archive}, path = {path}, size = {size}, sha256 = {sha256} }},"
            ),
        );
    }
    line(text, "]");
    for LockedArchive { id, uri, suite, components, release, date } in archives {
        table(text, "tree.archive", &[("id", id), ("uri", uri), ("suite", suite)]);
        let components: Vec<String> = components.iter().map(|component| quoted(component)).collect();
        line(text, &format!("components = [{}]", components.join(", ")));
        optional(text, "release", release.as_deref());
        optional(text, "date", date.as_deref());
    }
}

fn table(text: &mut String, name: &str, values: &[(&str, &String)]) {
    line(text, &format!("\n[[{name}]]"));
    values.iter().for_each(|(key, value)| line(text, &format!("{key} = {}", quoted(value))));
}

fn optional(text: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(text, &format!("{key} = {}", quoted(value)));
    }
}

fn line(text: &mut String, words: &str) {
    // Writing to a String cannot fail.
    let _infallible = writeln!(text, "{words}");
}

/// A basic string of TOML.
fn quoted(value: &str) -> String {
    let mut text = String::from('"');
    for char in value.chars() {
        match char {
            '"' | '\\' => {
                text.push('\\');
                text.push(char);
            }
            control if control.is_control() => {
                let _infallible = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
    text
}
