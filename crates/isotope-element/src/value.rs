//! Typed variables: their declarations and their values.

use crate::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Type of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VarType {
    /// Any text.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A count of bytes: `10 GiB`, `3GB`, `4096`.
    Size,
    /// An absolute URL, or empty.
    Url,
    /// An absolute path, or empty.
    Path,
    /// One of `values`.
    Enum,
    /// Texts; written in one text they are separated by spaces or commas.
    List,
}

/// A declared variable.
#[derive(Debug, Clone, PartialEq)]
pub struct VarDecl {
    /// Its name: lower case, digits, `_`.
    pub name: String,
    /// Its type.
    pub kind: VarType,
    /// What an enum accepts; empty for the others.
    pub values: Vec<String>,
    /// Its value when nobody gives one; `None`: somebody must.
    pub default: Option<Value>,
    /// Environment variables that give it, the first one set wins.
    pub env: Vec<String>,
    /// For people.
    pub help: String,
    /// Never shown.
    pub secret: bool,
    /// Where it is declared.
    pub line: u32,
}

/// A value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A string, URL, path or enum.
    Text(String),
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A size.
    Size(Bytes),
    /// A list.
    List(Vec<String>),
}

/// A value as somebody gives it, before its type is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// From a command line or the environment.
    Text(String),
    /// From a TOML file.
    Toml(toml::Value),
}

/// A value that does not fit its variable. `Display` says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// What was expected, and what came.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Values of all variables of a set: element → variable → value.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Values(pub BTreeMap<String, BTreeMap<String, Value>>);

impl Value {
    /// Equal, or equal as text (`true` and `"true"`).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self == other || self.to_string() == other.to_string()
    }
}

impl std::fmt::Display for Value {
    /// As templates and hook environments show it: a size in bytes, a list joined by spaces.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Size(bytes) => write!(f, "{}", bytes.0),
            Self::List(items) => f.write_str(&items.join(" ")),
        }
    }
}

impl VarDecl {
    /// Read a value from text: command line, environment.
    pub fn parse(&self, text: &str) -> Result<Value, ValueError> {
        let _ = text;
        todo!()
    }

    /// Read a value from a recipe's TOML.
    pub fn from_toml(&self, value: &toml::Value) -> Result<Value, ValueError> {
        let _ = value;
        todo!()
    }

    /// Read a value however it was given.
    pub fn accept(&self, given: &Given) -> Result<Value, ValueError> {
        match given {
            Given::Text(text) => self.parse(text),
            Given::Toml(value) => self.from_toml(value),
        }
    }
}

impl Values {
    /// One value. `name` is `variable` of `element`, or `other-element.variable`.
    #[must_use]
    pub fn get(&self, element: &str, name: &str) -> Option<&Value> {
        let (element, name) = name.split_once('.').unwrap_or((element, name));
        self.0.get(element)?.get(name)
    }
}
