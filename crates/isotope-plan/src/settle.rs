//! Settles variables: `--set`, then the recipe, then the environment alias, then the default; and finds out what the target is.
//!
//! A default may be a template over other variables and the target; such defaults are settled in the order in which they need each
//! other. An environment alias that is set but empty counts as not set, as in `${ALIAS:-default}`.

use crate::problem::suggest;
use crate::recipe::Setting;
use crate::{HostFacts, Problem, Recipe};
use isotope_element::{
    Element, ElementSet, Origin, Renderer, TargetFacts, Template, Tree, Value, Values, VarDecl, VarDefault,
};
use std::collections::{BTreeMap, BTreeSet};

/// All variables with their values, and the target.
#[derive(Debug)]
pub(crate) struct Settled {
    pub values: Values,
    pub target: TargetFacts,
}

/// A default that waits for other variables.
struct Pending<'s> {
    element: &'s Element,
    decl: &'s VarDecl,
    template: &'s Template,
}

/// Settles everything, or says everything that is missing or wrong.
pub(crate) fn settle(recipe: &Recipe, set: &ElementSet, facts: &HostFacts) -> Result<Settled, Vec<Problem>> {
    let mut settling = Settling {
        set,
        facts,
        given: BTreeMap::new(),
        values: Values::default(),
        pending: Vec::new(),
        problems: Vec::new(),
    };
    settling.match_settings(recipe);
    settling.take_values();
    settling.resolve_defaults(None);
    let target = settling.target();
    if let Some(target) = &target {
        settling.resolve_defaults(Some(target));
        settling.report_pending();
    }
    match target {
        Some(target) if settling.problems.is_empty() => Ok(Settled { values: settling.values, target }),
        _ => Err(settling.problems),
    }
}

struct Settling<'s> {
    set: &'s ElementSet,
    facts: &'s HostFacts,
    given: BTreeMap<(&'s str, &'s str), &'s Setting>,
    values: Values,
    pending: Vec<Pending<'s>>,
    problems: Vec<Problem>,
}

impl<'s> Settling<'s> {
    /// Every given value must be for a declared variable of an element that is there; a provided name stands for its provider.
    fn match_settings(&mut self, recipe: &'s Recipe) {
        for (name, settings) in &recipe.vars {
            let element = self.set.get(name).or_else(|| self.set.get(self.set.providers.get(name)?));
            let Some(element) = element else {
                let known: Vec<&str> = self.set.elements.iter().map(|element| element.name.as_str()).collect();
                let message = format!("values are given for `{name}`, but no such element is part of this build");
                if let Some(setting) = settings.values().next() {
                    self.problems.push(located(Problem::configuration(message).remedy(suggest(name, &known)), setting));
                }
                continue;
            };
            for (var, setting) in settings {
                if let Some(decl) = element.manifest.vars.get(var) {
                    self.given.insert((&element.name, &decl.name), setting);
                } else {
                    let known: Vec<&str> = element.manifest.vars.keys().map(String::as_str).collect();
                    let message = format!("element {} has no variable `{var}`", element.name);
                    self.problems.push(located(Problem::configuration(message).remedy(suggest(var, &known)), setting));
                }
            }
        }
    }

    fn take_values(&mut self) {
        let mut missing = Vec::new();
        for element in &self.set.elements {
            for (name, decl) in &element.manifest.vars {
                match self.value_of(element, decl) {
                    Ok(Some(value)) => self.insert(element, name, value),
                    Ok(None) if self.defer(element, decl) => {}
                    Ok(None) => missing.push((element, decl)),
                    Err(problem) => self.problems.push(*problem),
                }
            }
        }
        self.problems.extend(missing.into_iter().map(|(element, decl)| missing_value(element, decl)));
    }

    /// What `--set`, the recipe, the environment or a plain default says.
    fn value_of(&self, element: &Element, decl: &VarDecl) -> Result<Option<Value>, Box<Problem>> {
        let whose = format!("{}.{}", element.name, decl.name);
        if let Some(setting) = self.given.get(&(element.name.as_str(), decl.name.as_str())) {
            return decl.accept(&setting.given).map(Some).map_err(|error| {
                let problem = Problem::configuration(format!("element {}: {}", element.name, error.message))
                    .maybe_remedy(error.hint);
                Box::new(located(problem, setting))
            });
        }
        for alias in &decl.env {
            if let Some(text) = self.facts.env.get(alias).filter(|text| !text.is_empty()) {
                return decl.parse(text).map(Some).map_err(|error| {
                    let message = format!("the environment variable {alias}, which sets {whose}: {}", error.message);
                    Box::new(Problem::usage(message).maybe_remedy(error.hint))
                });
            }
        }
        match &decl.default {
            Some(VarDefault::Value(value)) => Ok(Some(value.clone())),
            Some(VarDefault::Template(_)) | None => Ok(None),
        }
    }

    /// A default that is a template waits.
    fn defer(&mut self, element: &'s Element, decl: &'s VarDecl) -> bool {
        let Some(VarDefault::Template(template)) = &decl.default else { return false };
        self.pending.push(Pending { element, decl, template });
        true
    }

    fn insert(&mut self, element: &Element, var: &str, value: Value) {
        self.values.0.entry(element.name.clone()).or_default().insert(var.to_owned(), value);
    }

