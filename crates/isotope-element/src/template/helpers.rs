//! The helpers of templates.

use handlebars::{Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason, ScopedJson};
use serde_json::Value as Json;

/// Every helper and block that a template may use.
pub const HELPERS: [&str; 16] = [
    "and", "each", "eq", "gt", "gte", "if", "join", "len", "lookup", "lt", "lte", "ne", "not", "or", "quote_sh",
    "unless",
];

/// The helper that shows a value; put in by [`super::names::compile`], never written.
pub(super) const SHOW: &str = "isotope-show";

/// A strict handlebars with our helpers, and nothing that escapes, logs or includes.
pub(super) fn registry() -> Handlebars<'static> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(handlebars::no_escape);
    handlebars.register_helper("eq", Box::new(Compare { equal: true }));
    handlebars.register_helper("ne", Box::new(Compare { equal: false }));
    handlebars.register_helper("join", Box::new(TextHelper(join)));
    handlebars.register_helper("quote_sh", Box::new(TextHelper(quote_sh)));
    handlebars.register_helper(SHOW, Box::new(TextHelper(show)));
    handlebars
}

/// `{{eq a b}}`: equal, or equal as text: an enum `"512"` equals 512, a bool equals `"true"`.
struct Compare {
    equal: bool,
}

impl HelperDef for Compare {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let (left, right) = (parameter(helper, 0)?, parameter(helper, 1)?);
        let same = left == right || text_of(left) == text_of(right);
        Ok(ScopedJson::from(Json::Bool(same == self.equal)))
    }
}

/// A helper that makes text of its parameters.
struct TextHelper(fn(&Helper<'_>) -> Result<String, RenderError>);

impl HelperDef for TextHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::from(Json::String((self.0)(helper)?)))
    }
}

fn parameter<'h>(helper: &'h Helper<'_>, index: usize) -> Result<&'h Json, RenderError> {
    let parameter = helper
        .param(index)
        .ok_or_else(|| problem(format!("`{}` lacks its parameter number {}", helper.name(), index + 1)))?;
    if parameter.is_value_missing() {
        let name = parameter.relative_path().map_or("a name", |name| name.as_str());
        return Err(problem(format!("`{name}` has no value here")));
    }
    Ok(parameter.value())
}

fn problem(message: String) -> RenderError {
    RenderErrorReason::Other(message).into()
}

fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn show(helper: &Helper<'_>) -> Result<String, RenderError> {
    parameter(helper, 0).map(text_of)
}

/// `{{join list ", "}}`.
fn join(helper: &Helper<'_>) -> Result<String, RenderError> {
    let separator = if helper.param(1).is_some() { text_of(parameter(helper, 1)?) } else { " ".to_owned() };
    match parameter(helper, 0)? {
        Json::Array(items) => Ok(items.iter().map(text_of).collect::<Vec<_>>().join(&separator)),
        other => Err(problem(format!("`join` takes a list, not {other}"))),
    }
}

/// `{{quote_sh value}}`: one word of a shell; each item of a list is a word.
fn quote_sh(helper: &Helper<'_>) -> Result<String, RenderError> {
    let quote = |text: String| format!("'{}'", text.replace('\'', r"'\''"));
    Ok(match parameter(helper, 0)? {
        Json::Array(items) => items.iter().map(|item| quote(text_of(item))).collect::<Vec<_>>().join(" "),
        other => quote(text_of(other)),
    })
}
