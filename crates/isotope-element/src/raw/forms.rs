//! Values that may be written in more than one form: one word or a list, a literal or a template.

use crate::{Arch, Family, Tree};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// A string or a list of strings.
#[derive(Debug)]
pub(crate) struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'de> Visitor<'de> for Strings {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E: Error>(self, one: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![one.to_owned()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany(all))
            }
        }
        deserializer.deserialize_any(Strings)
    }
}

impl JsonSchema for OneOrMany {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

/// A bool or number as it stands, or text that is a template: kept as text.
#[derive(Debug)]
pub(crate) struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;
        impl Visitor<'_> for AnyScalar {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a bool, a whole number or a template")
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
        }
        deserializer.deserialize_any(AnyScalar)
    }
}

pub(super) fn bool_or_template(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["boolean", "string"] })
}

pub(super) fn int_or_template(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "string"], "minimum": 0 })
}

pub(super) fn any_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": ["string", "boolean", "integer"] },
        { "type": "array", "items": { "type": "string" } },
    ] })
}

pub(super) fn values_by_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "anyOf": [
        { "type": ["string", "boolean", "integer"] },
        { "type": "array", "items": { "type": ["string", "boolean", "integer"] } },
    ] } })
}

fn one_or_many_words(words: &[&str]) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "string", "enum": words },
        { "type": "array", "items": { "type": "string", "enum": words } },
    ] })
}

pub(super) fn families(_: &mut SchemaGenerator) -> Schema {
    one_or_many_words(&Family::ALL.map(Family::name))
}

pub(super) fn arches(_: &mut SchemaGenerator) -> Schema {
    one_or_many_words(&Arch::ALL.map(Arch::name))
}

pub(super) fn trees(_: &mut SchemaGenerator) -> Schema {
    one_or_many_words(&Tree::ALL.map(Tree::name))
}
