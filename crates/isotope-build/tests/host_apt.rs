//! Debian's packages, from this host's own mirror and from a small archive made here. Needs root and the network.

mod support;

#[path = "support/debs.rs"]
mod debs;
#[path = "support/http.rs"]
mod http;

use debs::Package;
use http::Server;
use isotope_element::Phase;
use isotope_plan::{Bootstrap, PackagePolicy, Packages, Source, StepAction};
use std::collections::BTreeMap;
use std::path::PathBuf;
use support::{Bench, Ended};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A hook that fails the test's build if dpkg has anything to say.
const AUDIT: &str = "#!/bin/sh\nset -e\n\
    test -z \"$(dpkg --audit)\" || { dpkg --audit; exit 1; }\n\
    test -z \"$(dpkg --verify)\" || { dpkg --verify; exit 1; }\n\
    apt-get -q check\n\
    find / -xdev -name '*.dpkg-new' | grep . && exit 1\n\
    echo packages: $(dpkg-query -W -f '${db:Status-Status}\\n' | sort | uniq -c)\n";

fn mirror(name: &str) -> String {
    let facts = isotope_build::facts::gather(&BTreeMap::new(), &std::env::temp_dir());
    facts.mirrors.get(name).cloned().unwrap_or_else(|| panic!("this host's apt knows no {name} archive"))
}

fn source(uri: &str, suite: &str) -> Source {
    Source {
        uri: uri.into(),
        suite: suite.into(),
        components: vec!["main".into()],
        keyring: Some(KEYRING.into()),
        verify: true,
    }
}

fn local(url: &str) -> Source {
    Source { uri: url.into(), suite: "./".into(), components: Vec::new(), keyring: None, verify: false }
}

fn install(names: &[&str]) -> StepAction {
    let install = names.iter().map(|name| ((*name).to_owned(), vec!["tester".to_owned()])).collect();
    StepAction::Packages(Packages { install, remove: BTreeMap::new(), recommends: false })
}

fn remove(name: &str) -> StepAction {
    StepAction::Packages(Packages {
        install: BTreeMap::new(),
        remove: [(name.to_owned(), vec![])].into(),
        recommends: false,
    })
}

/// A bench for `release` whose first step makes the base tree from the mirror and `more` sources.
fn bench(release: &str, more: &[Source]) -> Bench {
    let mut bench = Bench::new();
    bench.target.distro = "debian".into();
    bench.target.release = release.into();
    let mut sources = vec![source(&mirror("debian"), release)];
    sources.extend_from_slice(more);
    bench.step(
        Phase::Root,
        "00-bootstrap",
        StepAction::Bootstrap(Bootstrap { packages: vec![], sources, policy: PackagePolicy::default() }),
    );
    // Downloads are shared by the tests of a run, as by builds.
    let cache = bench.path("cache");
    std::fs::remove_dir(&cache).unwrap();
    std::fs::create_dir_all(shared_cache()).unwrap();
    std::os::unix::fs::symlink(shared_cache(), &cache).unwrap();
    bench
}

fn shared_cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("host-apt-cache")
}

fn message(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    ended.stdout.lines().filter(|line| line.contains("\"event\":\"failed\"")).map(str::to_owned).collect()
}

#[test]
fn host_trixie_and_bookworm_are_made_and_dpkg_agrees() {
    for (release, python) in [("trixie", "python3.13"), ("bookworm", "python3.11")] {
        let mut bench = bench(release, &[]);
        // Pre-Depends in two steps, preinst scripts, triggers, diversions, byte compilation.
        bench.step(
            Phase::Install,
            "01-packages",
            install(&["systemd-sysv", "e2fsprogs", "python3", "netbase", "less"]),
        );
        bench.hook(Phase::Install, "50-audit", AUDIT);
        let look = format!(
            "#!/bin/sh\nset -e\ncat /etc/apt/sources.list.d/debian.sources\n\
             echo auto: $(apt-mark showauto | tr '\\n' ' ')\n{python} -c 'print(\"python runs\")'\n\
             test ! -e /usr/sbin/policy-rc.d || echo policy-rc.d\n"
        );
        bench.hook(Phase::PostInstall, "50-look", &look);
        let after = "#!/bin/sh\nset -e\ncd \"$TARGET_ROOT\"\n\
            for dir in var/lib/apt/lists var/cache/apt/archives var/log/apt; do find $dir -type f; done\n\
            ls var/log/dpkg.log var/cache/apt/pkgcache.bin usr/sbin/policy-rc.d 2>/dev/null || echo clean\n";
        bench.hook(Phase::PreFinalise, "50-after", after);
        let ended = bench.run(&["memory"]);
        ended
            .assert_ok()
            .assert_line("python runs")
            .assert_line("Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg");
        ended.assert_line(&format!("Suites: {release}")).assert_line("clean");
        let lines = ended.lines();
        let states = lines.iter().find(|line| line.starts_with("packages: ")).unwrap();
        assert!(states.ends_with(" installed") && states.split(' ').count() == 3, "{states}");
        let auto = lines.iter().find(|line| line.starts_with("auto: ")).unwrap();
        assert!(auto.contains("libpython3-stdlib") && !auto.contains("netbase") && !auto.contains("libc6"), "{auto}");
        assert_eq!(bench.left(), Vec::<String>::new());
    }
}