    /// Renders the defaults whose names are known, until none is left that can be.
    fn resolve_defaults(&mut self, target: Option<&TargetFacts>) {
        loop {
            let (ready, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending)
                .into_iter()
                .partition(|pending| self.is_ready(pending, target.is_some()));
            self.pending = waiting;
            if ready.is_empty() {
                return;
            }
            for pending in ready {
                match self.render(&pending, target) {
                    Ok(value) => self.insert(pending.element, &pending.decl.name, value),
                    Err(message) => {
                        let message =
                            format!("the default of {}.{}: {message}", pending.element.name, pending.decl.name);
                        self.problems
                            .push(Problem::configuration(message).at(&pending.element.origin(pending.decl.line)));
                    }
                }
            }
        }
    }

    fn is_ready(&self, pending: &Pending<'_>, target_known: bool) -> bool {
        pending.template.names.iter().all(|name| {
            if name.starts_with("target.") {
                target_known
            } else {
                self.values.get(&pending.element.name, name).is_some()
            }
        })
    }

    fn render(&self, pending: &Pending<'_>, target: Option<&TargetFacts>) -> Result<Value, String> {
        let renderer = Renderer::new(&self.values, target);
        let text = renderer.render(&pending.element.name, pending.template).map_err(|error| error.message)?;
        pending.decl.parse(&text).map_err(|error| error.message)
    }

    /// What the one element with `[distro]` makes.
    fn target(&mut self) -> Option<TargetFacts> {
        let systems: Vec<_> =
            self.set.elements.iter().filter_map(|element| Some((element, element.manifest.distro.as_ref()?))).collect();
        let (element, distro) = match systems.as_slice() {
            [(element, distro)] => (*element, *distro),
            [] => {
                let remedy = "add an operating system, for example the element debian-minimal";
                self.problems.push(
                    Problem::configuration("no element of this build says what is being made: none has a [distro]")
                        .remedy(remedy),
                );
                return None;
            }
            [.., (second, distro)] => {
                let names: Vec<&str> = systems.iter().map(|(element, _)| element.name.as_str()).collect();
                let message = format!("{} elements make an operating system: {}", names.len(), names.join(", "));
                self.problems
                    .push(Problem::configuration(message).at(&second.origin(distro.line)).remedy("keep one of them"));
                return None;
            }
        };
        let renderer = Renderer::new(&self.values, None);
        let rendered = [&distro.name, &distro.release].map(|template| renderer.render(&element.name, template));
        match rendered {
            [Ok(name), Ok(release)] => {
                let deployed =
                    |element: &Element| element.manifest.ostree.as_ref().is_some_and(|one| one.deploy.is_some());
                let tree = if self.set.elements.iter().any(deployed) { Tree::Ostree } else { Tree::Package };
                Some(TargetFacts { arch: self.facts.arch, distro: name, family: distro.family, release, tree })
            }
            // Its variable has a wrong or missing value, which is reported already.
            _ if !self.problems.is_empty() => None,
            [first, second] => {
                for error in [first.err(), second.err()].into_iter().flatten() {
                    self.problems.push(Problem::configuration(error.message).at(&element.origin(distro.line)));
                }
                None
            }
        }
    }

    fn report_pending(&mut self) {
        let stuck: BTreeSet<String> =
            self.pending.iter().map(|pending| format!("{}.{}", pending.element.name, pending.decl.name)).collect();
        for pending in std::mem::take(&mut self.pending) {
            let needs: Vec<&str> = pending.template.names.iter().map(String::as_str).collect();
            let unknown = needs.iter().any(|name| {
                let full =
                    if name.contains('.') { (*name).to_owned() } else { format!("{}.{name}", pending.element.name) };
                !name.starts_with("target.")
                    && self.values.get(&pending.element.name, name).is_none()
                    && !stuck.contains(&full)
            });
            // What it needs is reported itself, unless its element is not there at all.
            if unknown && !self.problems.is_empty() {
                continue;
            }
            let message = format!(
                "the default of {}.{} needs {}, which {}",
                pending.element.name,
                pending.decl.name,
                needs.join(", "),
                if unknown { "is not part of this build" } else { "needs it in turn" }
            );
            self.problems.push(
                Problem::configuration(message)
                    .at(&pending.element.origin(pending.decl.line))
                    .remedy(format!("--set {}.{}=…", pending.element.name, pending.decl.name)),
            );
        }
    }
}

fn located(problem: Problem, setting: &Setting) -> Problem {
    Problem { spot: setting.spot.clone().map(Box::new), ..problem.at(&setting.origin) }
}

fn missing_value(element: &Element, decl: &VarDecl) -> Problem {
    let about = if decl.help.is_empty() { String::new() } else { format!(": {}", decl.help) };
    let message = format!("the variable {}.{} has no value{about}", element.name, decl.name);
    let mut remedy = format!("--set {}.{}=…, or [vars.{}] in a recipe", element.name, decl.name, element.name);
    if let Some(alias) = decl.env.first() {
        remedy.push_str(&format!(", or the environment variable {alias}"));
    }
    let origin =
        Origin { element: element.name.clone(), file: Some(element.manifest.file.clone()), line: Some(decl.line) };
    Problem::configuration(message).at(&origin).remedy(remedy)
}
