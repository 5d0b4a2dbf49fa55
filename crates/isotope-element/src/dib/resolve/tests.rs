//! The cases of facts/diskimage-builder.md §1.2 and §6, and the stable order.

use super::super::testing::{World, catalogue, owned};
use super::*;
use proptest::prelude::*;

/// The kinds of elements that resolution has to tell apart.
fn world() -> World {
    let world = World::new();
    world
        .element("os", &[], &["operating-system"])
        .element("needs-os", &["os"], &[])
        .element("needs-needs-os", &["needs-os"], &[])
        .element("loner", &["loner"], &[])
        .element("provides-disk", &[], &["disk"])
        .element("also-provides-disk", &[], &["disk"])
        .element("needs-disk", &["disk"], &["operating-system"])
        .element("disk", &["only-of-disk"], &[])
        .element("only-of-disk", &[], &[])
        .element("ring-1", &["ring-2"], &["operating-system"])
        .element("ring-2", &["ring-1"], &[])
        .element("provides-new", &[], &["new", "operating-system"])
        .element("needs-new", &["new"], &[])
        .element("late", &["needs-new", "early", "provides-new"], &[])
        .element("early", &["new"], &[]);
    world
}

#[track_caller]
fn resolves(names: &[&str], expected: &[&str]) {
    assert_eq!(world().set(names).names(), expected, "{names:?}");
}

#[track_caller]
fn fails(names: &[&str], expected: &str) {
    let error = resolve(&world().catalogue(), &owned(names)).unwrap_err();
    assert_eq!(error.to_string(), expected, "{names:?}");
}

#[test]
fn closures_with_dependencies_first() {
    resolves(&["os"], &["os"]);
    resolves(&["needs-os"], &["os", "needs-os"]);
    resolves(&["needs-needs-os"], &["os", "needs-os", "needs-needs-os"]);
    resolves(&["os", "os"], &["os"]);
}

#[test]
fn an_element_may_depend_on_itself_and_in_a_ring() {
    resolves(&["loner", "os"], &["loner", "os"]);
    resolves(&["ring-1"], &["ring-2", "ring-1"]);
}

#[test]
fn provided_names_are_no_elements() {
    let set = world().set(&["provides-disk", "needs-disk"]);
    assert_eq!(set.names(), ["provides-disk", "needs-disk"]);
    assert_eq!(set.providers["disk"], "provides-disk");
    resolves(&["needs-new", "provides-new"], &["provides-new", "needs-new"]);
    // Met before its provider is: it is gone from the set, what it depends on is not.
    resolves(&["needs-disk", "provides-disk"], &["provides-disk", "needs-disk"]);
}

#[test]
fn what_a_provided_element_depends_on_stays_if_it_was_met_first() {
    let world = world();
    world.element("slow", &["needs-disk", "slower"], &[]).element("slower", &["slowest"], &[]);
    world.element("slowest", &["provides-disk"], &[]);
    let set = world.set(&["slow"]);
    assert_eq!(set.names(), ["provides-disk", "needs-disk", "slowest", "slower", "slow", "only-of-disk"]);
}

#[test]
fn a_provider_may_be_met_last() {
    resolves(&["late"], &["provides-new", "needs-new", "early", "late"]);
}

#[test]
fn missing_elements() {
    fails(&["fake"], "Element 'fake' not found");
    fails(&["needs-new"], "Element 'new' not found");
    let world = world();
    let error = resolve(&world.catalogue(), &owned(&["needs-new", "needs-oss"])).unwrap_err();
    let [first, second] = error.errors.as_slice() else { panic!("{error:?}") };
    // Those of users are known before those of elements.
    assert_eq!(first.hint().unwrap(), "did you mean `needs-os`?");
    let text = second.diagnostic(std::path::Path::new("")).to_string();
    for part in ["error: Element 'new' not found", "needs-new/element-deps:1:1", "1 | new", "provides it: provides-new"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn names_that_are_provided_twice() {
    fails(&["os", "provides-disk", "also-provides-disk"], "disk: already provided by ['provides-disk']");
    fails(&["disk", "provides-disk", "os"], "disk : already provided by ['provides-disk']");
    fails(&["ring-1", "operating-system"], "operating-system : already provided by ['ring-1']");
}

#[test]
fn an_operating_system_is_needed() {
    fails(&["provides-disk"], "Please include an operating system element");
    let error = resolve(&world().catalogue(), &owned(&["disk"])).unwrap_err();
    assert!(error.errors[0].hint().unwrap().contains("needs-disk, os, provides-new, ring-1"), "{error:?}");
}

#[test]
fn the_overriding_element_is_in_the_set() {
    let (first, second) = (World::new(), world());
    first.element("os", &["loner"], &["operating-system"]);
    let set = resolve(&catalogue(&[first.path(), second.path()]), &owned(&["os"])).unwrap();
    assert_eq!(set.names(), ["loner", "os"]);
    assert!(set.elements[1].dir.starts_with(first.path().canonicalize().unwrap()));
}

proptest! {
    /// Whatever depends on whatever: each element once, dependencies first where there is no ring, the same every time.
    #[test]
    fn the_order_is_stable(edges in proptest::collection::vec((0_usize..8, 0_usize..8), 0..20), seed in 0_usize..8) {
        let world = World::new();
        let acyclic: Vec<(usize, usize)> = edges.into_iter().filter(|(from, to)| to < from).collect();
        for from in 0..8 {
            let needs: Vec<String> =
                acyclic.iter().filter(|(one, _)| *one == from).map(|(_, to)| format!("e{to}")).collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            world.element(&format!("e{from}"), &needs, if from == 0 { &["operating-system"] } else { &[] });
        }
        let wanted = owned(&[&format!("e{seed}"), "e7", "e0"]);
        let set = resolve(&world.catalogue(), &wanted).unwrap();
        prop_assert_eq!(&set, &resolve(&world.catalogue(), &wanted).unwrap());
        let names = set.names();
        let unique: BTreeSet<&&str> = names.iter().collect();
        prop_assert_eq!(unique.len(), names.len());
        for (place, element) in set.elements.iter().enumerate() {
            for need in &element.depends {
                prop_assert!(names.iter().position(|name| *name == need.value).is_some_and(|at| at < place));
            }
        }
    }
}
