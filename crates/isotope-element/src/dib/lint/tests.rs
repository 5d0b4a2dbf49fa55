//! Every rule, by an element that breaks it; and elements that break none.

use super::super::testing::{World, catalogue};
use super::*;

fn check_with(world: &World, name: &str, native: &[&str]) -> Vec<String> {
    let catalogue = world.catalogue();
    let native = native.iter().map(|name| (*name).to_owned()).collect();
    let linter = Linter::new(&catalogue, &native);
    linter.check(&catalogue.elements[name]).iter().map(ToString::to_string).collect()
}

fn check(world: &World, name: &str) -> Vec<String> {
    check_with(world, name, &[])
}

/// An element in which nothing is wrong.
fn good() -> World {
    let world = World::new();
    world.element("os", &[], &["operating-system"]).file("os/README.rst", 0o644, "An OS.\n");
    world.file("os/environment.d/10-os.bash", 0o644, "export DISTRO_NAME=debian\n");
    world.element("app", &["os"], &[]).file("app/README.rst", 0o644, "An app.\n").hook("app/install.d/50-app");
    world.file("app/environment.d/50-app", 0o644, "export DIB_APP=${DIB_APP:-$DISTRO_NAME}\n");
    world.file("app/package-installs.yaml", 0o644, "curl:\n").file("app/pkg-map", 0o644, "{\"default\": {}}");
    world
}

/// Exactly one finding of `app`, which has all the parts.
#[track_caller]
fn tells(world: &World, severity: &str, parts: &[&str]) {
    let found = check(world, "app");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with(severity), "{}", found[0]);
    for part in parts {
        assert!(found[0].contains(part), "{}", found[0]);
    }
}

#[test]
fn nothing_is_said_of_a_good_element() {
    assert!(check(&good(), "app").is_empty(), "{:#?}", check(&good(), "app"));
    assert!(check(&good(), "os").is_empty());
}

#[test]
fn hooks_that_never_run() {
    let world = good();
    world.file("app/install.d/60-plain", 0o644, "#!/bin/bash\n");
    tells(&world, "warning", &["`60-plain` is never run: it is not executable", "chmod +x"]);
    let world = good();
    world.hook("app/finalise.d/60-name.sh");
    tells(&world, "warning", &["`60-name.sh` is never run: a script's name", "`60-name`"]);
    let world = good();
    world.file("app/install.d/app.service", 0o644, "[Unit]\n");
    tells(&world, "note", &["`app.service` is never run"]);
    let world = good();
    world.link("app/install.d/70-out", "../../os/README.rst");
    tells(&world, "warning", &["`70-out` is never run", "merged tree"]);
    let world = good();
    world.file("app/install.d/60-raw", 0o755, "echo\n");
    tells(&world, "warning", &["has no `#!` line"]);
    let world = good();
    world.file("app/environment.d/10 x", 0o644, "");
    assert!(check(&world, "app").iter().any(|text| text.contains("`10 x` is never read")));
}

#[test]
fn files_that_are_not_merged() {
    let world = good();
    world.file("app/install.d/.hidden", 0o755, "#!/bin/sh\n");
    tells(&world, "warning", &["`.hidden` is ignored"]);
    let world = good();
    world.file("app/static/etc/.profile", 0o644, "");
    assert!(check(&world, "app").is_empty(), "deeper ones are merged");
}

#[test]
fn names_that_are_nearly_right() {
    let world = good();
    world.file("app/elements-deps", 0o644, "x\n");
    tells(&world, "warning", &["nothing reads `elements-deps`", "did you mean `element-deps`?"]);
    let world = good();
    world.file("app/pkg-map.json", 0o644, "{}");
    tells(&world, "warning", &["did you mean `pkg-map`?"]);
    for dir in ["instal.d", "finalize.d", "post_install.d", "environment"] {
        let world = good();
        world.hook(&format!("app/{dir}/10-x"));
        tells(&world, "warning", &[&format!("nothing in `{dir}` is run"), "did you mean"]);
    }
    let world = good();
    world.hook("app/init.d/10-x").hook("app/yum.repos.d/x").hook("app/bin/install-app");
    assert!(check(&world, "app").is_empty());
}

#[test]
fn dependencies_that_are_missing() {
    let world = good();
    world.element("app", &["os", "nowhere"], &[]);
    tells(&world, "error", &["Element 'nowhere' not found", "app/element-deps:2:1"]);
    world.element("app", &["os", "disk"], &[]).element("mbr", &[], &["disk"]);
    tells(&world, "note", &["`disk` is no element: the build must have one that provides it", "there are mbr"]);
    world.element("app", &["os", "growroot"], &[]);
    tells(&world, "warning", &["`growroot` is diskimage-builder's", "ELEMENTS_PATH"]);
    world.element("app", &["os", "debian-cloud"], &[]);
    let found = check_with(&world, "app", &["debian-cloud"]);
    assert!(found[0].starts_with("error: `debian-cloud` is an element of Isotope's"), "{found:?}");
    world.element("app", &["os # the system"], &[]);
    tells(&world, "error", &["`os # the system` names no element", "no syntax for comments"]);
}

