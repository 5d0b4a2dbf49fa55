//! Elements of diskimage-builder's beside those of a recipe: their packages by the distribution's names, their environment, and what is
//! refused.

mod support;

use isotope_element::dib::{ElementsPath, HookTree};
use isotope_element::mixed;
use isotope_plan::dib::Beside;
use isotope_plan::lock::{Lock, LockedDownload, LockedGit};
use isotope_plan::{Plan, PlanErrors, Recipe, StepAction};
use std::collections::BTreeMap;
use std::path::Path;
use support::{World, facts};

const OS: &str = r#"
== os/element.toml
summary = "os"
provides = ["operating-system"]
[vars.release]
type = "string"
default = "bookworm"
env = "DIB_RELEASE"
[vars.mirror]
type = "string"
default = "host:debian"
env = "DIB_DISTRIBUTION_MIRROR"
[vars.words]
type = "string"
default = "a b"
env = "DIB_WORDS"
[vars.login]
type = "string"
default = "hunter2"
secret = true
env = "DIB_LOGIN"
[distro]
name = "debian"
family = "debian"
release = "{{release}}"
"#;

const APP: &str = r#"
== app/package-installs.yaml
web:
editor:
  when: DIB_APP_EDITOR = 1
nothing:
old:
  phase: pre-install.d
  uninstall: true
late:
  phase: post-install.d
  arch: amd64
not-here:
  installtype: package
== app/pkg-map
{"family": {"debian": {"web": "lighttpd lighttpd-doc", "nothing": ""}}, "release": {"debian": {"bookworm": {"late": "late-bookworm"}}}}
== app/install.d/50-app
#!/bin/bash
== app/environment.d/10-app
export DIB_APP_EDITOR=${DIB_APP_EDITOR:-1}
"#;

fn plan(world: &World, environment: &str, callers: &[(&str, &str)]) -> Result<Plan, PlanErrors> {
    let text = format!("name = \"image\"\nelements = [\"os\", \"app\"]\n[environment]\n{environment}\n");
    let recipe = Recipe::parse(Path::new("image.toml"), &text).unwrap();
    let path = ElementsPath::default().then(world.path());
    let ours = isotope_element::load(&[world.path().to_owned()]).unwrap();
    let mixed = mixed::resolve(&ours, || isotope_element::dib::load(&path), &recipe.element_names()).unwrap();
    let beside = mixed.beside.expect("elements of both formats");
    let environment: BTreeMap<String, String> =
        callers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let beside = Beside {
        path: &path,
        catalogue: &beside.catalogue,
        set: &beside.set,
        tree: &HookTree::merge(&beside.set).unwrap(),
        environment: &environment,
        directory: Path::new("/here"),
        binary: None,
        python: &"/usr/bin/python3".to_owned(),
    };
    isotope_plan::plan(&recipe, &mixed.set, Some(&beside), &facts())
}

/// `phase install NAME… remove NAME…` of every package step.
fn packages(plan: &Plan) -> Vec<String> {
    let of = |step: &isotope_plan::Step| match &step.action {
        StepAction::Packages(packages) => {
            let names = |list: &BTreeMap<String, Vec<String>>| list.keys().cloned().collect::<Vec<_>>().join(" ");
            Some(format!("{} +[{}] -[{}]", step.phase, names(&packages.install), names(&packages.remove)))
        }
        _ => None,
    };
    plan.steps.iter().filter_map(of).collect()
}

fn world(more: &str) -> World {
    World::new(&format!("{OS}{APP}{more}"))
}

#[test]
fn packages_are_those_of_the_distribution() {
    let plan_of = |environment: &str| packages(&plan(&world(""), environment, &[]).unwrap());
    assert_eq!(
        plan_of(""),
        ["pre-install +[] -[old]", "install +[editor lighttpd lighttpd-doc] -[]", "post-install +[late-bookworm] -[]",]
    );
    assert_eq!(plan_of("DIB_APP_EDITOR = \"0\"")[1], "install +[lighttpd lighttpd-doc] -[]");
    assert_eq!(plan_of("DIB_INSTALLTYPE_app = \"package\"")[1], "install +[editor lighttpd lighttpd-doc not-here] -[]");
}

