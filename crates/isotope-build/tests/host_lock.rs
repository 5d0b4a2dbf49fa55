//! Locks and builds without the network, on an archive of our own on the loopback interface that moves on. Needs root, no mirror.

mod support;

#[path = "support/http.rs"]
mod http;
#[path = "support/tiny_debian.rs"]
mod tiny_debian;

use http::Server;
use isotope_element::Phase;
use isotope_plan::{Bootstrap, Format, PackagePolicy, Packages, StepAction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::{Bench, Ended};
use tempfile::TempDir;

/// An archive with its server, and a cache that outlives builds.
struct World {
    dir: TempDir,
    server: Server,
}

impl World {
    /// `iso-a` needs `iso-b`; `iso-c` stands alone.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        tiny_debian::base(&archive);
        tiny_debian::package(&archive, "iso-a", "1.0", "Depends: iso-b\n");
        tiny_debian::package(&archive, "iso-b", "1:1.0~x", "");
        tiny_debian::package(&archive, "iso-c", "1.0", "");
        tiny_debian::release(&archive, "Sat, 21 Nov 2026 12:00:00 UTC");
        let server = Server::of(&archive);
        Self { dir, server }
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// The package file in the cache.
    fn cached(&self, file: &str) -> PathBuf {
        self.cache().join("packages/debian/apt-1/archives").join(file)
    }

    /// `iso-a` and `iso-b` get new versions, and the archive gives the old ones up.
    fn move_on(&self) {
        for file in ["iso-a_1.0_all.deb", "iso-b_1.0~x_all.deb"] {
            tiny_debian::remove(&self.archive(), file);
        }
        tiny_debian::package(&self.archive(), "iso-a", "2.0", "Depends: iso-b\n");
        tiny_debian::package(&self.archive(), "iso-b", "1:2.0", "");
        tiny_debian::release(&self.archive(), "Sun, 22 Nov 2026 12:00:00 UTC");
    }

    /// A bench whose builds install these packages and write the tree as tar.
    fn bench(&self, names: &[&str]) -> Bench {
        let mut bench = Bench::new();
        let bootstrap = Bootstrap {
            packages: vec![],
            sources: vec![tiny_debian::source(&self.server.url)],
            policy: PackagePolicy::default(),
        };
        bench.step(Phase::Root, "00-bootstrap", StepAction::Bootstrap(bootstrap));
        for name in names {
            bench.step(Phase::Install, name, install(name));
        }
        bench.hook(Phase::PostInstall, "50-look", "#!/bin/sh\ncat /usr/share/iso/* || true\n");
        std::fs::remove_dir(bench.path("cache")).unwrap();
        std::fs::create_dir_all(self.cache()).unwrap();
        std::os::unix::fs::symlink(self.cache(), bench.path("cache")).unwrap();
        bench
    }

    fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a lock.
    fn lock(&self, bench: &Bench, words: &[&str]) -> Ended {
        let word = format!("write-lock={}", self.file("lock"));
        bench.run(&[&["memory", word.as_str()], words].concat())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file("lock")).unwrap()
    }

    fn locked(&self) -> String {
        format!("lock={}", self.file("lock"))
    }

    fn empty_cache(&self) {
        std::fs::remove_dir_all(self.cache()).unwrap();
        std::fs::create_dir_all(self.cache()).unwrap();
    }
}

fn install(name: &str) -> StepAction {
    let install = [(name.to_owned(), vec!["tester".to_owned()])].into();
    StepAction::Packages(Packages { install, remove: BTreeMap::new(), recommends: false })
}

fn with_tar(mut bench: Bench) -> Bench {
    bench.export(Format::Tar, "tree.tar");
    bench
}

fn tree(bench: &Bench) -> Vec<u8> {
    std::fs::read(bench.path("out/tree.tar")).unwrap()
}

/// The failure's message and hints.
fn failure(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    let found = ended.stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let failed = found.into_iter().find(|event| event["event"] == "failed").expect("a failure");
    assert!(ended.stdout.contains("\"class\":\""), "{}", ended.stdout);
    format!("{}\n{}\nclass {}", failed["message"].as_str().unwrap(), failed["hints"], failed["class"])
}

fn corrupt(path: &Path) {
    let mut data = std::fs::read(path).unwrap();
    let middle = data.len() / 2;
    data[middle] ^= 0xff;
    std::fs::write(path, data).unwrap();
}

