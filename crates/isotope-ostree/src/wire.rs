//! What libostree says when a transfer fails, read for what it means.

use crate::{OstreeError, Repo};
use ostree::gio::IOErrorEnum;
use ostree::glib;

/// Turns libostree's error of a transfer from `remote` at `url` into ours.
pub(crate) fn explain(repo: &Repo, remote: &str, url: &str, source: glib::Error) -> OstreeError {
    let text = source.message().to_owned();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&["min-free-space", "No space left on device"]) {
        let available = repo.free_space().unwrap_or(isotope_plan::Bytes(0));
        return OstreeError::NoSpace { place: repo.path().to_owned(), need: None, available, commit: None };
    }
    if any(&["GPG signatures", "GPG verification", "signature found", "Can't verify", "BAD signature"]) {
        let signed = !any(&["no signatures found", "no signature found"]);
        return OstreeError::BadSignature {
            commit: digits(&text).unwrap_or("asked for").to_owned(),
            remote: remote.to_owned(),
            signed,
            wanted: repo.gpg_keys(remote),
            source: Some(source),
        };
    }
    if let Some(object) = damaged(&text) {
        let url = format!("{}/{}", url.trim_end_matches('/'), object_path(&object));
        return OstreeError::Corrupt { object, url, source };
    }
    let url = url.to_owned();
    if source.matches(IOErrorEnum::NotFound) || any(&["HTTP 404", "HTTP 403", "HTTP 410"]) {
        let remedy = "it answers that there is no such file; look at the URL, and whether it is an ostree repository";
        return OstreeError::Remote { url, remedy, source };
    }
    if any(&["resolve host", "Couldn't connect", "Failed to connect", "Connection refused", "SSL", "certificate"]) {
        let remedy = "it cannot be reached; look at the URL, the network and the proxy";
        return OstreeError::Remote { url, remedy, source };
    }
    if any(&["HTTP 5", "transfer closed", "Connection reset", "Empty reply", "timed out", "Timeout", "Recv failure"])
        || source.matches(IOErrorEnum::PartialInput)
        || source.matches(IOErrorEnum::TimedOut)
    {
        return OstreeError::BrokenOff { url, source };
    }
    OstreeError::Remote { url, remedy: "libostree refused", source }
}

/// The object that a message says is damaged, as `CHECKSUM.TYPE`.
fn damaged(text: &str) -> Option<String> {
    let words =
        ["Corrupted", "checksum expected", "Bogus", "Decompress", "Invalid compressed", "Unexpected EOF", "fsck"];
    if !words.iter().any(|word| text.contains(word)) {
        return None;
    }
    let checksum = digits(text)?;
    let after = &text[text.find(checksum)? + checksum.len()..];
    let kind = ["commit", "dirtree", "dirmeta", "filez", "file"]
        .into_iter()
        .find(|kind| after.strip_prefix('.').is_some_and(|after| after.starts_with(kind)))
        .unwrap_or_else(|| {
            ["commit", "dirtree", "dirmeta"].into_iter().find(|kind| text.contains(kind)).unwrap_or("file")
        });
    Some(format!("{checksum}.{kind}"))
}

/// Where an archive repository keeps an object.
fn object_path(object: &str) -> String {
    let (dir, rest) = object.split_at(2);
    let compressed = if rest.ends_with(".file") { "z" } else { "" };
    format!("objects/{dir}/{rest}{compressed}")
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

    #[test]
    fn objects_are_where_archives_keep_them() {
        assert_eq!(object_path("abcdef.file"), "objects/ab/cdef.filez");
        assert_eq!(object_path("abcdef.dirtree"), "objects/ab/cdef.dirtree");
    }

    #[test]
    fn checksums_are_found_in_messages() {
        let sum = "0123456789abcdef".repeat(4);
        assert_eq!(digits(&format!("Writing {sum}: no")), Some(sum.as_str()));
        assert_eq!(digits("nothing here, not even deadbeef"), None);
    }
}
