//! A small tree composed from packages to a commit, end to end, judged by the `ostree` command. Needs root and the network.

mod support;

#[path = "support/debs.rs"]
mod debs;
#[path = "support/http.rs"]
mod http;

use debs::{Package, run};
use isotope_ostree::Repo;
use isotope_plan::compose::{self, Base, ComposeOptions, Derived, LAYOUT_KEY};
use isotope_plan::treefile::{Disk, Request, load};
use isotope_plan::{HostFacts, Plan, SignKey};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Ended, left};

/// What adduser does, without adduser: a system user with the next free number, unless it is there.
const POSTINST: &str = "#!/bin/sh\nset -e\n\
    grep -q '^NAME:' /etc/passwd || {\n\
    n=100; while cut -d: -f3 /etc/passwd | grep -qx $n; do n=$((n+1)); done\n\
    echo \"NAME:x:$n:$n::/nonexistent:/usr/sbin/nologin\" >> /etc/passwd\n\
    echo \"NAME:x:$n:\" >> /etc/group\n\
    echo 'NAME:!:19675::::::' >> /etc/shadow\n\
    echo 'NAME:!::' >> /etc/gshadow; }\n\
    chown NAME:NAME /var/lib/NAME\nchmod 2750 /var/lib/NAME\n";

const DRACUT: &str = "#!/bin/sh\nfor last; do :; done\necho \"initramfs made by: $*\" > \"$last\"\n";

const TREEFILE: &str = "ref: test/${releasever}/${basearch}\n\
    recommends: false\ntmp-is-dir: true\ndocumentation: false\nautomatic-version-prefix: '1'\n\
    packages: [kernel-test, dracut-test, demo PACKAGES]\n\
    exclude-packages: [unwanted]\n\
    apt:\n  release: bookworm\n  sources:\n    - {mirror: 'host:debian'}\n    - {mirror: 'ARCHIVE', suite: ./, verify: false}\n\
    add-files: [[motd, /etc/motd.d/compose]]\n\
    remove-files: [usr/share/demo/remove-me]\n\
    remove-from-packages: [[demo, '/usr/share/demo/.*\\.tmp$']]\n\
    postprocess:\n  - |\n    test -e /etc/motd.d/compose\n    echo \"$DIB_RELEASE\" > /usr/share/demo/postprocessed\n    SCRIPT\n";

/// An archive of small packages, a treefile, a repository.
struct World {
    dir: tempfile::TempDir,
    /// The target's own apt asks for the archive, too, and sees no file of this host.
    server: http::Server,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("isotope-compose-").tempdir().unwrap();
        std::fs::write(dir.path().join("motd"), "composed\n").unwrap();
        std::fs::create_dir(dir.path().join("archive")).unwrap();
        let server = http::Server::of(&dir.path().join("archive"));
        let world = Self { dir, server };
        debs::archive(
            &world.path("archive"),
            &[
                Package {
                    name: "kernel-test",
                    version: "1",
                    control: "",
                    files: &[
                        ("boot/vmlinuz-1.0-test", "a kernel\n"),
                        ("usr/lib/modules/1.0-test/modules.builtin", ""),
                        ("usr/lib/modules/1.0-test/modules.dep", ""),
                    ],
                },
                Package {
                    name: "dracut-test",
                    version: "1",
                    control: "Recommends: unwanted\n",
                    files: &[
                        ("usr/bin/dracut", DRACUT),
                        ("usr/lib/dracut/modules.d/98ostree/module-setup.sh", "#!/bin/sh\n"),
                    ],
                },
                Package { name: "unwanted", version: "1", control: "", files: &[] },
            ],
        );
        world.package("demo", "1");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds a package with a user, and files at all the places that ostree moves.
    fn package(&self, name: &str, version: &str) {
        let postinst = POSTINST.replace("NAME", name);
        let [data, cache, conf, opt, keep, remove, tmp, doc] = [
            format!("var/lib/{name}/data"),
            format!("var/cache/{name}/x"),
            format!("etc/{name}.conf"),
            format!("opt/{name}/bin/x"),
            format!("usr/share/{name}/version"),
            format!("usr/share/{name}/remove-me"),
            format!("usr/share/{name}/a.tmp"),
            format!("usr/share/doc/{name}/README"),
        ];
        let files = [
            ("DEBIAN/postinst", postinst.as_str()),
            (&data, "data\n"),
            (&cache, "cache\n"),
            (&conf, "conf\n"),
            (&opt, "#!/bin/sh\n"),
            (&keep, version),
            (&remove, "x"),
            (&tmp, "x"),
            (&doc, "x"),
        ];
        debs::archive(&self.path("archive"), &[Package { name, version, control: "", files: &files }]);
    }

