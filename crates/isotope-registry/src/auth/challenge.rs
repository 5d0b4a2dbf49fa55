//! `WWW-Authenticate` (RFC 9110 §11.6.1): which forms of authorization a server takes.

use std::collections::BTreeMap;

/// One form of authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case: `basic`, `bearer`.
    pub(crate) scheme: String,
    /// Names in lower case.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Reads a header. What is malformed ends the reading: what came before it counts.
pub(crate) fn challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = split_token(rest);
        if word.is_empty() {
            return found;
        }
        let next = after.trim_start_matches([' ', '\t']);
        match (next.strip_prefix('='), found.last_mut()) {
            // `scheme token68=` would look like a parameter; no scheme that registries use has it.
            (Some(value), Some(challenge)) => {
                let Some((value, after)) = split_value(value.trim_start_matches([' ', '\t'])) else { return found };
                challenge.parameters.entry(word.to_ascii_lowercase()).or_insert(value);
                rest = after;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
                rest = next;
            }
        }
    }
}

fn split_token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// A token or a quoted string, and what follows.
fn split_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = split_token(text);
        return (!word.is_empty()).then(|| (word.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(scheme: &str, parameters: &[(&str, &str)]) -> Challenge {
        let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Challenge { scheme: scheme.to_owned(), parameters }
    }

    #[test]
    fn challenges_are_read() {
        for (header, expected) in [
            ("Basic realm=\"Registry Realm\"", vec![challenge("basic", &[("realm", "Registry Realm")])]),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a/b:pull,push\"",
                vec![challenge(
                    "bearer",
                    &[
                        ("realm", "https://auth.example/token"),
                        ("service", "registry.example"),
                        ("scope", "repository:a/b:pull,push"),
                    ],
                )],
            ),
            (
                "Negotiate, BEARER Realm = \"a\\\"b\" , error=invalid_token, Basic realm=x",
                vec![
                    challenge("negotiate", &[]),
                    challenge("bearer", &[("realm", "a\"b"), ("error", "invalid_token")]),
                    challenge("basic", &[("realm", "x")]),
                ],
            ),
            ("", vec![]),
            ("=\"x\"", vec![]),
            ("realm=x", vec![]),
            ("Bearer realm=\"unfinished", vec![challenge("bearer", &[])]),
            ("Bearer realm=\"a\", realm=\"b\"", vec![challenge("bearer", &[("realm", "a")])]),
        ] {
            assert_eq!(challenges(header), expected, "{header}");
        }
    }
}
