//! Values as YAML 1.1 means them, which is what upstream's parser reads: `yes` is a truth value, `010` is eight.
//!
//! Only for the normalised JSON, which is compared with upstream's; what the configuration means is read from the text itself.

use isotope_element::yaml::{Kind, Node};
use serde_json::{Map, Number, Value};

/// A value as JSON.
pub(super) fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { text, plain: false } => Value::String(text.clone()),
        Kind::Scalar { text, plain: true } => plain(text),
        Kind::List(items) => Value::Array(items.iter().map(json).collect()),
        Kind::Map(entries) => {
            let pairs = entries.iter().map(|(key, value)| (key.name.clone(), json(value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    if let Some(number) = integer(text) {
        return Value::Number(number.into());
    }
    float(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// Decimal, `0x…`, `0b…`, octal by a leading zero, each with a sign and underscores.
fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let clean = digits.replace('_', "");
    let (radix, clean) = if let Some(hex) = clean.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = clean.strip_prefix("0b") {
        (2, binary)
    } else if clean.len() > 1 && clean.starts_with('0') {
        (8, &clean[1..])
    } else {
        (10, clean.as_str())
    };
    let sound = clean.chars().all(|c| c.is_digit(radix)) && digits.starts_with(|c: char| c.is_ascii_digit());
    sound.then(|| i64::from_str_radix(clean, radix).ok()?.checked_mul(sign)).flatten()
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.trim_start_matches(['-', '+']);
    let sound = unsigned.contains('.')
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.chars().any(|c| c.is_ascii_digit())
        && unsigned.chars().all(|c| c.is_ascii_digit() || "._eE+-".contains(c));
    sound.then(|| text.replace('_', "").parse().ok().and_then(Number::from_f64)).flatten()
}

#[cfg(test)]
mod tests {
    use super::plain;
    use serde_json::json;

    #[test]
    fn plain_words_are_those_of_yaml_1_1() {
        for (text, value) in [
            ("1", json!(1)),
            ("-12", json!(-12)),
            ("0x41", json!(65)),
            ("010", json!(8)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("1.5", json!(1.5)),
            ("yes", json!(true)),
            ("off", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
            ("100%", json!("100%")),
            ("8300", json!(8300)),
            ("EF00", json!("EF00")),
            ("/", json!("/")),
            ("0xEF02", json!(0xEF02)),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("3G", json!("3G")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }
}
