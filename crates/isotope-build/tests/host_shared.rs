//! Composes that another machine has made come from a registry, as the commits that they are. Needs root, `ostree` and `docker-registry`.

#[path = "../../../tests/src/registry.rs"]
#[allow(dead_code, reason = "it is shared with other tests")]
mod registry;
mod support;

use isotope_element::Phase;
use isotope_ostree::Repo;
use isotope_plan::{CommitVersion, OstreeCommit, OstreeParent, StepAction};
use isotope_sys::command::Tool;
use registry::Server;
use std::path::{Path, PathBuf};
use support::{Bench, Ended, TREE};

const REF: &str = "tiny/1/x86_64/shared";

/// An image for which a small tree is composed, on the machine that `repo` is of.
struct Machine {
    bench: Bench,
    _input: Bench,
    repo: PathBuf,
}

impl Machine {
    /// `what` is written in the tree.
    fn new(repo: &Path, what: &str) -> Self {
        let mut input = Bench::new();
        let (repo, reference) = (repo.to_owned(), REF.to_owned());
        let parent = OstreeParent {
            repo: repo.clone(),
            reference: reference.clone(),
            parent: None,
            keep_users: false,
            user_files: Vec::new(),
            force: false,
        };
        let commit = OstreeCommit {
            repo: repo.clone(),
            reference,
            parent: None,
            subject: "a small tree".into(),
            version: CommitVersion::None,
            metadata: Default::default(),
            selinux: false,
            sign: Vec::new(),
            delta: false,
        };
        let hook = format!("#!/bin/sh\necho composed here\necho {what} >/what\n");
        input.step(Phase::Root, "parent", StepAction::OstreeParent(parent)).hook(Phase::Root, "10-tree", TREE);
        input.hook(Phase::PostInstall, "50-what", &hook);
        input.step(Phase::Root, "commit", StepAction::OstreeCommit(commit));
        let mut bench = Bench::with_tree();
        bench.inputs.push(input.plan());
        Self { bench, _input: input, repo }
    }

    fn run(&self, words: &[&str]) -> Ended {
        let ended = self.bench.run(&[&["memory", "layers"], words].concat());
        ended.assert_ok();
        ended
    }

    fn ostree(&self, args: &[&str]) -> String {
        let repo = format!("--repo={}", self.repo.display());
        Tool::new("ostree").arg(repo).args(args).run().unwrap().text()
    }

    fn head(&self) -> String {
        let repo = Repo::open(&self.repo).unwrap();
        repo.resolve(REF).unwrap().to_string()
    }
}

fn has(ended: &Ended, text: &str) -> bool {
    ended.stdout.contains(text)
}

#[test]
fn host_a_compose_comes_from_a_registry_where_the_repository_has_none_or_the_commit_before() {
    let server = Server::open();
    let (from, to) = (format!("from={}", server.place()), format!("to={}", server.place()));
    let at = |name: &str| server.dir.path().join(name);
    let one = Machine::new(&at("repo-1"), "first");
    let made = one.run(&[&to]);
    assert!(has(&made, "composed here") && has(&made, "pushed compose"), "{}", made.stdout);
    let again = one.run(&[&to]);
    assert!(!has(&again, "composed here") && has(&again, "compose ") && has(&again, "is there already"));

    // An empty machine has the same commit then, and all of it.
    let two = Machine::new(&at("repo-2"), "first");
    let warm = two.run(&[&from]);
    assert!(has(&warm, "pulled compose") && !has(&warm, "composed here"), "{}", warm.stdout);
    assert_eq!((two.head(), two.ostree(&["cat", REF, "/what"])), (one.head(), "first".to_owned()));
    two.ostree(&["fsck"]);
    assert!(
        two.ostree(&["summary", "--view"]).contains(&one.head())
            && two.ostree(&["config", "get", "core.mode"]).contains("archive")
    );
    assert!(!has(&two.run(&[]), "composed here"), "it is current now");

    // The next commit follows the one that is there.
    let one = Machine::new(&at("repo-1"), "second");
    one.run(&[&to]);
    let two = Machine::new(&at("repo-2"), "second");
    let warm = two.run(&[&from]);
    assert!(has(&warm, "pulled compose") && two.head() == one.head(), "{}", warm.stdout);
    assert_eq!(two.ostree(&["log", REF]).matches("commit ").count(), 2);

    // It does not where the repository went another way.
    let other = Machine::new(&at("repo-3"), "another");
    other.run(&[]);
    let before = other.head();
    let other = Machine::new(&at("repo-3"), "second");
    let built = other.run(&[&from]);
    assert!(!has(&built, "pulled compose") && has(&built, "pulled layer"), "{}", built.stdout);
    assert!(other.ostree(&["log", REF]).contains(&before));

    // What was tampered with is composed instead.
    server.tamper();
    let four = Machine::new(&at("repo-4"), "second");
    let refused = four.run(&[&from]);
    assert!(has(&refused, "compose ") && has(&refused, "is not taken, and built instead"), "{}", refused.stdout);
    assert!(has(&refused, "composed here") && four.ostree(&["cat", REF, "/what"]) == "second");
}
