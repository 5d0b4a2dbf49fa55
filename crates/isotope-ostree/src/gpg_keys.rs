//! GPG public keys: read from files, armoured or binary, and described.
//!
//! libostree keeps a remote's keys in `REPO/NAME.trustedkeys.gpg`, which is the binary form of all of them, one after the
//! other. (Its own import is not used: the binding cannot pass "all keys of the file".) Format: RFC 4880 §4.2 packets,
//! §5.5 keys, §6.2 armour, §12.2 fingerprints.

use crate::OstreeError;
use ostree::glib;
use std::path::Path;

/// What a person knows a key by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// 40 hexadecimal digits for the usual version 4, in capitals as GPG prints them.
    pub(crate) fingerprint: String,
    /// `Name <address>`, the first.
    pub(crate) user: Option<String>,
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{} ({user})", self.fingerprint),
            None => f.write_str(&self.fingerprint),
        }
    }
}

/// Reads a file of public keys into the binary form.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, OstreeError> {
    let data = std::fs::read(file).map_err(|source| OstreeError::Io {
        deed: "read the GPG key",
        path: file.to_owned(),
        source,
    })?;
    let bad =
        |why: &str| OstreeError::BadKey { what: file.display().to_string(), kind: "GPG public", why: why.to_owned() };
    let binary = if data.starts_with(b"-----") || data.windows(10).any(|part| part == b"\n-----BEGIN") {
        dearmour(&String::from_utf8_lossy(&data)).ok_or_else(|| bad("its armour is damaged"))?
    } else {
        data
    };
    match describe(&binary) {
        Some(keys) if !keys.is_empty() => Ok(binary),
        Some(_) => Err(bad("there is no public key in it (`gpg --export` writes one)")),
        None => Err(bad("it is not in the form of OpenPGP")),
    }
}

/// All armoured blocks of public keys, one after the other; `None`: one is damaged.
fn dearmour(text: &str) -> Option<Vec<u8>> {
    let mut binary = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while lines.by_ref().any(|line| line == "-----BEGIN PGP PUBLIC KEY BLOCK-----") {
        // Headers, and the empty line after them.
        lines.by_ref().find(|line| line.is_empty())?;
        let (mut body, mut sum) = (String::new(), None);
        for line in lines.by_ref() {
            if line == "-----END PGP PUBLIC KEY BLOCK-----" {
                break;
            }
            match line.strip_prefix('=') {
                Some(digits) => sum = Some(glib::base64_decode(digits)),
                None => body.push_str(line),
            }
        }
        let block = glib::base64_decode(&body);
        if glib::base64_encode(&block) != body || sum.is_some_and(|sum| sum != crc24(&block)) {
            return None;
        }
        binary.extend(block);
    }
    Some(binary)
}

/// The checksum of an armoured block (RFC 4880 §6.1).
fn crc24(data: &[u8]) -> Vec<u8> {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in data {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc.to_be_bytes()[1..].to_vec()
}

/// The primary keys in a binary key ring; `None`: it is none.
pub(crate) fn describe(mut data: &[u8]) -> Option<Vec<PublicKey>> {
    const KEY: u8 = 6;
    const USER: u8 = 13;
    let mut keys: Vec<PublicKey> = Vec::new();
    while !data.is_empty() {
        let (tag, body, rest) = packet(data)?;
        match (tag, keys.last_mut()) {
            (KEY, _) => keys.push(PublicKey { fingerprint: fingerprint(body)?, user: None }),
            (USER, Some(key)) if key.user.is_none() => key.user = Some(String::from_utf8_lossy(body).into_owned()),
            _ => {}
        }
        data = rest;
    }
    Some(keys)
}

/// The first packet's tag and body, and what comes after it.
fn packet(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = data.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let (tag, length, rest) = if first & 0x40 == 0 {
        let size = match first & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return Some((first >> 2 & 15, rest, &[])),
        };
        (first >> 2 & 15, number(rest.get(..size)?), &rest[size..])
    } else {
        match *rest.first()? {
            one @ 0..=191 => (first & 63, usize::from(one), &rest[1..]),
            one @ 192..=223 => {
                (first & 63, ((usize::from(one) - 192) << 8) + usize::from(*rest.get(1)?) + 192, &rest[2..])
            }
            255 => (first & 63, number(rest.get(1..5)?), &rest[5..]),
            // Partial lengths are for data, not for keys.
            _ => return None,
        }
    };
    (length <= rest.len()).then(|| (tag, &rest[..length], &rest[length..]))
}

fn fingerprint(body: &[u8]) -> Option<String> {
    let (prefix, kind) = match body.first()? {
        4 => (vec![0x99], glib::ChecksumType::Sha1),
        5 => (vec![0x9a], glib::ChecksumType::Sha256),
        6 => (vec![0x9b], glib::ChecksumType::Sha256),
        _ => return Some("a key of an old version".to_owned()),
    };
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    let length = if prefix == [0x99] { &length[2..] } else { &length[..] };
    let data = [&prefix, length, body].concat();
    let digest = glib::compute_checksum_for_data(kind, &data)?;
    Some(digest.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_end_where_they_say() {
        assert_eq!(packet(&[0xb4, 2, b'a', b'b', 9]), Some((13, &b"ab"[..], &[9][..])));
        assert_eq!(packet(&[0xcd, 2, b'a', b'b', 9]), Some((13, &b"ab"[..], &[9][..])));
        for cut in [&[0xb4][..], &[0xb4, 3, b'a'], &[0xcd, 255, 0, 0], b"text", &[0xcd, 230, 1, 1]] {
            assert_eq!(packet(cut), None, "{cut:?}");
        }
    }

    #[test]
    fn damaged_armour_is_noticed() {
        // "-----BEGIN", one user id packet.
        let sum = glib::base64_encode(&crc24(&[0xb4, 1, b'x']));
        let body = glib::base64_encode(&[0xb4, 1, b'x']);
        let text = |body: &str, sum: &str| {
            format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n={sum}\n-----END PGP PUBLIC KEY BLOCK-----\n")
        };
        assert_eq!(dearmour(&text(&body, &sum)), Some(vec![0xb4, 1, b'x']));
        assert_eq!(dearmour(&text(&body, "AAAA")), None);
        assert_eq!(dearmour(&text("????", &sum)), None);
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        // Catalogue of CRCs: CRC-24/OPENPGP of "123456789".
        assert_eq!(crc24(b"123456789"), [0x21, 0xcf, 0x02]);
    }
}
