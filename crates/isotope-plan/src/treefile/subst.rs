//! Variables: `${basearch}`, `${releasever}`, those of `variables`, and conditions on them.

use super::read::Condition;
use crate::calendar::Moment;
use std::collections::BTreeMap;

/// Names and values.
pub type Variables = BTreeMap<String, String>;

/// Replaces every `${NAME}`.
///
/// # Errors
/// The name of a variable that there is not, or what stands after `${` without an end.
pub fn replace(text: &str, variables: &Variables) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let (name, after) = inner.split_once('}').ok_or_else(|| inner.to_owned())?;
        out.push_str(variables.get(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether a condition holds. Numbers are compared as numbers.
///
/// # Errors
/// There is no such variable, or texts are compared by size.
pub fn holds(condition: &Condition, variables: &Variables) -> Result<bool, String> {
    let Condition { name, operator, value, at: _ } = condition;
    let own = variables.get(name).ok_or_else(|| format!("there is no variable `{name}`"))?;
    let order = match (own.parse::<i64>(), value.parse::<i64>()) {
        (Ok(own), Ok(value)) => own.cmp(&value),
        _ if operator == "==" || operator == "!=" => own.cmp(value),
        _ => return Err(format!("`{own}` and `{value}` are not both numbers, so `{operator}` means nothing")),
    };
    Ok(match operator.as_str() {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

/// Replaces `<date:FORMAT>` by the date of `epoch` (seconds since 1970, UTC). The format may have `%Y %m %d %H %M %S %%`.
///
/// # Errors
/// What the format has besides.
pub fn dated(text: &str, epoch: u64) -> Result<String, String> {
    let Some((before, rest)) = text.split_once("<date:") else { return Ok(text.to_owned()) };
    let (format, after) = rest.split_once('>').ok_or_else(|| format!("<date:{rest}"))?;
    let Moment { year, month, day, hour, minute, second } = Moment::of(epoch);
    let mut out = before.to_owned();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('Y') => out.push_str(&format!("{year:04}")),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('d') => out.push_str(&format!("{day:02}")),
            Some('H') => out.push_str(&format!("{hour:02}")),
            Some('M') => out.push_str(&format!("{minute:02}")),
            Some('S') => out.push_str(&format!("{second:02}")),
            Some('%') => out.push('%'),
            other => return Err(format!("%{}", other.map(String::from).unwrap_or_default())),
        }
    }
    out.push_str(&dated(after, epoch)?);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::treefile::node::At;

    fn variables() -> Variables {
        [("basearch", "x86_64"), ("releasever", "42")].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_named() {
        assert_eq!(replace("f/${releasever}/${basearch}/host", &variables()).as_deref(), Ok("f/42/x86_64/host"));
        assert_eq!(replace("$x {y}", &variables()).as_deref(), Ok("$x {y}"));
        assert_eq!(replace("a${nope}", &variables()), Err("nope".to_owned()));
        assert_eq!(replace("a${open", &variables()), Err("open".to_owned()));
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let condition = |name: &str, operator: &str, value: &str| Condition {
            name: name.into(),
            operator: operator.into(),
            value: value.into(),
            at: At { line: 1, column: 1, width: 1 },
        };
        assert_eq!(holds(&condition("releasever", ">=", "9"), &variables()), Ok(true));
        assert_eq!(holds(&condition("basearch", "!=", "s390x"), &variables()), Ok(true));
        assert!(holds(&condition("basearch", "<", "s390x"), &variables()).is_err());
        assert!(holds(&condition("nope", "==", "1"), &variables()).is_err());
    }

    #[test]
    fn dates_are_those_of_the_clock() {
        assert_eq!(dated("26.<date:%Y%m%d>.0", 1_700_000_000).as_deref(), Ok("26.20231114.0"));
        assert_eq!(dated("<date:%H:%M:%S>", 1_700_000_000).as_deref(), Ok("22:13:20"));
        assert_eq!(dated("<date:%Y-%m-%d>", 951_782_400).as_deref(), Ok("2000-02-29"));
        assert_eq!(dated("<date:%q>", 0), Err("%q".to_owned()));
    }
}
