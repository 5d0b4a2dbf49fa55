//! Records of PAX headers: `LENGTH KEYWORD=VALUE\n`, where LENGTH counts itself. Values are bytes, whatever they are.

/// Appends a record.
pub(super) fn push(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // Blank, `=`, newline.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + digits(rest);
    if digits(length) != digits(rest) {
        length = rest + digits(length);
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

const fn digits(number: usize) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

/// Takes records apart; None if they are malformed.
pub(super) fn parse(mut records: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while !records.is_empty() {
        let blank = records.iter().take(20).position(|byte| *byte == b' ')?;
        let number = &records[..blank];
        if !number.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let length: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
        let record = records.get(..length)?.get(blank + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        found.push((&record[..equals], &record[equals + 1..]));
        records = &records[length..];
    }
    Some(found)
}

/// A time as text: seconds since 1970, with as many decimals as it needs.
pub(super) fn time(seconds: i64, nanoseconds: u32) -> String {
    if nanoseconds == 0 {
        return seconds.to_string();
    }
    // -1.25 is -2 s and 0.75 s after it.
    let (sign, whole, part) = if seconds < 0 {
        ("-", -(i128::from(seconds) + 1), 1_000_000_000 - nanoseconds)
    } else {
        ("", i128::from(seconds), nanoseconds)
    };
    let decimals = format!("{part:09}");
    format!("{sign}{whole}.{}", decimals.trim_end_matches('0'))
}

/// The reverse of [`time`].
pub(super) fn parse_time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let good = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !good(whole) || !good(decimals) || decimals.len() > 9 {
        return None;
    }
    let part: u32 = format!("{decimals:0<9}").parse().ok()?;
    let whole: i64 = whole.parse().ok()?;
    Some(match (negative, part) {
        (false, part) => (whole, part),
        (true, 0) => (-whole, 0),
        (true, part) => (-whole - 1, 1_000_000_000 - part),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_what_the_standard_says() {
        let mut records = Vec::new();
        push(&mut records, b"path", b"x");
        assert_eq!(records, b"9 path=x\n");
        // The length of the length: 99 and 101 bytes, there is no 100.
        for size in 80..110 {
            let mut records = Vec::new();
            push(&mut records, b"k", &vec![b'\n'; size]);
            let blank = records.iter().position(|byte| *byte == b' ').unwrap();
            assert_eq!(std::str::from_utf8(&records[..blank]).unwrap(), records.len().to_string());
            assert_eq!(parse(&records).unwrap(), [(&b"k"[..], &vec![b'\n'; size][..])]);
        }
        push(&mut records, b"SCHILY.xattr.user.x", b"a=b\0\n");
        assert_eq!(parse(&records).unwrap(), [(&b"path"[..], &b"x"[..]), (b"SCHILY.xattr.user.x", b"a=b\0\n")]);
    }

    #[test]
    fn malformed_records_are_none() {
        for records in [
            "9 path=x",
            "9 path=xy",
            "x path=x\n",
            "0 \n",
            "2 \n",
            "99999999999999999999 a=b\n",
            "7 pathx\n",
            "8 path=x\n",
        ] {
            assert_eq!(parse(records.as_bytes()), None, "{records:?}");
        }
    }

    #[test]
    fn times_go_there_and_back() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "0"),
            (1, 500_000_000, "1.5"),
            (1_700_000_000, 1, "1700000000.000000001"),
            (-1, 0, "-1"),
            (-2, 750_000_000, "-1.25"),
            (-1, 999_999_999, "-0.000000001"),
        ] {
            assert_eq!(time(seconds, nanoseconds), text);
            assert_eq!(parse_time(text.as_bytes()), Some((seconds, nanoseconds)));
        }
        for text in ["", ".", "1.", "1.0000000000", "+1", "1e3", "99999999999999999999", "--1"] {
            let parsed = parse_time(text.as_bytes());
            assert!(parsed.is_none() || text == "1.", "{text}: {parsed:?}");
        }
    }
}
