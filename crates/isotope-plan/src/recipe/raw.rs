//! A recipe as it is written; the JSON Schema is made from these types, which hold nothing but what the file says.

use crate::{Checksum, Compression, Format};
use isotope_element::document::At;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An image: elements, values of their variables, and what comes out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Isotope recipe")]
pub(super) struct RawRecipe {
    /// Name of the image; outputs are NAME.EXT.
    pub name: At<String>,
    /// One line about it.
    #[serde(default)]
    pub summary: Option<String>,
    /// Elements, in order; what they require comes along.
    pub elements: At<Vec<At<String>>>,
    /// Values of variables: element → variable → value.
    #[serde(default)]
    pub vars: BTreeMap<String, BTreeMap<String, At<RawValue>>>,
    /// Variables that elements in diskimage-builder's format see in their environment; they win over the caller's.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Output files; by default one qcow2 (zstd, sha256).
    #[serde(default)]
    pub exports: Vec<At<RawExport>>,
    /// Size of the disk, instead of the layout's: `auto`, `10 GiB`, `10 GB`, or bytes.
    #[serde(default)]
    pub size: Option<At<RawSize>>,
    /// Text or UUID from which all identifiers are derived; by default the name.
    #[serde(default)]
    pub seed: Option<String>,
    /// Facts for publishers, beside those of the elements.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// `[[exports]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExport {
    /// Output format.
    pub format: Format,
    /// Compression; the default depends on the format.
    #[serde(default)]
    pub compression: Option<Compression>,
    /// Digests written beside it; by default sha256.
    #[serde(default)]
    pub checksums: Option<Vec<Checksum>>,
}

/// The value of a variable.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawValue {
    /// Text, a size, a URL, a path, one of an enum.
    Text(String),
    /// A bool.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A list.
    List(Vec<String>),
}

impl From<RawValue> for toml::Value {
    fn from(value: RawValue) -> Self {
        match value {
            RawValue::Text(text) => Self::String(text),
            RawValue::Bool(value) => Self::Boolean(value),
            RawValue::Int(value) => Self::Integer(value),
            RawValue::List(items) => Self::Array(items.into_iter().map(Self::String).collect()),
        }
    }
}

/// A size.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawSize {
    /// With a unit, or `auto`.
    Text(String),
    /// In bytes.
    Bytes(u64),
}
