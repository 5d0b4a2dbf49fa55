//! TOML documents with good errors: a document is held against the JSON Schema of its raw type first, so that every
//! unknown key, missing key, wrong type and unknown word is reported at once with its place; then serde takes it.
//!
//! Manifests use it, and recipes do. The schema is the one that editors get: it cannot disagree with the parser.

use crate::diagnostic::{Diagnostic, Spot, line_of, sort};
use crate::nearest::{nearest, suggest};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and its place in the document, as bytes.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its bytes.
    pub span: Range<usize>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T> At<T> {
    /// The line it begins on.
    #[must_use]
    pub fn line(&self, text: &str) -> u32 {
        line_of(text, self.span.start)
    }
}

/// Parse a document.
///
/// # Errors
/// Every syntax error; or else everything that the schema of `T` does not allow.
pub fn parse<T: DeserializeOwned + JsonSchema>(file: &Path, text: &str) -> Result<T, Vec<Diagnostic>> {
    let (table, syntax) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Diagnostic> = syntax
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            Diagnostic::error(file, format!("not TOML: {}", error.message())).at(Spot::of(text, span))
        })
        .collect();
    if problems.is_empty() {
        let schema = schemars::schema_for!(T).to_value();
        let mut walk = Walk { schema: &schema, file, text, problems: Vec::new() };
        walk.table(&schema, table.get_ref(), 0..0, "");
        problems = walk.problems;
    }
    if problems.is_empty() {
        match toml::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                problems.push(Diagnostic::error(file, error.message()).at(Spot::of(text, span)));
            }
        }
    }
    sort(&mut problems);
    Err(problems)
}

struct Walk<'a> {
    schema: &'a Json,
    file: &'a Path,
    text: &'a str,
    problems: Vec<Diagnostic>,
}

type Value<'i> = Spanned<DeValue<'i>>;

impl<'a> Walk<'a> {
    fn problem(&mut self, span: Range<usize>, message: String, hint: Option<String>) {
        self.problems.push(Diagnostic::error(self.file, message).at(Spot::of(self.text, span)).hint(hint));
    }

    /// Follow `$ref`.
    fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        while let Some(target) = schema.get("$ref").and_then(Json::as_str) {
            match self.schema.pointer(target.trim_start_matches('#')) {
                Some(found) => schema = found,
                None => break,
            }
        }
        schema
    }

    fn value(&mut self, schema: &'a Json, value: &Value<'_>, name: &str) {
        let schema = self.resolve(schema);
        if let Some(words) = self.words(schema) {
            return self.word(&words, value, name);
        }
        let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)).and_then(Json::as_array);
        if let Some(alternatives) = alternatives {
            let fitting = alternatives.iter().map(|one| self.resolve(one)).find(|one| accepts(one, value.get_ref()));
            return match fitting {
                Some(fitting) => self.value(fitting, value, name),
                None => {
                    let kinds: Vec<String> = alternatives.iter().flat_map(|one| kinds(self.resolve(one))).collect();
                    self.wrong_type(&kinds, value, name);
                }
            };
        }
        if !accepts(schema, value.get_ref()) {
            return self.wrong_type(&kinds(schema), value, name);
        }
        match value.get_ref() {
            DeValue::Table(table) => self.table(schema, table, value.span(), name),
            DeValue::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    for item in items.iter() {
                        self.value(schema, item, name);
                    }
                }
            }
            DeValue::Integer(number) => self.range(schema, number.as_str(), value.span(), name),
            _ => {}
        }
    }

    fn table(&mut self, schema: &'a Json, table: &DeTable<'_>, span: Range<usize>, name: &str) {
        let schema = self.resolve(schema);
        let known = schema.get("properties").and_then(Json::as_object);
        let mut meant = Vec::new();
        for (key, value) in table.iter() {
            let inner = if name.is_empty() { key.get_ref().to_string() } else { format!("{name}.{}", key.get_ref()) };
            if let Some(schema) = known.and_then(|known| known.get(key.get_ref().as_ref())) {
                self.value(schema, value, &inner);
            } else {
                match schema.get("additionalProperties") {
                    Some(Json::Bool(false)) => {
                        let place = if name.is_empty() { String::new() } else { format!(" in `{name}`") };
                        meant.extend(
                            known
                                .into_iter()
                                .filter_map(|known| nearest(key.get_ref(), known.keys().map(String::as_str))),
                        );
                        let hint = suggest(
                            key.get_ref(),
                            known.into_iter().flat_map(|k| k.keys().map(String::as_str)),
                            "known keys",
                        );
                        self.problem(key.span(), format!("unknown key `{}`{place}", key.get_ref()), hint);
                    }
                    Some(schema @ Json::Object(_)) => self.value(schema, value, &inner),
                    _ => {}
                }
            }
        }
        for required in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            // A misspelt key has been reported already.
            if !meant.contains(&required) && !table.iter().any(|(key, _)| key.get_ref() == required) {
                let place = if name.is_empty() { String::new() } else { format!("`{name}` lacks ") };
                let message = if place.is_empty() {
                    format!("key `{required}` is missing")
                } else {
                    format!("{place}the key `{required}`")
                };
                let help = known
                    .and_then(|known| known.get(required))
                    .and_then(|schema| schema.get("description"))
                    .and_then(Json::as_str);
                self.problem(
                    span.clone(),
                    message,
                    help.map(|help| format!("add `{required} = …`: {}", first_line(help))),
                );
            }
        }
    }

    /// The words of an enum, if the schema is one.
    fn words(&self, schema: &'a Json) -> Option<Vec<&'a str>> {
        if let Some(words) = schema.get("enum").and_then(Json::as_array) {
            return Some(words.iter().filter_map(Json::as_str).collect());
        }
        if let Some(word) = schema.get("const").and_then(Json::as_str) {
            return Some(vec![word]);
        }
        let alternatives = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Json::as_array)?;
        let alternatives = alternatives.iter().filter(|one| one.get("type").and_then(Json::as_str) != Some("null"));
        alternatives.map(|one| self.words(self.resolve(one))).collect::<Option<Vec<_>>>().map(|words| words.concat())
    }

    fn word(&mut self, words: &[&str], value: &Value<'_>, name: &str) {
        match value.get_ref() {
            DeValue::String(text) if words.contains(&text.as_ref()) => {}
            DeValue::String(text) => {
                let hint = suggest(text, words.iter().copied(), "known values");
                self.problem(value.span(), format!("`{name}` cannot be \"{text}\""), hint);
            }
            _ => self.wrong_type(&["a string".to_owned()], value, name),
        }
    }

    fn range(&mut self, schema: &Json, digits: &str, span: Range<usize>, name: &str) {
        let number: Option<i64> = digits.replace('_', "").parse().ok();
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let by_format = match schema.get("format").and_then(Json::as_str) {
            Some("uint8") => Some((0, i64::from(u8::MAX))),
            Some("uint32") => Some((0, i64::from(u32::MAX))),
            _ => None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "bounds of a schema are small")]
        let low = bound("minimum").map(|low| low as i64).or(by_format.map(|(low, _)| low));
        #[expect(clippy::cast_possible_truncation, reason = "bounds of a schema are small")]
        let high = bound("maximum").map(|high| high as i64).or(by_format.map(|(_, high)| high));
        if let Some(number) = number
            && (low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high))
        {
            let (low, high) = (
                low.map_or(String::new(), |low| low.to_string()),
                high.map_or("more".to_owned(), |high| high.to_string()),
            );
            self.problem(span, format!("`{name}` is {number}, but goes from {low} to {high}"), None);
        }
    }

    fn wrong_type(&mut self, expected: &[String], value: &Value<'_>, name: &str) {
        let mut expected: Vec<&str> = expected.iter().map(String::as_str).filter(|kind| !kind.is_empty()).collect();
        expected.dedup();
        let hint = match value.get_ref() {
            DeValue::String(_) if expected == ["a list"] => Some("put it in brackets: [\"…\"]".to_owned()),
            DeValue::String(text)
                if expected.contains(&"true or false") && matches!(text.as_ref(), "true" | "false") =>
            {
                Some(format!("write {text} without quotes"))
            }
            DeValue::Integer(_) | DeValue::Float(_) if expected == ["a string"] => Some("put it in quotes".to_owned()),
            _ => None,
        };
        let message = format!("`{name}` is {}, but {} is expected", kind_of(value.get_ref()), expected.join(" or "));
        self.problem(value.span(), message, hint);
    }
}

