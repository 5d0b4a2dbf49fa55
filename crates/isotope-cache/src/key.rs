//! The name of a layer.

use crate::layer::Inputs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// 64 hexadecimal digits: SHA-256 of the key below and of all inputs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// Begins what is digested: another meaning of inputs is another text here.
const DOMAIN: &str = "isotope layer 1";

impl Key {
    /// The key of a layer on `parent`. `secrets` count, and are written down nowhere.
    #[must_use]
    pub fn of(parent: Option<&Self>, inputs: &Inputs, secrets: &[String]) -> Self {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(DOMAIN);
        add(parent.map_or("", |parent| &parent.0));
        for (name, value) in inputs {
            add(name);
            add(value);
        }
        add("secrets");
        secrets.iter().for_each(|secret| add(secret));
        Self(hex(&hash.finalize()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As many digits as people want to see.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key of a layer: 64 hexadecimal digits in lower case")]
pub struct KeyError(String);

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if text.len() == 64 && digits { Ok(Self(text)) } else { Err(KeyError(text)) }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.to_owned().try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(pairs: &[(&str, &str)]) -> Inputs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn whatever_differs_makes_another_key() {
        let base = Key::of(None, &inputs(&[("a", "1"), ("b", "2")]), &[]);
        let others = [
            Key::of(None, &inputs(&[("a", "1"), ("b", "3")]), &[]),
            Key::of(None, &inputs(&[("a", "1"), ("b2", "")]), &[]),
            Key::of(None, &inputs(&[("a", "1b"), ("", "2")]), &[]),
            Key::of(Some(&base), &inputs(&[("a", "1"), ("b", "2")]), &[]),
            Key::of(None, &inputs(&[("a", "1"), ("b", "2")]), &["x".to_owned()]),
        ];
        for (number, other) in others.iter().enumerate() {
            assert_ne!(&base, other, "{number}");
        }
        assert_eq!(base, Key::of(None, &inputs(&[("b", "2"), ("a", "1")]), &[]));
    }

    #[test]
    fn only_digests_are_keys() {
        assert!("../../etc".parse::<Key>().is_err());
        assert!("A".repeat(64).parse::<Key>().is_err());
        assert!("a".repeat(64).parse::<Key>().is_ok());
    }
}
