//! Roots that are deployments: what is planned of them, and what is refused.

mod support;

use isotope_plan::{OstreeVerify, Plan, StepAction};
use support::{ELEMENTS, World};

const ATOMIC: &str = r#"
== deploy/element.toml
summary = "Deployments"
[vars.verify]
type = "bool"
default = true
help = "Verify"
[vars.url]
type = "string"
default = ""
help = "Another URL"
[ostree.deploy]
url = "{{url}}"
verify = "{{verify}}"
kernel_args = ["selinux=0"]
== atomic/element.toml
summary = "An atomic system"
requires = ["deploy"]
provides = ["operating-system"]
[vars.url]
type = "string"
default = "http://127.0.0.1:8080/repo"
help = "Where the tree is"
[vars.ref]
type = "string"
default = "os/1/x86_64/host"
help = "Branch or commit"
[vars.keys]
type = "list"
default = []
help = "Keys"
[vars.root]
type = "string"
default = "label"
help = "How the root is found"
[distro]
name = "fedora"
family = "redhat"
release = "23"
[ostree.deploy]
stateroot = "fedora-atomic"
url = "{{url}}"
ref = "{{ref}}"
gpg_keys = ["{{keys}}"]
root = "{{root}}"
[[packages]]
names = ["never"]
when = { tree = "package" }
[[templates]]
source = "unit.hbs"
dest = "{{target.unit_dir}}/x.service"
[[checks]]
name = "booted from the commit"
run = "test -d /ostree"
when = { tree = "ostree" }
== atomic/unit.hbs
[Unit]
== atomic/post-install.d/50-x
#!/bin/sh
== spoiler/element.toml
summary = "Wants what a deployment has not"
[[packages]]
names = ["nginx", "vim"]
[[templates]]
source = "unit.hbs"
dest = "/usr/lib/systemd/system/x.service"
[[files]]
source = "unit.hbs"
dest = "/data/x"
[sysprep]
remove = ["/usr/share/doc"]
[bootloader]
kernel_args = ["a b", "ostree=/x"]
== spoiler/unit.hbs
[Unit]
== old/element.toml
summary = "A base to be deleted afterwards"
[bootstrap]
[[bootstrap.sources]]
uri = "http://127.0.0.1/x"
suite = "x"
verify = false
"#;

fn world() -> World {
    World::new(&format!("{ELEMENTS}{ATOMIC}"))
}

fn recipe(elements: &str, vars: &str) -> String {
    format!("name = \"image\"\nelements = [{elements}]\n{vars}")
}

const PLAIN: &str = "\"atomic\", \"loader\", \"serial\"";

fn plan(vars: &str) -> Plan {
    world().plan_text(&recipe(PLAIN, vars)).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_whole_plan() {
    let world = world();
    let plan =
        world.plan_text(&recipe(PLAIN, "[vars.deploy]\nverify = false\n")).unwrap_or_else(|errors| panic!("{errors}"));
    insta::assert_snapshot!(world.short(&isotope_plan::show(&plan)));
    let deploy = plan.deployment().expect("a deployment");
    assert_eq!((deploy.verify.clone(), deploy.upgrade.url.as_deref()), (OstreeVerify::None, Some(deploy.url.as_str())));
    assert!(!plan.steps.iter().any(|step| matches!(step.action, StepAction::Bootstrap(_) | StepAction::Initramfs)));
    let json = serde_json::to_string(&plan).expect("JSON");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("a plan"), plan);
}

