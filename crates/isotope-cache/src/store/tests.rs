//! Stores in directories of their own.

use super::*;
use crate::{Inputs, LayerStep};
use std::time::Duration;

pub(crate) fn layer(name: &str) -> Layer {
    let inputs: Inputs = [("name".to_owned(), name.to_owned())].into();
    Layer {
        format: 0,
        key: Key::of(None, &inputs, &[]),
        parent: None,
        name: "image".to_owned(),
        steps: vec![LayerStep { id: "install/01".to_owned(), title: name.to_owned(), element: "e".to_owned() }],
        inputs,
        created: 0,
        cost: Duration::from_secs(1),
        bytes: 0,
        files: 0,
        boot_id: None,
        digest: None,
    }
}

pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("layers")).unwrap();
    (dir, store)
}

pub(crate) fn commit(store: &Store, name: &str) -> Key {
    commit_on(store, name, None)
}

/// A layer on another one.
pub(crate) fn commit_on(store: &Store, name: &str, parent: Option<Key>) -> Key {
    let staging = store.stage().unwrap();
    std::fs::write(staging.upper().join("file"), name).unwrap();
    staging.commit(Layer { parent, ..layer(name) }, store).unwrap().layer.key
}

/// The layer, taken from the store or made, as a build does it: what is below is held.
pub(crate) fn held_on(store: &Store, name: &str, below: Option<&Held>) -> Held {
    let wanted = Layer { parent: below.map(|below| below.layer.key.clone()), ..layer(name) };
    if let Some(held) = store.get(&wanted.key).unwrap() {
        return held;
    }
    let staging = store.stage().unwrap();
    std::fs::write(staging.upper().join("file"), name).unwrap();
    staging.commit(wanted, store).unwrap()
}

#[test]
fn a_layer_is_there_when_it_is_complete() {
    let (_dir, store) = store();
    let staging = store.stage().unwrap();
    std::fs::write(staging.upper().join("file"), "x").unwrap();
    let wanted = layer("x");
    assert!(store.get(&wanted.key).unwrap().is_none());
    let held = staging.commit(wanted.clone(), &store).unwrap();
    assert_eq!(std::fs::read_to_string(held.upper().join("file")).unwrap(), "x");
    assert_eq!((held.layer.files, held.layer.format), (1, FORMAT));
    drop(held);
    assert_eq!(store.list().unwrap().len(), 1);
    assert!(store.used(&wanted.key).is_some());
}

#[test]
fn two_builds_of_one_layer_end_with_one() {
    let (_dir, store) = store();
    let (one, two) = (store.stage().unwrap(), store.stage().unwrap());
    std::fs::write(two.upper().join("second"), "").unwrap();
    drop(one.commit(layer("x"), &store).unwrap());
    let held = two.commit(layer("x"), &store).unwrap();
    assert!(!held.upper().join("second").exists(), "the first one stays");
    assert_eq!(store.dir().read_dir().unwrap().count(), 2, "the layer and the lock");
}

#[test]
fn what_is_in_use_is_not_removed_and_what_is_being_made_is_not_swept() {
    let (dir, store) = store();
    let key = commit(&store, "x");
    let held = store.get(&key).unwrap().unwrap();
    assert!(!store.remove(&key).unwrap());
    let staging = store.stage().unwrap();
    let dead = store.dir().join(".new-dead");
    std::fs::create_dir_all(dead.join("upper/etc")).unwrap();
    let again = Store::open(&dir.path().join("layers")).unwrap();
    assert!(staging.upper().is_dir() && !dead.exists());
    drop(held);
    assert!(again.remove(&key).unwrap());
    assert!(again.get(&key).unwrap().is_none());
}

#[test]
fn a_layer_of_another_boot_or_format_is_not_trusted() {
    let (dir, store) = store();
    let (lost, old) = (commit(&store, "lost"), commit(&store, "old"));
    let edit = |key: &Key, from: &str, to: &str| {
        let path = store.place(key).join(DESCRIPTION);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    edit(&lost, &store.boot, "another");
    edit(&old, "\"format\": 1", "\"format\": 0");
    assert!(store.get(&lost).unwrap().is_none());
    assert!(store.get(&old).unwrap().is_none());
    let again = Store::open(&dir.path().join("layers")).unwrap();
    assert_eq!(again.keys().unwrap(), [old]);
}

#[test]
fn aged_layers_are_settled() {
    let (_dir, store) = store();
    let (young, aged) = (commit(&store, "young"), commit(&store, "aged"));
    let mut held = store.look(&aged).unwrap().unwrap();
    held.layer.created = 1;
    write(&held.dir, &held.layer).unwrap();
    store.settle().unwrap();
    assert!(store.look(&aged).unwrap().unwrap().layer.boot_id.is_none());
    assert!(store.look(&young).unwrap().unwrap().layer.boot_id.is_some());
}

#[test]
fn a_damaged_description_is_told() {
    let (_dir, store) = store();
    let key = commit(&store, "x");
    std::fs::write(store.place(&key).join(DESCRIPTION), "{").unwrap();
    let error = store.get(&key).unwrap_err().to_string();
    assert!(error.contains("layer.json") && error.contains("--repair"), "{error}");
}
