//! Templates: handlebars, strict, nothing escaped. Which variables a template names is known, and checked, when it is loaded.

use crate::{TargetFacts, Values};
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

/// Renders templates with the values of one set.
#[derive(Debug)]
pub struct Renderer<'v> {
    values: &'v Values,
    target: Option<&'v TargetFacts>,
}

impl<'v> Renderer<'v> {
    /// `target` is `None` only while the target itself (`[distro]`) is being found out.
    #[must_use]
    pub fn new(values: &'v Values, target: Option<&'v TargetFacts>) -> Self {
        Self { values, target }
    }

    /// Render a template of `element`.
    pub fn render(&self, element: &str, template: &Template) -> Result<String, RenderError> {
        let _ = (element, template, self.values, self.target);
        todo!()
    }

    /// Render a template that must give `true` or `false`.
    pub fn render_bool(&self, element: &str, template: &Template) -> Result<bool, RenderError> {
        let _ = (element, template);
        todo!()
    }

    /// Render a template that must give a whole number.
    pub fn render_u32(&self, element: &str, template: &Template) -> Result<u32, RenderError> {
        let _ = (element, template);
        todo!()
    }
}
