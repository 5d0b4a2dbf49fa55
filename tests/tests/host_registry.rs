//! `isotope cache push` and `pull` with Debian's docker-registry: layers come with all that is below them, and exit codes say what is wrong.

use isotope_sys::command::Tool;
use isotope_tests::{isotope_command, scratch};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

struct Server {
    dir: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Server {
    fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    /// With more lines below `http:`.
    fn start_with(more: impl Fn(&Path) -> String) -> Self {
        let dir = scratch("registry");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = dir.path().join("config.yml");
        let data = dir.path().join("data");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: \"127.0.0.1:{port}\"\n{}",
            data.display(),
            more(dir.path())
        );
        std::fs::write(&config, text).unwrap();
        let tool = Tool::new("docker-registry").arg("serve").arg(&config);
        let child = tool.spawn(Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
        let server = Self { dir, port, child };
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not listen");
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}/team/cache", self.port)
    }
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
    let server = Server::start();
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
    let server = Server::start();
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
    let server = Server::start_with(|dir| {
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

/// Builds a small image of `cache`; what it said.
fn build(cache: &Path, out: &Path, more: &[&str]) -> String {
    let output = isotope_command(cache)
        .args([
            "build",
            "--log-format",
            "text",
            "tiny-os",
            "tiny-disk",
            "-o",
            "tiny",
            "-t",
            "tar,qcow2",
            "--output-dir",
        ])
        .arg(out)
        .args(more)
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn host_an_empty_machine_starts_warm_and_builds_what_was_tampered_with() {
    let server = Server::start();
    let (place, at) = (server.place(), |name: &str| server.dir.path().join(name));
    let first = build(&at("one"), &at("out-1"), &["--cache-to", &place]);
    assert!(first.contains("pushed layer"), "{first}");
    let warm = build(&at("two"), &at("out-2"), &["--cache-from", &place]);
    assert!(warm.contains("pulled layer") && !warm.contains("has not been done before"), "{warm}");
    let tar = |out: &str| std::fs::read(at(out).join("tiny.tar.zst")).unwrap();
    assert!(tar("out-1") == tar("out-2"), "a warm start gives another tree");

    // Every blob of some size gets another byte in its middle.
    let mut stack = vec![at("data")];
    while let Some(dir) = stack.pop() {
        for entry in dir.read_dir().unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                stack.push(path);
            } else if path.file_name().is_some_and(|name| name == "data") && entry.metadata().unwrap().len() > 10_000 {
                let mut bytes = std::fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&path, bytes).unwrap();
            }
        }
    }
    let refused = build(&at("three"), &at("out-3"), &["--cache-from", &place]);
    assert!(refused.contains("is not taken, and built instead"), "{refused}");
    // The tree has noise in it: another one says that it was made again.
    assert!(tar("out-1") != tar("out-3"));
}
