//! Variables of other elements, named in templates and conditions: whether they exist, once every element is loaded.

use super::Catalogue;
use crate::nearest::suggest;
use crate::validate::{Reference, accept_all};
use crate::{Diagnostic, Severity, VarDecl};
use std::collections::BTreeMap;

/// Reports names that no element has, and gives the accepted values of conditions their type.
pub(super) fn check(catalogue: &mut Catalogue, problems: &mut Vec<Diagnostic>) {
    let declared: BTreeMap<String, BTreeMap<String, VarDecl>> =
        catalogue.elements.iter().map(|(name, element)| (name.clone(), element.manifest.vars.clone())).collect();
    let find = |name: &str| {
        let (element, var) = name.split_once('.')?;
        declared.get(element)?.get(var)
    };
    for element in catalogue.elements.values() {
        for reference in &element.references {
            let Reference { element: other, var, file, spot, accepts } = reference;
            if catalogue.broken.contains(other) {
                continue;
            }
            let diagnostic = match (declared.get(other), accepts) {
                (None, accepts) => {
                    let hint = suggest(other, declared.keys().map(String::as_str), "known elements");
                    let message = format!("`{other}.{var}` names an element that is not there");
                    // A condition may be about an element that some people have and others have not.
                    let severity = if accepts.is_some() { Severity::Warning } else { Severity::Error };
                    Diagnostic::error(file, message).severity(severity).hint(hint)
                }
                (Some(vars), accepts) => match (vars.get(var), accepts) {
                    (None, _) => {
                        let hint = suggest(var, vars.keys().map(String::as_str), "its variables");
                        Diagnostic::error(file, format!("`{other}` has no variable `{var}`")).hint(hint)
                    }
                    (Some(_), None) => continue,
                    (Some(decl), Some(given)) => match accept_all(decl, given).1.into_iter().next() {
                        Some(error) => {
                            Diagnostic::error(file, format!("this condition never holds: {}", error.message))
                                .hint(error.hint)
                        }
                        None => continue,
                    },
                },
            };
            let diagnostic = diagnostic.at(spot.clone());
            if diagnostic.severity == Severity::Error {
                problems.push(diagnostic)
            } else {
                catalogue.notes.push(diagnostic)
            }
        }
    }
    for element in catalogue.elements.values_mut() {
        for condition in element.manifest.conditions_mut() {
            for (name, values) in &mut condition.vars {
                if let Some(decl) = find(name) {
                    *values = accept_all(
                        decl,
                        &values.iter().map(|value| crate::Given::Toml(value.to_string().into())).collect::<Vec<_>>(),
                    )
                    .0;
                }
            }
        }
    }
}
