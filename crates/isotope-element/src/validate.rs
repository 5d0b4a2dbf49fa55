//! From the raw manifest to the validated one: names, templates, conditions, files of the element. All errors, not the first.

mod ostree;
mod sections;
mod vars;

use crate::condition::Condition;
use crate::diagnostic::{Diagnostic, Spot, line_of};
use crate::document::{self, At};
use crate::keep::{self, Keep, RawHook};
use crate::manifest::{Located, Manifest};
use crate::raw::{OneOrMany, RawCondition, RawManifest, Scalar, Text};
use crate::template::{Scope, Template, TextPlace};
use crate::{Arch, Family, Given, TargetFacts, Tree, Value, VarDecl};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A name of another element's variable, used in a template or a condition; checked when all elements are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The other element.
    pub element: String,
    /// Its variable.
    pub var: String,
    /// The file.
    pub file: std::path::PathBuf,
    /// The place in it.
    pub spot: Spot,
    /// In a condition: the values it accepts. Conditions may name elements that are not in the image; templates may not.
    pub accepts: Option<Vec<Given>>,
}

/// Read a manifest.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn manifest(dir: &Path, file: &Path, text: &str) -> Result<(Manifest, Vec<Reference>), Vec<Diagnostic>> {
    let raw: RawManifest = document::parse(file, text)?;
    let mut checker = Checker { dir, file, text, vars: BTreeMap::new(), references: Vec::new(), problems: Vec::new() };
    let manifest = checker.manifest(raw);
    let Checker { references, mut problems, .. } = checker;
    if problems.is_empty() {
        return Ok((manifest, references));
    }
    crate::diagnostic::sort(&mut problems);
    Err(problems)
}

/// Whether this can name an element: lower case letters, digits and `-`, beginning with a letter or digit.
pub(crate) fn is_element_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