    fn treefile(&self, packages: &str, script: &str) {
        let text =
            TREEFILE.replace(" PACKAGES", packages).replace("SCRIPT", script).replace("ARCHIVE", &self.server.url);
        std::fs::write(self.path("treefile.yaml"), text).unwrap();
    }

    fn options(&self) -> ComposeOptions {
        ComposeOptions { repo: self.path("repo"), ..ComposeOptions::default() }
    }

    fn compose(&self, options: &ComposeOptions) -> Done {
        self.compose_with(options, &[])
    }

    /// With words for `isotope-run-plan`.
    fn compose_with(&self, options: &ComposeOptions, words: &[&str]) -> Done {
        let request = Request { arch: facts().arch, release: None, variables: BTreeMap::new() };
        let treefile = load(&self.path("treefile.yaml"), &Disk, &request).unwrap_or_else(|errors| panic!("{errors}"));
        self.run(&compose::plan(&treefile, options, &facts()).unwrap_or_else(|errors| panic!("{errors}")), words)
    }

    fn run(&self, plan: &Plan, words: &[&str]) -> Done {
        std::fs::write(self.path("plan.json"), serde_json::to_string(plan).unwrap()).unwrap();
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("host-apt-cache");
        std::fs::create_dir_all(&cache).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the subject under test")]
        let output = Command::new(env!("CARGO_BIN_EXE_isotope-run-plan"))
            .arg(self.path("plan.json"))
            .args([self.path("out"), cache])
            .arg("memory")
            .args(words)
            .output()
            .unwrap();
        let ended = Ended::of(output);
        let commit = ended.stdout.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        Done { commit: commit.map(|report| report["commit"].clone()).unwrap_or_default(), ended }
    }

    /// The `ostree` command on the repository.
    fn ostree(&self, args: &[&str]) -> String {
        let repo = format!("--repo={}", self.path("repo").display());
        let mut all = vec![repo.as_str()];
        all.extend(args);
        run("ostree", &all)
    }

    fn cat(&self, rev: &str, path: &str) -> String {
        self.ostree(&["cat", rev, path])
    }
}

/// A compose that has ended.
struct Done {
    ended: Ended,
    commit: serde_json::Value,
}

impl Done {
    fn checksum(&self) -> String {
        self.ended.assert_ok();
        self.commit["checksum"].as_str().unwrap().to_owned()
    }

    fn failure(&self) -> String {
        assert_eq!(self.ended.code, Some(1), "{}", self.ended.stdout);
        self.ended.stdout.lines().filter(|line| line.contains("\"event\":\"failed\"")).map(str::to_owned).collect()
    }
}

fn facts() -> HostFacts {
    let mut facts = isotope_build::facts::gather(&BTreeMap::new(), Path::new("/var/tmp"));
    facts.source_date_epoch = 1_700_000_000;
    facts
}

const REF: &str = "test/bookworm/x86_64";

/// The number of a user in a commit.
fn uid(world: &World, rev: &str, user: &str) -> String {
    let passwd = world.cat(rev, "/usr/etc/passwd");
    let line = passwd.lines().find(|line| line.starts_with(&format!("{user}:")));
    line.unwrap_or_else(|| panic!("no {user} in\n{passwd}")).split(':').nth(2).unwrap().to_owned()
}

