//! `isotope cache push` and `pull` with Debian's docker-registry: layers come with all that is below them, and exit codes say what is wrong.

use isotope_sys::command::Tool;
use isotope_tests::registry::Server;
use isotope_tests::{isotope_command, scratch};
use std::path::Path;
use std::process::Output;

fn start() -> Server {
    Server::start(scratch("registry"), |_| String::new())
}

/// A layer as a build leaves it.
fn layer(cache: &Path, key: &str, parent: Option<&str>, title: &str) {
    let dir = cache.join("layers").join(key);
    std::fs::create_dir_all(dir.join("upper/tree")).unwrap();
    std::fs::write(dir.join("upper/tree").join(title), title).unwrap();
    std::fs::write(dir.join("used"), "").unwrap();
    let description = serde_json::json!({
        "format": 1, "key": key, "parent": parent, "name": "demo", "inputs": {}, "created": 1, "bytes": 4096, "files": 2,
        "steps": [{"id": "install/01-x", "title": title, "element": "x"}], "cost": {"secs": 1, "nanos": 0},
    });
    std::fs::write(dir.join("layer.json"), description.to_string()).unwrap();
}

fn run(cache: &Path, args: &[&str]) -> (Output, String) {
    let output = isotope_command(cache).args(["cache"]).args(args).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, text)
}

#[test]
fn host_layers_are_shared_with_those_below_them() {
    let server = start();
    let (one, two) = (server.dir.path().join("one"), server.dir.path().join("two"));
    let [base, top, alone] = ["a", "b", "c"].map(|digit| digit.repeat(64));
    layer(&one, &base, None, "packages");
    layer(&one, &top, Some(&base), "files");
    layer(&one, &alone, None, "other");
    let place = server.place();

    let (output, text) = run(&one, &["push", &place, "bbb"]);
    assert!(output.status.success(), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("sent") && lines[0].contains("demo up to files"), "{text}");
    let (_, text) = run(&one, &["--json", "push", &place]);
    let outcomes: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let told: Vec<_> =
        outcomes.iter().map(|it| (it["outcome"].as_str().unwrap(), it["key"].as_str().unwrap())).collect();
    assert_eq!(told, [("already-there", &*base), ("already-there", &*top), ("sent", &*alone)]);

    let (output, text) = run(&two, &["pull", &place, &top]);
    assert!(output.status.success() && text.lines().count() == 2, "{text}");
    assert_eq!(
        std::fs::read_to_string(two.join("layers").join(&base).join("upper/tree/packages")).unwrap(),
        "packages"
    );
    assert!(two.join("layers").join(&top).is_dir() && !two.join("layers").join(&alone).exists());
    let (_, text) = run(&two, &["pull", &place, &top]);
    assert!(text.contains("already here"), "{text}");
}

#[test]
fn host_exit_codes_say_what_is_wrong() {
    let server = start();
    let cache = server.dir.path().join("cache");
    layer(&cache, &"a".repeat(64), None, "packages");
    layer(&cache, &"ab".repeat(32), None, "packages");
    let (place, absent) = (server.place(), "0".repeat(64));
    for (args, code, what) in [
        (&["pull", &place, &absent][..], 5, "has no layer 000"),
        (&["pull", &place, "abc"], 2, "64 hexadecimal digits"),
        (&["push", "team/cache"], 2, "write the registry's host"),
        (&["push", &place, "a"], 2, "several layers"),
        (&["push", &place, "f"], 2, "no layer has a key"),
        (&["push", "127.0.0.1:1/team/cache"], 5, "cannot reach registry 127.0.0.1:1"),
    ] {
        let (output, text) = run(&cache, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        assert!(text.contains(what) && text.contains("help: "), "{args:?}: {text}");
    }
}

#[test]
fn host_https_is_spoken_with_whom_the_host_trusts() {
    let server = Server::start(scratch("registry"), |dir| {
        let (key, certificate) = (dir.join("key.pem"), dir.join("certificate.pem"));
        let openssl = Tool::new("openssl").args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ]);
        let names = [
            "-subj",
            "/CN=test",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ];
        openssl.args(names).arg("-keyout").arg(&key).arg("-out").arg(&certificate).run().unwrap();
        format!("  tls: {{certificate: {}, key: {}}}\n", certificate.display(), key.display())
    });
    let cache = server.dir.path().join("cache");
    layer(&cache, &"a".repeat(64), None, "packages");
    let place = format!("https://{}", server.place());
    let (output, text) = run(&cache, &["push", &place]);
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains("cannot reach registry") && text.to_lowercase().contains("certificate"), "{text}");
    let trusted = server.dir.path().join("certificate.pem");
    let output =
        isotope_command(&cache).args(["cache", "push", &place]).env("SSL_CERT_FILE", trusted).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Builds a small image of `cache` to some formats; what it said.
fn build_to(formats: &str, cache: &Path, out: &Path, more: &[&str]) -> String {
    let output = isotope_command(cache)
        .args(["build", "--log-format", "text", "tiny-os", "tiny-disk", "-o", "tiny", "-t", formats, "--output-dir"])
        .arg(out)
        .args(more)
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

fn build(cache: &Path, out: &Path, more: &[&str]) -> String {
    build_to("tar,qcow2", cache, out, more)
}

/// The keys in a part of a cache.
fn keys(part: &Path) -> Vec<String> {
    let names = part.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.len() == 64).collect()
}

