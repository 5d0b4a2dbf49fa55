//! The recipes and elements in this repository make plans.

mod support;

use isotope_plan::{Recipe, StepAction, preflight};
use std::path::Path;
use support::facts;

#[test]
fn every_shipped_recipe_plans_and_passes_preflight() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout");
    let catalogue = isotope_element::load(&[root.join("elements")])
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
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
        let plan =
            isotope_plan::plan(&recipe, &set, &facts()).unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
        assert_eq!(preflight(&plan, &facts()), [], "{}", path.display());
        assert!(plan.steps.iter().any(|step| matches!(step.action, StepAction::Bootstrap(_))));
        count += 1;
    }
    assert!(count >= 4, "{count} recipes");
}