#[test]
fn a_condition_that_only_bash_could_tell_is_asked_for() {
    let world = world("== app/environment.d/10-app\nexport DIB_APP_EDITOR=$(cat /etc/editor)\n");
    let told = plan(&world, "", &[]).unwrap_err().to_string();
    assert!(told.contains("DIB_APP_EDITOR") && told.contains("[environment] of the recipe"), "{told}");
    assert_eq!(packages(&plan(&world, "DIB_APP_EDITOR = \"1\"", &[]).unwrap()).len(), 3);
}

#[test]
fn hooks_see_their_own_variables_and_those_of_our_elements() {
    let callers = [("DIB_MINE", "1"), ("DIB_WORDS", "theirs"), ("SESSION_TOKEN", "secret"), ("http_proxy", "http://p")];
    let plan = plan(&world(""), "APP = \"x\"\nDIB_MINE = \"2\"", &callers).unwrap();
    let environment = &plan.dib().expect("a beginning").environment;
    assert_eq!(environment["DIB_LOGIN"].value, "hunter2");
    assert!(environment["DIB_LOGIN"].secret, "its element says so, not its name");
    assert!(!environment["DIB_WORDS"].secret);
    let value = |name: &str| environment.get(name).map(|value| value.value.as_str());
    for (name, expected) in [
        ("DIB_MINE", Some("2")),
        // What our element has it for.
        ("DIB_WORDS", Some("a b")),
        ("APP", Some("x")),
        ("SESSION_TOKEN", None),
        ("http_proxy", Some("http://p")),
        ("DISTRO_NAME", Some("debian")),
        ("DIB_RELEASE", Some("bookworm")),
        ("DIB_DISTRIBUTION_MIRROR", None),
        ("ARCH", Some("amd64")),
        ("IMAGE_ELEMENT", Some("app")),
        ("IMAGE_NAME", Some("image")),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
}

#[test]
fn the_disk_is_ours() {
    let world = world(
        "== app/block-device-default.yaml\n- local_loop: {name: image0}\n== app/block-device.d/10-x\n#!/bin/sh\n",
    );
    let told = plan(&world, "", &[]).unwrap_err().to_string();
    for words in ["element app has block devices", "element app makes block devices", "disk-image-create"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn sources_are_pinned_by_a_lock() {
    const LISTS: &str = "== app/source-repository-app
app git /opt/app ${APP_HOST:-https://user:word@host}/app.git main
other git /opt/other https://host/other
data file /opt/data https://host/data
shell tar /opt/shell $(somewhere) .
left tar /opt/left https://host/left .
";
    let world = world(LISTS);
    let plan = plan(&world, "DIB_INSTALLTYPE_left = \"package\"\nDIB_REPOREF_other = \"v1\"", &[]).unwrap();
    let fetches = &plan.dib().unwrap().fetches;
    let told: Vec<_> =
        fetches.iter().map(|fetch| (fetch.name.as_str(), fetch.url.as_deref(), fetch.reference.as_str())).collect();
    assert_eq!(
        told,
        [
            ("app", Some("https://user:word@host/app.git"), "main"),
            ("other", Some("https://host/other"), "v1"),
            ("data", Some("https://host/data"), ""),
            ("shell", None, ""),
        ]
    );
    let mut lock = Lock::new("image");
    let told = lock.problems(&plan).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("no app of element app (https://host/app.git main)") && !told.contains("word"), "{told}");
    let (name, url, reference) = ("app".to_owned(), "https://host/app.git".to_owned(), "main".to_owned());
    lock.gits.push(LockedGit { name, url, reference, commit: "c".repeat(40) });
    let (name, url) = ("data".to_owned(), "https://host/data".to_owned());
    lock.downloads.push(LockedDownload { name, url, size: 1, sha256: "d".repeat(64) });
    assert!(lock.has("data") && lock.has("app") && !lock.has("other"));
    let pinned = lock.pin(plan);
    let value = |name: &str| pinned.dib().unwrap().environment.get(name).map(|value| value.value.clone());
    assert_eq!(value("DIB_REPOREF_app"), Some("c".repeat(40)));
    assert_eq!(value("DIB_REPOSHA256_data"), Some("d".repeat(64)));
    assert_eq!(value("DIB_REPOREF_other").as_deref(), Some("v1"));
}
