//! What apt says when it fails, in our words: what happened, to which archive or package, and what to do.
//!
//! Pure: lines of output in, a [`PackageError`] out.

use crate::package::PackageError;
use isotope_plan::Source;
use isotope_sys::command::CommandError;

/// Beginnings of apt's complaints.
const MARKS: [&str; 4] = ["E: ", "Err:", "W: Failed to fetch ", "W: GPG error: "];

struct Case {
    /// apt says one of these, in lower case.
    says: &'static [&'static str],
    means: &'static str,
    remedy: &'static str,
}

/// From the most telling to the least. Adding one: a line here.
const CASES: [Case; 7] = [
    Case {
        says: &[
            "no_pubkey",
            "is not signed",
            "signatures couldn't be verified",
            "signatures were invalid",
            "is not available",
            "sub-process sqv",
            "expkeysig",
            "revkeysig",
        ],
        means: "the signature of a package archive cannot be verified",
        remedy: "check that the source's keyring holds the archive's key (for Debian: a current debian-archive-keyring on this host); \
                 where an archive is really unsigned, set `verify = false`",
    },
    Case {
        says: &["hash sum mismatch", "unexpected size", "hashes of expected file"],
        means: "a package archive delivers something else than it has signed",
        remedy: "the mirror is being updated or a proxy keeps old files: build again in a few minutes, or use another mirror",
    },
    Case {
        says: &["release file for", "not valid yet", "is expired"],
        means: "the index of a package archive is out of date",
        remedy: "check this host's clock; the mirror may have stopped being updated",
    },
    Case {
        says: &["does not have a release file", "no longer has a release file", "404"],
        means: "a package archive does not have what was asked for",
        remedy: "check the mirror's address, the release and the components",
    },
    Case {
        says: &["no space left", "enough free space"],
        means: "there is no room for the packages",
        remedy: "free some space below the cache directory, or choose another one",
    },
    Case {
        says: &[
            "error reading from server",
            "connection failed",
            "connection closed",
            "remote end closed",
            "undetermined error",
        ],
        means: "a package archive broke off while delivering",
        remedy: "build again: what has been downloaded is kept, and the rest is resumed",
    },
    Case {
        says: &[
            "could not resolve",
            "temporary failure resolving",
            "something wicked",
            "could not connect",
            "connection refused",
            "connection timed out",
            "unable to connect",
            "cannot initiate the connection",
            "certificate",
            "proxy",
        ],
        means: "a package archive cannot be reached",
        remedy: "check the network and the proxy settings, or use another mirror",
    },
];

/// Makes an error of what apt printed.
#[must_use]
pub fn explain(what: &str, lines: &[String], sources: &[Source], source: CommandError) -> PackageError {
    let complaints: Vec<&str> =
        lines.iter().map(|line| line.trim()).filter(|line| MARKS.iter().any(|mark| line.starts_with(mark))).collect();
    // Without a complaint, nothing that was printed is one.
    let all = if complaints.is_empty() { String::new() } else { lines.join("\n").to_lowercase() };
    let said = |case: &&Case| case.says.iter().any(|text| all.contains(text));
    let Some(case) = CASES.iter().find(said) else {
        return match conflict(lines) {
            Some(reasons) => PackageError::Unsupported(format!("the packages cannot be installed together:{reasons}")),
            None => PackageError::Command { what: what.to_owned(), source },
        };
    };
    let detail = complaints.iter().find(|line| case.says.iter().any(|text| line.to_lowercase().contains(text)));
    let detail = detail.or(complaints.first()).copied().unwrap_or_default();
    // Lines that apt puts below a complaint belong to it ("   Could not connect to …").
    let below = lines
        .iter()
        .find(|line| line.starts_with("  ") && case.says.iter().any(|text| line.to_lowercase().contains(text)));
    let mut message = format!("{}: {}", case.means, strip(detail));
    if let Some(below) = below {
        message.push_str(": ");
        message.push_str(below.trim());
    }
    if case.remedy.contains("keyring") {
        let keyrings: std::collections::BTreeSet<_> =
            sources.iter().filter_map(|source| source.keyring.as_ref()).collect();
        let list: Vec<_> = keyrings.iter().map(|path| path.display().to_string()).collect();
        message.push_str(&format!(" (keyrings: {})", list.join(", ")));
    }
    PackageError::Remote(format!("{message}; {}", case.remedy))
}

