//! What a section of an element sees while it is planned: its variables, the target, whether its condition holds.
//!
//! Rendering never stops at the first fault: problems are collected, and what could not be rendered is left out.

use crate::Problem;
use isotope_element::{Condition, Element, ElementSet, Origin, RenderError, Renderer, TargetFacts, Template, Values};

/// Values and target of one build, and the problems found so far.
pub(crate) struct Scope<'s> {
    pub set: &'s ElementSet,
    pub values: &'s Values,
    pub target: &'s TargetFacts,
    pub problems: Vec<Problem>,
    renderer: Renderer<'s>,
}

impl<'s> Scope<'s> {
    pub(crate) fn new(set: &'s ElementSet, values: &'s Values, target: &'s TargetFacts) -> Self {
        Self { set, values, target, problems: Vec::new(), renderer: Renderer::new(values, Some(target)) }
    }

    /// Whether a section applies.
    pub(crate) fn holds(&self, element: &Element, when: &Condition) -> bool {
        when.holds(self.target, |name| self.values.get(&element.name, name))
    }

    /// A text that may hold secrets.
    pub(crate) fn text(&mut self, element: &Element, template: &Template) -> Option<String> {
        match self.renderer.render(&element.name, template) {
            Ok(text) => Some(text),
            Err(error) => {
                self.failed(element, error);
                None
            }
        }
    }

    fn failed(&mut self, element: &Element, error: RenderError) {
        let RenderError { file, line, message } = error;
        let origin = Origin { element: element.name.clone(), file: Some(file), line: Some(line) };
        self.problems.push(Problem::configuration(message).at(&origin));
    }

    /// A text that is printed and kept with the image, so that no secret may be in it.
    pub(crate) fn public(&mut self, element: &Element, template: &Template, what: &str) -> Option<String> {
        if self.refuse_secret(element, template, what) { None } else { self.text(element, template) }
    }

    /// A bool; `None` if the key is not there or is not one.
    pub(crate) fn truth(&mut self, element: &Element, template: Option<&Template>, what: &str) -> Option<bool> {
        let text = self.public(element, template?, what)?;
        let value = text.trim().parse().ok();
        if value.is_none() {
            let message = format!("{what} is true or false, not `{text}`");
            let origin = element.origin(template.map_or(1, |template| template.line));
            self.problem(Problem::configuration(message).at(&origin));
        }
        value
    }

    fn refuse_secret(&mut self, element: &Element, template: &Template, what: &str) -> bool {
        let Some(name) = self.secret_in(element, template) else { return false };
        let message = format!(
            "{what} of element {} uses the secret variable `{name}`, and is shown in plans and manifests",
            element.name
        );
        let problem = Problem::configuration(message).at(&element.origin(template.line));
        self.problems.push(problem.remedy("use secrets in templates and hooks only"));
        true
    }

    /// An optional public text.
    pub(crate) fn maybe(&mut self, element: &Element, template: Option<&Template>, what: &str) -> Option<String> {
        self.public(element, template?, what)
    }

    /// Texts: an item that is nothing but a list variable expands to its items; empty ones are dropped.
    pub(crate) fn list(&mut self, element: &Element, templates: &[Template], what: &str) -> Vec<String> {
        let mut items = Vec::new();
        for template in templates {
            if self.refuse_secret(element, template, what) {
                continue;
            }
            match self.renderer.render_list(&element.name, std::slice::from_ref(template)) {
                Ok(rendered) => items.extend(rendered),
                Err(error) => self.failed(element, error),
            }
        }
        items
    }

    /// The first secret variable that a template uses.
    pub(crate) fn secret_in<'t>(&self, element: &Element, template: &'t Template) -> Option<&'t str> {
        template.names.iter().map(String::as_str).find(|name| {
            let (owner, var) = name.split_once('.').unwrap_or((&element.name, name));
            self.set.get(owner).and_then(|owner| owner.manifest.vars.get(var)).is_some_and(|decl| decl.secret)
        })
    }

    /// Something is wrong.
    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