struct Checker<'a> {
    dir: &'a Path,
    file: &'a Path,
    text: &'a str,
    vars: BTreeMap<String, VarDecl>,
    references: Vec<Reference>,
    problems: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn problem(&mut self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(Diagnostic::error(self.file, message).at(Spot::of(self.text, span)).hint(hint));
    }

    fn line(&self, span: &Range<usize>) -> u32 {
        line_of(self.text, span.start)
    }

    fn manifest(&mut self, raw: RawManifest) -> Manifest {
        let RawManifest {
            summary,
            requires,
            provides,
            after,
            conflicts,
            vars,
            distro,
            bootstrap,
            packages,
            files,
            templates,
            services,
            sysprep,
            layout,
            bootloader,
            ostree,
            rules,
            hooks,
            properties,
            checks,
        } = raw;
        if summary.value.trim().is_empty() || summary.value.contains('\n') {
            self.problem(summary.span, "`summary` is one line that says what the element is for", None);
        }
        self.variables(vars);
        let relations = [&requires, &provides, &after, &conflicts];
        let own = self.dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for (key, names) in ["requires", "provides", "after", "conflicts"].into_iter().zip(relations) {
            self.relation(key, names, &own);
        }
        for conflict in &conflicts {
            let key = [("requires", &requires), ("provides", &provides)]
                .into_iter()
                .find(|(_, names)| names.iter().any(|name| name.value == conflict.value));
            if let Some((key, _)) = key {
                let message = format!("the element conflicts with `{}`, which it {key} itself", conflict.value);
                self.problem(conflict.span.clone(), message, Some("take it out of one of the two lists".to_owned()));
            }
        }
        Manifest {
            file: self.file.to_owned(),
            summary: summary.value,
            requires: self.located(requires),
            provides: self.located(provides),
            after: self.located(after),
            conflicts: self.located(conflicts),
            distro: distro.map(|at| self.distro(at)),
            bootstrap: bootstrap.map(|at| self.bootstrap(at)),
            packages: packages.into_iter().map(|at| self.packages(at)).collect(),
            files: files.into_iter().map(|at| self.files(at)).collect(),
            templates: templates.into_iter().map(|at| self.rendered(at)).collect(),
            services: services.into_iter().map(|at| self.services(at)).collect(),
            sysprep: sysprep.map(|at| self.sysprep(at)),
            layout: layout.map(|at| self.layout(at)),
            bootloader: bootloader.map(|at| self.bootloader(at)),
            ostree: ostree.map(|at| self.ostree(at)),
            rules: rules.into_iter().map(|at| self.rule(at)).collect(),
            keep: self.hooks(&hooks),
            properties: properties.into_iter().map(|(name, text)| (name, self.template(text))).collect(),
            checks: checks.into_iter().map(|at| self.check(at)).collect(),
            vars: std::mem::take(&mut self.vars),
        }
    }

    fn hooks(&mut self, hooks: &[At<RawHook>]) -> BTreeMap<PathBuf, Keep> {
        let (keep, faults) = keep::of_hooks(self.dir, hooks);
        faults.into_iter().for_each(|(span, message, hint)| self.problem(span, message, hint));
        keep
    }

    fn relation(&mut self, key: &str, names: &[At<String>], own: &str) {
        let mut seen = BTreeSet::new();
        for At { value, span } in names {
            if !is_element_name(value) {
                self.problem(
                    span.clone(),
                    format!("\"{value}\" in `{key}` is no name: lower case letters, digits and `-`"),
                    None,
                );
            } else if !seen.insert(value) {
                self.problem(span.clone(), format!("`{key}` names {value} twice"), None);
            } else if value == own && key != "provides" {
                self.problem(span.clone(), format!("`{key}` names the element itself"), None);
            }
        }
    }

    fn located(&self, names: Vec<At<String>>) -> Vec<Located<String>> {
        names.into_iter().map(|At { value, span }| Located { value, line: self.line(&span) }).collect()
    }

    fn template(&mut self, text: Text) -> Template {
        self.template_in(text, &TargetFacts::NAMES)
    }

    fn template_in(&mut self, text: Text, target: &[&str]) -> Template {
        let place = TextPlace { file: self.file, document: self.text, span: text.span };
        let scope = Scope { vars: &self.vars, target };
        let (template, uses, problems) = Template::parse(&text.value, &place, scope);
        self.problems.extend(problems);
        for name in uses {
            let spot = place.spot(&text.value, name.range);
            self.refer(&name.name, self.file.to_owned(), spot, None);
        }
        template
    }

    fn refer(&mut self, name: &str, file: std::path::PathBuf, spot: Spot, accepts: Option<Vec<Given>>) {
        if let Some((element, var)) = name.split_once('.')
            && element != "target"
        {
            self.references.push(Reference { element: element.to_owned(), var: var.to_owned(), file, spot, accepts });
        }
    }

    fn templates(&mut self, texts: Vec<Text>) -> Vec<Template> {
        texts.into_iter().map(|text| self.template(text)).collect()
    }

    fn optional(&mut self, text: Option<Text>) -> Option<Template> {
        text.map(|text| self.template(text))
    }

    /// A literal scalar, or a template of one. `expected` judges literals.
    fn scalar(&mut self, scalar: Option<At<Scalar>>, expected: &str, fits: fn(&str) -> bool) -> Option<Template> {
        let At { value: Scalar(value), span } = scalar?;
        let template = self.template(At { value, span: span.clone() });
        if let Some(text) = template.literal()
            && !fits(text)
        {
            self.problem(
                span,
                format!("\"{text}\" is given where {expected} is expected"),
                Some("or a template: \"{{variable}}\"".to_owned()),
            );
        }
        Some(template)
    }

    /// A template of an absolute path in the target.
    fn target_path(&mut self, key: &str, text: Text) -> Template {
        let span = text.span.clone();
        let template = self.template(text);
        if !template.text.starts_with('/') && !template.text.starts_with("{{") {
            self.problem(
                span,
                format!("`{key}` is an absolute path in the target; \"{}\" is not", template.text),
                None,
            );
        } else if template.text.split('/').any(|part| part == "..") {
            self.problem(span, format!("`{key}` must not contain `..`"), None);
        }
        template
    }

    fn condition(&mut self, when: Option<At<RawCondition>>) -> Condition {
        let Some(At { value: RawCondition { distro, family, release, arch, tree, vars }, .. }) = when else {
            return Condition::default();
        };
        let words = |one_or_many: Option<At<OneOrMany>>| one_or_many.map_or_else(Vec::new, |at| at.value.0);
        // The schema has already refused unknown words.
        let family =
            words(family).iter().filter_map(|word| Family::ALL.into_iter().find(|one| one.name() == word)).collect();
        let arch = words(arch).iter().filter_map(|word| Arch::ALL.into_iter().find(|one| one.name() == word)).collect();
        let tree = words(tree).iter().filter_map(|word| Tree::ALL.into_iter().find(|one| one.name() == word)).collect();
        let vars = vars.into_iter().map(|(name, accepted)| self.accepted(name, accepted)).collect();
        Condition { distro: words(distro), family, release: words(release), arch, tree, vars }
    }

    /// The values that a condition accepts of one variable.
    fn accepted(&mut self, name: String, accepted: At<toml::Value>) -> (String, Vec<Value>) {
        let At { value, span } = accepted;
        let given: Vec<Given> = match value {
            toml::Value::Array(items) => items.into_iter().map(Given::Toml).collect(),
            one => vec![Given::Toml(one)],
        };
        if name.contains('.') {
            // Its type is known when all elements are there; values stand as text, which compares equal to any type's.
            let texts = given
                .iter()
                .map(|one| match one {
                    Given::Text(text) | Given::Toml(toml::Value::String(text)) => Value::Text(text.clone()),
                    Given::Toml(other) => Value::Text(other.to_string()),
                })
                .collect();
            self.refer(&name, self.file.to_owned(), Spot::of(self.text, span), Some(given));
            return (name, texts);
        }
        let Some(decl) = self.vars.get(&name) else {
            let hint = crate::nearest::suggest(&name, self.vars.keys().map(String::as_str), "its variables");
            self.problem(span, format!("the condition names `{name}`, which is not a variable of this element"), hint);
            return (name, Vec::new());
        };
        let (values, errors) = accept_all(decl, &given);
        for error in errors {
            self.problem(span.clone(), format!("this condition never holds: {}", error.message), error.hint);
        }
        (name, values)
    }
}

/// Values of a condition, by the type of their variable. For a list they are items.
pub(crate) fn accept_all(decl: &VarDecl, given: &[Given]) -> (Vec<Value>, Vec<crate::ValueError>) {
    let mut values = Vec::new();
    let mut errors = Vec::new();
    for one in given {
        match one {
            Given::Toml(toml::Value::String(text)) if decl.kind == crate::VarType::List => {
                values.push(Value::Text(text.clone()))
            }
            other => match decl.accept(other) {
                Ok(value) => values.push(value),
                Err(error) => errors.push(error),
            },
        }
    }
    (values, errors)
}

#[cfg(test)]
mod messages;
#[cfg(test)]
mod tests;
