//! Treefiles become plans: Fedora's own atomic host, a Debian one, and everything that is wrong with wrong ones.

mod support;

use isotope_plan::compose::{self, ComposeOptions};
use isotope_plan::treefile::{Disk, Request, Treefile, TreefileErrors, load};
use isotope_plan::{Arch, HostFacts, Plan, SignKey, StepAction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn read(file: &Path, release: Option<&str>) -> Result<Treefile, TreefileErrors> {
    load(file, &Disk, &Request { arch: Arch::X86_64, release: release.map(str::to_owned), variables: BTreeMap::new() })
}

fn facts() -> HostFacts {
    let mut facts = support::facts();
    facts.mirrors.insert("fedora-updates".into(), "http://mirror.example.org/fedora/updates".into());
    facts
}

fn options() -> ComposeOptions {
    ComposeOptions { repo: "/srv/repo".into(), ..ComposeOptions::default() }
}

fn plan(file: &str, release: Option<&str>) -> Plan {
    let treefile = read(&fixtures().join(file), release).unwrap_or_else(|errors| panic!("{errors}"));
    compose::plan(&treefile, &options(), &facts()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Without the place of the checkout.
fn short(text: &str) -> String {
    text.replace(&format!("{}/", fixtures().display()), "")
}

#[test]
fn fedoras_treefile_of_atomic_plans_completely() {
    let plan = plan("atomic-host/fedora-atomic-host.json", None);
    insta::assert_snapshot!("atomic_host_text", short(&isotope_plan::show(&plan)));
    insta::assert_snapshot!("atomic_host_json", short(&serde_json::to_string_pretty(&plan).expect("JSON")));
}

#[test]
fn a_debian_tree_of_either_release() {
    insta::assert_snapshot!("debian_trixie", short(&isotope_plan::show(&plan("debian/treefile.yaml", None))));
    let bookworm = plan("debian/treefile.yaml", Some("bookworm"));
    let install = bookworm.steps.iter().find_map(|step| match &step.action {
        StepAction::Packages(packages) => Some(packages.install.keys().cloned().collect::<Vec<_>>()),
        _ => None,
    });
    let expected = ["dracut", "linux-image-amd64", "ostree-boot", "systemd-sysv", "systemd-timesyncd"];
    assert_eq!(install.expect("packages"), expected);
    assert_eq!(bookworm.name, "small-bookworm-x86_64");
    let json = serde_json::to_string(&bookworm).expect("JSON");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("a plan"), bookworm);
}

#[test]
fn variables_of_the_caller_win_and_an_empty_mirror_is_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("t.yaml");
    let text = "ref: a\npackages: [x]\nvariables: {main: 'http://a.example', more: 'http://b.example'}\n\
        apt: {release: trixie, sources: [{mirror: '${main}'}, {mirror: '${more}'}]}\n";
    std::fs::write(&file, text).expect("a file");
    let uris = |variables: &[(&str, &str)]| -> Vec<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let treefile =
            load(&file, &Disk, &Request { arch: Arch::X86_64, release: None, variables }).expect("a treefile");
        treefile.archives.into_iter().map(|archive| archive.value.uri).collect()
    };
    assert_eq!(uris(&[]), ["http://a.example", "http://b.example"]);
    assert_eq!(uris(&[("main", "host:debian"), ("more", "")]), ["host:debian"]);
}

#[test]
fn options_win_over_the_treefile() {
    let treefile = read(&fixtures().join("debian/treefile.yaml"), None).expect("a treefile");
    let options = ComposeOptions {
        reference: Some("own/ref".into()),
        version: Some("7".into()),
        sign: vec![SignKey::Gpg { key: "ABCD".into(), home: None }],
        delta: true,
        ..options()
    };
    let plan = compose::plan(&treefile, &options, &facts()).expect("a plan");
    let StepAction::OstreeCommit(commit) = &plan.steps.last().expect("steps").action else { panic!() };
    assert_eq!((commit.reference.as_str(), commit.delta, commit.sign.len()), ("own/ref", true, 1));
    assert_eq!(commit.version.after(None).as_deref(), Some("7"));
    assert!(isotope_plan::needed_tools(&plan).contains_key("gpg"));
    let bad = ComposeOptions { reference: Some("-x/../y".into()), ..options };
    let text = compose::plan(&treefile, &bad, &facts()).expect_err("no ref").to_string();
    assert!(text.contains("`-x/../y` is no ref"), "{text}");
}

