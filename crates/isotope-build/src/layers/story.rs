//! Why a step is not a hit: the first one that no layer stands for, beside the last layer of the same steps.

use super::chain;
use super::chain::Link;
use crate::error::StepError;
use crate::event::Events;
use isotope_cache::{Inputs, Layer, Store};
use isotope_plan::Plan;

/// Most differences that are told.
const TOLD: usize = 5;

/// Tells what is taken from the store, and why not more.
pub(super) fn tell(
    plan: &Plan,
    store: &Store,
    links: &[Link],
    reused: usize,
    events: &Events,
) -> Result<(), StepError> {
    let count = chain::tree_steps(plan);
    match reused {
        0 => {}
        reused if reused == links.len() => events.note(format!("all {count} steps of the tree are in the cache")),
        reused => events.note(format!("{} of {count} steps of the tree are in the cache", reused.min(count))),
    }
    if reused < links.len() {
        events.note(why(plan, store, links, reused)?);
    }
    Ok(())
}

/// Why the link at `first`, which is the first that is no hit, is none.
pub(super) fn why(plan: &Plan, store: &Store, links: &[Link], first: usize) -> Result<String, StepError> {
    let id = |number: usize| plan.steps.get(number).map_or("the end", |step| step.id.as_str());
    // Links are kept by runs: the one that ends the run is what a layer is found by.
    let Some(end) = (first..links.len()).find(|number| links[*number].ends_layer) else {
        return Ok(format!("{} is done again: no layer ends behind it", id(first)));
    };
    if let Some(number) = (first..=end).find(|number| links[*number].key.is_none()) {
        return Ok(format!("{} is done each time: its element says `cache = false` of a hook", id(number)));
    }
    let own: Inputs = (first..=end)
        .flat_map(|number| links[number].inputs.iter().map(move |(name, value)| (number, name, value)))
        .map(|(number, name, value)| (format!("{}: {name}", id(number)), value.clone()))
        .collect();
    let known = |layer: &Layer| layer.name == plan.name && layer.steps.iter().any(|step| step.id == id(first));
    let layers = store.list()?.into_iter().map(|held| held.layer);
    let Some(newest) = layers.filter(known).max_by_key(|layer| layer.created) else {
        return Ok(format!("{} has not been done before", id(first)));
    };
    let differences = differences(&newest.inputs, &own);
    if differences.is_empty() {
        return Ok(format!("{} is done again: a layer below it has gone, or another Isotope made it", id(first)));
    }
    let more = differences.len().saturating_sub(TOLD);
    let mut told = differences.into_iter().take(TOLD).collect::<Vec<_>>().join("; ");
    if more > 0 {
        told.push_str(&format!("; and {more} more"));
    }
    Ok(format!("{} is done again: {told}", id(first)))
}

/// What differs, a sentence each.
fn differences(before: &Inputs, all: &Inputs) -> Vec<String> {
    let short = |value: &str| match value.get(..12) {
        Some(begin) if value.len() >= 40 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) => format!("{begin}…"),
        _ if value.len() > 60 => "another value".to_owned(),
        _ => format!("`{value}`"),
    };
    let mut told = Vec::new();
    // A digest of all settings of a step: it is told where nothing else is.
    let (settings, now): (Vec<_>, Vec<_>) = all.iter().partition(|(name, _)| name.ends_with(": step"));
    for (name, value) in now {
        match before.get(name) {
            Some(old) if old == value => {}
            Some(old) if name.contains("archive ") => told.push(format!("{name} changed from {old} to {value}")),
            Some(_) if name.contains(": file of element") => told.push(format!("{name} changed")),
            Some(old) => told.push(format!("{name} changed from {} to {}", short(old), short(value))),
            None => told.push(format!("{name} is new")),
        }
    }
    let has_gone = |name: &&String| !all.contains_key(*name);
    told.extend(before.keys().filter(has_gone).map(|name| format!("{name} has gone")));
    for (name, value) in settings {
        if told.is_empty() && before.get(name).is_some_and(|before| before != value) {
            told.push(format!("{} has other settings", name.trim_end_matches(": step")));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_its_name() {
        let inputs = |pairs: &[(&str, &str)]| -> Inputs {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let before = inputs(&[
            ("a: file of element vm: install.d/10-x", "755 aa"),
            ("a: variable vm.size", "1G"),
            ("a: archive Debian trixie", "Sat, 01 Nov 2026 (aa)"),
            ("a: variable gone", "x"),
            ("a: ref os", "1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef"),
            ("a: step", "aa"),
        ]);
        let now = inputs(&[
            ("a: file of element vm: install.d/10-x", "755 bb"),
            ("a: variable vm.size", "2G"),
            ("a: archive Debian trixie", "Sat, 08 Nov 2026 (bb)"),
            ("a: ref os", "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"),
            ("a: step", "bb"),
            ("a: package htop", "install"),
        ]);
        assert_eq!(
            differences(&before, &now),
            [
                "a: archive Debian trixie changed from Sat, 01 Nov 2026 (aa) to Sat, 08 Nov 2026 (bb)",
                "a: file of element vm: install.d/10-x changed",
                "a: package htop is new",
                "a: ref os changed from 1234567890ab… to fedcba987654…",
                "a: variable vm.size changed from `1G` to `2G`",
                "a: variable gone has gone",
            ]
        );
        assert_eq!(differences(&before, &before), [""; 0]);
        let settings = inputs(&[("a: step", "cc")]);
        assert_eq!(differences(&inputs(&[("a: step", "bb")]), &settings), ["a has other settings"]);
    }
}