#[test]
fn host_files_that_packages_share_and_keep_are_dpkgs_business() {
    let dir = tempfile::tempdir().unwrap();
    debs::archive(
        dir.path(),
        &[
            Package {
                name: "iso-a",
                version: "1.0",
                control: "Depends: iso-c | nothing\n",
                files: &[
                    ("usr/share/iso/shared", "of a"),
                    ("etc/iso-a.conf", "shipped"),
                    ("etc/iso-new.conf", "shipped"),
                    ("DEBIAN/conffiles", "/etc/iso-a.conf\n/etc/iso-new.conf\n"),
                    ("DEBIAN/postinst", "#!/bin/sh\necho postinst of a: \"$1\" \"$2\" $DPKG_MAINTSCRIPT_PACKAGE\n"),
                    ("DEBIAN/triggers", "interest-noawait /usr/share/iso/watched\n"),
                ],
            },
            Package {
                name: "iso-b",
                version: "1.0",
                control: "Replaces: iso-a\n",
                files: &[("usr/share/iso/shared", "of b")],
            },
            Package {
                name: "iso-c",
                version: "1:1.0~x",
                control: "Pre-Depends: iso-d\n",
                files: &[("usr/share/iso/c", "c"), ("DEBIAN/preinst", "#!/bin/sh\necho preinst of c: \"$1\"; iso-d\n")],
            },
            Package {
                name: "iso-d",
                version: "1.0",
                control: "",
                files: &[
                    ("usr/bin/iso-d", "#!/bin/sh\ncat /var/lib/iso-d\n"),
                    ("DEBIAN/postinst", "#!/bin/sh\necho d is configured > /var/lib/iso-d\n"),
                ],
            },
            Package { name: "iso-e", version: "1.0", control: "", files: &[("usr/share/iso/watched/e", "e")] },
        ],
    );
    let server = Server::of(dir.path());
    let mut bench = bench("trixie", &[local(&server.url)]);
    bench.hook(Phase::PreInstall, "50-mine", "#!/bin/sh\necho mine > /etc/iso-a.conf\n");
    bench.step(Phase::Install, "01-packages", install(&["iso-a", "iso-b"]));
    bench.step(Phase::Install, "02-packages", install(&["iso-e"]));
    let look = "#!/bin/sh\ncat /etc/iso-a.conf /etc/iso-new.conf /usr/share/iso/shared; echo\ndpkg -S /usr/share/iso/shared\n\
        find /etc -name '*.dpkg-*'\n";
    bench.hook(Phase::Install, "50-look", look);
    bench.step(Phase::PostInstall, "01-packages", remove("iso-a"));
    bench.hook(Phase::PostInstall, "50-audit", AUDIT);
    let look = "#!/bin/sh\nls /etc/iso-a.conf /usr/share/iso/c 2>&1; dpkg-query -W -f '${db:Status-Status}\\n' iso-a iso-b 2>&1; true\n";
    bench.hook(Phase::PostInstall, "60-look", look);
    let ended = bench.run(&["memory"]);
    ended.assert_ok();
    let lines = ended.lines();
    let after = |line: &str| {
        lines.iter().position(|own| own == line).unwrap_or_else(|| panic!("no line {line:?} in {lines:#?}"))
    };
    assert!(after("preinst of c: install") < after("d is configured"));
    assert!(
        lines.iter().any(|line| line.starts_with("package iso-a is left to dpkg: /usr/share/iso/shared")),
        "{lines:#?}"
    );
    after("postinst of a: configure  iso-a");
    // The trigger that iso-e's file activates.
    assert!(lines.iter().any(|line| line.starts_with("postinst of a: triggered /usr/share/iso/watched")), "{lines:#?}");
    assert!(after("mine") < after("shippedof b"));
    after("iso-b: /usr/share/iso/shared");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("/etc/iso-a.conf.dpkg-dist") || line.contains("/etc/iso-a.conf.dpkg-new")),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line.contains("cannot access '/etc/iso-a.conf'")), "purged");
    assert!(
        lines.iter().any(|line| line == "not-installed" || line.contains("no packages found matching iso-a")),
        "{lines:#?}"
    );
}