/// Writes files into a directory and reads the first as a treefile.
fn wrong(files: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    let errors = match read(&dir.path().join(files[0].0), None) {
        Err(errors) => errors.to_string(),
        Ok(treefile) => match compose::plan(&treefile, &options(), &facts()) {
            Err(errors) => errors.to_string(),
            Ok(_) => panic!("{} should not plan", files[0].1),
        },
    };
    errors.replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn keys_that_there_are_not_and_values_of_the_wrong_kind() {
    let text = "reff: x\npackges: [a]\npackages-amd64: [b]\nselinux: maybe\npackages: a\nref: [x]\ncliwrap: true\n\
        edition: 2020\nboot-location: kernel-install\nadd-files:\n  - [a]\n  - [a, /var/x]\n  - [a, ../x]\n\
        remove-from-packages: [[x], [x, '(']]\ncheck-passwd: {type: data}\nopt-usrlocal: root\nostree-layers: [a]\n\
        conditional-include:\n  - if: a b\n    include: x\n  - if: a ~ b\n    include: x\n";
    insta::assert_snapshot!("wrong_keys", wrong(&[("t.yaml", text)]));
}

#[test]
fn what_apts_section_refuses() {
    let text = "ref: a/b\nreleasever: trixie\npackages: [a]\napt:\n  sorces: []\n  sources:\n    - mirrors: x\n    - mirror: host:none\n      suit: x\n";
    insta::assert_snapshot!("wrong_apt", wrong(&[("t.yaml", text)]));
    insta::assert_snapshot!("no_apt_sources", wrong(&[("t.yaml", "ref: a\nreleasever: x\npackages: [a]\napt: {}\n")]));
}

#[test]
fn includes_that_go_round_and_files_that_are_missing() {
    let round = wrong(&[("a.yaml", "include: b.yaml\n"), ("b.yaml", "packages: [x]\ninclude: [./a.yaml]\n")]);
    insta::assert_snapshot!("include_circle", round);
    let twice =
        wrong(&[("a.yaml", "include: [b.yaml, c.yaml]\n"), ("b.yaml", "include: c.yaml\n"), ("c.yaml", "units: []\n")]);
    insta::assert_snapshot!("include_twice", twice);
    insta::assert_snapshot!("include_missing", wrong(&[("a.yaml", "units: []\ninclude: nope.yaml\n")]));
    insta::assert_snapshot!("json_broken", wrong(&[("a.json", "{\"ref\": \"a\",\n \"packages\": [\"b\"\n")]));
}

#[test]
fn what_a_plan_needs_beside() {
    insta::assert_snapshot!(
        "no_packages",
        wrong(&[("a.yaml", "ref: a\napt: {release: trixie, sources: [{mirror: host:debian}]}\n")])
    );
    insta::assert_snapshot!("no_release", wrong(&[("a.yaml", "ref: a\npackages: [x]\nrepos: [y]\n")]));
    insta::assert_snapshot!(
        "no_repo",
        wrong(&[
            ("a.yaml", "ref: a\nreleasever: 1\npackages: [x]\nrepos: [fedor]\n"),
            ("x.repo", "[fedora]\nbaseurl=http://x.example/\n")
        ])
    );
    insta::assert_snapshot!(
        "contradictions",
        wrong(&[(
            "a.yaml",
            "ref: a/${nope}\npackages: [x, y z, '$w']\nexclude-packages: [y]\nautomatic-version-prefix: '<date:%q>'\n\
             apt: {release: trixie, sources: [{mirror: 'host:arch'}]}\n"
        )])
    );
    insta::assert_snapshot!(
        "contradictions-2",
        wrong(&[(
            "a.yaml",
            "packages: [x, y z, '$w']\nexclude-packages: [y]\nautomatic-version-prefix: '<date:%q>'\n\
             apt: {release: trixie, sources: [{mirror: 'host:arch'}]}\n"
        )])
    );
}

#[test]
fn the_one_that_includes_wins_and_lists_are_joined() {
    let treefile = read(&fixtures().join("atomic-host/fedora-atomic-host.json"), None).expect("a treefile");
    let packages: Vec<&str> = treefile.packages.iter().map(|name| name.value.as_str()).collect();
    // The last included file comes first, then what was included before it, then the treefile itself.
    assert_eq!(&packages[..4], ["microcode_ctl", "mcelog", "bubblewrap", "kernel"]);
    assert!(packages.ends_with(&["grub2", "grub2-efi", "efibootmgr", "shim"]));
    let scripts: Vec<bool> = treefile.postprocess.iter().map(|script| script.value.contains("old.repo")).collect();
    assert_eq!(scripts, [true, false], "the scripts of the file included last run first");
    assert_eq!(treefile.reference.map(|placed| placed.value).as_deref(), Some("fedora-atomic/25/x86_64/docker-host"));
    assert_eq!(treefile.version, Some(("25".into(), ".".into())));
    let files: Vec<_> = treefile.files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    assert_eq!(
        files,
        ["fedora-atomic-host.json", "fedora-atomic-base.yaml", "fedora-atomic-new.yaml", "fedora-atomic-x86.yaml"]
    );
}