#[test]
fn keys_verify_the_build_and_the_upgrades() {
    let plan = plan("[vars.atomic]\nkeys = [\"/etc/key.gpg\"]\nroot = \"uuid\"\n");
    let deploy = plan.deployment().expect("a deployment");
    let keys = OstreeVerify::Gpg { keys: vec!["/etc/key.gpg".into()], keypath: None };
    assert_eq!((&deploy.verify, &deploy.upgrade.verify), (&keys, &keys));
    assert!(deploy.root.starts_with("UUID=") && deploy.kernel_args[0] == format!("root={}", deploy.root));
    assert!(isotope_plan::needed_keyrings(&plan).contains_key(std::path::Path::new("/etc/key.gpg")));
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn a_commit_has_no_branch_to_follow() {
    let commit = "0123456789abcdef".repeat(4);
    let plan = plan(&format!("[vars.deploy]\nverify = false\n[vars.atomic]\nref = \"{commit}\"\n"));
    let deploy = plan.deployment().expect("a deployment");
    assert_eq!((deploy.rev.as_str(), &deploy.upgrade.reference), (commit.as_str(), &None));
}

#[test]
fn refusals() {
    let world = world();
    let mut all = String::new();
    for (what, elements, vars) in [
        ("no key", PLAIN.to_owned(), ""),
        ("two urls, wrong ref", PLAIN.to_owned(), "[vars.deploy]\nurl = \"http://127.0.0.1/other\"\nverify = false\n"),
        (
            "no ref, no url of a kind",
            PLAIN.to_owned(),
            "[vars.deploy]\nverify = false\n[vars.atomic]\nref = \"\"\nroot = \"lable\"\n",
        ),
        ("what a deployment has not", format!("{PLAIN}, \"spoiler\""), "[vars.deploy]\nverify = false\n"),
        ("a base", format!("{PLAIN}, \"old\""), "[vars.deploy]\nverify = false\n"),
        ("no url", "\"os\", \"deploy\"".to_owned(), "[vars.deploy]\nurl = \"ftp://127.0.0.1/\"\n"),
    ] {
        all.push_str(&format!("== {what}\n{}\n", world.refusal(&recipe(&elements, vars))));
    }
    insta::assert_snapshot!(all);
}

const COMPOSED: &str = r#"
== composed/element.toml
summary = "A system composed here"
requires = ["deploy"]
provides = ["operating-system"]
[vars.release]
type = "string"
default = "bookworm"
help = "Release"
[vars.mirror]
type = "string"
default = "host:debian"
help = "Mirror"
[distro]
name = "debian"
family = "debian"
release = "{{release}}"
[ostree.deploy]
stateroot = "composed"
[ostree.compose]
treefile = "treefile.yaml"
release = "{{release}}"
variables = { mirror = "{{mirror}}" }
== composed/treefile.yaml
ref: composed/${releasever}/${basearch}
variables:
  mirror: http://127.0.0.1/never
apt:
  release: trixie
  sources:
    - mirror: ${mirror}
packages:
  - systemd-sysv dracut ostree-boot linux-image-amd64
"#;

#[test]
fn a_commit_that_the_build_composes_first() {
    let world = World::new(&format!("{ELEMENTS}{ATOMIC}{COMPOSED}"));
    let text = recipe("\"composed\", \"loader\"", "");
    let plan = world.plan_text(&text).unwrap_or_else(|errors| panic!("{errors}"));
    let [input] = plan.inputs.as_slice() else { panic!("{} inputs", plan.inputs.len()) };
    let sources = input.steps.iter().find_map(|step| match &step.action {
        StepAction::Bootstrap(bootstrap) => Some(bootstrap.sources.clone()),
        _ => None,
    });
    let sources = sources.expect("a base tree");
    assert_eq!((sources[0].uri.as_str(), sources[0].suite.as_str()), ("http://mirror.example.org/debian", "bookworm"));
    let deploy = plan.deployment().expect("a deployment");
    assert_eq!(deploy.url, "file:///var/cache/isotope/ostree/composed");
    assert_eq!((deploy.rev.as_str(), &deploy.verify), ("composed/bookworm/x86_64", &OstreeVerify::None));
    assert_eq!(deploy.upgrade.url, None);
    assert!(plan.warnings.iter().any(|warning| warning.contains("upgrade_url")), "{:?}", plan.warnings);
    assert!(isotope_plan::needed_tools(&plan).contains_key("apt-get"));
    let shown = isotope_plan::show(&plan);
    assert!(shown.contains("commit") && shown.contains("into the stateroot composed"), "{shown}");

    let both = recipe("\"composed\", \"loader\"", "[vars.deploy]\nurl = \"http://127.0.0.1/x\"\n");
    let refusal = world.refusal(&both);
    assert!(refusal.contains("composed by element composed"), "{refusal}");
    std::fs::write(world.path().join("composed/treefile.yaml"), "ref: x\npackagez: [x]\n").expect("a treefile");
    let refusal = world.refusal(&text);
    assert!(refusal.contains("packages") && !refusal.contains("from which url"), "{refusal}");
}
