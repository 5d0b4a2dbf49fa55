//! Typed variables: their declarations and their values.

use crate::nearest::suggest;
use crate::{Bytes, Template};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    /// A URL with a scheme, or empty.
    Url,
    /// An absolute path, or empty.
    Path,
    /// One of `values`.
    Enum,
    /// Texts; in one text they are separated by white space (a comma at an item's end is dropped).
    List,
}

impl VarType {
    /// As written in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Size => "size",
            Self::Url => "url",
            Self::Path => "path",
            Self::Enum => "enum",
            Self::List => "list",
        }
    }
}

impl fmt::Display for VarType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
    /// What a text, or each item of a list, must look like.
    pub form: Option<Form>,
    /// Its value when nobody gives one; `None`: somebody must.
    pub default: Option<VarDefault>,
    /// Environment variables that give it, the first one set wins.
    pub env: Vec<String>,
    /// For people.
    pub help: String,
    /// Never shown.
    pub secret: bool,
    /// Where it is declared.
    pub line: u32,
}

/// What a text must look like.
#[derive(Debug, Clone)]
pub struct Form {
    /// Matches the whole text.
    regex: regex::Regex,
    /// The same in words.
    pub expects: String,
}

impl Form {
    /// A regular expression for the whole text, and the same in words.
    ///
    /// # Errors
    /// It is no regular expression.
    pub fn new(pattern: &str, expects: impl Into<String>) -> Result<Self, regex::Error> {
        // Alone first: neither parentheses that close ours nor our own text in its error.
        regex::Regex::new(pattern)?;
        Ok(Self { regex: regex::Regex::new(&format!("^(?:{pattern})$"))?, expects: expects.into() })
    }

    fn fits(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Form {
    fn eq(&self, other: &Self) -> bool {
        (self.regex.as_str(), &self.expects) == (other.regex.as_str(), &other.expects)
    }
}

/// A default.
#[derive(Debug, Clone, PartialEq)]
pub enum VarDefault {
    /// Known now.
    Value(Value),
    /// Known once other variables, or the target, are.
    Template(Template),
}

impl fmt::Display for VarDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(Value::Size(bytes)) => write!(f, "{bytes}"),
            Self::Value(value) => write!(f, "{value}"),
            Self::Template(template) => f.write_str(&template.text),
        }
    }
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

impl Value {
    /// Whether an actual value is this accepted one: equal, equal as text (`true` and `"true"`), or a list that contains it.
    #[must_use]
    pub fn matches(&self, actual: &Self) -> bool {
        match (self, actual) {
            (Self::List(_), Self::List(_)) => self == actual,
            (_, Self::List(items)) => items.contains(&self.to_string()),
            _ => self == actual || self.to_string() == actual.to_string(),
        }
    }
}

impl fmt::Display for Value {
    /// As templates and hook environments show it: a size in bytes, a list joined by spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Size(bytes) => write!(f, "{}", bytes.0),
            Self::List(items) => f.write_str(&items.join(" ")),
        }
    }
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

impl ValueError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
}

impl VarDecl {
    /// Read a value from text: command line, environment.
    ///
    /// # Errors
    /// Says what is expected. A secret is not repeated in the message.
    pub fn parse(&self, text: &str) -> Result<Value, ValueError> {
        self.parse_type(text).and_then(|value| self.in_form(value))
    }

    /// The value, if it looks as it must.
    fn in_form(&self, value: Value) -> Result<Value, ValueError> {
        let Some(form) = &self.form else { return Ok(value) };
        let misfit = match &value {
            Value::Text(text) => (!form.fits(text)).then_some(text),
            Value::List(items) => items.iter().find(|item| !form.fits(item)),
            Value::Bool(_) | Value::Int(_) | Value::Size(_) => None,
        };
        let Some(misfit) = misfit else { return Ok(value) };
        let shown = if self.secret { "the value".to_owned() } else { format!("\"{misfit}\"") };
        let each = if matches!(value, Value::List(_)) { "each item of " } else { "" };
        Err(ValueError::new(format!("{each}`{}` is {}; {shown} is not", self.name, form.expects)))
    }

