//! Layers that are damaged in every way that is told apart.

use super::*;
use crate::store::tests::{commit, commit_on, store};

fn one(store: &Store, key: &Key) -> Verdict {
    let mut verdicts = store.verify(std::slice::from_ref(key), &mut |_| {}).unwrap();
    assert_eq!(verdicts.len(), 1);
    verdicts.remove(0)
}

#[test]
fn a_digest_is_noted_the_first_time_and_compared_from_then_on() {
    let (_dir, store) = store();
    let key = commit(&store, "x");
    let first = one(&store, &key);
    assert!(first.first && first.damage.is_none() && first.layer.unwrap().digest.is_some());
    let second = one(&store, &key);
    assert!(!second.first && second.damage.is_none());
    std::fs::write(store.place(&key).join("upper/file"), "y").unwrap();
    let damage = one(&store, &key).damage.unwrap();
    assert!(matches!(damage, Damage::Content { .. }), "{damage}");
    assert!(damage.to_string().contains("is not what it was"));
}

#[test]
fn what_is_missing_is_told() {
    let (_dir, store) = store();
    let (fewer, empty, without, broken) =
        (commit(&store, "fewer"), commit(&store, "empty"), commit(&store, "without"), commit(&store, "broken"));
    std::fs::remove_file(store.place(&fewer).join("upper/file")).unwrap();
    std::fs::remove_dir_all(store.place(&empty).join("upper")).unwrap();
    std::fs::remove_file(store.place(&without).join("layer.json")).unwrap();
    std::fs::write(store.place(&broken).join("layer.json"), "{\"format\":1").unwrap();
    assert_eq!(one(&store, &fewer).damage, Some(Damage::Names { recorded: 1, found: 0 }));
    assert_eq!(one(&store, &empty).damage, Some(Damage::NoContent));
    assert_eq!(one(&store, &without).damage, Some(Damage::NoDescription));
    assert!(matches!(one(&store, &broken).damage, Some(Damage::Description(_))));
}

#[test]
fn a_description_of_another_layer_is_damage() {
    let (_dir, store) = store();
    let (one_key, other) = (commit(&store, "one"), commit(&store, "other"));
    std::fs::copy(store.place(&other).join("layer.json"), store.place(&one_key).join("layer.json")).unwrap();
    assert_eq!(one(&store, &one_key).damage, Some(Damage::Name(other)));
}

#[test]
fn layers_on_a_damaged_one_are_of_no_use_and_go_with_it() {
    let (_dir, store) = store();
    let base = commit(&store, "base");
    let middle = commit_on(&store, "middle", Some(base.clone()));
    let top = commit_on(&store, "top", Some(middle.clone()));
    let sound = commit(&store, "sound");
    store.verify(&[], &mut |_| {}).unwrap();
    std::fs::write(store.place(&base).join("upper/file"), "changed").unwrap();
    let mut told = Vec::new();
    let verdicts = store.verify(&[], &mut |key| told.push(key.clone())).unwrap();
    assert_eq!(told.len(), 4);
    let of = |key: &Key| verdicts.iter().find(|verdict| verdict.key == *key).unwrap().damage.clone();
    assert!(matches!(of(&base), Some(Damage::Content { .. })));
    assert_eq!((of(&middle), of(&top)), (Some(Damage::Orphan(base.clone())), Some(Damage::Orphan(middle.clone()))));
    assert_eq!(of(&sound), None);
    let damaged: Vec<Key> = verdicts.into_iter().filter(|it| it.damage.is_some()).map(|it| it.key).collect();
    let evicted = store.remove_with_descendants(&damaged).unwrap();
    assert_eq!(evicted.removed, [top, middle, base]);
    assert_eq!(store.keys().unwrap(), [sound]);
}

#[test]
fn a_crash_s_remains_are_no_obstacle_to_the_next_build() {
    let (dir, store) = store();
    let (empty, without) = (commit(&store, "empty"), commit(&store, "without"));
    // A host that crashed before the bytes were written.
    std::fs::write(store.place(&empty).join("layer.json"), "").unwrap();
    std::fs::remove_file(store.place(&without).join("layer.json")).unwrap();
    let store = Store::open(&dir.path().join("layers")).unwrap();
    assert!(store.keys().unwrap().is_empty());
    assert_eq!(commit(&store, "empty"), empty);
    assert!(Store::existing(&dir.path().join("nowhere")).unwrap().is_none());
}