#[test]
fn host_a_locked_build_is_the_same_when_the_archive_has_moved_on_and_without_network() {
    let world = World::new();
    let release = tiny_debian::release(&world.archive(), "Sat, 21 Nov 2026 12:00:00 UTC");
    let bench = world.bench(&["iso-a"]);
    let made = world.lock(&bench, &[]);
    made.assert_ok();
    assert_eq!(made.stdout.lines().filter(|line| line.starts_with("+ ")).count(), 3, "{}", made.stdout);
    assert!(!world.cached("iso-a_1.0_all.deb").exists(), "a lock takes no download");
    let text = world.text();
    assert!(text.contains("name = \"iso-b\", version = \"1:1.0~x\", arch = \"all\", archive = \"archive\", path = \"./iso-b_1.0~x_all.deb\""), "{text}");
    assert!(text.contains(&format!("release = \"{release}\"\ndate = \"Sat, 21 Nov 2026 12:00:00 UTC\"")), "{text}");
    world.lock(&bench, &[]).assert_ok();
    assert_eq!(world.text(), text, "stable");

    let first = with_tar(world.bench(&["iso-a"]));
    first.run(&["memory"]).assert_ok().assert_line("iso-a 1.0");
    let with_lock = with_tar(world.bench(&["iso-a"]));
    with_lock.run(&["memory", &world.locked()]).assert_ok();
    assert!(tree(&first) == tree(&with_lock), "a fresh lock gives what a build without one gives");

    world.move_on();
    let asked = world.server.requests("").len();
    let again = with_tar(world.bench(&["iso-a"]));
    again.run(&["memory", &world.locked()]).assert_ok().assert_line("iso-a 1.0").assert_line("iso-b 1:1.0~x");
    assert_eq!(world.server.requests("").len(), asked, "all that is locked is in the cache");
    assert!(tree(&first) == tree(&again));
    let offline = with_tar(world.bench(&["iso-a"]));
    offline.run(&["disk", "offline", &world.locked()]).assert_ok().assert_line("iso-a 1.0");
    assert!(tree(&first) == tree(&offline));
    assert_eq!(world.server.requests("").len(), asked);
    // Without the lock, the new ones.
    world.bench(&["iso-a"]).run(&["memory"]).assert_ok().assert_line("iso-a 2.0").assert_line("iso-b 1:2.0");
}

