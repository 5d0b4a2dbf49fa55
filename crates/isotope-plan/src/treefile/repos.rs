//! The `.repo` files beside a treefile: where RPM packages come from, in the words of dnf.conf(5).
//!
//! In: texts of files and the names that `repos` lists. Out: archives. `baseurl` may be `host:NAME`, as in elements.

use super::Archive;
use super::layer::Placed;
use super::subst::Variables;
use isotope_element::Origin;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A repository as its file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its id.
    pub id: String,
    /// Its lines, key → value.
    pub values: BTreeMap<String, String>,
    /// Where it begins.
    pub origin: Origin,
}

/// The sections of a file.
pub fn parse(path: &Path, text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut last = None;
    for (index, line) in text.lines().enumerate() {
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            continue;
        }
        if let Some(id) = plain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let origin = Origin {
                element: "treefile".to_owned(),
                file: Some(path.to_owned()),
                line: u32::try_from(index + 1).ok(),
            };
            sections.push(Section { id: id.trim().to_owned(), values: BTreeMap::new(), origin });
            last = None;
        } else if let Some(section) = sections.last_mut() {
            match (line.starts_with([' ', '\t']), plain.split_once('='), &last) {
                // More values of the line before.
                (true, _, Some(key)) => {
                    let value: &mut String = section.values.entry(String::clone(key)).or_default();
                    value.push(' ');
                    value.push_str(plain);
                }
                (_, Some((key, value)), _) => {
                    let key = key.trim().to_ascii_lowercase();
                    section.values.insert(key.clone(), value.trim().to_owned());
                    last = Some(key);
                }
                _ => {}
            }
        }
    }
    sections
}

/// The archive that a section describes; `variables` are dnf's (`$releasever`, `$basearch`).
///
/// # Errors
/// What is missing in it.
pub fn archive(section: &Section, variables: &Variables) -> Result<Placed<Archive>, String> {
    let value = |name: &str| {
        let value = section.values.get(name).map(|value| expand(value, variables));
        value.filter(|value| !value.is_empty())
    };
    let first = |value: String| value.split([' ', ',']).find(|word| !word.is_empty()).map(str::to_owned);
    let uri = value("baseurl").and_then(first).or_else(|| {
        let list = |name: &str| value(name).map(|url| format!("{name}:{url}"));
        list("metalink").or_else(|| list("mirrorlist"))
    });
    let Some(uri) = uri else {
        return Err(format!("the repository `{}` has no baseurl, metalink or mirrorlist", section.id));
    };
    let verify =
        value("gpgcheck").is_none_or(|value| ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str()));
    let keyring = value("gpgkey").and_then(first).map(|key| PathBuf::from(key.strip_prefix("file://").unwrap_or(&key)));
    if let Some(key) = keyring.as_ref().filter(|key| verify && !key.is_absolute()) {
        return Err(format!(
            "the key `{}` of the repository `{}` is not a file of this host; name one as file:///PATH",
            key.display(),
            section.id
        ));
    }
    let archive = Archive { uri, suite: section.id.clone(), components: Vec::new(), keyring, verify };
    Ok(Placed { value: archive, origin: section.origin.clone() })
}

/// `$name` and `${name}`.
fn expand(text: &str, variables: &Variables) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Fedora\n[fedora]\nname=Fedora $releasever\n#baseurl=http://x/\n\
        metalink=https://mirrors.example/metalink?repo=fedora-$releasever&arch=$basearch\nenabled=1\ngpgcheck=1\n\
        gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-$releasever-$basearch\n\n[own]\nbaseurl = http://a.example/r\n  http://b.example/r\ngpgcheck=0\n";

    #[test]
    fn repositories_become_archives() {
        let sections = parse(Path::new("t/fedora.repo"), TEXT);
        let variables =
            [("releasever", "42"), ("basearch", "x86_64")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
        let fedora = archive(&sections[0], &variables).unwrap();
        assert_eq!(fedora.value.uri, "metalink:https://mirrors.example/metalink?repo=fedora-42&arch=x86_64");
        assert_eq!(fedora.value.keyring.as_deref(), Some(Path::new("/etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-42-x86_64")));
        assert_eq!(fedora.origin.line, Some(2));
        let own = archive(&sections[1], &variables).unwrap();
        assert_eq!((own.value.uri.as_str(), own.value.verify), ("http://a.example/r", false));
        let empty = parse(Path::new("x"), "[x]\nname=x\n");
        assert!(archive(&empty[0], &variables).unwrap_err().contains("no baseurl"));
    }
}
