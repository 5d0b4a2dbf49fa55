//! Which archives the host's own dnf uses: the `baseurl` of the repositories in /etc/yum.repos.d, by repository id.
//! Variables of dnf (`$releasever`, `$basearch`) stay in it. Repositories with a metalink only have no address of their own.

use std::collections::BTreeMap;

/// The archives, by repository id.
pub(super) fn mirrors(files: &[String]) -> BTreeMap<String, String> {
    files.iter().flat_map(|text| repositories(text)).collect()
}

fn repositories(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for section in text.split("\n[").map(|section| section.trim_start_matches('[')) {
        let Some((id, body)) = section.split_once(']') else { continue };
        let value = |key: &str| {
            body.lines()
                .find_map(|line| line.split_once('=').filter(|(name, _)| name.trim() == key))
                .map(|(_, value)| value.trim())
        };
        let enabled = !matches!(value("enabled"), Some("0" | "false" | "no"));
        let first = value("baseurl").and_then(|urls| urls.split([' ', ',', '\t']).find(|url| !url.is_empty()));
        if let (true, Some(url)) = (enabled, first) {
            found.push((id.trim().to_owned(), url.to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enabled_repositories_with_an_address() {
        let text = "[fedora]\nname=Fedora $releasever\nbaseurl=http://mirror.example/fedora/$releasever/$basearch/\nenabled=1\n\n\
            [fedora-debuginfo]\nbaseurl = http://mirror.example/debug\nenabled=0\n\n[updates]\nmetalink=https://links.example/x\n";
        let found = mirrors(&[text.to_owned()]);
        assert_eq!(found.len(), 1);
        assert_eq!(found["fedora"], "http://mirror.example/fedora/$releasever/$basearch/");
    }
}
