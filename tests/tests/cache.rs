//! `isotope cache`: what is listed and shown, what damage is found, what goes and what stays, and several processes at once.

use isotope_cache::{Held, Inputs, Key, Layer, LayerStep, Store};
use isotope_tests::{isotope_command, scratch};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

struct World {
    dir: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let dir = scratch("cache");
        std::fs::create_dir_all(dir.path().join("cache/packages/debian")).unwrap();
        std::fs::write(dir.path().join("cache/packages/debian/a.deb"), "a package").unwrap();
        let store = Store::open(&dir.path().join("cache/layers")).unwrap();
        Self { dir, store }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// A layer whose only file holds its name.
    fn layer(&self, name: &str, parent: Option<&Key>) -> Held {
        let inputs: Inputs = [("variable vm.size".to_owned(), format!("\"{name}\""))].into();
        let key = Key::of(parent, &inputs, &[]);
        if let Some(held) = self.store.get(&key).unwrap() {
            return held;
        }
        let staging = self.store.stage().unwrap();
        std::fs::create_dir_all(staging.upper().join("tree/etc")).unwrap();
        std::fs::write(staging.upper().join("tree/etc/name"), name.repeat(3000)).unwrap();
        let step = |id: &str| LayerStep { id: id.to_owned(), title: format!("do {name}"), element: "vm".to_owned() };
        let layer = Layer {
            format: 0,
            key,
            parent: parent.cloned(),
            name: "cloud".to_owned(),
            steps: vec![step("install/01-a"), step("install/02-b")],
            inputs,
            created: 0,
            cost: Duration::from_secs(2),
            bytes: 0,
            files: 0,
            boot_id: None,
            digest: None,
        };
        staging.commit(layer, &self.store).unwrap()
    }

    fn key(&self, name: &str, parent: Option<&Key>) -> Key {
        self.layer(name, parent).layer.key
    }

    fn used(&self, key: &Key, days_ago: u64) {
        let file = self.store.dir().join(key.as_str()).join("used");
        let time = SystemTime::now() - Duration::from_secs(days_ago * 86400);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
    }

    /// Exit code, standard output, standard error.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = isotope_command(&self.cache()).arg("cache").args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!(code, 0, "{args:?}: {out}{err}");
        out
    }
}

#[test]
fn layers_are_listed_and_shown() {
    let world = World::new();
    let base = world.key("base", None);
    let top = world.key("top", Some(&base));
    world.used(&base, 3);
    let text = world.ok(&["ls"]);
    assert!(text.contains("packages") && text.contains("layers"), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("install/01-a … install/02-b (2)")).collect();
    assert!(rows[0].starts_with(top.short()) && rows[1].starts_with(base.short()), "last used first: {text}");
    assert!(rows[0].contains(base.short()), "{text}");
    let listing: serde_json::Value = serde_json::from_str(&world.ok(&["ls", "--json"])).unwrap();
    assert_eq!(listing["layers"][0]["key"], top.as_str());
    assert_eq!(listing["layers"][0]["parent"], base.as_str());
    assert_eq!(listing["layers"][0]["steps"][1], "install/02-b");
    assert_eq!(listing["layers"][0]["files"], 3);

    let shown = world.ok(&["show", top.short()]);
    for word in ["variable vm.size = \\\"top\\\"", "do top  (vm)", base.short(), "tree/etc/", "by cloud, in 2.0 s"] {
        assert!(shown.contains(word), "no `{word}` in {shown}");
    }
    let files = world.ok(&["show", top.short(), "--files"]);
    assert!(files.contains("file       tree/etc/name"), "{files}");
    let (code, _, error) = world.run(&["show", "0123zz"]);
    assert!(code == 2 && error.contains("no layer has a key"), "{error}");
}

#[test]
fn damage_is_found_told_and_repaired() {
    let world = World::new();
    let base = world.key("base", None);
    let top = world.key("top", Some(&base));
    let other = world.key("other", None);
    assert!(world.ok(&["verify"]).contains("3 sound, 0 damaged; 3 had no digest"));
    assert!(world.ok(&["verify"]).ends_with("3 sound, 0 damaged\n"));
    std::fs::write(world.store.dir().join(base.as_str()).join("upper/tree/etc/name"), "swapped").unwrap();
    let (code, told, _) = world.run(&["verify"]);
    assert!(code == 1 && told.contains("is not what it was"), "{told}");
    assert!(told.contains(&format!("damaged  {} (cloud: install/01-a", base.short())), "{told}");
    assert!(told.contains(&format!("the layer below it, {}, is missing or damaged", base.short())), "{told}");
    let (code, _, _) = world.run(&["verify", other.short()]);
    assert_eq!(code, 0, "one that is sound");
    // What is in use is not removed, and the exit code says so.
    let held = world.store.look(&top).unwrap().unwrap();
    let (code, told, _) = world.run(&["verify", "--repair"]);
    assert!(code == 1 && told.contains("in use"), "{told}");
    drop(held);
    let told = world.ok(&["verify", "--repair"]);
    assert!(told.contains(&format!("removed  {}", base.short())), "{told}");
    assert_eq!(world.store.keys().unwrap(), [other]);
}