    fn parse_type(&self, text: &str) -> Result<Value, ValueError> {
        let shown = if self.secret { "the value".to_owned() } else { format!("\"{text}\"") };
        let wrong = |expected: &str| ValueError::new(format!("`{}` is {expected}; {shown} is not", self.name));
        match self.kind {
            VarType::String => Ok(Value::Text(text.to_owned())),
            VarType::Bool => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(Value::Bool(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Bool(false)),
                _ => Err(wrong("true or false")),
            },
            VarType::Int => text.trim().parse().map(Value::Int).map_err(|_| wrong("a whole number")),
            VarType::Size => Bytes::parse(text).map(Value::Size).map_err(|error| ValueError {
                message: if self.secret { wrong("a size").message } else { format!("`{}`: {error}", self.name) },
                hint: None,
            }),
            VarType::Url if text.is_empty() || is_url(text) => Ok(Value::Text(text.to_owned())),
            VarType::Url => Err(wrong("a URL (https://…), or empty")),
            VarType::Path if text.is_empty() || text.starts_with('/') => Ok(Value::Text(text.to_owned())),
            VarType::Path => Err(wrong("an absolute path (/…), or empty")),
            VarType::Enum if self.values.iter().any(|value| value == text) => Ok(Value::Text(text.to_owned())),
            VarType::Enum => Err(ValueError {
                hint: suggest(text, self.values.iter().map(String::as_str), "known values"),
                ..wrong(&format!("one of {}", self.values.join(", ")))
            }),
            VarType::List => {
                let items =
                    text.split_whitespace().map(|item| item.trim_end_matches(',')).filter(|item| !item.is_empty());
                Ok(Value::List(items.map(str::to_owned).collect()))
            }
        }
    }

    /// Read a value from a TOML file.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn from_toml(&self, value: &toml::Value) -> Result<Value, ValueError> {
        match (self.kind, value) {
            (_, toml::Value::String(text)) => self.parse(text),
            (VarType::Bool, toml::Value::Boolean(value)) => Ok(Value::Bool(*value)),
            (VarType::Int, toml::Value::Integer(value)) => Ok(Value::Int(*value)),
            (VarType::Size, toml::Value::Integer(value)) => u64::try_from(*value)
                .map(|bytes| Value::Size(Bytes(bytes)))
                .map_err(|_| ValueError::new(format!("`{}` is a size; {value} is less than nothing", self.name))),
            // `release = 42` and `sector_size = 512` leave no doubt.
            (VarType::String | VarType::Enum, toml::Value::Integer(value)) => self.parse(&value.to_string()),
            (VarType::List, toml::Value::Array(items)) => {
                let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                let list = texts.map(Value::List);
                let list = list.ok_or_else(|| ValueError::new(format!("`{}` is a list of strings", self.name)))?;
                self.in_form(list)
            }
            (kind, other) => {
                let article = if matches!(kind, VarType::Int | VarType::Enum) { "an" } else { "a" };
                Err(ValueError::new(format!("`{}` is {article} {kind}, not a TOML {}", self.name, other.type_str())))
            }
        }
    }

    /// Read a value however it was given.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn accept(&self, given: &Given) -> Result<Value, ValueError> {
        match given {
            Given::Text(text) => self.parse(text),
            Given::Toml(value) => self.from_toml(value),
        }
    }
}

fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
        && !rest.trim_start_matches('/').is_empty()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Values of all variables of a set: element → variable → value.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Values(pub BTreeMap<String, BTreeMap<String, Value>>);