/// Whether the JSON type of a value is one that the schema takes.
fn accepts(schema: &Json, value: &DeValue<'_>) -> bool {
    let actual = match value {
        DeValue::String(_) | DeValue::Datetime(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    };
    match schema.get("type") {
        Some(Json::String(one)) => one == actual,
        Some(Json::Array(several)) => several.iter().any(|one| one == actual),
        _ => schema.get("const").is_none_or(Json::is_string) && (schema.get("enum").is_none() || actual == "string"),
    }
}

fn kinds(schema: &Json) -> Vec<String> {
    let word = |kind: &str| match kind {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "",
    };
    match schema.get("type") {
        Some(Json::String(one)) => vec![word(one).to_owned()],
        Some(Json::Array(several)) => {
            several.iter().filter_map(Json::as_str).map(|kind| word(kind).to_owned()).collect()
        }
        _ => vec!["a string".to_owned()],
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a bool",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn first_line(help: &str) -> &str {
    help.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: At<String>,
        #[serde(default)]
        #[schemars(range(min = 1, max = 4))]
        count: Option<u32>,
        size: Option<u32>,
    }

    fn messages(text: &str) -> Vec<String> {
        let problems = parse::<Sample>(Path::new("f"), text).unwrap_err();
        problems.iter().map(|one| format!("{}:{}", one.line().unwrap_or(0), one.message)).collect()
    }

    #[test]
    fn values_know_their_place() {
        let sample: Sample = parse(Path::new("f"), "count = 4\nname = \"x\"\n").unwrap();
        assert_eq!(
            (sample.name.value.as_str(), sample.name.span, sample.count, sample.size),
            ("x", 17..20, Some(4), None)
        );
    }

    #[test]
    fn all_faults_of_a_document_are_told() {
        assert_eq!(messages("nam = 1\n"), ["1:unknown key `nam`"]);
        assert_eq!(
            messages("count = 9\nsize = -1\n"),
            [
                "1:key `name` is missing",
                "1:`count` is 9, but goes from 1 to 4",
                "2:`size` is -1, but goes from 0 to 4294967295",
            ]
        );
        assert_eq!(
            messages("name = [\"x\"]\ncount = \"many\"\n"),
            ["1:`name` is a list, but a string is expected", "2:`count` is a string, but a whole number is expected",]
        );
        assert_eq!(messages("name = \"x\"\nname = \"y\"\n").len(), 1);
    }
}
