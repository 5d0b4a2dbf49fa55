//! What libostree says when a transfer fails, read for what it means. Its messages are those of 2022.7, seen in tests
//! with a server that fails in each of these ways (tests/host_faults.rs).

use crate::{OstreeError, Repo};
use isotope_plan::Bytes;
use ostree::gio::IOErrorEnum;
use ostree::glib;

/// Turns libostree's error of a transfer from `remote` at `url` into ours. `begun`: something had come already.
pub(crate) fn explain(repo: &Repo, remote: &str, url: &str, begun: bool, source: glib::Error) -> OstreeError {
    let text = source.message().to_owned();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&["min-free-space", "No space left on device"]) {
        let available = repo.free_space().unwrap_or(Bytes(0));
        return OstreeError::NoSpace { place: repo.path().to_owned(), need: None, available, commit: None };
    }
    if any(&["does not have a summary", "No summary"]) {
        return OstreeError::NoSummary { url: url.to_owned() };
    }
    if any(&["GPG signatures", "GPG verification", "public key", "signature found", "Can't verify", "BAD signature"]) {
        return OstreeError::BadSignature {
            what: digits(&text).map_or_else(|| "the summary".to_owned(), |commit| format!("commit {commit}")),
            remote: remote.to_owned(),
            signed: !any(&["no signatures found", "no signature found", "no summary.sig found"]),
            wanted: repo.wanted_gpg_keys(remote),
            source: Some(source),
        };
    }
    if let Some(object) = damaged(&text) {
        return OstreeError::Corrupt { url: object_url(url, &object), object, source };
    }
    // libostree does not say which; a short archive file ends like this.
    if any(&["Need more input", "Invalid compressed data", "Writing content object"]) {
        return OstreeError::Corrupt { object: "of a file".to_owned(), url: url.to_owned(), source };
    }
    explain_network(url, begun, source)
}

fn explain_network(url: &str, begun: bool, source: glib::Error) -> OstreeError {
    // "While fetching URL: [N] …", N as in curl's list of errors.
    let code = curl_code(source.message());
    let place = url.to_owned();
    match code {
        // Could not resolve the proxy, the host; could not connect.
        Some(5..=7) if !begun => {
            OstreeError::Remote { url: place, remedy: "look at the URL, the network and the proxy", source }
        }
        // TLS: connect, certificate, CA file.
        Some(35 | 51 | 53 | 54 | 58 | 59 | 60 | 64 | 66 | 77 | 80 | 82 | 83 | 90 | 91) => OstreeError::Remote {
            url: place,
            remedy: "look at its certificate and at the remote's tls options",
            source,
        },
        Some(5..=7 | 16 | 18 | 28 | 52 | 55 | 56 | 92 | 95) => OstreeError::BrokenOff { url: place, source },
        _ if source.message().contains("HTTP 5") || source.matches(IOErrorEnum::TimedOut) => {
            OstreeError::BrokenOff { url: place, source }
        }
        _ if source.message().contains("HTTP 4") || source.matches(IOErrorEnum::NotFound) => OstreeError::Remote {
            url: place,
            remedy: "look whether it is an ostree repository, and may be read",
            source,
        },
        _ => OstreeError::Remote { url: place, remedy: "libostree refused", source },
    }
}

/// The number in brackets.
fn curl_code(text: &str) -> Option<u32> {
    let (_, after) = text.rsplit_once(": [")?;
    after.split_once(']')?.0.parse().ok()
}

/// The object that a message says is damaged, as `CHECKSUM.TYPE`.
fn damaged(text: &str) -> Option<String> {
    let kind = ["commit", "dirtree", "dirmeta", "file"]
        .into_iter()
        .find(|kind| text.contains(&format!("Corrupted {kind} object")) || text.contains(&format!("Invalid {kind}")))?;
    Some(format!("{}.{kind}", digits(text)?))
}

/// Where an archive repository keeps an object.
pub(crate) fn object_url(base: &str, object: &str) -> String {
    let (dir, rest) = object.split_at(2);
    let compressed = if rest.ends_with(".file") { "z" } else { "" };
    format!("{}/objects/{dir}/{rest}{compressed}", base.trim_end_matches('/'))
}

/// The first 64 hexadecimal digits in a row.
fn digits(text: &str) -> Option<&str> {
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let mut start = 0;
    for part in text.as_bytes().split(|byte| !hex(byte)) {
        if part.len() == 64 {
            return text.get(start..start + 64);
        }
        start += part.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn objects_are_where_archives_keep_them() {
        assert_eq!(object_url("http://h/", "abcdef.file"), "http://h/objects/ab/cdef.filez");
        assert_eq!(object_url("http://h", "abcdef.dirtree"), "http://h/objects/ab/cdef.dirtree");
    }

    #[test]
    fn checksums_are_found_in_messages() {
        assert_eq!(digits(&format!("Writing {SUM}: no")), Some(SUM));
        assert_eq!(digits("nothing here, not even deadbeef"), None);
        let message = format!("Corrupted dirtree object; checksum expected='{SUM}' actual='…'");
        assert_eq!(damaged(&message), Some(format!("{SUM}.dirtree")));
    }

    #[test]
    fn curls_numbers_are_read() {
        assert_eq!(curl_code("While fetching http://h/objects/a: [18] Transferred a partial file"), Some(18));
        assert_eq!(curl_code("Server returned HTTP 404"), None);
    }
}
