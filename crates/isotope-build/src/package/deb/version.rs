//! Order of Debian versions, as deb-version(7) defines it.

use std::cmp::Ordering;

/// Compares two versions.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let ((epoch_a, rest_a), (epoch_b, rest_b)) = (epoch(a), epoch(b));
    let ((upstream_a, revision_a), (upstream_b, revision_b)) = (revision(rest_a), revision(rest_b));
    epoch_a.cmp(&epoch_b).then_with(|| part(upstream_a, upstream_b)).then_with(|| part(revision_a, revision_b))
}

fn epoch(version: &str) -> (u64, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    }
}

fn revision(version: &str) -> (&str, &str) {
    // No revision is the same as revision 0.
    version.rsplit_once('-').unwrap_or((version, "0"))
}

/// Texts and numbers in turns: texts by [`rank`], numbers by value.
fn part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        loop {
            let (x, y) = (text(a), text(b));
            if x.is_none() && y.is_none() {
                break;
            }
            let order = rank(x).cmp(&rank(y));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[1..], &b[1..]);
        }
        let (number_a, number_b);
        (number_a, a) = number(a);
        (number_b, b) = number(b);
        let order = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The next byte, unless a number begins.
fn text(rest: &[u8]) -> Option<u8> {
    rest.first().copied().filter(|byte| !byte.is_ascii_digit())
}

/// `~` before the end, the end before letters, letters before everything else.
fn rank(byte: Option<u8>) -> u32 {
    match byte {
        Some(b'~') => 0,
        None => 1,
        Some(byte) if byte.is_ascii_alphabetic() => u32::from(byte),
        Some(byte) => u32::from(byte) + 256,
    }
}

/// Leading digits without leading zeros, and the rest.
fn number(rest: &[u8]) -> (&[u8], &[u8]) {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let zeros = rest[..end].iter().position(|byte| *byte != b'0').unwrap_or(end);
    (&rest[zeros..end], &rest[end..])
}

#[cfg(test)]
mod tests {
    use super::compare;
    use std::cmp::Ordering;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        let ascending = [
            ("1.0~rc1-1", "1.0-1"),
            ("1.0-1", "1.0-1+b1"),
            ("1.0-1~deb13u1", "1.0-1"),
            ("1.9", "1.10"),
            ("9:0", "10:0"),
            ("2.0", "1:1.0"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+"),
            ("1.0~~", "1.0~~a"),
            ("1.0~~a", "1.0~"),
            ("1.2-3", "1.2.1-1"),
            ("257.13-1~deb13u1", "257.13-1"),
            ("0", "0.0.1"),
        ];
        for (a, b) in ascending {
            assert_eq!(compare(a, b), Ordering::Less, "{a} {b}");
            assert_eq!(compare(b, a), Ordering::Greater, "{b} {a}");
        }
        for (a, b) in [("1.0", "0:1.0-0"), ("1.01", "1.1"), ("1.0-1", "1.0-01")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }
}
