//! The name of an object: the SHA-256 of its content, in 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

/// A SHA-256, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Checksum(String);

/// A text is not a checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no checksum: 64 hexadecimal digits in lower case are expected")]
pub struct NotAChecksum(String);

impl Checksum {
    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..10]
    }

    /// From the 32 bytes of an `ay` variant. `None`: another length (an empty one is how libostree says "none").
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == 32).then(|| Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

impl FromStr for Checksum {
    type Err = NotAChecksum;

    fn from_str(text: &str) -> Result<Self, NotAChecksum> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAChecksum(text.to_owned()))
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Checksum {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_lower_case_digits_are_a_checksum() {
        let good = "0123456789abcdef".repeat(4);
        assert_eq!(good.parse::<Checksum>().unwrap().as_str(), good);
        for bad in ["", "abc", &good.to_uppercase(), &format!("{good}0"), &good.replace('a', "g"), "fedora/39/x86_64"] {
            assert!(bad.parse::<Checksum>().is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_are_digits_in_order() {
        let mut bytes = [0_u8; 32];
        bytes[0] = 0xab;
        bytes[31] = 0x01;
        let text = Checksum::from_bytes(&bytes).unwrap();
        assert!(text.as_str().starts_with("ab00") && text.as_str().ends_with("0001"));
        assert_eq!(Checksum::from_bytes(&[]), None);
    }
}
