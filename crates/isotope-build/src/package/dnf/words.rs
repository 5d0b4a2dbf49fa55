//! What dnf says when it fails, in our words. Pure.

use crate::package::PackageError;
use isotope_sys::command::CommandError;
use std::collections::BTreeMap;

struct Case {
    /// dnf says one of these, in lower case.
    says: &'static [&'static str],
    means: &'static str,
    remedy: &'static str,
}

/// From the most telling to the least. Adding one: a line here.
const CASES: [Case; 4] = [
    Case {
        says: &["gpg check failed", "is not signed", "is not installed. failing package", "public key", "gpg key"],
        means: "the signature of a package cannot be verified",
        remedy: "check that the element's `keyring` is the key that signs this archive; where packages are really unsigned, set `verify` to false",
    },
    Case {
        says: &["checksum doesn't match", "checksum error", "interrupted by header callback"],
        means: "a package archive delivers something else than its index says",
        remedy: "the mirror is being updated or a proxy keeps old files: build again in a few minutes, or use another mirror",
    },
    Case {
        says: &["status code: 404", "status code: 403"],
        means: "a package archive does not have what was asked for",
        remedy: "check the mirror's address and the release",
    },
    Case {
        says: &["curl error", "failed to download metadata", "cannot download", "no more mirrors to try"],
        means: "a package archive cannot be reached",
        remedy: "check the network and the proxy settings, or use another mirror; what has been downloaded is kept",
    },
];

/// Makes an error of what dnf printed.
pub fn explain(lines: &[String], wanted_by: &BTreeMap<String, Vec<String>>, source: CommandError) -> PackageError {
    known(lines, wanted_by)
        .unwrap_or_else(|| PackageError::Command { what: "cannot install or remove packages".to_owned(), source })
}

/// Makes an error of what dnf printed when it was to choose only.
pub fn refused(lines: &[String], wanted_by: &BTreeMap<String, Vec<String>>) -> PackageError {
    known(lines, wanted_by).unwrap_or_else(|| {
        let last = lines.iter().rev().find(|line| !line.trim().is_empty());
        PackageError::Unsupported(format!(
            "dnf chose no packages: {}",
            last.map_or("it said nothing", |line| line.trim())
        ))
    })
}

fn known(lines: &[String], wanted_by: &BTreeMap<String, Vec<String>>) -> Option<PackageError> {
    let unknown: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            // The last one is said of what a lock (or `exclude`) does not allow.
            let says = [
                "No match for argument: ",
                "No package matches ",
                "All matches were filtered out by exclude filtering for argument: ",
            ];
            says.iter().find_map(|words| line.strip_prefix(words))
        })
        .map(|name| {
            let name = name.trim().trim_matches('\'');
            match wanted_by.get(name).filter(|elements| !elements.is_empty()) {
                Some(elements) => format!("`{name}` (wanted by {})", elements.join(", ")),
                None => format!("`{name}`"),
            }
        })
        .collect();
    if !unknown.is_empty() {
        return Some(PackageError::NotFound(unknown));
    }
    for case in &CASES {
        let said = |line: &&String| case.says.iter().any(|text| line.to_lowercase().contains(text));
        // The last such line tells the outcome; those before it are attempts.
        if let Some(line) = lines.iter().rev().find(said) {
            let line = line.trim().trim_start_matches("Error: ").trim_start_matches("- ");
            return Some(PackageError::Remote(format!("{}: {line}; {}", case.means, case.remedy)));
        }
    }
    let start = lines.iter().position(|line| line.trim_start().starts_with("Problem"))?;
    let reasons: String = lines[start..]
        .iter()
        .take_while(|line| !line.starts_with('('))
        .map(|line| format!("\n   {}", line.trim_end()))
        .collect();
    Some(PackageError::Unsupported(format!("the packages cannot be installed together:{reasons}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(text: &str) -> String {
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let wanted = [("nosuch".to_owned(), vec!["web".to_owned()])].into();
        explain(&lines, &wanted, CommandError::Missing { program: "dnf".into() }).to_string()
    }

    #[test]
    fn causes_are_told_apart() {
        let text = "No match for argument: nosuch\nError: Unable to find a match: nosuch\n";
        assert_eq!(explained(text), "no package archive has `nosuch` (wanted by web)");
        let text = "Errors during downloading metadata for repository 'base':\n  - Curl error (7): Couldn't connect to server for http://127.0.0.1:1/repodata/repomd.xml\n\
            Error: Failed to download metadata for repo 'base': Cannot download repomd.xml: All mirrors were tried\n";
        assert!(
            explained(text)
                .starts_with("a package archive cannot be reached: Failed to download metadata for repo 'base'")
        );
        assert!(
            explained("Package x.rpm is not signed\nError: GPG check FAILED\n")
                .starts_with("the signature of a package")
        );
        let text = "Error: \n Problem: conflicting requests\n  - nothing provides missing needed by a-1-1.noarch from base\n(try to add '--skip-broken')\n";
        let message = explained(text);
        assert!(
            message.ends_with(
                "\n    Problem: conflicting requests\n     - nothing provides missing needed by a-1-1.noarch from base"
            ),
            "{message}"
        );
    }
}
