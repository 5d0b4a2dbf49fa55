//! The recipes and elements in this repository make plans.

mod support;

use isotope_plan::{HostFacts, Recipe, StepAction, preflight};
use std::path::Path;
use support::facts;

#[test]
fn every_shipped_recipe_plans_and_passes_preflight() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout");
    let catalogue = isotope_element::load(&[root.join("elements")])
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    // What only the user can know.
    let given = [
        ("FEDORA_ATOMIC_TREE_URL", "http://127.0.0.1:8080/repo"),
        ("FEDORA_ATOMIC_GPG_KEYS", "/usr/share/keyrings/debian-archive-keyring.gpg"),
    ];
    let env = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let facts = HostFacts { env, ..facts() };
    let mut count = 0;
    for entry in std::fs::read_dir(root.join("recipes")).expect("recipes").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a recipe");
        let recipe = Recipe::parse(&path, &text).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(
            path.file_stem().and_then(|stem| stem.to_str()),
            Some(recipe.name.as_str()),
            "a recipe is named as its file"
        );
        let set = catalogue.resolve(&recipe.element_names()).unwrap_or_else(|errors| panic!("{errors}"));
        let plan = isotope_plan::plan(&recipe, &set, None, &facts)
            .unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
        assert_eq!(preflight(&plan, &facts), [], "{}", path.display());
        let base = plan.with_inputs().flat_map(|plan| &plan.steps);
        let base = base.filter(|step| matches!(step.action, StepAction::Bootstrap(_))).count();
        assert_eq!(
            base,
            usize::from(recipe.name != "fedora-atomic"),
            "{}: one base tree, or a commit pulled",
            recipe.name
        );
        count += 1;
    }
    assert!(count >= 4, "{count} recipes");
}
