//! The nearest known name, for messages.

/// The candidate nearest to `name`, if one is near enough to have been meant.
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = 1 + name.chars().count() / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= limit || (name.len() > 2 && candidate.contains(name)))
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean …?", or the list of what is known.
#[must_use]
pub fn suggest<'c>(name: &str, known: impl IntoIterator<Item = &'c str>, what: &str) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    let all = || (!known.is_empty()).then(|| format!("{what}: {}", known.join(", ")));
    suggest_near(name, known.iter().copied()).or_else(all)
}

/// `did you mean …?`, if one of them is near.
pub(crate) fn suggest_near<'c>(name: &str, known: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// Edit distance in characters; two neighbours swapped count once.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("sting", "string", 1),
            ("ab", "ba", 1),
            ("vm", "rm", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn far_names_are_listed() {
        assert_eq!(suggest("instal", ["install", "root"], "phases").as_deref(), Some("did you mean `install`?"));
        assert_eq!(suggest("zzz", ["install", "root"], "phases").as_deref(), Some("phases: install, root"));
        assert_eq!(suggest("zzz", [], "phases"), None);
        assert_eq!(nearest("minimal", ["debian-minimal", "vm"]), Some("debian-minimal"));
    }
}