#[test]
fn what_is_provided_twice() {
    let world = good();
    world.element("app", &["os"], &["operating-system"]);
    tells(&world, "error", &["operating-system: already provided by ['app']", "leave out"]);
}

#[test]
fn collisions_in_the_closure_are_errors_and_elsewhere_notes() {
    let world = good();
    world.hook("os/install.d/50-app");
    tells(&world, "error", &["There is a duplicated hook in your elements: app/install.d/50-app", "`os` has it too"]);
    let world = good();
    world.element("other", &[], &[]).hook("other/install.d/50-app");
    tells(&world, "note", &["install.d/50-app is in other too"]);
    world.element("other", &[], &["app"]);
    assert!(check(&world, "app").is_empty(), "they cannot meet");
}

#[test]
fn files_in_the_place_of_others() {
    let world = good();
    world.file("os/static/etc/x", 0o644, "").file("app/static/etc/x", 0o644, "");
    tells(&world, "warning", &["static/etc/x takes the place of that of `os`"]);
}

#[test]
fn overriding_elements() {
    let (first, second) = (good(), good());
    let catalogue = catalogue(&[first.path(), second.path()]);
    let native = BTreeSet::new();
    let found = Linter::new(&catalogue, &native).check(&catalogue.elements["app"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Note);
    assert!(found[0].hint.as_ref().unwrap().contains("package-installs of both"));
}

#[test]
fn unset_variables_of_its_own_files_only() {
    let world = good();
    world.file("app/environment.d/60-x", 0o644, "export A=$DIB_NEVER\nexport B=$DISTRO_NAME\n");
    world.file("os/environment.d/60-os", 0o644, "export C=$DIB_OTHER\n");
    tells(&world, "warning", &["`DIB_NEVER` may be unset", "app/environment.d/60-x:1:11"]);
    // Its own operating system sets no release.
    world.file("app/environment.d/60-x", 0o644, "export A=$DIB_RELEASE\n");
    tells(&world, "warning", &["`DIB_RELEASE` may be unset"]);
    let world = good();
    world.element("loose", &[], &[]).file("loose/README.rst", 0o644, "x\n");
    world.file("loose/environment.d/60-x", 0o644, "export A=$DIB_RELEASE\nexport B=${DIB_MUST:?}\n");
    let found = check(&world, "loose");
    assert!(found.len() == 1 && found[0].starts_with("note: `DIB_MUST` must be set"), "{found:?}");
}

#[test]
fn scripts_that_stop_at_unset_variables() {
    let world = World::new();
    world.element("app", &[], &[]).file("app/README.rst", 0o644, "x\n");
    let script = "#!/bin/bash\nset -eu\necho $DIB_RELEASE $TARGET_ROOT $DIB_X $ARCH ${DIB_Y:-} $1\nfor x in a; do echo $x; done\n";
    world.file("app/finalise.d/10-x", 0o755, script).file("app/cleanup.d/20-x", 0o755, script);
    world.file("app/environment.d/10-x", 0o644, "export DIB_X=${DIB_X:-1}\n");
    // The root of the target is told to cleanup.d only.
    tells(&world, "note", &["`TARGET_ROOT` may be unset", "app/finalise.d/10-x:3:20"]);
    world.file("app/finalise.d/10-x", 0o755, &script.replace("set -eu", "set -e"));
    assert!(check(&world, "app").is_empty());
}

#[test]
fn what_is_in_files() {
    let world = good();
    world.file("app/package-installs.yaml", 0o644, "curl:\n  phases: x\n");
    tells(&world, "warning", &["`phases` has no effect", "app/package-installs.yaml:2:3"]);
    let world = good();
    world.file("app/pkg-map", 0o644, "{");
    tells(&world, "error", &["Unable to parse"]);
    let world = good();
    world.file("app/source-repository-x", 0o644, "x svn /x y\n");
    tells(&world, "error", &["`svn` is no type"]);
    let world = good();
    world.file("app/block-device-default.yaml", 0o644, "local_loop: {}\n");
    tells(&world, "error", &["a list of devices is expected here"]);
    let world = good();
    world.file("app/svc-map", 0o644, "web: x\n");
    tells(&world, "error", &["a map of distributions and families is expected"]);
}

#[test]
fn shell_files_by_their_first_lines() {
    let world = good();
    world.file("app/install.d/60-sh", 0o755, "#!/bin/sh\n").file(
        "app/install.d/70-py",
        0o755,
        "#!/usr/bin/env python3\n",
    );
    world.file("app/bin/tool", 0o755, "#!/usr/bin/env -S bash -e\n").file("app/odd/x", 0o755, "#!/bin/bash\n");
    let catalogue = world.catalogue();
    let found: Vec<String> = shell_files(&catalogue.elements["app"])
        .iter()
        .map(|file| format!("{} {:?}", file.path.file_name().unwrap().to_string_lossy(), file.dialect))
        .collect();
    assert_eq!(found, ["tool Bash", "50-app Bash", "50-app Bash", "60-sh Sh"]);
}

#[test]
fn a_missing_readme() {
    let world = good();
    std::fs::remove_file(world.path().join("app/README.rst")).unwrap();
    tells(&world, "warning", &["the element has no README.rst"]);
}