#[test]
fn host_a_package_that_is_gone_is_named_and_one_that_is_not_listed_is_fetched() {
    let world = World::new();
    world.lock(&world.bench(&["iso-a"]), &[]).assert_ok();
    let old = std::fs::read(world.archive().join("iso-b_1.0~x_all.deb")).unwrap();
    let older = std::fs::read(world.archive().join("iso-a_1.0_all.deb")).unwrap();
    world.move_on();
    let told = failure(&world.bench(&["iso-a"]).run(&["memory", &world.locked()]));
    for part in [
        "packages of the lock are gone",
        "iso-a 1.0 (all): not in ",
        "the archive no longer has http://127.0.0.1",
        "./iso-a_1.0_all.deb",
        "iso-b 1:1.0~x (all)",
        "a snapshot of the archive of Sat, 21 Nov 2026 12:00:00 UTC",
        "isotope lock --update iso-a iso-b",
        "class \"remote\"",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // What could be had is kept; the archive's index no longer lists these, but it still has them.
    std::fs::write(world.archive().join("iso-b_1.0~x_all.deb"), old).unwrap();
    std::fs::write(world.archive().join("iso-a_1.0_all.deb"), &older).unwrap();
    assert!(world.cached("apt_1.0_amd64.deb").exists());
    world.bench(&["iso-a"]).run(&["memory", &world.locked()]).assert_ok().assert_line("iso-a 1.0");
    assert_eq!(world.server.requests("apt_1.0").len(), 1);
    // Another file in its place is not it.
    std::fs::remove_file(world.cached("iso-a_1.0_all.deb")).unwrap();
    corrupt(&world.archive().join("iso-a_1.0_all.deb"));
    let told = failure(&world.bench(&["iso-a"]).run(&["memory", &world.locked()]));
    assert!(told.contains("iso-a 1.0 (all)") && !told.contains("iso-b"), "{told}");
}

#[test]
fn host_a_damaged_file_in_the_cache_is_not_used() {
    let world = World::new();
    world.lock(&world.bench(&["iso-a"]), &[]).assert_ok();
    world.bench(&["iso-a"]).run(&["memory", &world.locked()]).assert_ok();
    let file = world.cached("iso-b_1%3a1.0~x_all.deb");
    let good = std::fs::read(&file).unwrap();
    corrupt(&file);
    let told = failure(&world.bench(&["iso-a"]).run(&["memory", "offline", &world.locked()]));
    assert!(
        told.contains("offline, and the cache does not have what the lock wants") && told.contains("iso-b 1:1.0~x"),
        "{told}"
    );
    assert!(!told.contains("iso-a 1.0"), "{told}");
    let told = failure(&world.bench(&["iso-a"]).run(&["memory", "offline"]));
    assert!(told.contains("iso-b_1%3a1.0~x_all.deb undamaged"), "{told}");
    let mended = world.bench(&["iso-a"]).run(&["memory", &world.locked()]);
    mended.assert_ok();
    assert!(mended.stdout.contains("is not the package that the lock wants, and is not used"), "{}", mended.stdout);
    assert_eq!(std::fs::read(&file).unwrap(), good);
}

#[test]
fn host_offline_takes_the_index_as_it_is_and_names_all_that_is_missing() {
    let world = World::new();
    let told = failure(&world.bench(&["iso-a"]).run(&["memory", "offline"]));
    assert!(told.contains("the index of http://127.0.0.1") && told.contains("without --offline"), "{told}");
    world.bench(&["iso-a"]).run(&["memory"]).assert_ok();
    world.move_on();
    let asked = world.server.requests("").len();
    let mut bench = world.bench(&["iso-a"]);
    bench.hook(Phase::PostInstall, "60-network", "#!/bin/sh\ngrep : /proc/net/dev | sed 's/^ */device /; s/:.*//'\n");
    let ended = bench.run(&["memory", "offline"]);
    ended.assert_ok().assert_line("iso-a 1.0");
    let devices: Vec<_> = ended.lines().into_iter().filter(|line| line.starts_with("device ")).collect();
    assert_eq!(devices, ["device lo"], "hooks see the loopback interface alone");
    for file in ["iso-a_1.0_all.deb", "iso-b_1%3a1.0~x_all.deb"] {
        std::fs::remove_file(world.cached(file)).unwrap();
    }
    let told = failure(&world.bench(&["iso-a", "iso-c"]).run(&["memory", "offline"]));
    for name in ["iso-a_1.0_all.deb", "iso-b_1.0", "iso-c_1.0_all.deb"] {
        assert!(told.contains(name), "{told}");
    }
    assert!(!told.contains("apt_1.0"), "{told}");
    assert_eq!(world.server.requests("").len(), asked);
}

#[test]
fn host_what_the_lock_does_not_have_is_refused_with_the_element_that_wants_it() {
    let world = World::new();
    world.lock(&world.bench(&["iso-a"]), &[]).assert_ok();
    let told = failure(&world.bench(&["iso-a", "iso-c"]).run(&["memory", &world.locked()]));
    assert!(told.contains("the lock does not have `iso-c` (wanted by tester)"), "{told}");
    assert!(told.contains("isotope lock"), "{told}");
    // Sources that a hook adds give nothing to a locked build, and take nothing from it.
    let mut bench = world.bench(&[]);
    let add = "#!/bin/sh\necho 'deb [trusted=yes] http://127.0.0.1:9/ ./' > /etc/apt/sources.list.d/own.list\n";
    bench.hook(Phase::PreInstall, "50-source", add);
    bench.step(Phase::Install, "60-install", install("iso-a"));
    bench.hook(Phase::PostInstall, "70-look", "#!/bin/sh\ncat /usr/share/iso/iso-a\n");
    bench.run(&["memory", &world.locked()]).assert_ok().assert_line("iso-a 1.0");
    let told = failure(&bench.run(&["memory", "offline"]));
    assert!(told.contains("archives that an element has added to the target, for iso-a"), "{told}");
    // A lock of something else.
    let lock = world.text().replace("release = \"1\"", "release = \"2\"");
    std::fs::write(world.file("lock"), lock).unwrap();
    let ended = world.bench(&["iso-a"]).run(&["memory", &world.locked()]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("is for tiny 2 on x86_64, and this build is of tiny 1"), "{}", ended.stderr);
}

#[test]
fn host_updates_move_what_is_named_and_nothing_else() {
    let world = World::new();
    let bench = world.bench(&["iso-a"]);
    world.lock(&bench, &[]).assert_ok();
    bench.run(&["memory"]).assert_ok();
    world.move_on();
    // Nothing is asked for: what is locked stays, though the archive has given it up, because the cache has it.
    let before = world.text();
    assert!(world.lock(&bench, &[]).assert_ok().stdout.starts_with("the same packages and sources\narchive ~ archive"));
    assert_eq!(
        before.lines().filter(|line| line.contains("iso-")).collect::<Vec<_>>(),
        world.text().lines().filter(|line| line.contains("iso-")).collect::<Vec<_>>()
    );
    let ended = world.lock(&bench, &["update=iso-a"]);
    assert!(
        ended.assert_ok().stdout.starts_with("~ iso-a 1.0 → 2.0\nthe same") || ended.stdout == "~ iso-a 1.0 → 2.0\n",
        "{}",
        ended.stdout
    );
    world
        .bench(&["iso-a"])
        .run(&["memory", &world.locked()])
        .assert_ok()
        .assert_line("iso-a 2.0")
        .assert_line("iso-b 1:1.0~x");
    // What is newly wanted comes, the rest stays.
    let more = world.bench(&["iso-a", "iso-c"]);
    assert_eq!(world.lock(&more, &[]).assert_ok().stdout, "+ iso-c 1.0\n");
    assert_eq!(world.lock(&more, &["update"]).assert_ok().stdout, "~ iso-b 1:1.0~x → 1:2.0\n");
    assert_eq!(world.lock(&bench, &["update"]).assert_ok().stdout, "- iso-c 1.0\n");
    let ended = world.lock(&bench, &["update=nosuch"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("the lock does not have nosuch"), "{}", ended.stderr);
    // Without the cache, what the archive has given up has to move.
    std::fs::write(world.file("lock"), before).unwrap();
    world.empty_cache();
    let moved = world.lock(&bench, &[]);
    assert!(moved.assert_ok().stdout.starts_with("~ iso-a 1.0 → 2.0\n~ iso-b 1:1.0~x → 1:2.0\n"), "{}", moved.stdout);
}