#[test]
fn host_a_tree_from_packages_to_commits() {
    let world = World::new();
    world.treefile("", "");
    let first = world.compose(&world.options());
    let one = first.checksum();
    the_tree_is_as_ostree_wants_it(&world);
    nothing_new_makes_no_commit(&world, &one);

    // A newer package, and one that makes its user before the others do.
    world.package("demo", "2");
    world.package("aaa", "1");
    world.treefile(" aaa", "");
    let key = world.path("secret");
    std::fs::write(&key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let options = ComposeOptions { delta: true, sign: vec![SignKey::Ed25519 { file: key }], ..world.options() };
    let second = world.compose(&options);
    let two = second.checksum();
    assert_ne!(one, two);
    assert_eq!(second.commit["parent"], one.as_str());
    assert_eq!(second.commit["version"], "1.1");
    assert_eq!(
        second.commit["packages"],
        serde_json::json!({"added": [["aaa", "1"]], "removed": [], "changed": [["demo", "1", "2"]]})
    );
    assert!(second.ended.stdout.lines().any(|line| line.contains(r#""event":"packages""#)));
    assert_eq!(uid(&world, &one, "demo"), uid(&world, &two, "demo"), "a user keeps its number");
    assert_ne!(uid(&world, &two, "aaa"), uid(&world, &two, "demo"));
    assert_eq!(world.ostree(&["rev-parse", &format!("{REF}^")]).trim(), one);
    assert!(world.ostree(&["static-delta", "list"]).contains(&format!("{one}-{two}")));
    assert!(world.ostree(&["summary", "--view"]).contains(&two));
    let repo = Repo::open(world.path("repo")).unwrap();
    let info = repo.metadata(&repo.resolve(REF).unwrap()).unwrap();
    assert_eq!(info.signed, ["ed25519"]);
    assert_eq!(info.linux.as_deref(), Some("1.0-test"));
    assert!(info.packages.iter().any(|package| package.name == "aaa" && package.version == "1"));

    layers_give_the_same_tree(&world);
    users_that_change_their_numbers_are_refused(&world, &two);
    more_packages_make_a_derived_commit(&world, &two);
    world.ostree(&["fsck"]);
    assert!(left(world.dir.path()).is_empty());
}

fn the_tree_is_as_ostree_wants_it(world: &World) {
    world.ostree(&["fsck"]);
    let top = world.ostree(&["ls", REF]);
    for line in [
        "/home -> var/home",
        "/opt -> var/opt",
        "/ostree -> sysroot/ostree",
        "d00755 0 0      0 /boot",
        "d00755 0 0      0 /var",
    ] {
        assert!(top.contains(line), "{line} in\n{top}");
    }
    assert!(!top.contains("/etc"), "{top}");
    assert!(world.ostree(&["ls", REF, "/var"]).lines().count() == 1, "/var is empty");
    assert!(world.ostree(&["ls", REF, "/boot"]).lines().count() == 1, "/boot is empty");
    assert_eq!(world.cat(REF, "/usr/lib/modules/1.0-test/vmlinuz"), "a kernel\n");
    let initramfs = world.cat(REF, "/usr/lib/modules/1.0-test/initramfs.img");
    assert!(initramfs.contains("--reproducible --kver 1.0-test") && initramfs.contains("--add ostree"), "{initramfs}");
    assert_eq!(world.cat(REF, "/usr/etc/motd.d/compose"), "composed\n");
    assert_eq!(world.cat(REF, "/usr/share/demo/postprocessed"), "bookworm\n");
    let demo = world.ostree(&["ls", "-R", REF, "/usr/share/demo"]);
    assert!(demo.contains("version") && !demo.contains("remove-me") && !demo.contains("a.tmp"), "{demo}");
    assert!(!world.ostree(&["ls", "-R", REF, "/usr/share/doc"]).contains("README"), "no documentation");
    assert!(!world.cat(REF, "/usr/lib/sysimage/dpkg/status").contains("Package: unwanted"));
    assert_eq!(world.cat(REF, "/usr/etc/machine-id"), "");
    let conf = world.cat(REF, "/usr/lib/tmpfiles.d/000-isotope-compose.conf");
    let uid = uid(world, REF, "demo");
    for line in [
        format!("d /var/lib/demo 2750 {uid} {uid} -"),
        "C /var/lib/demo/data 0644 0 0 - /usr/share/factory/var/lib/demo/data".to_owned(),
        "d /var/cache/demo 0755 0 0 -".to_owned(),
        "L /var/opt/demo - - - - ../../usr/lib/opt/demo".to_owned(),
        "L /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg".to_owned(),
    ] {
        assert!(conf.lines().any(|own| own == line), "{line} in\n{conf}");
    }
    let layout = world.ostree(&["show", &format!("--print-metadata-key={LAYOUT_KEY}"), REF]);
    assert!(layout.contains("\"release\":\"bookworm\""), "{layout}");
    assert!(world.ostree(&["show", REF]).contains("Version: 1\n"));
    assert_eq!(world.ostree(&["show", "--print-metadata-key=isotope.source", REF]).trim(), "'treefile.yaml'");
}

fn nothing_new_makes_no_commit(world: &World, one: &str) {
    let again = world.compose(&world.options());
    assert_eq!(again.checksum(), one);
    assert!(again.commit["unchanged"].as_str().unwrap().starts_with("nothing has changed"));
    assert!(!again.ended.stdout.contains("make the base tree"), "the other steps are not run");
    // Made again all the same, it is the same: no commit of it either.
    let forced = world.compose(&ComposeOptions { force: true, ..world.options() });
    assert_eq!(forced.checksum(), one, "{}", world.ostree(&["diff", one, &forced.checksum()]));
    assert_eq!(forced.commit["unchanged"], "the new tree is the old one, byte for byte");
    assert_eq!(world.ostree(&["rev-parse", REF]).trim(), one);
    // A file beside the treefile is an input, too.
    std::fs::write(world.path("motd"), "composed anew\n").unwrap();
    let changed = world.compose(&ComposeOptions { reference: Some("test/other".into()), ..world.options() });
    assert!(changed.commit["unchanged"].is_null());
    assert_eq!(world.cat("test/other", "/usr/etc/motd.d/compose"), "composed anew\n");
    std::fs::write(world.path("motd"), "composed\n").unwrap();
}

fn layers_give_the_same_tree(world: &World) {
    let compose = |reference: &str, words: &[&str]| {
        let done = world.compose_with(&ComposeOptions { reference: Some(reference.into()), ..world.options() }, words);
        done.ended.assert_ok();
        done.ended.stdout
    };
    compose("test/layers", &["layers"]);
    std::fs::write(world.path("motd"), "composed later\n").unwrap();
    let told = compose("test/layers-later", &["layers"]);
    assert!(told.contains("steps of the tree are in the cache"), "{told}");
    compose("test/plain", &[]);
    assert_eq!(world.ostree(&["diff", "test/plain", "test/layers-later"]), "");
    assert_eq!(world.cat("test/layers-later", "/usr/etc/motd.d/compose"), "composed later\n");
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("host-apt-cache");
    std::fs::remove_dir_all(cache.join("layers")).unwrap();
    std::fs::write(world.path("motd"), "composed\n").unwrap();
}

fn users_that_change_their_numbers_are_refused(world: &World, two: &str) {
    world.treefile(" aaa", "sed -i 's/^aaa:x:[0-9]*:/aaa:x:777:/' /etc/passwd");
    let refused = world.compose(&world.options()).failure();
    assert!(refused.contains("user aaa was ") && refused.contains(" and is 777:"), "{refused}");
    world.treefile(" aaa", "rm -r /usr/lib/dracut/modules.d/98ostree");
    let refused = world.compose(&world.options()).failure();
    assert!(refused.contains("dracut has no module `ostree`"), "{refused}");
    assert_eq!(world.ostree(&["rev-parse", REF]).trim(), two, "the ref stays where it is");
    world.treefile(" aaa", "");
}

fn more_packages_make_a_derived_commit(world: &World, two: &str) {
    world.package("extra", "5");
    let repo = Repo::open(world.path("repo")).unwrap();
    let info = repo.metadata(&repo.resolve(REF).unwrap()).unwrap();
    let base = Base {
        checksum: two.to_owned(),
        version: info.version.clone(),
        layout: serde_json::from_str(&info.metadata[LAYOUT_KEY]).unwrap(),
    };
    let what = Derived { add: vec!["extra".into()], recommends: false };
    let options = ComposeOptions { reference: Some("test/extra".into()), ..world.options() };
    let plan = compose::derive(&base, &what, &options, &facts()).unwrap();
    let derived = world.run(&plan, &[]);
    derived.ended.assert_ok();
    assert_eq!(derived.commit["version"], "1.1+add");
    assert_eq!(world.cat("test/extra", "/usr/share/extra/version"), "5");
    assert_eq!(uid(world, "test/extra", "aaa"), uid(world, two, "aaa"));
    let changes = world.ostree(&["diff", two, "test/extra"]);
    let unexpected: Vec<&str> = changes
        .lines()
        .filter(|line| {
            !["extra", "/usr/lib/sysimage/", "passwd", "group", "shadow", "000-isotope"]
                .iter()
                .any(|part| line.contains(part))
        })
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    let conf = world.cat("test/extra", "/usr/lib/tmpfiles.d/000-isotope-compose.conf");
    assert!(conf.contains("C /var/lib/extra/data ") && conf.contains("C /var/lib/demo/data "), "{conf}");
    let again = world.run(&plan, &[]);
    assert_eq!(again.checksum(), derived.checksum(), "the same once more makes no commit");
}
