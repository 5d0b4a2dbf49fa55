//! Small helpers over values that know their places, for the formats of this module.

use crate::Diagnostic;
use crate::yaml::{Key, Kind, Node};
use std::path::Path;

/// The entries of a map.
pub(super) fn entries(node: &Node) -> Option<&[(Key, Node)]> {
    match &node.kind {
        Kind::Map(entries) => Some(entries),
        _ => None,
    }
}

/// The value of a key of a map.
pub(super) fn get<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    entries(node)?.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
}

/// A text, also an empty one.
pub(super) fn scalar(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar { text, .. } if !node.is_null() => Some(text),
        _ => None,
    }
}

pub(super) const fn line(node: &Node) -> u32 {
    node.at.line
}

/// The text of a file of an element.
///
/// # Errors
/// It cannot be read, or is no UTF-8.
pub fn text_of(file: &Path) -> Result<String, Diagnostic> {
    std::fs::read_to_string(file).map_err(|error| Diagnostic::error(file, format!("cannot be read: {error}")))
}
