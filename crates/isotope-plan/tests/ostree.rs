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
