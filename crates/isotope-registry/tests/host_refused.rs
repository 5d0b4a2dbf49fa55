//! Nothing from a registry is trusted beyond its digest and its key: what was tampered with there is refused by name, and nothing of it stays.

mod support;

use isotope_cache::{Held, Key, Store};
use isotope_registry::{Kind, Registry};
use std::path::PathBuf;
use support::{Server, layer, leftovers, noise, store};

/// A registry with two layers, and a store without any.
struct Scene {
    server: Server,
    _dirs: [tempfile::TempDir; 2],
    filled: Store,
    empty: Store,
    one: Held,
    other: Held,
}

impl Scene {
    fn new() -> Self {
        let server = Server::open();
        let ((first, filled), (second, empty)) = (store(), store());
        let [one, other] = ["one", "other"].map(|name| {
            let mut held = layer(&filled, name, |upper| {
                std::fs::write(upper.join(name), [name.as_bytes(), &noise(50_000)].concat()).unwrap();
            });
            server.registry().push(&mut held, &filled).unwrap();
            held
        });
        Self { server, _dirs: [first, second], filled, empty, one, other }
    }

    /// The files of a layer's description and archive at the registry.
    fn blobs(&self, key: &Key) -> [PathBuf; 2] {
        let link = std::fs::read_to_string(self.server.tag(key.as_str())).unwrap();
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.server.blob(&link)).unwrap()).unwrap();
        [&manifest["config"], &manifest["layers"][0]].map(|it| self.server.blob(it["digest"].as_str().unwrap()))
    }

    /// A pull of the first layer is refused for this reason; a push by the same process replaces it, and then it comes.
    fn refused(&mut self, why: &str) {
        let registry = self.server.registry();
        self.refused_by(&registry, why);
        registry.push(&mut self.one, &self.filled).unwrap();
    }

    fn refused_by(&self, registry: &Registry, why: &str) {
        let error = registry.pull(&self.one.layer.key, &self.empty).unwrap_err();
        assert!(error.is_refusal(), "instead of `{why}`: {error:?}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("refused 127.0.0.1:{}/isotope/cache", self.server.port)), "{text}");
        assert!(text.contains(why), "{text}");
        assert!(self.empty.keys().unwrap().is_empty() && leftovers(&self.empty).is_empty());
        assert!(!leftovers(&self.filled).iter().any(|name| !name.is_empty()));
    }

    fn comes(&self) {
        assert!(self.server.registry().pull(&self.one.layer.key, &self.empty).unwrap().is_some());
    }
}

#[test]
fn host_a_corrupted_archive_is_refused() {
    let scene = Scene::new();
    let [_, archive] = scene.blobs(&scene.one.layer.key);
    let good = std::fs::read(&archive).unwrap();
    // At the beginning (the decoder fails first), in the middle, and at the end.
    for at in [0, 3, 600, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&archive, bad).unwrap();
        scene.refused_by(&scene.server.registry(), "not what its digest says");
    }
    std::fs::write(&archive, good).unwrap();
    scene.comes();
}

#[test]
fn host_a_truncated_or_lengthened_or_missing_archive_is_refused() {
    let mut scene = Scene::new();
    let [_, archive] = scene.blobs(&scene.one.layer.key);
    let good = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, [&good[..], b"more"].concat()).unwrap();
    scene.refused_by(&scene.server.registry(), "longer than");
    std::fs::write(&archive, b"").unwrap();
    scene.refused_by(&scene.server.registry(), "it is truncated: 0 of");
    std::fs::write(&archive, &good[..good.len() / 2]).unwrap();
    scene.refused_by(&scene.server.registry(), &format!("it is truncated: {} of {}", good.len() / 2, good.len()));
    std::fs::remove_file(&archive).unwrap();
    scene.refused("it is not there");
    scene.comes();
}

#[test]
fn host_swapped_archives_are_refused() {
    let scene = Scene::new();
    let [[_, one], [_, other]] = [&scene.one, &scene.other].map(|it| scene.blobs(&it.layer.key));
    let (a, b) = (std::fs::read(&one).unwrap(), std::fs::read(&other).unwrap());
    std::fs::write(&one, &b).unwrap();
    std::fs::write(&other, &a).unwrap();
    let why = if a.len() == b.len() {
        "not what its digest says"
    } else if a.len() < b.len() {
        "longer"
    } else {
        "truncated"
    };
    scene.refused_by(&scene.server.registry(), why);
}

#[test]
fn host_another_layer_under_the_key_is_refused_and_replaced() {
    let mut scene = Scene::new();
    std::fs::copy(scene.server.tag(scene.other.layer.key.as_str()), scene.server.tag(scene.one.layer.key.as_str()))
        .unwrap();
    let other = scene.other.layer.key.to_string();
    scene.refused(&format!("it is the layer {other}"));
    scene.comes();
}

#[test]
fn host_a_damaged_description_or_manifest_is_refused() {
    let scene = Scene::new();
    let [description, _] = scene.blobs(&scene.one.layer.key);
    let good = std::fs::read_to_string(&description).unwrap();
    std::fs::write(&description, good.replacen("one", "two", 1)).unwrap();
    scene.refused_by(&scene.server.registry(), "not what its digest says");
    std::fs::write(&description, &good).unwrap();
    let link = std::fs::read_to_string(scene.server.tag(scene.one.layer.key.as_str())).unwrap();
    let manifest = scene.server.blob(&link);
    let good = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, good.replacen("isotope.layer", "isotope.lawyer", 1)).unwrap();
    // The registry may find out itself, and call it an error of its own.
    let error = scene.server.registry().pull(&scene.one.layer.key, &scene.empty).unwrap_err();
    assert!(error.to_string().contains(scene.one.layer.key.as_str()), "{error}");
    std::fs::write(&manifest, good).unwrap();
    scene.comes();
}

#[test]
fn host_content_that_is_not_the_descriptions_is_refused_and_replaced() {
    let mut scene = Scene::new();
    // Everything fits, but for the content: someone pushed a layer that is not what it says.
    let key = scene.one.layer.key.clone();
    let layer = isotope_cache::Layer { boot_id: None, ..scene.one.layer.clone() };
    let description = serde_json::to_vec(&layer).unwrap();
    scene
        .server
        .registry()
        .store((Kind::Layer, key.as_str()), &description, &scene.other.upper(), scene.filled.dir())
        .unwrap();
    scene.refused("its content has the digest");
    scene.comes();
}

#[test]
fn host_something_else_under_the_key_is_refused_and_replaced() {
    let mut scene = Scene::new();
    let link = std::fs::read_to_string(scene.server.tag(scene.one.layer.key.as_str())).unwrap();
    let manifest = std::fs::read_to_string(scene.server.blob(&link)).unwrap();
    let other = manifest.replacen("application/vnd.isotope.layer.v1", "application/vnd.example.other", 1);
    let digest = isotope_registry::Digest::of(other.as_bytes());
    let file = scene.server.blob(digest.as_str());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, other).unwrap();
    let revisions = scene.server.tag(scene.one.layer.key.as_str()).ancestors().nth(4).unwrap().join("revisions/sha256");
    let revision = revisions.join(digest.as_str().strip_prefix("sha256:").unwrap());
    std::fs::create_dir_all(&revision).unwrap();
    std::fs::write(revision.join("link"), digest.as_str()).unwrap();
    std::fs::write(scene.server.tag(scene.one.layer.key.as_str()), digest.as_str()).unwrap();
    scene.refused("it is no layer of Isotope");
    scene.comes();
}
