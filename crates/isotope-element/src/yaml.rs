//! YAML and JSON as a tree of values that know their places. JSON is read as the YAML that it is, so both have the same errors.
//!
//! In: a file's text. Out: a [`Node`], or what is wrong with the text. It must not know keys.
//! [`Text::parse`] is for files of our own time; [`Text::parse_as_python`] reads what PyYAML and Python's json read.

use crate::{Diagnostic, Severity, Spot};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;
use std::path::Path;

/// Nesting that no file of ours has.
const DEEPEST: usize = 32;

/// Values that aliases may repeat, in all: a small file must not become a large one.
const MOST: usize = 100_000;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// In characters, at least 1.
    pub width: u32,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its place.
    pub at: At,
    /// The value.
    pub kind: Kind,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Text; plain text may also be a number, a truth value or nothing.
    Scalar {
        /// The text.
        text: String,
        /// Whether it stands without quotes.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in the file's order, each key once.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its place.
    pub at: At,
    /// Its name.
    pub name: String,
}

/// A file that is being read: its place and its text, for messages.
#[derive(Debug, Clone, Copy)]
pub struct Text<'t> {
    /// The file.
    pub path: &'t Path,
    /// Its whole text.
    pub text: &'t str,
}

impl Text<'_> {
    /// An error at a place.
    #[must_use]
    pub fn error(&self, at: At, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.path, message).at(self.spot(at))
    }

    fn spot(&self, at: At) -> Spot {
        let line = self.text.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default();
        let rest = u32::try_from(line.chars().count()).unwrap_or(u32::MAX).saturating_sub(at.column - 1).max(1);
        Spot { line: at.line, column: at.column, width: at.width.clamp(1, rest), text: line.to_owned() }
    }

    /// Reads the text.
    ///
    /// # Errors
    /// It is no YAML, has several documents, or a key twice.
    pub fn parse(&self) -> Result<Option<Node>, Diagnostic> {
        Builder::new(self, None).document()
    }

    /// Reads the text as PyYAML's safe loader does: of a key that stands twice the last value counts (told as a warning),
    /// and `<<` merges maps.
    ///
    /// # Errors
    /// It is no YAML, or has several documents.
    pub fn parse_as_python(&self, warnings: &mut Vec<Diagnostic>) -> Result<Option<Node>, Diagnostic> {
        let mut lenient = Vec::new();
        let root = Builder::new(self, Some(&mut lenient)).document();
        warnings.append(&mut lenient);
        root
    }
}

impl Node {
    /// What kind of value it is, in words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self.kind {
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Whether it is nothing: `null`, `~` or not written at all.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The truth value it is.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The text it is (numbers and truth values are texts too).
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }
}

struct Builder<'t> {
    text: &'t Text<'t>,
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: BTreeMap<usize, Node>,
    made: usize,
    /// Where keys that stand twice are told of; none: they are errors, and `<<` is a key like others.
    lenient: Option<&'t mut Vec<Diagnostic>>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t Text<'t>, lenient: Option<&'t mut Vec<Diagnostic>>) -> Self {
        Self { text, parser: Parser::new_from_str(text.text), anchors: BTreeMap::new(), made: 0, lenient }
    }

    fn document(mut self) -> Result<Option<Node>, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(self.text.error(at(span), "a second document begins here; a file has one"));
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                other => root = Some(self.node(other, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let marker = *error.marker();
                Err(self.text.error(at(Span::new(marker, marker)), error.info().to_lowercase()))
            }
            None => Ok((Event::StreamEnd, Span::empty(Marker::new(0, 1, 0)))),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        self.made += 1;
        if depth > DEEPEST || self.made > MOST {
            return Err(self.text.error(at(span), "this is nested too deep, or repeats too much by aliases"));
        }
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.text.error(at(span), "an alias of a value that is not complete yet"));
                };
                self.made += count(&node);
                return Ok(Node { at: at(span), ..node });
            }
            Event::SequenceStart(anchor, _) => (Kind::List(self.list(depth)?), anchor),
            Event::MappingStart(anchor, _) => (Kind::Map(self.map(depth)?), anchor),
            _ => return Err(self.text.error(at(span), "a value is missing here")),
        };
        let node = Node { at: at(span), kind };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Diagnostic> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, Diagnostic> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut merged: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => {
                    // What a map says itself wins over what it merges, and the first map merged over later ones.
                    for (key, value) in merged {
                        if !entries.iter().any(|(other, _)| other.name == key.name) {
                            entries.push((key, value));
                        }
                    }
                    return Ok(entries);
                }
                found => found,
            };
            let key = self.node(event, span, depth + 1)?;
            let Kind::Scalar { text: name, plain } = key.kind else {
                return Err(self.text.error(key.at, "a key must be a text"));
            };
            let first = entries.iter().position(|(other, _)| other.name == name);
            if let Some(first) = first {
                let message = format!(
                    "the key `{name}` stands here a second time; it is in line {} too",
                    entries[first].0.at.line
                );
                let error = self.text.error(key.at, message);
                match &mut self.lenient {
                    Some(told) => told.push(error.severity(Severity::Warning).hint("the last one counts".to_owned())),
                    None => return Err(error),
                }
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if self.lenient.is_some() && plain && name == "<<" {
                merged.extend(maps(value).ok_or_else(|| self.text.error(key.at, "`<<` merges maps only"))?);
            } else if let Some(first) = first {
                entries[first].1 = value;
            } else {
                entries.push((Key { at: key.at, name }, value));
            }
        }
    }
}

