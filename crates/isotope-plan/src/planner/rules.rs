//! `[[rules]]`: combinations of values that an element refuses, each with its own words.
//!
//! In: the settled values. Out: a problem for each rule that applies. Values that have no meaning together are told here, before
//! anything is built, and not by a script in a guest.

use crate::Problem;
use crate::scope::Scope;
use isotope_element::{Element, RuleSection};

pub(super) fn check(scope: &mut Scope<'_>) {
    for element in &scope.set.elements {
        for rule in &element.manifest.rules {
            if scope.holds(element, &rule.when) {
                apply(scope, element, rule);
            }
        }
    }
}

fn apply(scope: &mut Scope<'_>, element: &Element, rule: &RuleSection) {
    let RuleSection { refuse, message, help, when: _, line } = rule;
    // What is neither true nor false is a problem of its own, which `truth` has reported.
    if refuse.is_some() && scope.truth(element, refuse.as_ref(), "`refuse` of a rule") != Some(true) {
        return;
    }
    let Some(message) = scope.public(element, message, "a rule's message") else { return };
    let help = scope.maybe(element, help.as_ref(), "a rule's help");
    let message = format!("element {}: {message}", element.name);
    scope.problem(Problem::configuration(message).at(&element.origin(*line)).maybe_remedy(help));
}