#[test]
fn prune_keeps_to_its_bounds_and_to_what_is_in_use() {
    let world = World::new();
    let base = world.key("base", None);
    let (old, young) = (world.key("old", Some(&base)), world.key("young", Some(&base)));
    for (key, days) in [(&base, 30), (&old, 20), (&young, 0)] {
        world.used(key, days);
    }
    assert!(world.ok(&["prune", "--layers", "--older-than", "10"]).contains("1 layers among them"));
    assert_eq!(world.store.keys().unwrap().len(), 2, "what the young one stands on is as young");
    assert!(world.cache().join("packages/debian/a.deb").exists());
    world.ok(&["prune", "--max-size", "1GiB"]);
    assert_eq!(world.store.keys().unwrap().len(), 2);
    let held = world.store.look(&young).unwrap().unwrap();
    let text = world.ok(&["prune"]);
    assert!(text.contains("2 layers are in use, and stay"), "{text}");
    assert!(held.upper().join("tree/etc/name").exists(), "no layer loses some of its files");
    assert!(!world.cache().join("packages/debian/a.deb").exists());
    drop(held);
    let left = world.store.dir().join(".new-1-1");
    std::fs::create_dir_all(left.join("upper/x")).unwrap();
    world.ok(&["prune", "--max-size", "0"]);
    assert!(world.store.keys().unwrap().is_empty() && !left.exists());
    assert_eq!(world.run(&["prune", "--all", "--max-size", "1"]).0, 2);
}

#[test]
fn images_go_as_a_whole() {
    let world = World::new();
    let image = world.cache().join("images/abc");
    std::fs::create_dir_all(&image).unwrap();
    std::fs::write(image.join("image.json"), "{}").unwrap();
    world.ok(&["prune", "--older-than", "1"]);
    assert!(image.join("image.json").exists());
    let lock = std::fs::File::open(&image).unwrap();
    lock.lock_shared().unwrap();
    world.ok(&["prune"]);
    assert!(image.join("image.json").exists(), "in use");
    drop(lock);
    world.ok(&["prune"]);
    assert!(!image.exists());
}

/// This process builds, others make room: what a build holds stays whole.
#[test]
fn builds_and_prunes_of_several_processes() {
    let world = World::new();
    let until = Instant::now() + Duration::from_secs(3);
    let (mut made, mut pruned) = (0, 0);
    std::thread::scope(|scope| {
        let pruners: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while Instant::now() < until {
                        world.ok(&["prune", "--layers"]);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        while Instant::now() < until {
            let base = world.layer("base", None);
            let top = world.layer(&format!("top {}", made % 5), Some(&base.layer.key));
            for held in [&base, &top] {
                assert!(held.upper().join("tree/etc/name").is_file(), "a held layer lost a file");
            }
            made += 1;
        }
        pruned = pruners.into_iter().map(|pruner| pruner.join().unwrap()).sum::<usize>();
    });
    assert!(made > 5 && pruned > 1, "{made} builds, {pruned} prunes");
    world.ok(&["prune", "--layers"]);
    assert!(world.store.keys().unwrap().is_empty());
}

/// A process that is killed while it makes a layer leaves nothing that the next one takes for one.
#[test]
fn a_maker_that_was_killed_leaves_no_layer() {
    let world = World::new();
    // Its lock went with it; its directory did not.
    let staging = world.store.stage().unwrap();
    std::fs::write(staging.upper().join("half"), "").unwrap();
    let dir = staging.upper().parent().unwrap().to_owned();
    let copy = dir.with_file_name(".new-0-77");
    std::fs::create_dir_all(copy.join("upper")).unwrap();
    assert!(world.ok(&["verify"]).starts_with("0 sound"));
    world.ok(&["prune", "--layers"]);
    assert!(dir.exists() && !copy.exists(), "that of a maker who lives stays");
}
