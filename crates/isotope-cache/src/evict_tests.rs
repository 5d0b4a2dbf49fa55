//! Stores with layers that stand on one another, used at known times.

use super::*;
use crate::store::tests::{commit_on, store};
use std::time::Duration;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
}

/// Layers by name: what they stand on, and when they were last used.
fn filled(store: &Store, layers: &[(&str, Option<&str>, u64)]) -> HashMap<String, Key> {
    let mut keys: HashMap<String, Key> = HashMap::new();
    for (name, parent, used) in layers {
        let key = commit_on(store, name, parent.map(|parent| keys[parent].clone()));
        let file = std::fs::File::options().write(true).open(store.place(&key).join("used")).unwrap();
        file.set_modified(at(*used)).unwrap();
        keys.insert((*name).to_owned(), key);
    }
    keys
}

fn names(keys: &HashMap<String, Key>, found: &[Key]) -> Vec<String> {
    let name = |key: &Key| keys.iter().find(|(_, own)| *own == key).map(|(name, _)| name.clone()).unwrap();
    found.iter().map(name).collect()
}

fn all() -> Bounds {
    Bounds { bytes: Some(0), used_since: None }
}

#[test]
fn the_least_recently_used_goes_first_and_children_before_parents() {
    let (_dir, store) = store();
    // `base` itself was used long ago, but `young` stands on it.
    let keys = filled(
        &store,
        &[
            ("base", None, 1),
            ("old", Some("base"), 5),
            ("older", Some("old"), 3),
            ("young", Some("base"), 90),
            ("alone", None, 50),
        ],
    );
    let evicted = store.evict(&all()).unwrap();
    assert_eq!(names(&keys, &evicted.removed), ["older", "old", "alone", "young", "base"]);
    assert_eq!((evicted.left, evicted.files, evicted.kept.len()), (0, 5, 0));
    assert!(store.keys().unwrap().is_empty());
}

#[test]
fn no_more_goes_than_must() {
    let (_dir, store) = store();
    let keys = filled(&store, &[("a", None, 1), ("b", None, 2), ("c", None, 3)]);
    let total: u64 = store.entries().unwrap().iter().map(|entry| entry.bytes).sum();
    let unbound = store.evict(&Bounds::default()).unwrap();
    assert_eq!((unbound.removed.len(), unbound.left), (0, total));
    let evicted = store.evict(&Bounds { bytes: Some(total - 1), used_since: None }).unwrap();
    assert_eq!(names(&keys, &evicted.removed), ["a"]);
    assert_eq!(evicted.left, total - evicted.bytes);
    let evicted = store.evict(&Bounds { bytes: None, used_since: Some(at(3)) }).unwrap();
    assert_eq!(names(&keys, &evicted.removed), ["b"], "c was used at the bound");
}

#[test]
fn what_is_in_use_stays_and_all_below_it() {
    let (_dir, store) = store();
    let keys = filled(
        &store,
        &[("base", None, 1), ("middle", Some("base"), 2), ("top", Some("middle"), 3), ("other", None, 9)],
    );
    // Another process holds the top only.
    let held = store.look(&keys["top"]).unwrap().unwrap();
    let evicted = store.evict(&all()).unwrap();
    assert_eq!(names(&keys, &evicted.removed), ["other"]);
    assert_eq!(names(&keys, &evicted.kept), ["top", "middle", "base"]);
    drop(held);
    assert_eq!(store.evict(&all()).unwrap().removed.len(), 3);
}

#[test]
fn a_layer_used_or_built_upon_since_it_was_looked_at_stays() {
    let (_dir, store) = store();
    let keys = filled(&store, &[("used", None, 1), ("base", None, 2)]);
    let entries = store.entries().unwrap();
    let mut removal = Removal::new(&store, &entries);
    drop(store.get(&keys["used"]).unwrap());
    let new = commit_on(&store, "new", Some(keys["base"].clone()));
    for (entry, _) in removal.order() {
        removal.remove(entry, true).unwrap();
    }
    assert_eq!(removal.evicted.removed, []);
    assert_eq!(names(&keys, &removal.evicted.kept), ["used", "base"]);
    assert!(store.look(&new).unwrap().is_some());
}

#[test]
fn what_is_of_no_use_goes_first_whatever_its_age() {
    let (_dir, store) = store();
    let keys = filled(&store, &[("sound", None, 1), ("damaged", None, 99), ("without", None, 98)]);
    std::fs::write(store.place(&keys["damaged"]).join("layer.json"), "").unwrap();
    std::fs::remove_file(store.place(&keys["without"]).join("layer.json")).unwrap();
    let sound = store.entry(&keys["sound"]).unwrap().unwrap().bytes;
    let evicted = store.evict(&Bounds { bytes: Some(sound), used_since: None }).unwrap();
    assert_eq!(evicted.removed.len(), 2);
    assert!(store.look(&keys["sound"]).unwrap().is_some());
}

#[test]
fn descendants_go_with_a_layer() {
    let (_dir, store) = store();
    let keys =
        filled(&store, &[("base", None, 1), ("a", Some("base"), 2), ("b", Some("a"), 3), ("c", Some("base"), 4)]);
    let evicted = store.remove_with_descendants(&[keys["a"].clone()]).unwrap();
    assert_eq!(names(&keys, &evicted.removed), ["b", "a"]);
    assert_eq!(store.keys().unwrap().len(), 2);
}

#[test]
fn left_overs_of_a_removal_that_was_killed_do_not_hinder_the_next() {
    let (dir, store) = store();
    let keys = filled(&store, &[("a", None, 1)]);
    let left = store.dir().join(format!(".new-gone-{}-0", keys["a"].short()));
    std::fs::create_dir_all(left.join("upper")).unwrap();
    assert_eq!(store.evict(&all()).unwrap().removed.len(), 1);
    Store::open(&dir.path().join("layers")).unwrap();
    assert!(!left.exists());
}

/// Builds that take and make layers, while two others make room all the time: who holds a layer has all of it.
#[test]
fn builds_and_evictions_at_the_same_time() {
    let (_dir, store) = store();
    let until = std::time::Instant::now() + Duration::from_millis(1500);
    let running = || std::time::Instant::now() < until;
    std::thread::scope(|scope| {
        for number in 0..2 {
            let store = &store;
            scope.spawn(move || {
                while running() {
                    store.evict(&Bounds { bytes: Some(number * 8192), used_since: None }).unwrap();
                }
            });
        }
        let builders: Vec<_> = (0..3)
            .map(|number| {
                let store = &store;
                scope.spawn(move || {
                    let mut made = 0;
                    while running() {
                        let base = crate::store::tests::held_on(store, "base", None);
                        let top = crate::store::tests::held_on(store, &format!("top-{number}"), Some(&base));
                        for held in [&base, &top] {
                            assert!(held.upper().join("file").is_file(), "a part of a held layer is gone");
                            assert!(store.place(&held.layer.key).join("layer.json").is_file());
                        }
                        made += 1;
                    }
                    made
                })
            })
            .collect();
        let made: usize = builders.into_iter().map(|builder| builder.join().unwrap()).sum();
        assert!(made > 10, "{made}");
    });
    // No layer stands on nothing.
    for entry in store.entries().unwrap() {
        if let Some(parent) = entry.layer.unwrap().parent {
            assert!(store.look(&parent).unwrap().is_some());
        }
    }
}
