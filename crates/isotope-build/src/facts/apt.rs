//! Which archives the host's own apt uses: sources.list(5), one-line and deb822 style.
//!
//! An archive is named by what it serves the host (`debian`, `debian-security`), or, on a host of another distribution,
//! by the last part of its address. Proxies are apt's own business.

use super::os_release_value;
use std::collections::BTreeMap;

/// One archive of the host.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    uri: String,
    suite: String,
}

/// The archives, by name; the first of a name counts.
pub(super) fn mirrors(one_line: &[String], deb822: &[String], os_release: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let entries = one_line.iter().flat_map(|text| lines(text)).chain(deb822.iter().flat_map(|text| stanzas(text)));
    for entry in
        entries.filter(|entry| ["http:", "https:", "ftp:", "file:"].iter().any(|scheme| entry.uri.starts_with(scheme)))
    {
        if let Some(name) = name(&entry, os_release) {
            found.entry(name).or_insert(entry.uri);
        }
    }
    found
}

fn name(entry: &Entry, os_release: &str) -> Option<String> {
    let own = os_release_value(os_release, "ID")?;
    let codename = os_release_value(os_release, "VERSION_CODENAME").unwrap_or_default();
    let suite = entry.suite.as_str();
    if own == "debian" && !codename.is_empty() {
        if suite == codename {
            return by_address(entry).filter(|name| name != "debian-security").or_else(|| Some("debian".to_owned()));
        }
        if suite == format!("{codename}-security") || suite == format!("{codename}/updates") {
            return Some("debian-security".to_owned());
        }
    }
    by_address(entry)
}

/// Archives that are known by the last part of their address, wherever they are mirrored.
fn by_address(entry: &Entry) -> Option<String> {
    let last = entry.uri.trim_end_matches('/').rsplit('/').next()?;
    ["debian", "debian-security", "ubuntu", "ubuntu-ports"].contains(&last).then(|| last.to_owned())
}

/// `deb [options] URI SUITE COMPONENT…`
fn lines(text: &str) -> Vec<Entry> {
    let entry = |line: &str| {
        let line = line.split('#').next()?.trim();
        let rest = line.strip_prefix("deb")?;
        let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
        let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
        let mut words = rest.split_whitespace();
        Some(Entry { uri: words.next()?.to_owned(), suite: words.next()?.to_owned() })
    };
    text.lines().filter_map(entry).collect()
}

/// Stanzas of `Field: values`, with continuation lines and comments.
fn stanzas(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')).chain([""]) {
        if line.trim().is_empty() {
            entries.extend(entries_of(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some(value) = fields.get_mut(&last) {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((field, value)) = line.split_once(':') {
            last = field.trim().to_ascii_lowercase();
            fields.insert(last.clone(), value.trim().to_owned());
        }
    }
    entries
}

fn entries_of(fields: &BTreeMap<String, String>) -> Vec<Entry> {
    let words =
        |field: &str| fields.get(field).map(|value| value.split_whitespace().collect::<Vec<_>>()).unwrap_or_default();
    let disabled = words("enabled")
        .first()
        .is_some_and(|word| ["no", "false", "0", "off"].contains(&word.to_ascii_lowercase().as_str()));
    if disabled || !words("types").contains(&"deb") {
        return Vec::new();
    }
    let suites = words("suites");
    let pairs = words("uris").into_iter().flat_map(|uri| suites.iter().map(move |suite| (uri, *suite)));
    pairs.map(|(uri, suite)| Entry { uri: uri.to_owned(), suite: suite.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";

    fn table(one_line: &str, deb822: &str, os_release: &str) -> Vec<(String, String)> {
        mirrors(&[one_line.to_owned()], &[deb822.to_owned()], os_release).into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, uri)| ((*name).to_owned(), (*uri).to_owned())).collect()
    }

    #[test]
    fn deb822_with_comments_inside_a_stanza() {
        let text = "Types: deb\n# snapshot\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
            Types: deb deb-src\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\n\n\
            Types: deb\nEnabled: no\nURIs: http://other.example/ubuntu\nSuites: noble\n\n\
            Types: deb\nURIs: https://vendor.example/apt\nSuites: stable\n";
        let expected = pairs(&[
            ("debian", "http://mirror.example/debian"),
            ("debian-security", "http://mirror.example/debian-security"),
        ]);
        assert_eq!(table("", text, BOOKWORM), expected);
    }

    #[test]
    fn one_line_style_with_options() {
        let text = "deb cdrom:[Debian]/ bookworm main\n# deb http://old.example/debian bookworm main\n\
            deb [signed-by=/x.gpg arch=amd64] https://mirror.example/deb/main-archive bookworm main # here\n\
            deb-src http://src.example/debian bookworm main\n\
            deb http://sec.example/deb/sec bookworm-security main\n";
        let expected = pairs(&[
            ("debian", "https://mirror.example/deb/main-archive"),
            ("debian-security", "http://sec.example/deb/sec"),
        ]);
        assert_eq!(table(text, "", BOOKWORM), expected);
    }

    #[test]
    fn on_another_distribution_addresses_count() {
        let text = "deb http://a.example/ubuntu noble main\ndeb http://a.example/ubuntu noble-security main\ndeb http://b.example/debian trixie main\n";
        let expected = pairs(&[("debian", "http://b.example/debian"), ("ubuntu", "http://a.example/ubuntu")]);
        assert_eq!(table(text, "", "ID=ubuntu\nVERSION_CODENAME=noble\n"), expected);
    }
}