fn strip(line: &str) -> &str {
    MARKS.iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).trim_start_matches("Failed to fetch ").trim()
}

/// apt's list of dependencies that cannot be met.
fn conflict(lines: &[String]) -> Option<String> {
    let start = lines.iter().position(|line| line.starts_with("The following packages have unmet dependencies"))?;
    let reasons = lines[start + 1..].iter().take_while(|line| line.starts_with(' '));
    Some(reasons.map(|line| format!("\n   {}", line.trim_end())).collect())
}

/// Names that apt does not know.
#[must_use]
pub fn unknown_packages(lines: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for line in lines {
        let located = line.strip_prefix("E: Unable to locate package ");
        let candidate =
            || line.strip_prefix("E: Package '").and_then(|rest| rest.strip_suffix("' has no installation candidate"));
        if let Some(name) = located.or_else(candidate) {
            let name = name.trim().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The names most like `name`, best first, at most three.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (name.len() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = known
        .filter(|other| other.len().abs_diff(name.len()) <= limit)
        .map(|other| (distance(name.as_bytes(), other.as_bytes()), other))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.truncate(3);
    found.into_iter().map(|(_, other)| other).collect()
}

/// Insertions, deletions and replacements that make `b` of `a`.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> CommandError {
        CommandError::Missing { program: "apt-get".into() }
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn explained(text: &str) -> String {
        explain("cannot do it", &lines(text), &[], error()).to_string()
    }

    #[test]
    fn an_unreachable_mirror_is_named() {
        let text = "Ign:1 http://127.0.0.1:1/debian trixie InRelease\nErr:1 http://127.0.0.1:1/debian trixie InRelease\n  \
            Could not connect to 127.0.0.1:1 (127.0.0.1). - connect (111: Connection refused)\nReading package lists...\n\
            E: Failed to fetch http://127.0.0.1:1/debian/dists/trixie/InRelease  Could not connect to 127.0.0.1:1 (127.0.0.1). - connect (111: Connection refused)\n\
            E: Some index files failed to download. They have been ignored, or old ones used instead.\n";
        let message = explained(text);
        assert!(
            message
                .starts_with("a package archive cannot be reached: http://127.0.0.1:1/debian/dists/trixie/InRelease"),
            "{message}"
        );
        assert!(message.ends_with("; check the network and the proxy settings, or use another mirror"), "{message}");
    }

    #[test]
    fn a_bad_signature_and_a_bad_hash_are_different_things() {
        let message = explained(
            "W: GPG error: http://m.test/debian trixie InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 6ED0E7B82643E131\n\
             E: The repository 'http://m.test/debian trixie InRelease' is not signed.\n",
        );
        assert!(
            message.starts_with("the signature of a package archive cannot be verified: http://m.test/debian trixie"),
            "{message}"
        );
        let message =
            explained("E: Failed to fetch http://m.test/pool/a.deb  Hash Sum mismatch\n   Hashes of expected file:\n");
        assert!(message.contains("than it has signed: http://m.test/pool/a.deb"), "{message}");
    }

    #[test]
    fn unmet_dependencies_are_listed() {
        let text = "The following packages have unmet dependencies:\n a : Depends: b (>= 2) but 1 is to be installed\nE: Unable to correct problems, you have held broken packages.\n";
        assert_eq!(
            explained(text),
            "the packages cannot be installed together:\n    a : Depends: b (>= 2) but 1 is to be installed"
        );
    }

    #[test]
    fn unknown_packages_are_found_and_names_like_theirs() {
        let text = "E: Unable to locate package opensh-server\nE: Package 'foo' has no installation candidate\nE: Unable to locate package opensh-server\n";
        assert_eq!(unknown_packages(&lines(text)), ["opensh-server", "foo"]);
        let known = ["openssh-server", "openssh-client", "zsh", "fop"];
        assert_eq!(nearest("opensh-server", known.into_iter()), ["openssh-server"]);
        assert_eq!(nearest("foo", known.into_iter()), ["fop"]);
    }
}
