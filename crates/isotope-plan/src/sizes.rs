//! Sizes as text: of a disk (`auto`, `10 GiB`), of a partition (`rest`, `auto`, `40%`, `512 MiB`).

use crate::layout::{DiskSize, PartitionSize};
use isotope_element::Bytes;

/// Larger sizes are typing errors; refusing them keeps every sum in range.
const LARGEST: Bytes = Bytes(1 << 50);

/// A count of bytes: `512 MiB`, `10GB`, `4096`.
fn bytes(text: &str) -> Result<Bytes, String> {
    match Bytes::parse(text) {
        Ok(size) if size > LARGEST => Err(format!("`{text}` is more than {LARGEST}")),
        Ok(size) => Ok(size),
        Err(error) => Err(error.to_string()),
    }
}

/// The size of a disk.
pub(crate) fn disk(text: &str) -> Result<DiskSize, String> {
    match text.trim() {
        "auto" => Ok(DiskSize::Auto),
        other => match bytes(other)? {
            Bytes(0) => Err("a disk of size 0 holds nothing".to_owned()),
            size => Ok(DiskSize::Fixed(size)),
        },
    }
}

/// The size of a partition.
pub(crate) fn partition(text: &str) -> Result<PartitionSize, String> {
    match text.trim() {
        "rest" => Ok(PartitionSize::Rest),
        "auto" => Ok(PartitionSize::Auto),
        other => match other.strip_suffix('%') {
            Some(number) => percent(number.trim_end()).map(PartitionSize::Percent),
            None => match bytes(other).map_err(|fault| format!("{fault}; or `40%`, `auto`, `rest`"))? {
                Bytes(0) => Err("a partition of size 0 holds nothing".to_owned()),
                size => Ok(PartitionSize::Fixed(size)),
            },
        },
    }
}

/// Hundredths of a percent.
fn percent(number: &str) -> Result<u32, String> {
    let fault = || format!("`{number}%` is no percentage above 0 and up to 100, with two decimals at most");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 2 || whole.len() > 3 {
        return Err(fault());
    }
    let whole: u32 = whole.parse().map_err(|_| fault())?;
    let fraction: u32 = format!("{fraction:0<2}").parse().map_err(|_| fault())?;
    let total = whole * 100 + fraction;
    if (1..=10_000).contains(&total) { Ok(total) } else { Err(fault()) }
}

#[cfg(test)]
mod tests {
    use super::{disk, partition};
    use crate::layout::{DiskSize, PartitionSize};
    use proptest::prelude::*;

    #[test]
    fn words_and_percentages() {
        assert_eq!(disk("auto"), Ok(DiskSize::Auto));
        assert!(disk("rest").is_err());
        assert!(disk("0").is_err());
        assert!(disk("2000 TiB").is_err());
        assert_eq!(partition("rest"), Ok(PartitionSize::Rest));
        assert_eq!(partition("40%"), Ok(PartitionSize::Percent(4000)));
        assert_eq!(partition("33.3 %"), Ok(PartitionSize::Percent(3330)));
        for text in ["0%", "100.01%", "-1%", "%", "1.234%", "0"] {
            assert!(partition(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            drop(disk(&text));
            drop(partition(&text));
        }
    }
}