/// The entries of a map, or of a list of maps.
fn maps(node: Node) -> Option<Vec<(Key, Node)>> {
    match node.kind {
        Kind::Map(entries) => Some(entries),
        Kind::List(items) => {
            let lists: Option<Vec<_>> = items.into_iter().map(maps).collect();
            lists.map(|lists| lists.into_iter().flatten().collect())
        }
        Kind::Scalar { .. } => None,
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar { .. } => 1,
        Kind::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, value)| count(value)).sum::<usize>(),
    }
}

fn at(span: Span) -> At {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let width = if span.end.line() == span.start.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    At {
        line: number(span.start.line().max(1)),
        column: number(span.start.col()).saturating_add(1),
        width: number(width.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Node>, Diagnostic> {
        Text { path: Path::new("t.yaml"), text }.parse()
    }

    #[test]
    fn yaml_and_json_give_the_same_values_with_their_places() {
        for text in [
            "packages:\n  - a\n  - \"b\"\nselinux: false\n",
            "{\"packages\": [\n  \"a\",\n\t\"b\"],\n\"selinux\": false}",
        ] {
            let node = parse(text).unwrap().unwrap();
            let Kind::Map(entries) = &node.kind else { panic!("{node:?}") };
            assert_eq!(entries[0].0.name, "packages");
            let Kind::List(items) = &entries[0].1.kind else { panic!("{node:?}") };
            assert_eq!(items.iter().map(|item| item.text().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!((items[0].at.line, items[1].at.line), (2, 3));
            assert_eq!(entries[1].1.truth(), Some(false));
        }
    }

    #[test]
    fn what_is_no_treefile_is_said_with_its_place() {
        for (text, part) in [
            ("a: 1\na: 2\n", "the key `a` stands here a second time; it is in line 1 too\n --> t.yaml:2:1"),
            ("a: [1, 2\n", "t.yaml:"),
            ("a: 1\n---\nb: 2\n", "a second document begins here"),
            ("? [x]\n: 1\n", "a key must be a text"),
            ("{\"a\": }", ""),
        ] {
            match parse(text) {
                Err(error) => assert!(error.to_string().contains(part), "{error}"),
                Ok(node) => assert!(part.is_empty(), "{text:?} gave {node:?}"),
            }
        }
    }

    #[test]
    fn what_python_reads_is_read_too() {
        let text = "a: 1\na: 2\nbase: &base {x: 1, y: 2}\nb:\n  <<: *base\n  y: 3\n";
        let text = Text { path: Path::new("t.yaml"), text };
        let mut warnings = Vec::new();
        let Kind::Map(entries) = text.parse_as_python(&mut warnings).unwrap().unwrap().kind else { panic!() };
        assert_eq!(entries[0].1.text(), Some("2"));
        let Kind::Map(merged) = &entries[2].1.kind else { panic!() };
        let merged: Vec<(&str, &str)> = merged.iter().map(|(key, value)| (&*key.name, value.text().unwrap())).collect();
        assert_eq!(merged, [("y", "3"), ("x", "1")]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].to_string().starts_with("warning: the key `a` stands here a second time"));
    }

    #[test]
    fn aliases_repeat_values_but_not_without_end() {
        let node = parse("a: &x [1, 2]\nb: *x\n").unwrap().unwrap();
        let Kind::Map(entries) = node.kind else { panic!() };
        assert_eq!(entries[0].1.kind, entries[1].1.kind);
        let mut bomb = String::from("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
        for n in 1..8 {
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(",")));
        }
        assert!(parse(&bomb).unwrap_err().to_string().contains("repeats too much"));
    }
}
