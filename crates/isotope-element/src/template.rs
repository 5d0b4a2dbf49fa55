//! Templates: handlebars, strict, nothing escaped. Which variables a template names is known, and checked, when it is loaded.
//!
//! In a template stand: an element's own variables (`{{release}}`), those of other elements of the image (`{{vm.root_fs}}`),
//! the target (`{{target.arch}}`), `{{#if}}`, `{{#unless}}`, `{{#each}}`, and the helpers of [`HELPERS`].
//! A list alone renders joined by spaces, a size as bytes, a bool as `true` or `false`.

mod helpers;
mod names;

pub use helpers::HELPERS;
pub(crate) use names::{Scope, TextPlace};

use crate::{TargetFacts, Value, Values};
use handlebars::{Context, Handlebars, RenderErrorReason};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A parsed template, from a string of a manifest or from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The text as written.
    pub text: String,
    /// The file it stands in.
    pub file: PathBuf,
    /// The line it begins on, from 1.
    pub line: u32,
    /// The names it uses: `variable`, `element.variable`, `target.arch`.
    pub names: BTreeSet<String>,
}

impl Template {
    /// The text, if there is nothing to render in it.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        (!self.text.contains("{{")).then_some(self.text.as_str())
    }

    /// The variable, if the template is nothing but `{{variable}}`.
    #[must_use]
    pub fn lone_variable(&self) -> Option<&str> {
        let name = self.text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
        self.names.contains(name).then_some(name)
    }

    /// A template that is plain text and was not written in any file.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), file: PathBuf::new(), line: 1, names: BTreeSet::new() }
    }
}

/// A template that cannot be rendered with these values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}", file = .file.display())]
pub struct RenderError {
    /// The template's file.
    pub file: PathBuf,
    /// Line in it.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl RenderError {
    pub(crate) fn new(template: &Template, message: impl Into<String>) -> Self {
        Self { file: template.file.clone(), line: template.line, message: message.into() }
    }
}

/// Renders templates with the values of one set.
#[derive(Debug)]
pub struct Renderer<'v> {
    values: &'v Values,
    target: Option<&'v TargetFacts>,
    handlebars: Handlebars<'static>,
}

impl<'v> Renderer<'v> {
    /// `target` is `None` only while the target itself (`[distro]`) is being found out.
    #[must_use]
    pub fn new(values: &'v Values, target: Option<&'v TargetFacts>) -> Self {
        Self { values, target, handlebars: helpers::registry() }
    }

    /// Render a template of `element`.
    ///
    /// # Errors
    /// A name without a value, or a helper that does not take these values.
    pub fn render(&self, element: &str, template: &Template) -> Result<String, RenderError> {
        match template.literal() {
            Some(text) => Ok(text.to_owned()),
            None => render(&self.handlebars, template, self.data(element)),
        }
    }

    /// Render templates that make a list: an item that is nothing but a list variable (`"{{packages}}"`) stands for all
    /// items of that list, and items that render to nothing are left out.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_list(&self, element: &str, templates: &[Template]) -> Result<Vec<String>, RenderError> {
        let mut items = Vec::new();
        for template in templates {
            match template.lone_variable().and_then(|name| self.values.get(element, name)) {
                Some(Value::List(list)) => items.extend(list.iter().cloned()),
                _ => items.push(self.render(element, template)?),
            }
        }
        items.retain(|item| !item.trim().is_empty());
        Ok(items)
    }

    /// Render a template that must give `true` or `false`.
    ///
    /// # Errors
    /// As [`Self::render`], or it gives something else.
    pub fn render_bool(&self, element: &str, template: &Template) -> Result<bool, RenderError> {
        let text = self.render(element, template)?;
        text.trim()
            .parse()
            .map_err(|_| RenderError::new(template, format!("\"{text}\" is given where true or false is expected")))
    }

    /// Render a template that must give a whole number.
    ///
    /// # Errors
    /// As [`Self::render`], or it gives something else.
    pub fn render_u32(&self, element: &str, template: &Template) -> Result<u32, RenderError> {
        let text = self.render(element, template)?;
        text.trim()
            .parse()
            .map_err(|_| RenderError::new(template, format!("\"{text}\" is given where a whole number is expected")))
    }

    /// What a template of this element sees. Its own variables win over elements of the same name.
    fn data(&self, element: &str) -> Json {
        let mut data = Map::new();
        for (name, vars) in &self.values.0 {
            let vars = vars.iter().map(|(name, value)| (name.clone(), to_json(value))).collect();
            data.insert(name.clone(), Json::Object(vars));
        }
        if let Some(TargetFacts { arch, distro, family, release, tree }) = self.target {
            let target = json!({
                "arch": arch.name(), "deb_arch": arch.deb_name(), "distro": distro, "family": family.name(), "release": release,
                "tree": tree.name(), "unit_dir": tree.unit_dir(),
            });
            data.insert("target".to_owned(), target);
        }
        for (name, value) in self.values.0.get(element).into_iter().flatten() {
            data.insert(name.clone(), to_json(value));
        }
        Json::Object(data)
    }
}

/// Render with data that is already there.
fn render(handlebars: &Handlebars<'_>, template: &Template, data: Json) -> Result<String, RenderError> {
    let compiled = names::compile(&template.text).map_err(|problem| RenderError::new(template, problem.message))?;
    let context = Context::from(data);
    let mut output = handlebars::StringOutput::new();
    let mut state = handlebars::RenderContext::new(None);
    handlebars::Renderable::render(&compiled, handlebars, &context, &mut state, &mut output).map_err(|error| {
        let message = match error.reason() {
            RenderErrorReason::MissingVariable(Some(name)) => format!("`{name}` has no value here"),
            RenderErrorReason::MissingVariable(None) => "a name has no value here".to_owned(),
            reason => reason.to_string(),
        };
        let below = error.line_no.map_or(0, |line| u32::try_from(line).unwrap_or(u32::MAX).saturating_sub(1));
        RenderError { line: template.line.saturating_add(below), ..RenderError::new(template, message) }
    })?;
    output.into_string().map_err(|error| RenderError::new(template, error.to_string()))
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::List(items) => json!(items),
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Size(bytes) => json!(bytes.0),
        Value::Text(text) => json!(text),
    }
}

#[cfg(test)]
mod tests;
