//! The planner: from a recipe, its elements and the host's facts to a [`Plan`], or to every reason why there is none.
//!
//! Pure: it reads nothing but the treefile of an element that has one, and decides everything. One file for each thing it decides.

mod boot;
mod compose;
mod disk;
mod hooks;
mod ostree;
mod packages;
mod rules;
mod scalar;
mod sources;
mod steps;

use crate::problem::PlanErrors;
use crate::scope::Scope;
use crate::settle::{Settled, settle};
use crate::{
    Check, EnvValue, Export, HostFacts, Plan, PlannedElement, Problem, Recipe, Target, dib, exports, ids, recipe,
};
use isotope_element::{CheckBody, CheckKind, Element, ElementSet, Origin, Tree};
use std::collections::BTreeMap;

/// The version of the plan's structure.
pub const PLAN_FORMAT: u32 = 1;

/// Makes the plan of a recipe with its elements, and with those in diskimage-builder's format beside them.
///
/// # Errors
/// All problems that can be told at once: of values; and when those are settled, of layout, boot loader, steps and exports.
pub fn plan(
    recipe: &Recipe,
    set: &ElementSet,
    beside: Option<&dib::Beside<'_>>,
    facts: &HostFacts,
) -> Result<Plan, PlanErrors> {
    let mut problems: Vec<Problem> = recipe::name_problem(&recipe.name).into_iter().collect();
    let Settled { values, target } = match settle(recipe, set, facts) {
        Ok(settled) => settled,
        Err(more) => {
            problems.extend(more);
            return Err(PlanErrors { problems });
        }
    };
    let mut scope = Scope::new(set, &values, &target);
    rules::check(&mut scope);
    let seed = ids::seed(recipe.seed.as_deref(), &recipe.name);
    let disk = disk::plan(&mut scope, recipe, seed);
    let boot = boot::plan(&mut scope, disk.layout.as_ref(), disk.declared);
    let (exports, export_problems) = exports::settle(&recipe.exports, &recipe.name, disk.declared, target.arch);
    scope.problems.extend(export_problems);
    let mut warnings = disk.warnings;
    warnings.extend(boot.warnings);
    let checks = checks(&mut scope);
    let properties = properties(&mut scope, recipe, &mut warnings);
    ostree::contradictions(&mut scope);
    let before = scope.problems.len();
    let (composed, input) = compose::plan(&mut scope, facts).unzip();
    // A compose that is at fault says so itself.
    let root = if scope.problems.len() == before {
        let disk = (disk.layout.as_ref(), boot.spec.as_ref());
        ostree::deploy(&mut scope, disk, composed.as_ref(), &mut warnings)
    } else {
        None
    };
    let around = dib::Around { recipe, layout: disk.layout.as_ref(), facts };
    let beside = beside.and_then(|beside| dib::plan_beside(beside, &around, &mut scope, &mut warnings));
    let (layout, boot_spec, beside) = (disk.layout.as_ref(), boot.spec.as_ref(), beside.as_ref());
    let around = steps::Around { facts, root, layout, boot: boot_spec, exports: &exports, beside };
    let steps = steps::plan(&mut scope, &around, &mut warnings);
    if target.tree == Tree::Ostree {
        ostree::check_steps(&steps, &mut scope.problems);
        disk.layout.iter().for_each(|layout| ostree::check_layout(layout, &mut scope.problems));
    }
    problems.append(&mut scope.problems);
    if !problems.is_empty() {
        return Err(PlanErrors { problems });
    }
    Ok(Plan {
        format: PLAN_FORMAT,
        name: recipe.name.clone(),
        elements: elements(&scope, beside),
        inputs: input.into_iter().collect(),
        steps,
        layout: disk.layout,
        boot: boot.spec,
        exports: exports.into_iter().map(|(export, _): (Export, Origin)| export).collect(),
        seed,
        source_date_epoch: facts.source_date_epoch,
        properties,
        checks,
        warnings,
        target: Target {
            arch: target.arch,
            distro: target.distro.clone(),
            family: target.family,
            release: target.release.clone(),
        },
    })
}

/// The origin of what nobody asked for.
pub(crate) fn implicit() -> Origin {
    Origin { element: "isotope".to_owned(), file: None, line: None }
}

fn elements(scope: &Scope<'_>, beside: Option<&dib::Planned>) -> Vec<PlannedElement> {
    let own = scope.set.elements.iter().map(|element| planned(element, scope));
    own.chain(beside.into_iter().flat_map(|beside| beside.elements.clone())).collect()
}

fn planned(element: &Element, scope: &Scope<'_>) -> PlannedElement {
    PlannedElement {
        name: element.name.clone(),
        dir: element.dir.clone(),
        summary: element.manifest.summary.clone(),
        requires: scope.set.requires.get(&element.name).cloned().unwrap_or_default(),
        vars: variables(element, scope).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// An element's variables as text, secrets marked.
fn variables<'e>(element: &'e Element, scope: &Scope<'_>) -> BTreeMap<&'e str, EnvValue> {
    let declared = element.manifest.vars.iter();
    declared
        .filter_map(|(name, decl)| {
            let value = scope.values.get(&element.name, name)?.to_string();
            Some((name.as_str(), EnvValue { value, secret: decl.secret }))
        })
        .collect()
}

fn checks(scope: &mut Scope<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for element in &scope.set.elements {
        for section in
            element.manifest.checks.iter().filter(|section| scope.holds(element, &section.when)).collect::<Vec<_>>()
        {
            let name = scope.public(element, &section.name, "a check's name");
            let (kind, run) = match &section.body {
                CheckBody::Text(template) => (CheckKind::Script, scope.public(element, template, "a check")),
                CheckBody::Script { content, path: _ } => (CheckKind::Script, Some(content.clone())),
                CheckBody::Known(kind) => (*kind, Some(String::new())),
            };
            if let (Some(name), Some(run)) = (name, run) {
                checks.push(Check { element: element.name.clone(), name, kind, run, timeout: section.timeout });
            }
        }
    }
    checks
}

/// The elements' properties, a later element's before an earlier one's, the recipe's before all.
fn properties(scope: &mut Scope<'_>, recipe: &Recipe, warnings: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut properties: BTreeMap<String, (String, &str)> = BTreeMap::new();
    for element in &scope.set.elements {
        for (name, template) in &element.manifest.properties {
            let Some(value) = scope.public(element, template, "a property") else { continue };
            if let Some((before, whose)) = properties.get(name).filter(|(before, _)| *before != value) {
                warnings.push(format!("property {name}: `{value}` of {} replaces `{before}` of {whose}", element.name));
            }
            properties.insert(name.clone(), (value, &element.name));
        }
    }
    let mut properties: BTreeMap<String, String> =
        properties.into_iter().map(|(name, (value, _))| (name, value)).collect();
    properties.extend(recipe.properties.clone());
    properties
}
