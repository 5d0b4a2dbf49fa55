//! Transfers that break go on where they were; a registry that is busy is asked again.

mod support;

use isotope_registry::{Credentials, Kind, RegistryError};
use std::sync::atomic::{AtomicUsize, Ordering};
use support::front::{Fate, Front};
use support::{Server, layer, leftovers, noise, registry, store};

const LENGTH: usize = 2_000_000;

fn noisy(store: &isotope_cache::Store) -> isotope_cache::Held {
    layer(store, "noise", |upper| std::fs::write(upper.join("noise"), noise(LENGTH)).unwrap())
}

#[test]
fn host_an_interrupted_download_goes_on() {
    let server = Server::open();
    let ((_one, one), (_two, two)) = (store(), store());
    let mut held = noisy(&one);
    server.registry().push(&mut held, &one).unwrap();
    // Every answer breaks off after 600 kB.
    let front = Front::start(server.port, |_| Fate::CutAnswer(600_000));
    let pulled = registry(front.port, Credentials::default()).pull(&held.layer.key, &two).unwrap();
    assert!(pulled.is_some());
    let ranges: Vec<u64> = front
        .asked("GET /v2/isotope/cache/blobs/")
        .iter()
        .filter_map(|request| request.header("range")?.strip_prefix("bytes=")?.split('-').next()?.parse().ok())
        .collect();
    assert!(ranges.len() >= 3 && ranges.is_sorted() && ranges[0] > 500_000, "{ranges:?}");
}

#[test]
fn host_a_download_that_never_gets_on_ends() {
    let server = Server::open();
    let ((_one, one), (_two, two)) = (store(), store());
    let mut held = noisy(&one);
    server.registry().push(&mut held, &one).unwrap();
    let front = Front::start(server.port, |request| {
        let rest = request.header("range").is_some();
        if rest { Fate::CutAnswer(0) } else { Fate::CutAnswer(600_000) }
    });
    let error = registry(front.port, Credentials::default()).pull(&held.layer.key, &two).unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    assert!(leftovers(&two).is_empty() && two.list().unwrap().is_empty());
}

#[test]
fn host_an_interrupted_upload_goes_on() {
    let server = Server::open();
    let ((_one, one), (_two, two)) = (store(), store());
    let mut held = noisy(&one);
    let bodies = AtomicUsize::new(0);
    // docker-registry begins anew where a chunk broke in the middle, and goes on where one did not reach it at all.
    let front = Front::start(server.port, move |request| {
        let body = request.line.starts_with("PATCH ") || request.line.starts_with("PUT /v2/isotope/cache/blobs/");
        match body.then(|| bodies.fetch_add(1, Ordering::Relaxed)) {
            Some(1 | 7) => Fate::CutBody(150_000),
            Some(4) => Fate::Answer("HTTP/1.1 503 Service Unavailable".to_owned(), ""),
            _ => Fate::Pass,
        }
    });
    registry(front.port, Credentials::default()).with_chunk(400_000).push(&mut held, &one).unwrap();
    assert!(server.registry().pull(&held.layer.key, &two).unwrap().is_some());
    assert!(front.asked("POST ").len() >= 3 && !front.asked("GET /v2/isotope/cache/blobs/uploads/").is_empty());
}

#[test]
fn host_a_busy_registry_is_asked_again() {
    let server = Server::open();
    let ((_one, one), (_two, two)) = (store(), store());
    let mut held = noisy(&one);
    let front = Front::start(server.port, |request| match request.number % 3 {
        0 => Fate::Answer("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0".to_owned(), ""),
        1 => Fate::Answer("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0".to_owned(), "{}"),
        _ => Fate::Pass,
    });
    let through = registry(front.port, Credentials::default());
    assert!(!through.has(&held.layer.key).unwrap());
    server.registry().push(&mut held, &one).unwrap();
    assert!(through.pull(&held.layer.key, &two).unwrap().is_some());

    let dead = Front::start(server.port, |_| {
        let body = "{\"errors\": [{\"code\": \"UNAVAILABLE\", \"message\": \"service unavailable\"}]}";
        Fate::Answer("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0".to_owned(), body)
    });
    let error = registry(dead.port, Credentials::default()).fetch(Kind::Layer, held.layer.key.as_str()).unwrap_err();
    assert!(matches!(error, RegistryError::Status { status: 503, .. }), "{error}");
    assert!(error.to_string().contains("service unavailable (UNAVAILABLE)"), "{error}");
    assert_eq!(dead.asked("GET ").len(), 4);
}
