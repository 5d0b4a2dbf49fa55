//! Whole plans of small elements: their JSON, what people read, what the pictures hold, and that secrets do not get out.

mod support;

use isotope_plan::{HostFacts, Plan, Recipe, StepAction};
use support::{ELEMENTS, World, facts};

const IMAGE: &str = r#"
name = "web"
elements = ["os", "loader", "serial", "web"]
[vars.web]
password = "hunter2"
"#;

fn image() -> (World, Plan) {
    let world = World::new(ELEMENTS);
    let plan = world.plan_text(IMAGE).unwrap_or_else(|errors| panic!("{errors}"));
    (world, plan)
}

#[test]
fn as_text() {
    let (world, plan) = image();
    insta::assert_snapshot!(world.short(&isotope_plan::show(&plan)));
}

#[test]
fn as_json() {
    let (world, plan) = image();
    let json = serde_json::to_string_pretty(&plan).expect("JSON");
    insta::assert_snapshot!(world.short(&json));
    let read: Plan = serde_json::from_str(&json).expect("a plan");
    assert_eq!(serde_json::to_string_pretty(&read).expect("JSON"), json);
}

#[test]
fn the_same_twice_and_another_name_gives_other_ids() {
    let (world, plan) = image();
    assert_eq!(world.plan_text(IMAGE).as_ref(), Ok(&plan));
    let other = world.plan_text(&IMAGE.replace("\"web\"\n", "\"other\"\n")).expect("a plan");
    let ids = |plan: &Plan| plan.layout.as_ref().map(|layout| layout.disk_id);
    assert_ne!(ids(&other), ids(&plan));
}

#[test]
fn secrets_reach_steps_but_no_output() {
    let (_world, plan) = image();
    let written = plan.steps.iter().find_map(|step| match &step.action {
        StepAction::Write(write) => Some(write.content.value.clone()),
        _ => None,
    });
    assert_eq!(written.as_deref(), Some("password = hunter2\n"));
    let hook = plan.steps.iter().find_map(|step| match &step.action {
        StepAction::Hook(hook) if step.origin.element == "web" => hook.env.get("ISOTOPE_WEB_PASSWORD"),
        _ => None,
    });
    assert_eq!(hook.map(|value| (value.value.as_str(), value.secret)), Some(("hunter2", true)));
    let json = serde_json::to_string(&plan).expect("JSON");
    let outputs = [json, isotope_plan::show(&plan), isotope_plan::draw::svg(&plan), isotope_plan::draw::dot(&plan)];
    assert!(outputs.iter().all(|output| !output.contains("hunter2")));
}

#[test]
fn step_ids_are_unique_and_phases_in_order() {
    let (_world, plan) = image();
    let mut ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert!(plan.steps.is_sorted_by_key(|step| step.phase));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), plan.steps.len());
}

#[test]
fn pictures_are_whole() {
    let (world, plan) = image();
    insta::assert_snapshot!("dot", world.short(&isotope_plan::draw::dot(&plan)));
    let svg = isotope_plan::draw::svg(&plan);
    for element in &plan.elements {
        assert!(svg.contains(&format!(">{}</text>", element.name)));
    }
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(!svg.contains("http") || svg.matches("http").count() == 1, "only the namespace is named");
}

#[test]
fn who_gives_a_variable_its_value() {
    let world = World::new(ELEMENTS);
    let release = |facts: &HostFacts, text: &str, set: Option<&str>| {
        let mut recipe = Recipe::parse("image.toml".as_ref(), text).expect("a recipe");
        if let Some(set) = set {
            recipe.set(set).expect("an assignment");
        }
        world.plan(&recipe, facts).expect("a plan").target.release
    };
    let plain = "name = \"x\"\nelements = [\"os\"]\n";
    let given = format!("{plain}[vars.os]\nrelease = \"bookworm\"\n");
    let aliased = |release: &str| HostFacts { env: [("DIB_RELEASE".to_owned(), release.to_owned())].into(), ..facts() };
    assert_eq!(release(&facts(), plain, None), "trixie", "the default");
    assert_eq!(release(&aliased("bookworm"), plain, None), "bookworm", "the environment wins over the default");
    assert_eq!(release(&aliased(""), plain, None), "trixie", "an empty alias is not set");
    assert_eq!(release(&aliased("trixie"), &given, None), "bookworm", "the recipe wins over the environment");
    assert_eq!(release(&facts(), &given, Some("os.release=trixie")), "trixie", "--set wins over the recipe");
    assert_eq!(
        release(&facts(), plain, Some("operating-system.release=bookworm")),
        "bookworm",
        "a provided name is its provider"
    );
}

#[test]
fn without_a_disk_there_is_a_tree() {
    let world = World::new(ELEMENTS);
    let plan = world.plan_text("name = \"tree\"\nelements = [\"os\", \"web\"]\n").expect("a plan");
    assert_eq!(plan.exports[0].file_name, "tree.tar.zst");
    assert!(plan.layout.is_none() && plan.boot.is_none());
    assert!(!plan.steps.iter().any(|step| matches!(step.action, StepAction::Disk | StepAction::Bootloader)));
    assert!(plan.steps.iter().any(|step| matches!(step.action, StepAction::Initramfs)), "it has a kernel");
}
