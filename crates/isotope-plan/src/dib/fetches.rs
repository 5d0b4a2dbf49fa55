//! Sources that elements list in `source-repository-NAME`: what a lock pins of them.
//!
//! The hook of the element `source-repositories` fetches them. Its lines are given to a shell there; here only plain variables
//! (`$NAME`, `${NAME}`, `${NAME:-word}`) are known, and of a line with more than that the place is not.

use super::Beside;
use crate::Problem;
use crate::{DibFetch, DibFetchKind};
use isotope_element::dib::source_repository::{SourceRepository, SourceType, read};
use std::collections::BTreeMap;

/// What is fetched with these variables.
pub(super) fn of(beside: &Beside<'_>, env: &BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Vec<DibFetch> {
    let is_set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
    if is_set("NO_SOURCE_REPOSITORIES") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (dest, file) in &beside.tree.files {
        if !dest.to_string_lossy().starts_with("source-repository-") {
            continue;
        }
        match read(&file.source) {
            Ok(sources) => found.extend(sources.iter().filter_map(|source| fetch(source, &file.element, env))),
            Err(errors) => problems.extend(errors.into_iter().map(Problem::from)),
        }
    }
    found
}

fn fetch(source: &SourceRepository, element: &str, env: &BTreeMap<String, String>) -> Option<DibFetch> {
    let set = |kind: &str| env.get(&source.variable(kind)).filter(|value| !value.is_empty()).cloned();
    if set("INSTALLTYPE").is_some_and(|kind| kind != "source") {
        return None;
    }
    let kind = match (set("REPOTYPE").as_deref(), source.kind) {
        (Some("git"), _) | (None, Some(SourceType::Git)) => DibFetchKind::Git,
        (Some("tar" | "file"), _) | (None, Some(SourceType::Tar | SourceType::File)) => DibFetchKind::File,
        // The distribution's package; or a type that the hook refuses.
        _ => return None,
    };
    let said = |own: Option<String>, line: &Option<String>| own.or_else(|| expand(line.as_deref()?, env));
    let mut url = said(set("REPOLOCATION"), &source.location);
    if let (DibFetchKind::Git, Some(base)) = (kind, env.get("DIB_GITREPOBASE").filter(|base| !base.is_empty())) {
        url = url.map(|url| below(base, &url));
    }
    let reference = match kind {
        DibFetchKind::Git => said(set("REPOREF"), &source.reference).unwrap_or_else(|| "master".to_owned()),
        DibFetchKind::File => String::new(),
    };
    let variable = source.variable(if kind == DibFetchKind::Git { "REPOREF" } else { "REPOSHA256" });
    Some(DibFetch { name: source.name.clone(), element: element.to_owned(), kind, url, reference, variable })
}

/// The repository of a URL at another base, as `DIB_GITREPOBASE` has it.
fn below(base: &str, url: &str) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or(url, |(_, path)| path);
    format!("{}/{path}", base.trim_end_matches('/'))
}

/// A word of a line, as a shell has it. `None`: it is more than variables, or one of them is not known.
fn expand(text: &str, env: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '`', '\\', '"', '\'']) {
        out.push_str(&rest[..at]);
        rest = rest[at..].strip_prefix('$')?;
        let (name, default, behind) = match rest.strip_prefix('{') {
            Some(braced) => {
                let (inner, behind) = braced.split_once('}')?;
                let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, word)| (name, Some(word)));
                (name, default, behind)
            }
            None => {
                let end = rest.find(|char: char| !is_of_name(char)).unwrap_or(rest.len());
                (&rest[..end], None, &rest[end..])
            }
        };
        if name.is_empty() || !name.chars().all(is_of_name) || default.is_some_and(|word| word.contains(['$', '`'])) {
            return None;
        }
        let value = env.get(name).map(String::as_str);
        out.push_str(match default {
            Some(word) => value.filter(|value| !value.is_empty()).unwrap_or(word),
            None => value?,
        });
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_variables_are_known_and_nothing_else() {
        let env = [("A", "x"), ("EMPTY", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (text, expected) in [
            ("https://host/$A/${A}.git", Some("https://host/x/x.git")),
            ("${EMPTY:-https://host}/${B:-b}$EMPTY", Some("https://host/b")),
            ("plain", Some("plain")),
            ("*", Some("*")),
            ("$B", None),
            ("${A#x}", None),
            ("$(hostname)", None),
            ("`hostname`", None),
            ("${B:-$A}", None),
            ("$", None),
        ] {
            assert_eq!(expand(text, &env).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn another_base_keeps_the_path() {
        assert_eq!(below("https://mirror/", "https://host:1/group/app.git"), "https://mirror/group/app.git");
        assert_eq!(below("/srv/git", "group/app"), "/srv/git/group/app");
    }
}