#[test]
fn host_an_empty_machine_starts_warm_and_builds_what_was_tampered_with() {
    let server = start();
    let (place, at) = (server.place(), |name: &str| server.dir.path().join(name));
    let first = build(&at("one"), &at("out-1"), &["--cache-to", &place]);
    assert!(first.contains("pushed layer") && first.contains("pushed image"), "{first}");
    let same = |out: &str, name: &str| {
        std::fs::read(at(out).join(name)).unwrap() == std::fs::read(at("out-1").join(name)).unwrap()
    };

    // The outputs come, and no layer is needed for them.
    let warm = build(&at("two"), &at("out-2"), &["--cache-from", &place]);
    assert!(warm.contains("pulled image") && warm.contains("nothing has changed"), "{warm}");
    assert!(!warm.contains("pulled layer") && keys(&at("two/layers")).is_empty(), "{warm}");
    for name in ["tiny.tar.zst", "tiny.qcow2", "tiny.manifest.json"] {
        assert!(same("out-2", name), "a warm start gives another {name}");
    }
    for text in ["image.json", "build.json"] {
        let image = at("two/images").join(&keys(&at("two/images"))[0]).join(text);
        let text = std::fs::read_to_string(image).unwrap();
        assert!(!text.contains(at("one").to_str().unwrap()), "a path of the first machine in {text}");
        assert!(!text.contains(at("out-1").to_str().unwrap()), "a path of the first machine in {text}");
    }

    // Other outputs of the same tree: the layers come.
    let other = build_to("tar", &at("three"), &at("out-3"), &["--cache-from", &place]);
    assert!(other.contains("pulled layer") && !other.contains("pulled image"), "{other}");
    assert!(!other.contains("has not been done before") && same("out-3", "tiny.tar.zst"), "{other}");

    // What had not to be built is given all the same; what is there is not sent again.
    let elsewhere = format!("127.0.0.1:{}/team/elsewhere", server.port);
    let given = build(&at("one"), &at("out-1"), &["--cache-to", &elsewhere]);
    assert!(given.contains("nothing has changed") && given.contains("pushed image"), "{given}");
    assert!(given.contains("pushed layer"), "{given}");
    let given = build(&at("two"), &at("out-2"), &["--cache-to", &place]);
    assert!(given.contains("is there already") && !given.contains("pushed"), "{given}");

    server.tamper();
    let refused = build(&at("four"), &at("out-4"), &["--cache-from", &place, "--cache-to", &place]);
    for kind in ["image", "layer"] {
        let line = refused.lines().find(|line| line.contains("is not taken, and built instead") && line.contains(kind));
        let line = line.unwrap_or_else(|| panic!("no {kind} was refused:\n{refused}"));
        assert!(line.contains(&place) && line.contains("not what its digest says"), "{line}");
    }
    // The tree has noise in it: another one says that it was made again.
    assert!(!same("out-4", "tiny.tar.zst"));
    // What was refused has been replaced.
    let warm = build(&at("five"), &at("out-5"), &["--cache-from", &place]);
    assert!(warm.contains("pulled image") && !warm.contains("is not taken"), "{warm}");
}

#[test]
fn host_what_stands_under_anothers_key_is_refused_by_name() {
    let server = start();
    let (place, at) = (server.place(), |name: &str| server.dir.path().join(name));
    build(&at("one"), &at("out-1"), &["--cache-to", &place]);
    let [image] = &keys(&at("one/images"))[..] else { panic!("one build has one image") };
    build_to("tar", &at("one"), &at("out-1"), &["--cache-to", &place]);
    let images = keys(&at("one/images"));
    let other = images.iter().find(|key| *key != image).unwrap();
    let layers = keys(&at("one/layers"));
    let link = |key: &str| std::fs::read_to_string(server.tag(key)).unwrap();
    let (own, anothers, layer) = (link(image), link(other), link(&layers[0]));

    // One image under the key of another one, and an image under the keys of layers.
    std::fs::write(server.tag(image), &anothers).unwrap();
    for key in &layers {
        std::fs::write(server.tag(key), &own).unwrap();
    }
    let refused = build(&at("two"), &at("out-2"), &["--cache-from", &place]);
    let told = |what: &str, why: &str| {
        let told =
            refused.lines().any(|line| line.contains(what) && line.contains("built instead") && line.contains(why));
        assert!(told, "{what}, {why}:\n{refused}");
    };
    told(&format!("image {}", &image[..12]), &format!("it is the image {other}"));
    for key in &layers {
        told(&format!("layer {}", &key[..12]), "it is no layer of Isotope");
    }
    assert!(keys(&at("two/images")) == [image.as_str()] && refused.contains("has not been done before"), "{refused}");

    // A layer under the key of an image.
    std::fs::write(server.tag(image), layer).unwrap();
    let refused = build(&at("three"), &at("out-3"), &["--cache-from", &place]);
    assert!(refused.contains("it is no image of Isotope"), "{refused}");
}
