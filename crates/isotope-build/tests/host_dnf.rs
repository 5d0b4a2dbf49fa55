//! dnf against a small repository made with rpmbuild and createrepo_c, served on the loopback interface. Needs root.

mod support;

#[path = "support/debs.rs"]
mod debs;
#[path = "support/http.rs"]
mod http;

use debs::run;
use http::Server;
use isotope_element::{Family, Phase};
use isotope_plan::{Bootstrap, PackagePolicy, Packages, Source, StepAction};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use support::{Bench, Ended};
use tempfile::TempDir;

/// A package to make.
struct Package<'a> {
    name: &'a str,
    /// More lines of its preamble.
    preamble: &'a str,
    /// A script that fills `$RPM_BUILD_ROOT`.
    install: &'a str,
    /// Scriptlets and the list of files.
    rest: &'a str,
}

/// The host's shell with what it needs, so that scriptlets can run.
const SHELL: &str = r#"
mkdir -p $RPM_BUILD_ROOT/usr/bin $RPM_BUILD_ROOT/usr/lib64 $RPM_BUILD_ROOT/etc
ln -s usr/bin $RPM_BUILD_ROOT/bin; ln -s usr/lib64 $RPM_BUILD_ROOT/lib64
for program in sh ls cat echo; do
    path=$(command -v $program || true); test -e "$path" || path=/bin/$program
    cp -L $path $RPM_BUILD_ROOT/usr/bin/
    ldd $path | grep -o '/[^ ]*' | while read -r library; do
        case $library in /lib64/*|/usr/lib64/*) to=/usr/lib64 ;; *) to=$(dirname $library) ;; esac
        mkdir -p $RPM_BUILD_ROOT$to; cp -nL $library $RPM_BUILD_ROOT$to/
    done
done
"#;

fn repository(packages: &[Package<'_>]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (top, repo) = (dir.path().join("top"), dir.path().join("repo"));
    std::fs::create_dir_all(&repo).unwrap();
    for Package { name, preamble, install, rest } in packages {
        let mut spec = format!(
            "Name: {name}\nVersion: 1.0\nRelease: 1\nSummary: for tests\nLicense: MIT\nBuildArch: noarch\nAutoReqProv: no\n{preamble}\n"
        );
        write!(spec, "%global __os_install_post %{{nil}}\n%global _binaries_in_noarch_packages_terminate_build 0\n")
            .unwrap();
        write!(spec, "%description\nFor tests.\n%install\nset -e\n{install}\n{rest}\n").unwrap();
        let path = dir.path().join(format!("{name}.spec"));
        std::fs::write(&path, spec).unwrap();
        run(
            "rpmbuild",
            &[
                "-bb",
                "--quiet",
                "--define",
                &format!("_topdir {}", top.display()),
                "--define",
                &format!("_rpmdir {}", repo.display()),
                path.to_str().unwrap(),
            ],
        );
    }
    run("createrepo_c", &["--quiet", repo.to_str().unwrap()]);
    dir
}

fn small() -> TempDir {
    repository(&[
        Package {
            name: "tiny-base",
            preamble: "Provides: /bin/sh",
            install: SHELL,
            rest: "%files\n/bin\n/lib*\n/usr\n/etc\n",
        },
        Package {
            name: "tiny-app",
            preamble: "Epoch: 3\nRequires: tiny-base /bin/sh\nRecommends: tiny-extra",
            install: "mkdir -p $RPM_BUILD_ROOT/usr/share/tiny; echo of app > $RPM_BUILD_ROOT/usr/share/tiny/app",
            rest: "%post\necho post of app: first in PATH is ${PATH%%%%:*}\ntest -c /dev/null && ls -d /proc/self\n%files\n/usr/share/tiny\n",
        },
        Package { name: "tiny-extra", preamble: "", install: "", rest: "%files\n" },
        Package { name: "tiny-broken", preamble: "Requires: nobody-has-this", install: "", rest: "%files\n" },
    ])
}

fn bench(url: &str, verify: Option<&Path>, packages: &[&str]) -> Bench {
    let mut bench = Bench::new();
    bench.target.distro = "fedora".into();
    bench.target.family = Family::Redhat;
    bench.target.release = "42".into();
    let source = Source {
        uri: url.into(),
        suite: "base".into(),
        components: vec![],
        keyring: verify.map(PathBuf::from),
        verify: verify.is_some(),
    };
    let packages = packages.iter().map(|name| (*name).to_owned()).collect();
    bench.step(
        Phase::Root,
        "00-bootstrap",
        StepAction::Bootstrap(Bootstrap { packages, sources: vec![source], policy: PackagePolicy::default() }),
    );
    bench
}

fn packages(install: &[&str], remove: &[&str]) -> StepAction {
    let map = |names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), vec!["tester".to_owned()])).collect::<BTreeMap<_, _>>()
    };
    StepAction::Packages(Packages { install: map(install), remove: map(remove), recommends: false })
}

fn message(ended: &Ended) -> String {
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    ended.stdout.lines().filter(|line| line.contains("\"event\":\"failed\"")).map(str::to_owned).collect()
}

#[test]
fn host_a_tree_is_made_from_an_rpm_repository() {
    let dir = small();
    let server = Server::of(&dir.path().join("repo"));
    let mut bench = bench(&server.url, None, &["tiny-base"]);
    bench.step(Phase::Install, "01-packages", packages(&["tiny-app"], &[]));
    bench.hook(Phase::Install, "50-look", "#!/bin/sh\ncat /usr/share/tiny/app\n");
    bench.hook(Phase::PostRoot, "50-left", "#!/bin/sh\ncd \"$TARGET_ROOT\"\nfind . \\( -path ./usr -o -path './lib*' \\) -prune -o -type f -print; ls usr/lib/sysimage/rpm\n");
    bench.step(Phase::PostInstall, "01-packages", packages(&[], &["tiny-app"]));
    let ended = bench.run(&["memory"]);
    ended.assert_ok().assert_line("of app").assert_line("rpmdb.sqlite");
    let lines = ended.lines();
    let post = lines.iter().find(|line| line.contains("post of app")).unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(post.contains("first in PATH is /run/isotope/bin"), "{post}");
    assert!(lines.iter().any(|line| line.contains("/proc/self")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("tiny-extra")), "what is only recommended is not installed");
    // Outside /usr there is nothing but what the packages brought.
    let outside: Vec<_> = lines.iter().filter(|line| line.starts_with("./")).collect();
    assert!(outside.is_empty(), "{outside:#?}");
    let report = ended.stdout.lines().last().unwrap();
    assert!(!report.is_empty());
    assert_eq!(bench.left(), Vec::<String>::new());
    assert!(debs::run("find", &[bench.path("cache").to_str().unwrap(), "-name", "tiny-app*.rpm"]).lines().count() == 1);
}

#[test]
fn host_failures_of_dnf_are_told_apart() {
    let dir = small();
    let server = Server::of(&dir.path().join("repo"));
    let mut unknown = bench(&server.url, None, &["tiny-base"]);
    unknown.step(Phase::Install, "01-packages", packages(&["tiny-ap"], &[]));
    let text = message(&unknown.run(&["memory"]));
    assert!(text.contains("no package archive has `tiny-ap` (wanted by tester)"), "{text}");

    let text = message(&bench(&server.url, None, &["tiny-broken"]).run(&["memory"]));
    assert!(text.contains("cannot be installed together") && text.contains("nobody-has-this"), "{text}");

    let text = message(&bench("http://127.0.0.1:9", None, &["tiny-base"]).run(&["memory"]));
    assert!(text.contains("a package archive cannot be reached") && text.contains("\"class\":\"remote\""), "{text}");

    let key = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
    let text = message(&bench(&server.url, Some(key), &["tiny-base"]).run(&["memory"]));
    assert!(text.contains("the signature of a package cannot be verified"), "{text}");

    server.cut(Some("tiny-app"));
    let mut cut = bench(&server.url, None, &["tiny-base"]);
    cut.step(Phase::Install, "01-packages", packages(&["tiny-app"], &[]));
    let text = message(&cut.run(&["memory"]));
    assert!(text.contains("\"class\":\"remote\"") && text.contains("tiny-app"), "{text}");
}

#[test]
fn host_a_lock_is_all_that_dnf_may_take_also_offline() {
    let dir = small();
    let repo = dir.path().join("repo");
    let server = Server::of(&repo);
    let cache = tempfile::tempdir().unwrap();
    let lock = dir.path().join("lock");
    let make = |names: &[&str]| {
        let mut bench = bench(&server.url, None, &["tiny-base"]);
        bench.step(Phase::Install, "01-packages", packages(names, &[]));
        std::fs::remove_dir(bench.path("cache")).unwrap();
        std::os::unix::fs::symlink(cache.path(), bench.path("cache")).unwrap();
        bench
    };
    let write = format!("write-lock={}", lock.display());
    let locked = format!("lock={}", lock.display());
    let ended = make(&["tiny-app"]).run(&["memory", &write]);
    assert_eq!(ended.assert_ok().stdout.lines().filter(|line| line.starts_with("+ ")).count(), 2, "{}", ended.stdout);
    let text = std::fs::read_to_string(&lock).unwrap();
    assert!(
        text.contains("name = \"tiny-app\", version = \"3:1.0-1\", arch = \"noarch\", archive = \"base\""),
        "{text}"
    );
    assert!(text.contains("\nrelease = \"") && text.contains("\ndate = \"20"), "{text}");
    make(&["tiny-app"]).run(&["memory", &locked]).assert_ok();
    let asked = server.requests("").len();
    make(&["tiny-app"]).run(&["memory", "offline", &locked]).assert_ok();
    make(&["tiny-app"]).run(&["memory", "offline"]).assert_ok();
    assert_eq!(server.requests("").len(), asked);

    let told = message(&make(&["tiny-app", "tiny-extra"]).run(&["memory", &locked]));
    assert!(told.contains("the lock does not have `tiny-extra` (wanted by tester)"), "{told}");
    let ended = make(&["tiny-app"]).run(&["memory", &write, "update=tiny-app"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("dnf cannot update some packages"), "{}", ended.stderr);

    // Another file of the same name is not the one.
    let other = text.lines().map(|line| match line.split_once("sha256 = \"") {
        Some((before, after)) if line.contains("tiny-app") => {
            format!("{before}sha256 = \"{}\" }},\n", after[..64].chars().rev().collect::<String>())
        }
        _ => format!("{line}\n"),
    });
    std::fs::write(&lock, other.collect::<String>()).unwrap();
    let told = message(&make(&["tiny-app"]).run(&["memory", "offline", &locked]));
    assert!(
        told.contains("the cache does not have what the lock wants") && told.contains("tiny-app 3:1.0-1"),
        "{told}"
    );
}
