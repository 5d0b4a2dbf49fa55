//! The format of a lock file, its refusals, and what differs between two.

use super::*;
use std::path::Path;

fn package(name: &str, version: &str) -> LockedPackage {
    LockedPackage {
        name: name.into(),
        version: version.into(),
        arch: "all".into(),
        archive: "trixie".into(),
        path: format!("pool/main/{name}_{version}_all.deb"),
        size: 7,
        sha256: "a".repeat(64),
    }
}

fn lock(packages: &[LockedPackage]) -> Lock {
    let archive = LockedArchive {
        id: "trixie".into(),
        uri: "http://m.test/debian".into(),
        suite: "trixie".into(),
        components: vec!["main".into()],
        release: Some("b".repeat(64)),
        date: Some("Sat, 21 Nov 2026 12:00:00 UTC".into()),
    };
    let tree = LockedTree {
        name: "image".into(),
        arch: Arch::X86_64,
        distro: "debian".into(),
        release: "trixie".into(),
        packages: packages.to_vec(),
        archives: vec![archive],
    };
    Lock { trees: vec![tree], ..Lock::new("image") }
}

fn full() -> Lock {
    let mut lock = lock(&[package("b", "1:2~x"), package("a", "1")]);
    lock.commits.push(LockedCommit {
        reference: "os/x86_64".into(),
        url: "https://r.test/repo".into(),
        commit: "c".repeat(64),
        version: None,
    });
    lock.gits.push(LockedGit {
        name: "tool \"x\"".into(),
        url: "https://g.test/x".into(),
        reference: "main".into(),
        commit: "d".repeat(40),
    });
    lock.downloads.push(LockedDownload {
        name: "file".into(),
        url: "https://f.test/a\\b".into(),
        size: 3,
        sha256: "e".repeat(64),
    });
    lock
}

fn parse(text: &str) -> Result<Lock, String> {
    let told = |errors: Vec<Diagnostic>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    Lock::parse(Path::new("x.lock"), text).map_err(told)
}

#[test]
fn text_is_sorted_and_is_read_as_what_was_written() {
    let text = full().to_text();
    let mut sorted = full();
    sorted.sort();
    let read = parse(&text).unwrap();
    assert_eq!(read, sorted);
    assert_eq!(read.to_text(), text, "stable");
    assert!(text.contains("\n    { name = \"a\", version = \"1\", arch = \"all\", archive = \"trixie\", path = \"pool/main/a_1_all.deb\", size = 7, sha256 = \"aaaa"), "{text}");
    let once = |word: &str| text.matches(word).count();
    assert_eq!(
        (once("\n[[tree]]\n"), once("\n[[tree.archive]]\n"), once("name = \"tool \\\"x\\\"\"")),
        (1, 1, 1),
        "{text}"
    );
}

#[test]
fn another_format_is_told_apart_from_a_broken_file() {
    let error = parse("format = 9\nnew = 1\n").unwrap_err();
    assert!(error.contains("is of format 9, and this Isotope knows format 1"), "{error}");
    let error = parse("format = 1\nname = \"x\"\nnew = 1\n").unwrap_err();
    assert!(error.contains("new") && error.contains("x.lock:3"), "{error}");
}

#[test]
fn what_would_lead_out_of_the_cache_is_refused() {
    type Spoil = fn(&mut LockedPackage);
    let cases: [(Spoil, &str); 6] = [
        (|package| package.name = "../x".into(), "is no package name"),
        (|package| package.version = "1/2".into(), "is no version"),
        (|package| package.arch = "a b".into(), "is no architecture"),
        (|package| package.path = "pool/../../x".into(), "is no path in an archive"),
        (|package| package.sha256 = "A".repeat(64), "is no SHA-256"),
        (|package| package.archive = "sid".into(), "is no archive of this lock"),
    ];
    for (spoil, told) in cases {
        let mut package = package("a", "1");
        spoil(&mut package);
        let error = parse(&lock(&[package]).to_text()).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    let error = parse(&lock(&[package("a", "1"), package("a", "1")]).to_text()).unwrap_err();
    assert!(error.contains("package a of tree image is there twice"), "{error}");
}

#[test]
fn the_difference_names_what_is_new_gone_changed_and_rebuilt() {
    let before = lock(&[package("a", "1"), package("b", "1"), package("same", "1"), package("r", "1")]);
    let mut rebuilt = package("r", "1");
    rebuilt.sha256 = "f".repeat(64);
    let mut now = lock(&[package("a", "2"), package("c", "1"), package("same", "1"), rebuilt]);
    now.trees[0].archives[0].release = Some("0".repeat(64));
    now.trees[0].archives[0].date = Some("Sun, 22 Nov 2026".into());
    let diff = LockDiff::of(&before, &now);
    assert_eq!(
        diff.to_string(),
        "~ a 1 → 2\n- b 1\n+ c 1\n~ r 1 (aaaaaaaaaaaa) → 1 (ffffffffffff)\n\
         archive ~ trixie Sat, 21 Nov 2026 12:00:00 UTC → Sun, 22 Nov 2026"
    );
    assert!(!diff.is_empty());
    // An archive that has moved on and has the same packages makes the same image.
    now.trees[0].packages.clone_from(&before.trees[0].packages);
    let diff = LockDiff::of(&before, &now);
    assert!(diff.is_empty() && diff.archives.len() == 1, "{diff}");
    assert_eq!(serde_json::to_value(&diff).unwrap()["archives"][0]["name"], "trixie");
}

#[test]
fn a_package_is_looked_for_at_this_hosts_mirror() {
    let lock = lock(&[package("a", "1")]);
    let tree = &lock.trees[0];
    let source = |uri: &str, suite: &str, component: &str| Source {
        uri: uri.into(),
        suite: suite.into(),
        components: vec![component.into()],
        keyring: None,
        verify: false,
    };
    let of = |sources: &[Source]| tree.url(&tree.packages[0], sources);
    let path = "pool/main/a_1_all.deb";
    let other = [source("http://x.test/", "sid", "main"), source("http://own.test/d/", "trixie", "main")];
    assert_eq!(of(&other), format!("http://own.test/d/{path}"));
    let same = [source("http://x.test/", "trixie", "main"), source("http://me:pw@m.test/debian", "trixie", "main")];
    assert_eq!(of(&same), format!("http://me:pw@m.test/debian/{path}"));
    assert_eq!(of(&[]), format!("http://m.test/debian/{path}"), "as the lock saw it");
}

#[test]
fn credentials_stay_out() {
    for (url, bare) in [
        ("https://me:secret@m.test/debian/", "https://m.test/debian"),
        ("http://m.test", "http://m.test"),
        ("http://m.test/a@b", "http://m.test/a@b"),
        ("file:///srv/x", "file:///srv/x"),
    ] {
        assert_eq!(without_credentials(url), bare);
    }
}