#[test]
fn host_a_package_that_nobody_has_is_named_with_its_element() {
    let mut bench = bench("trixie", &[]);
    bench.step(Phase::Install, "01-packages", install(&["opensh-server", "netbase"]));
    let message = message(&bench.run(&["memory"]));
    assert!(
        message.contains("no package archive has `opensh-server` (wanted by tester; there is openssh-server"),
        "{message}"
    );
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn host_a_mirror_that_is_not_there_is_told() {
    let mut bench = Bench::new();
    let sources = vec![source("http://127.0.0.1:9/debian", "trixie")];
    bench.step(
        Phase::Root,
        "00-bootstrap",
        StepAction::Bootstrap(Bootstrap { packages: vec![], sources, policy: PackagePolicy::default() }),
    );
    let message = message(&bench.run(&["memory"]));
    assert!(
        message.contains("a package archive cannot be reached") && message.contains("http://127.0.0.1:9/debian"),
        "{message}"
    );
    assert!(
        message.contains("check the network and the proxy settings") && message.contains("\"class\":\"remote\""),
        "{message}"
    );
}

#[test]
fn host_a_signature_by_a_stranger_is_refused() {
    let mut bench = Bench::new();
    let keyring = Some(PathBuf::from("/usr/share/keyrings/debian-archive-removed-keys.gpg"));
    let sources = vec![Source { keyring, ..source(&mirror("debian"), "trixie") }];
    bench.step(
        Phase::Root,
        "00-bootstrap",
        StepAction::Bootstrap(Bootstrap { packages: vec![], sources, policy: PackagePolicy::default() }),
    );
    let message = message(&bench.run(&["memory"]));
    assert!(message.contains("the signature of a package archive cannot be verified"), "{message}");
    assert!(message.contains("keyrings: /usr/share/keyrings/debian-archive-removed-keys.gpg"), "{message}");
}

#[test]
fn host_a_truncated_download_is_an_error_and_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let big: String = (0..200_000)
        .map(|n: u32| char::from(b'a' + u8::try_from(n.wrapping_mul(2_654_435_761) >> 28).unwrap()))
        .collect();
    debs::archive(
        dir.path(),
        &[Package { name: "iso-big", version: "1.0", control: "", files: &[("usr/share/iso/big", &big)] }],
    );
    let server = Server::of(dir.path());
    let make = || {
        let mut bench = bench("trixie", &[local(&server.url)]);
        // A cache of its own: this one is inspected.
        std::fs::remove_file(bench.path("cache")).unwrap();
        bench.step(Phase::Install, "01-packages", install(&["iso-big"]));
        bench
    };
    let cache = tempfile::tempdir().unwrap();
    let run = || {
        let bench = make();
        std::os::unix::fs::symlink(cache.path(), bench.path("cache")).unwrap();
        bench.run(&["memory"])
    };
    let kept = || {
        let names = debs::run("find", &[cache.path().to_str().unwrap(), "-name", "iso-big*"]);
        names.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    server.cut(Some("iso-big"));
    let message = message(&run());
    assert!(
        message.contains("a package archive broke off while delivering") && message.contains("iso-big"),
        "{message}"
    );
    assert!(kept().iter().all(|path| path.contains("/partial/")), "{:?}", kept());
    server.cut(None);
    run().assert_ok();
    let requests = server.requests("iso-big");
    assert!(requests.last().unwrap().contains(" from "), "{requests:?}");
    // And a third build asks for no package at all.
    run().assert_ok();
    assert_eq!(server.requests("iso-big").len(), requests.len());
    // What is not what the index says is never used.
    let deb = kept().into_iter().find(|path| !path.contains("/partial/")).unwrap();
    let mut data = std::fs::read(&deb).unwrap();
    let middle = data.len() / 2;
    data[middle] ^= 0xff;
    std::fs::write(&deb, &data).unwrap();
    std::fs::write(dir.path().join(PathBuf::from(&deb).file_name().unwrap()), &data).unwrap();
    let message = self::message(&run());
    assert!(message.contains("delivers something else than it has signed"), "{message}");
}
