//! The merge, point by point of facts/diskimage-builder.md §1.2.

use super::super::testing::World;
use super::*;

/// Two elements, the second depending on the first.
fn world() -> World {
    let world = World::new();
    world.element("os", &[], &["operating-system"]).element("app", &["os"], &[]);
    world
}

fn merged(world: &World) -> Result<HookTree, HookTreeError> {
    HookTree::merge(&world.set(&["app"]))
}

#[test]
fn any_directory_is_merged_but_tests() {
    let world = world();
    world.hook("os/install.d/10-os").hook("app/install.d/20-app").hook("app/bin/tool").hook("app/odd/x");
    world.hook("app/tests/never").file("app/__pycache__/x", 0o644, "").file("app/install.d/.hidden", 0o644, "");
    world.file("os/README.rst", 0o644, "os").file("app/README.rst", 0o644, "app");
    world.file("app/source-repository-x", 0o644, "").file("os/install.d/data.conf", 0o644, "");
    let tree = merged(&world).unwrap();
    insta::assert_snapshot!(tree.listing(), @r"
    - README.rst <- app
    x bin/tool <- app
    - element-deps <- app
    - element-provides <- os
    x install.d/10-os <- os
    x install.d/20-app <- app
    - install.d/data.conf <- os
    x odd/x <- app
    - source-repository-x <- app
    ");
    let overwritten: Vec<String> =
        tree.overwritten.iter().map(|(dest, lost)| format!("{} of {}", dest.display(), lost.element)).collect();
    assert_eq!(overwritten, ["README.rst of os"]);
    assert_eq!(tree.ignored.len(), 1);
    assert!(tree.ignored[0].message.starts_with("`.hidden` is ignored"));
}

#[test]
fn one_entry_of_two_elements_is_an_error() {
    let world = world();
    world.hook("os/install.d/80-x").hook("app/install.d/80-x").hook("os/bin/y").hook("app/bin/y");
    let error = merged(&world).unwrap_err();
    let text = error.to_string();
    for dest in ["app/install.d/80-x", "app/bin/y"] {
        assert!(text.contains(&format!("There is a duplicated hook in your elements: {dest}")), "{text}");
    }
    let HookTreeError::Duplicates(found) = error else { panic!() };
    assert!(found[0].diagnostic().hint.unwrap().starts_with("`os` has it too"));
}

#[test]
fn deeper_directories_are_merged_and_the_later_element_stays() {
    let world = world();
    world.file("os/static/etc/one", 0o644, "").file("os/static/etc/both", 0o644, "");
    world.file("app/static/etc/both", 0o755, "").file("app/static/etc/.dot", 0o644, "").file(
        "app/static/x/y",
        0o644,
        "",
    );
    let tree = merged(&world).unwrap();
    insta::assert_snapshot!(tree.listing().lines().filter(|line| line.contains("static")).collect::<Vec<_>>().join("\n"), @r"
    - static/etc/.dot <- app
    x static/etc/both <- app
    - static/etc/one <- os
    - static/x/y <- app
    ");
    assert!(tree.dirs.contains_key(Path::new("static/etc")));
    assert_eq!(tree.overwritten[0].0, Path::new("static/etc/both"));
}

#[test]
fn a_file_and_a_directory_of_one_name_do_not_merge() {
    for (first, second) in [("x.d/n/f", "x.d/n"), ("x.d/n", "x.d/n/f"), ("s/a/n/f", "s/a/n"), ("s/a/n", "s/a/n/f")] {
        let world = world();
        world.hook(&format!("os/{first}")).hook(&format!("app/{second}"));
        assert!(matches!(merged(&world), Err(HookTreeError::Duplicates(_))), "{first} {second}");
    }
}

#[test]
fn links_are_copied_as_links_and_followed_in_the_merged_tree() {
    let world = world();
    world.hook("os/install.d/10-os").hook("os/shared/tool").hook("app/tests/hidden");
    world.link("app/install.d/20-same", "10-os").link("app/install.d/30-up", "../shared/tool");
    world.link("app/install.d/40-out", "../../os/install.d/10-os").link("app/install.d/50-test", "../tests/hidden");
    world.link("app/install.d/60-abs", "/bin/sh").link("app/install.d/70-loop", "70-loop");
    world.link("app/install.d/80-dir", "../shared");
    let tree = merged(&world).unwrap();
    assert_eq!(tree.files[Path::new("install.d/20-same")].link.as_deref(), Some(Path::new("10-os")));
    let listing = tree.scripts("install.d", &NameFilter::default());
    let names: Vec<&str> = listing.scripts.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["10-os", "20-same", "30-up", "60-abs"]);
    let ignored: Vec<&str> = listing.ignored.iter().map(|one| one.file.name.as_str()).collect();
    // The fourth one runs from its own directory, but not from the merged tree.
    assert_eq!(ignored, ["40-out", "50-test", "70-loop"]);
}

#[test]
fn phases_and_environment_in_order() {
    let world = world();
    world.hook("os/install.d/100-os").hook("app/install.d/20-app").hook("app/install.d/30-app.sh");
    world.file("os/environment.d/20-x", 0o644, "").file("app/environment.d/100-x.bash", 0o644, "");
    let tree = merged(&world).unwrap();
    let names = |listing: &Listing| listing.scripts.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
    let install = tree.scripts("install.d", &NameFilter::default());
    assert_eq!(names(&install), ["20-app", "100-os"]);
    assert_eq!(install.ignored[0].file.name, "30-app.sh");
    assert_eq!(names(&tree.environment()), ["100-x.bash", "20-x"]);
    assert!(tree.scripts("finalise.d", &NameFilter::default()).scripts.is_empty());
}