impl Values {
    /// One value. `name` is `variable` of `element`, or `other-element.variable`.
    #[must_use]
    pub fn get(&self, element: &str, name: &str) -> Option<&Value> {
        let (element, name) = name.split_once('.').unwrap_or((element, name));
        self.0.get(element)?.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decl(kind: VarType) -> VarDecl {
        let values = if kind == VarType::Enum { vec!["trixie".to_owned(), "512".to_owned()] } else { Vec::new() };
        VarDecl {
            name: "v".into(),
            kind,
            values,
            form: None,
            default: None,
            env: vec![],
            help: String::new(),
            secret: false,
            line: 1,
        }
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn values_from_text() {
        for (kind, given, expected) in [
            (VarType::String, " a b", text(" a b")),
            (VarType::Bool, "Yes", Value::Bool(true)),
            (VarType::Bool, "0", Value::Bool(false)),
            (VarType::Int, "-3", Value::Int(-3)),
            (VarType::Size, "1 KiB", Value::Size(Bytes(1024))),
            (VarType::Url, "https://deb.example.org/debian", text("https://deb.example.org/debian")),
            (VarType::Url, "file:///srv/repo", text("file:///srv/repo")),
            (VarType::Url, "", text("")),
            (VarType::Path, "/etc", text("/etc")),
            (VarType::Enum, "trixie", text("trixie")),
            (VarType::List, "Ec2, NoCloud\n None", Value::List(vec!["Ec2".into(), "NoCloud".into(), "None".into()])),
            (VarType::List, "tty0 ttyS0,115200n8", Value::List(vec!["tty0".into(), "ttyS0,115200n8".into()])),
            (VarType::List, "", Value::List(vec![])),
        ] {
            assert_eq!(decl(kind).parse(given), Ok(expected), "{kind} {given}");
        }
    }

    #[test]
    fn texts_that_do_not_fit() {
        for (kind, given, message) in [
            (VarType::Bool, "ja", "`v` is true or false; \"ja\" is not"),
            (VarType::Int, "1.5", "`v` is a whole number; \"1.5\" is not"),
            (
                VarType::Size,
                "10 Gib/s",
                "`v`: \"Gib/s\" in \"10 Gib/s\" is no unit: use KiB, MiB, GiB, TiB (times 1024) or KB, MB, GB, TB (times 1000)",
            ),
            (VarType::Url, "deb.example.org", "`v` is a URL (https://…), or empty; \"deb.example.org\" is not"),
            (VarType::Url, "http://", "`v` is a URL (https://…), or empty; \"http://\" is not"),
            (VarType::Path, "etc", "`v` is an absolute path (/…), or empty; \"etc\" is not"),
            (VarType::Enum, "trixi", "`v` is one of trixie, 512; \"trixi\" is not"),
        ] {
            assert_eq!(decl(kind).parse(given).unwrap_err().message, message);
        }
        assert_eq!(decl(VarType::Enum).parse("trixi").unwrap_err().hint.as_deref(), Some("did you mean `trixie`?"));
        let secret = VarDecl { secret: true, ..decl(VarType::Size) };
        assert_eq!(secret.parse("hunter2").unwrap_err().message, "`v` is a size; the value is not");
    }

    #[test]
    fn a_pattern_holds_for_the_whole_text_and_for_each_item() {
        let form = Some(Form::new("[0-9]+G|[0-9]+%FREE", "a size like 10G or 40%FREE").unwrap());
        let own = |kind| VarDecl { form: form.clone(), ..decl(kind) };
        assert_eq!(own(VarType::String).parse("40%FREE"), Ok(text("40%FREE")));
        let error = own(VarType::String).parse("a 10G").unwrap_err();
        assert_eq!(error.message, "`v` is a size like 10G or 40%FREE; \"a 10G\" is not");
        let error = own(VarType::List).parse("1G 2").unwrap_err();
        assert_eq!(error.message, "each item of `v` is a size like 10G or 40%FREE; \"2\" is not");
        let array = toml::Value::Array(vec!["1G".into(), "x".into()]);
        assert!(own(VarType::List).from_toml(&array).unwrap_err().message.contains("\"x\" is not"));
        let secret = VarDecl { secret: true, ..own(VarType::String) };
        assert!(!secret.parse("hunter2").unwrap_err().message.contains("hunter2"));
    }

    #[test]
    fn values_from_toml() {
        assert_eq!(decl(VarType::Enum).from_toml(&512.into()), Ok(text("512")));
        assert_eq!(decl(VarType::Bool).from_toml(&"true".into()), Ok(Value::Bool(true)));
        assert_eq!(
            decl(VarType::Size).from_toml(&(-1).into()).unwrap_err().message,
            "`v` is a size; -1 is less than nothing"
        );
        assert_eq!(
            decl(VarType::Int).from_toml(&true.into()).unwrap_err().message,
            "`v` is an int, not a TOML boolean"
        );
        assert_eq!(
            decl(VarType::List).from_toml(&toml::Value::Array(vec![1.into()])).unwrap_err().message,
            "`v` is a list of strings"
        );
    }
}
