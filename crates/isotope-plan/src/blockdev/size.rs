//! Sizes as diskimage-builder writes them: `3G` (3·10⁹), `8MiB`, `1.5 GiB`, `512`, and `54%` of what is free.

use isotope_element::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest unit first; `T`, `G`, `M`, `K` alone are powers of 1000, unlike in Isotope's own sizes.
const UNITS: [(&str, u64); 14] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("K", 1_000),
    ("B", 1),
    ("", 1),
];

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeSpecError {
    /// Not a number with a unit behind it.
    #[error(
        "invalid size unit spec [{0}]: a number is expected, and TiB, GiB, MiB, KiB, TB, GB, MB, KB or B behind it"
    )]
    Form(String),
    /// An unknown unit.
    #[error(
        "unit_str [{unit}] not known (in `{text}`): use TiB, GiB, MiB, KiB (times 1024) or TB, GB, MB, KB (times 1000)"
    )]
    Unit {
        /// All of it.
        text: String,
        /// The unit.
        unit: String,
    },
    /// Beyond everything sensible, or negative.
    #[error("the size `{0}` is out of range")]
    Range(String),
}

/// A part of what is free, in percent. Finite and not negative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Percent(f64);

// Never NaN: `Share::parse` is the only way to one.
impl Eq for Percent {}

impl Percent {
    /// This part of `free` bytes, computed as upstream does: in double precision, cut off to whole bytes.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "byte for byte as upstream"
    )]
    pub fn of(self, free: u64) -> u64 {
        (free as f64 * self.0 / 100.0) as u64
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// The size of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// Exactly this.
    Fixed(Bytes),
    /// This part of what the partitions before it left.
    Free(Percent),
}

impl Share {
    /// Reads `54%` or an absolute size.
    ///
    /// # Errors
    /// It is no size.
    pub fn parse(text: &str) -> Result<Self, SizeSpecError> {
        let Some(percent) = text.strip_suffix('%') else { return absolute(text).map(Self::Fixed) };
        let percent: f64 = percent.trim().parse().map_err(|_| SizeSpecError::Form(text.to_owned()))?;
        if !percent.is_finite() || percent < 0.0 {
            return Err(SizeSpecError::Range(text.to_owned()));
        }
        Ok(Self::Free(Percent(percent)))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bytes) => bytes.fmt(f),
            Self::Free(percent) => percent.fmt(f),
        }
    }
}

/// Reads an absolute size. A unit without a number counts once (`G` is 10⁹), as upstream has it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "byte for byte as upstream, which multiplies in double precision and cuts off"
)]
pub(super) fn absolute(text: &str) -> Result<Bytes, SizeSpecError> {
    let form = || SizeSpecError::Form(text.to_owned());
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(split);
    let unit = rest.strip_prefix(' ').unwrap_or(rest);
    if text.is_empty() || !unit.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(form());
    }
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let factor = factor.ok_or_else(|| SizeSpecError::Unit { text: text.to_owned(), unit: unit.to_owned() })?;
    let count: f64 = if number.is_empty() { 1.0 } else { number.parse().map_err(|_| form())? };
    let bytes = factor as f64 * count;
    if !(0.0..9.0e18).contains(&bytes) {
        return Err(SizeSpecError::Range(text.to_owned()));
    }
    Ok(Bytes(bytes as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_upstreams() {
        for (text, bytes) in [
            ("20TiB", 20 << 40),
            ("1024KiB", 1 << 20),
            ("1.2TB", 1_200_000_000_000),
            ("2.4T", 2_400_000_000_000),
            ("512B", 512),
            ("364", 364),
            ("198", 198),
            ("154 MiB", 154 << 20),
            ("3G", 3_000_000_000),
            ("1800M", 1_800_000_000),
            ("G", 1_000_000_000),
            ("0.5 KiB", 512),
        ] {
            assert_eq!(Share::parse(text), Ok(Share::Fixed(Bytes(bytes))), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_said_so() {
        for (text, part) in [
            ("747InVaLiDUnIt", "unit_str [InVaLiDUnIt] not known"),
            ("1mib", "unit_str [mib] not known"),
            ("_+!HuHi+-=", "invalid size unit spec [_+!HuHi+-=]"),
            ("", "invalid size unit spec []"),
            ("1  G", "invalid size unit spec"),
            ("1.2.3G", "invalid size unit spec"),
            ("x%", "invalid size unit spec"),
            ("-1%", "out of range"),
            ("inf%", "out of range"),
            ("99999999999999999999G", "out of range"),
        ] {
            let error = Share::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn percentages_are_cut_off_in_double_precision() {
        let of = |text, free| match Share::parse(text) {
            Ok(Share::Free(percent)) => percent.of(free),
            other => panic!("{other:?}"),
        };
        assert_eq!(of("100%", 1_071_644_672), 1_071_644_672);
        assert_eq!(of("54%", 1_071_644_672), 578_688_122);
        assert_eq!(of("33.3 %", 1000), 333);
        assert_eq!(of("0%", 1000), 0);
    }
}
