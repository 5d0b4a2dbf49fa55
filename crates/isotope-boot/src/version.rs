//! Kernel versions in the order in which a menu shows them: as `sort -V` has it, newest first.

use std::cmp::Ordering;

/// Compares two versions: runs of digits by number, all else by bytes; `~` sorts before the end.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (text_a, rest_a) = split(a, |c| !c.is_ascii_digit());
        let (text_b, rest_b) = split(b, |c| !c.is_ascii_digit());
        let order = compare_text(text_a, text_b);
        let (number_a, rest_a) = split(rest_a, u8::is_ascii_digit);
        let (number_b, rest_b) = split(rest_b, u8::is_ascii_digit);
        let order = order.then_with(|| compare_number(number_a, number_b));
        if order != Ordering::Equal || (rest_a.is_empty() && rest_b.is_empty()) {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

fn split(bytes: &[u8], of: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|c| !of(c)).unwrap_or(bytes.len()))
}

fn compare_number(a: &[u8], b: &[u8]) -> Ordering {
    let trim = |n: &[u8]| n.iter().position(|c| *c != b'0').map_or(Vec::new(), |at| n[at..].to_vec());
    let (a, b) = (trim(a), trim(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
}

fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |c: Option<&u8>| match c {
        Some(b'~') => 0,
        None => 1,
        Some(c) if c.is_ascii_alphabetic() => 2 + u32::from(*c),
        Some(c) => 300 + u32::from(*c),
    };
    (0..a.len().max(b.len()))
        .map(|i| rank(a.get(i)).cmp(&rank(b.get(i))))
        .find(|o| *o != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_a_person_reads_them() {
        let sorted = [
            "5.10.0-9-amd64",
            "5.10.0-30-amd64",
            "6.1.0-9-amd64",
            "6.1.0-37-amd64",
            "6.1.0-37-cloud-amd64",
            "6.12.9+deb13-amd64",
            "6.12.117~rc1",
            "6.12.117",
            "6.12.117+deb13-amd64",
            "6.12.117+deb13-cloud-amd64",
            "6.17.4-300.fc43.x86_64",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("6.01", "6.1"), Ordering::Equal);
    }
}
