//! Layers go to Debian's docker-registry and come back as they were; skopeo and GNU tar say what they see of them.

mod support;

use isotope_cache::{Key, content};
use isotope_registry::{Credentials, Kind, Pushed, RegistryError};
use isotope_sys::command::Tool;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use support::front::{Fate, Front};
use support::{ISOTOPE, Server, WRONG, closed, credentials, everything, layer, leftovers, noise, registry, store};

fn raw_manifest(server: &Server, key: &Key, args: &[&str]) -> serde_json::Value {
    let image = format!("docker://127.0.0.1:{}/{}:{key}", server.port, support::REPOSITORY);
    let output =
        Tool::new("skopeo").args(["inspect", "--raw", "--tls-verify=false"]).args(args).arg(image).run().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn host_a_layer_comes_back_as_it_went() {
    let server = Server::open();
    let ((_one, one), (_two, two)) = (store(), store());
    let mut held = layer(&one, "everything", everything);
    let registry = server.registry();
    assert!(!registry.has(&held.layer.key).unwrap());
    let Pushed::Sent { bytes } = registry.push(&mut held, &one).unwrap() else { panic!("nothing was there") };
    assert!(bytes > 1000 && registry.has(&held.layer.key).unwrap());
    assert_eq!(registry.push(&mut held, &one).unwrap(), Pushed::AlreadyThere);

    let pulled = server.registry().pull(&held.layer.key, &two).unwrap().unwrap();
    assert_eq!(content::digest(&pulled.upper()).unwrap(), content::digest(&held.upper()).unwrap());
    assert_eq!(pulled.layer.digest, held.layer.digest);
    assert_eq!((pulled.layer.cost, &pulled.layer.inputs), (held.layer.cost, &held.layer.inputs));
    // What the digest might not see.
    let look = |name: &str| pulled.upper().join(name).symlink_metadata().unwrap();
    assert_eq!(look("etc/a").ino(), look("etc/opaque/inner/c").ino());
    assert_eq!(look("link").ino(), look("second link").ino());
    assert!(look("etc/gone").file_type().is_char_device() && look("usr/gone too").rdev() == 0);
    assert!(look("socket").file_type().is_socket() && look("fifo").file_type().is_fifo());
    assert_eq!(look("sparse").mtime_nsec(), 750_000_000);
    let capability = Tool::new("getcap").arg(pulled.upper().join("usr/bin/ping")).run().unwrap().text();
    assert!(capability.ends_with("cap_net_raw=ep"), "{capability}");
    let notes = Tool::new("getfattr")
        .args(["-d", "-m", "trusted.overlay.*", "--absolute-names"])
        .arg(pulled.upper().join("etc"));
    assert_eq!(notes.run().unwrap().text(), "", "overlayfs's notes of another machine came along");
    assert!(leftovers(&one).is_empty() && leftovers(&two).is_empty());

    // The same content makes the same archive, which needs no second transfer: only the description goes.
    let description = serde_json::to_vec(&held.layer).unwrap();
    let again =
        server.registry().store((Kind::Layer, "another-tag"), &description, &pulled.upper(), two.dir()).unwrap();
    assert_eq!(again, Pushed::Sent { bytes: description.len() as u64 });
}

#[test]
fn host_skopeo_and_tar_read_what_we_write() {
    let server = Server::open();
    let (dir, store) = store();
    let mut held = layer(&store, "everything", everything);
    server.registry().push(&mut held, &store).unwrap();
    let manifest = raw_manifest(&server, &held.layer.key, &[]);
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["artifactType"], Kind::Layer.artifact_type());
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let description = std::fs::read(server.blob(manifest["config"]["digest"].as_str().unwrap())).unwrap();
    let description: isotope_cache::Layer = serde_json::from_slice(&description).unwrap();
    assert_eq!((description.key, description.boot_id), (held.layer.key.clone(), None));

    let blob = server.blob(manifest["layers"][0]["digest"].as_str().unwrap());
    assert_eq!(blob.metadata().unwrap().len(), manifest["layers"][0]["size"].as_u64().unwrap());
    let into = dir.path().join("by tar");
    std::fs::create_dir(&into).unwrap();
    let tar = Tool::new("tar")
        .args(["--zstd", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"])
        .arg(&blob)
        .arg("-C")
        .arg(&into);
    // It knows no ISOTOPE.kind.
    let said = tar.run().unwrap().stderr_tail;
    assert!(said.lines().all(|line| line.contains("ISOTOPE.kind") || line.contains("old time stamp")), "{said}");
    let marker = |name: &str| into.join(name).symlink_metadata().unwrap();
    assert!(
        marker("etc/.wh.gone").is_file()
            && marker("usr/.wh.gone too").is_file()
            && marker("etc/opaque/.wh..wh..opq").is_file()
    );
    for name in ["etc/.wh.gone", "usr/.wh.gone too", "etc/opaque/.wh..wh..opq", "socket"] {
        std::fs::remove_file(into.join(name)).unwrap();
    }
    let mut differences = Vec::new();
    compare(&held.upper(), &into, &mut differences);
    differences.sort();
    assert_eq!(differences, ["etc/gone", "etc/opaque: attributes", "socket", "usr/gone too"]);
}

/// Names of what differs; times of directories that we have changed do not count.
fn compare(one: &std::path::Path, two: &std::path::Path, found: &mut Vec<String>) {
    fn below(root: &std::path::Path, at: &std::path::Path, two: &std::path::Path, found: &mut Vec<String>) {
        for entry in at.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap();
            let other = two.join(name);
            let (a, Ok(b)) = (path.symlink_metadata().unwrap(), other.symlink_metadata()) else {
                found.push(name.display().to_string());
                continue;
            };
            let time =
                |meta: &std::fs::Metadata| if meta.is_dir() { (0, 0) } else { (meta.mtime(), meta.mtime_nsec()) };
            let all = |meta: &std::fs::Metadata| (meta.mode(), meta.uid(), meta.gid(), meta.rdev(), time(meta));
            assert_eq!(all(&a), all(&b), "{}", name.display());
            if a.is_dir() {
                below(root, &path, two, found);
            } else {
                assert_eq!(a.nlink(), b.nlink(), "{}", name.display());
            }
            if a.is_file() {
                assert!(std::fs::read(&path).unwrap() == std::fs::read(&other).unwrap(), "{}", name.display());
            }
            if content::attributes(&path).unwrap() != content::attributes(&other).unwrap() {
                found.push(format!("{}: attributes", name.display()));
            }
        }
    }
    below(one, one, two, found);
}

#[test]
fn host_what_the_kernel_leaves_in_an_upper_directory_comes_back() {
    let server = Server::open();
    let ((dir, one), (_two, two)) = (store(), store());
    let lower = dir.path().join("lower");
    for name in ["kept", "removed", "replaced/old", "from/here"] {
        std::fs::create_dir_all(lower.join(name)).unwrap();
        std::fs::write(lower.join(name).join("file"), name).unwrap();
    }
    let mounted = dir.path().join("mounted");
    let work = dir.path().join("layers");
    std::fs::create_dir(&mounted).unwrap();
    let show = |upper: &std::path::Path| {
        let scratch = tempfile::tempdir_in(&work).unwrap();
        let options = format!(
            "redirect_dir=on,lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            scratch.path().display()
        );
        Tool::new("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(&mounted).run().unwrap();
        scratch
    };
    let hide = || Tool::new("umount").arg(&mounted).run().unwrap();
    let mut held = layer(&one, "by the kernel", |upper| {
        let _scratch = show(upper);
        std::fs::remove_dir_all(mounted.join("removed")).unwrap();
        std::fs::remove_file(mounted.join("kept/file")).unwrap();
        std::fs::remove_dir_all(mounted.join("replaced")).unwrap();
        std::fs::create_dir(mounted.join("replaced")).unwrap();
        std::fs::write(mounted.join("replaced/new"), "new").unwrap();
        std::fs::rename(mounted.join("from/here"), mounted.join("there")).unwrap();
        hide();
    });
    server.registry().push(&mut held, &one).unwrap();
    let pulled = server.registry().pull(&held.layer.key, &two).unwrap().unwrap();
    let _scratch = {
        let copy = dir.path().join("layers/copy");
        Tool::new("cp").arg("-a").arg(pulled.upper()).arg(&copy).run().unwrap();
        show(&copy)
    };
    let seen = Tool::new("find").arg(&mounted).args(["-mindepth", "1", "-printf", "%P\\n"]).run().unwrap().text();
    hide();
    let mut seen: Vec<&str> = seen.lines().collect();
    seen.sort_unstable();
    assert_eq!(seen, ["from", "kept", "replaced", "replaced/new", "there", "there/file"]);
}

#[test]
fn host_several_layers_come_at_once_and_what_is_not_there_is_none() {
    let server = Server::open();
    let ((_one, one), (_two, two)) = (store(), store());
    let mut keys = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let mut held = layer(&one, name, |upper| std::fs::write(upper.join(name), noise(100_000)).unwrap());
        server.registry().push(&mut held, &one).unwrap();
        keys.push(held.layer.key.clone());
    }
    let absent = Key::of(None, &[].into(), &[]);
    keys.insert(2, absent.clone());
    assert!(server.registry().pull(&absent, &two).unwrap().is_none());
    let found: Vec<bool> =
        server.registry().pull_all(&keys, &two).into_iter().map(|it| it.unwrap().is_some()).collect();
    assert_eq!(found, [true, true, false, true, true, true]);
    assert_eq!(two.list().unwrap().len(), 5);
}

#[test]
fn host_large_archives_go_in_chunks() {
    let server = Server::open();
    let ((_one, one), (_two, two)) = (store(), store());
    let mut held = layer(&one, "large", |upper| std::fs::write(upper.join("noise"), noise(1_000_000)).unwrap());
    let front = Front::start(server.port, |_| Fate::Pass);
    registry(front.port, Credentials::default()).with_chunk(300_000).push(&mut held, &one).unwrap();
    assert_eq!(front.asked("PATCH ").len(), 3);
    assert!(server.registry().pull(&held.layer.key, &two).unwrap().is_some());
}

#[test]
fn host_credentials_are_those_of_the_container_tools() {
    let server = closed();
    let ((dir, one), (_two, two)) = (store(), store());
    let mut held = layer(&one, "secret", |upper| std::fs::write(upper.join("a"), "a").unwrap());
    let key = held.layer.key.clone();
    let with = |auth: &str| registry(server.port, credentials(dir.path(), server.port, auth));
    for (registry, whom) in [(server.registry(), "none for it are known"), (with(WRONG), "as user isotope")] {
        for error in [registry.push(&mut held, &one).unwrap_err(), registry.pull(&key, &two).unwrap_err()] {
            let text = error.to_string();
            assert!(matches!(error, RegistryError::Denied { .. }), "{text}");
            let place = format!("127.0.0.1:{}/{}:{key}", server.port, support::REPOSITORY);
            assert!(text.contains(&place) && text.contains(whom), "{text}");
            assert!(error.hint().contains(&format!("skopeo login 127.0.0.1:{}", server.port)), "{}", error.hint());
        }
    }
    with(ISOTOPE).push(&mut held, &one).unwrap();
    assert!(with(ISOTOPE).pull(&key, &two).unwrap().is_some());
    raw_manifest(&server, &key, &["--creds", "isotope:open sesame"]);
}

#[test]
fn host_tokens_are_bought_where_the_registry_says() {
    let server = Server::open();
    let ((dir, one), (_two, two)) = (store(), store());
    let front = Front::start(server.port, |request| {
        let authorization = request.header("authorization");
        if request.line.starts_with("GET /token?") {
            let good = authorization.is_some_and(|it| it == format!("Basic {ISOTOPE}"));
            let writes = request.line.contains("scope=repository%3Aisotope%2Fcache%3Apull%2Cpush");
            return match (good, writes) {
                (true, true) => Fate::Answer("HTTP/1.1 200 OK".to_owned(), "{\"token\": \"write\"}"),
                (true, false) => Fate::Answer("HTTP/1.1 200 OK".to_owned(), "{\"access_token\": \"read\"}"),
                (false, _) => Fate::Answer("HTTP/1.1 401 Unauthorized".to_owned(), "{\"details\": \"incorrect\"}"),
            };
        }
        let reads = request.line.starts_with("GET ") || request.line.starts_with("HEAD ");
        match authorization {
            Some("Bearer write") => Fate::Pass,
            Some("Bearer read") if reads => Fate::Pass,
            _ => {
                let port = request.header("host").unwrap().rsplit_once(':').unwrap().1;
                let scope = if reads { "pull" } else { "pull,push" };
                let challenge = format!(
                    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\",\
                     service=\"test\",scope=\"repository:isotope/cache:{scope}\""
                );
                Fate::Answer(challenge, "")
            }
        }
    });
    let mut held = layer(&one, "by token", |upper| std::fs::write(upper.join("a"), "a").unwrap());
    let with = |auth: &str| registry(front.port, credentials(dir.path(), front.port, auth));
    let error = with(WRONG).push(&mut held, &one).unwrap_err();
    assert!(error.to_string().contains("gives user isotope no token"), "{error}");
    with(ISOTOPE).push(&mut held, &one).unwrap();
    let bought = front.asked("GET /token").len();
    assert!(with(ISOTOPE).pull(&held.layer.key, &two).unwrap().is_some());
    assert_eq!(front.asked("GET /token").len(), bought + 1, "a token is good for more than one request");
}

#[test]
fn host_a_registry_that_is_not_there_is_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (_dir, store) = store();
    let registry = registry(port, Credentials::default());
    let key = Key::of(None, &[].into(), &[]);
    let error = registry.pull(&key, &store).unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { tries: 1, .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    // A build that wants many layers does not wait for each.
    assert!(matches!(registry.pull(&key, &store), Err(RegistryError::Unreachable { tries: 0, .. })));
}
