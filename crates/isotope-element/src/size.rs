//! Byte counts from text.

use crate::Bytes;

/// Text that is no byte count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No digits where digits are expected.
    #[error(
        "\"{0}\" is no size: a number is expected, with a unit (KiB, MiB, GiB, TiB; KB, MB, GB, TB) or without (bytes)"
    )]
    NotANumber(String),
    /// An unknown unit.
    #[error("\"{unit}\" in \"{text}\" is no unit: use KiB, MiB, GiB, TiB (times 1024) or KB, MB, GB, TB (times 1000)")]
    Unit {
        /// All of it.
        text: String,
        /// The unit.
        unit: String,
    },
    /// Not a whole number of bytes.
    #[error("\"{0}\" is not a whole number of bytes")]
    Fraction(String),
    /// More than 2^64 bytes.
    #[error("\"{0}\" is more than 16 EiB")]
    TooLarge(String),
}

impl Bytes {
    /// Read `10 GiB`, `1.5GiB`, `3 GB`, `4096`. KiB, MiB, GiB, TiB are powers of 1024, KB, MB, GB, TB powers of 1000;
    /// upper and lower case are the same. `K`, `M`, `G`, `T` alone are powers of 1024, as mkfs and qemu-img have them.
    ///
    /// # Errors
    /// Says what in the text is not understood.
    pub fn parse(text: &str) -> Result<Self, SizeError> {
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = (&trimmed[..split], trimmed[split..].trim());
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
            return Err(SizeError::NotANumber(text.to_owned()));
        }
        let factor: u128 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => return Err(SizeError::Unit { text: text.to_owned(), unit: unit.to_owned() }),
        };
        let too_large = || SizeError::TooLarge(text.to_owned());
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        let fraction = fraction.trim_end_matches('0');
        let mut bytes = u128::from(whole) * factor;
        if !fraction.is_empty() {
            let digits: u128 = fraction
                .parse()
                .ok()
                .filter(|_| fraction.len() <= 12)
                .ok_or_else(|| SizeError::Fraction(text.to_owned()))?;
            let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(u32::MAX));
            // A decimal fraction of a binary unit is rarely whole ("1.1 GiB"): rounded to the nearest byte; of plain bytes it is an error.
            if factor == 1 {
                return Err(SizeError::Fraction(text.to_owned()));
            }
            bytes += (digits * factor + scale / 2) / scale;
        }
        u64::try_from(bytes).map(Self).map_err(|_| too_large())
    }
}

impl std::str::FromStr for Bytes {
    type Err = SizeError;
    fn from_str(text: &str) -> Result<Self, SizeError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", 0),
            ("4096", 4096),
            ("10 GiB", 10 << 30),
            ("10GiB", 10 << 30),
            ("1.5 GiB", 3 << 29),
            ("3GB", 3_000_000_000),
            ("512M", 512 << 20),
            ("512 mib", 512 << 20),
            ("1.1 KiB", 1126),
            ("7 b", 7),
            ("1TB", 1_000_000_000_000),
        ] {
            assert_eq!(Bytes::parse(text), Ok(Bytes(expected)), "{text}");
        }
    }

    #[test]
    fn not_sizes() {
        for (text, expected) in [
            ("", "\"\" is no size"),
            ("GiB", "\"GiB\" is no size"),
            (".5G", "\".5G\" is no size"),
            ("1.2.3 G", "\"1.2.3 G\" is no size"),
            ("-1", "\"-1\" is no size"),
            ("10 GiG", "\"GiG\" in \"10 GiG\" is no unit"),
            ("1.5", "\"1.5\" is not a whole number of bytes"),
            ("99999999 TiB", "more than 16 EiB"),
            ("99999999999999999999999", "more than 16 EiB"),
        ] {
            let message = Bytes::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_displayed_whole_is_read_back(n in 0u64..2000, unit in 0usize..4) {
            let bytes = Bytes(n << (10 * unit));
            proptest::prop_assert_eq!(Bytes::parse(&format!("{} {}", n, ["B", "KiB", "MiB", "GiB"][unit])), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in ".{0,24}") {
            let _unused = Bytes::parse(&text);
        }
    }
}
