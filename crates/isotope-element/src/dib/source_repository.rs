//! `source-repository-NAME`: sources that are fetched into the image.
//!
//! In: the file. Out: a [`SourceRepository`] a line. Values are given to a shell before they are used (`$DIB_…` stands for the
//! variable), so what they are in the end is known at build time only.

use super::values::text_of;
use crate::{Diagnostic, Spot};
use std::path::Path;

/// How a source is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceType {
    /// A git repository.
    Git,
    /// An archive.
    Tar,
    /// One file.
    File,
    /// Not at all: the distribution's package is used.
    Package,
}

impl SourceType {
    const ALL: [(&'static str, Self); 4] =
        [("git", Self::Git), ("tar", Self::Tar), ("file", Self::File), ("package", Self::Package)];
}

/// A line of a file: `NAME TYPE DESTINATION LOCATION [REF]`, or `NAME package`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRepository {
    /// Its name; in variables (`DIB_REPOREF_NAME` …) with `_` for all that is neither letter nor digit.
    pub name: String,
    /// How it is fetched, unless `DIB_REPOTYPE_NAME` says otherwise. `None`: a variable says it.
    pub kind: Option<SourceType>,
    /// Where it goes in the image; packages have none.
    pub destination: Option<String>,
    /// Where it comes from; packages have none.
    pub location: Option<String>,
    /// Branch, tag or commit; for an archive the part that is taken.
    pub reference: Option<String>,
    /// Its line, from 1.
    pub line: u32,
}

impl SourceRepository {
    /// The variable of a kind (`REPOTYPE`, `REPOLOCATION`, `REPOREF`, `INSTALLTYPE`) for this source.
    #[must_use]
    pub fn variable(&self, kind: &str) -> String {
        let name: String =
            self.name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
        format!("DIB_{kind}_{name}")
    }
}

/// Reads a file.
///
/// # Errors
/// As [`parse`]; or it cannot be read.
pub fn read(file: &Path) -> Result<Vec<SourceRepository>, Vec<Diagnostic>> {
    let text = text_of(file).map_err(|error| vec![error])?;
    parse(file, &text)
}

/// Reads a file of this text. Blank lines and those that begin with `#` are left out.
///
/// # Errors
/// Lines that are not of the right form, all of them.
pub fn parse(file: &Path, text: &str) -> Result<Vec<SourceRepository>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    let mut offset = 0;
    for (line, row) in (1..).zip(text.split_inclusive('\n')) {
        let start = offset;
        offset += row.len();
        let words: Vec<&str> = row.split_whitespace().collect();
        let Some(first) = words.first().filter(|word| !word.starts_with('#')) else { continue };
        let at = start + row.find(first).unwrap_or(0);
        match source(&words, line) {
            Ok(source) => found.push(source),
            Err(message) => {
                let hint = "the form is: NAME git|tar|file|package DESTINATION LOCATION [REF]".to_owned();
                let spot = Spot::of(text, at..start + row.trim_end().len());
                errors.push(Diagnostic::error(file, message).at(spot).hint(hint));
            }
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

fn source(words: &[&str], line: u32) -> Result<SourceRepository, String> {
    let [name, kind, rest @ ..] = words else {
        return Err("a source repository has a name and a type, and this has one word".to_owned());
    };
    let known = SourceType::ALL.iter().find(|(word, _)| word == kind).map(|(_, kind)| *kind);
    if known.is_none() && !kind.contains('$') {
        return Err(format!("`{kind}` is no type of a source repository"));
    }
    if rest.len() > 3 || (rest.len() < 2 && known != Some(SourceType::Package)) {
        return Err(format!("a source repository has four or five words, and this has {}", words.len()));
    }
    if let Some(destination) = rest.first().filter(|word| !word.starts_with(['/', '$'])) {
        return Err(format!("the destination `{destination}` is no absolute path"));
    }
    let word = |index: usize| rest.get(index).map(|word| (*word).to_owned());
    Ok(SourceRepository {
        name: (*name).to_owned(),
        kind: known,
        destination: word(0),
        location: word(1),
        reference: word(2),
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_comments_and_variables() {
        let text = "# a comment\n\nglean git /tmp/glean https://example.test/glean\n  my-tool tar /opt $URL/x.tgz .\nrpm package\n#end";
        let found = parse(Path::new("s"), text).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!((found[2].kind, &found[2].location), (Some(SourceType::Package), &None));
        assert_eq!((found[0].kind, found[0].reference.as_deref(), found[0].line), (Some(SourceType::Git), None, 3));
        assert_eq!(
            (found[1].kind, found[1].reference.as_deref(), found[1].line),
            (Some(SourceType::Tar), Some("."), 4)
        );
        assert_eq!(found[1].variable("REPOREF"), "DIB_REPOREF_my_tool");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let errors = parse(Path::new("s"), "a git /tmp\nb svn /tmp url\nc git tmp url\n").unwrap_err();
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let told = told.join("\n");
        for part in ["four or five words, and this has 3\n --> s:1:1", "`svn` is no type", "s:2:1", "no absolute path"]
        {
            assert!(told.contains(part), "{told}");
        }
    }
}
