//! Remotes that fail, in every way that a server can: what is told, what is left, what a second run does.

mod support;

use isotope_ostree::{Checksum, Commit, Mode, OstreeError, Pull, Remote, Repo, Verify};
use std::fs;
use std::path::PathBuf;
use support::server::{Fault, Server};
use support::{ostree, run};

struct Place {
    dir: tempfile::TempDir,
    archive: Repo,
    commit: Checksum,
    server: Server,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        support::tree(&tree, "1");
        support::many_files(&tree, 300, 5);
        let archive = Repo::create(dir.path().join("archive"), Mode::Archive).unwrap();
        archive.set_fsync(false);
        let commit = archive.commit(&Commit::new(&tree, "test/os"), &mut |_| {}).unwrap();
        archive.update_summary().unwrap();
        let server = Server::start(dir.path().join("archive"));
        Self { dir, archive, commit, server }
    }

    fn fresh(&self) -> Repo {
        let number = fs::read_dir(self.dir.path()).unwrap().count();
        let repo = Repo::create(self.dir.path().join(format!("repo{number}")), Mode::Bare).unwrap();
        repo.set_fsync(false);
        repo.set_remote(&Remote::new("test", self.server.url(), Verify::None)).unwrap();
        repo
    }

    /// The largest object of a kind, as a path below the archive.
    fn object(&self, extension: &str) -> String {
        let objects = self.archive.path().join("objects");
        let list = run("find", &[objects.to_str().unwrap(), "-name", &format!("*.{extension}"), "-printf", "%s %P\n"]);
        let largest = list.lines().max_by_key(|line| line.split(' ').next().unwrap().parse::<u64>().unwrap()).unwrap();
        format!("objects/{}", largest.split_once(' ').unwrap().1)
    }

    fn pull(&self, repo: &Repo) -> Result<isotope_ostree::Pulled, OstreeError> {
        let mut pull = Pull::new("test", ["test/os"]);
        pull.retries = 1;
        repo.pull(&pull, &mut |_| {})
    }
}

fn chain(error: &OstreeError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[test]
fn host_a_damaged_object_is_named_with_its_url_and_nothing_is_accepted() {
    let place = Place::new();
    for kind in ["filez", "dirtree", "dirmeta", "commit"] {
        for fault in [Fault::Damaged, Fault::Halved] {
            let path = place.object(kind);
            place.server.fault(&path, Some(fault));
            let repo = place.fresh();
            let error = place.pull(&repo).unwrap_err();
            let text = chain(&error);
            assert!(matches!(error, OstreeError::Corrupt { .. }), "{kind} {fault:?}: {text}");
            // libostree does not say which file object was short.
            if (kind, fault) != ("filez", Fault::Halved) {
                assert!(
                    text.contains(&format!("{}/{path} is damaged", place.server.url())),
                    "{kind} {fault:?}: {text}"
                );
            }
            assert_eq!(repo.refs().unwrap().len(), 0);
            place.server.fault(&path, None);
            place.pull(&repo).unwrap();
            ostree(&["fsck", &format!("--repo={}", repo.path().display())]);
        }
    }
}

#[test]
fn host_a_remote_that_breaks_off_is_resumed() {
    let place = Place::new();
    for kind in ["filez", "dirtree", "commit"] {
        let path = place.object(kind);
        place.server.fault(&path, Some(Fault::Truncated));
        let error = place.pull(&place.fresh()).unwrap_err();
        assert!(matches!(error, OstreeError::BrokenOff { .. }), "{kind}: {}", chain(&error));
        assert!(error.to_string().contains("run the same again, it resumes"), "{error}");
        place.server.fault(&path, None);
    }
    let repo = place.fresh();
    place.server.die_after(150);
    let error = place.pull(&repo).unwrap_err();
    assert!(matches!(error, OstreeError::BrokenOff { .. }), "{}", chain(&error));
    assert_eq!(repo.refs().unwrap().len(), 0);
    place.server.revive();
    place.server.take_log();
    let second = place.pull(&repo).unwrap();
    let again = place.server.take_log().iter().filter(|path| path.ends_with(".filez")).count();
    let whole = place.pull(&place.fresh()).unwrap();
    assert!((50..250).contains(&again), "{again} files in the second run");
    assert!(second.objects < whole.objects && second.bytes < whole.bytes, "{second:?} {whole:?}");
    ostree(&["fsck", &format!("--repo={}", repo.path().display())]);
    assert_eq!(repo.resolve("test:test/os").unwrap(), place.commit);
}

#[test]
fn host_a_short_break_is_not_noticed() {
    let place = Place::new();
    let repo = place.fresh();
    place.server.die_after(100);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while place.server.requests() < 100 {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            std::thread::sleep(std::time::Duration::from_millis(300));
            place.server.revive();
        });
        let mut most = 0;
        let pulled =
            repo.pull(&Pull::new("test", ["test/os"]), &mut |progress| most = most.max(progress.objects)).unwrap();
        assert!(pulled.objects >= most && pulled.objects > 100, "{pulled:?} {most}");
    });
}

#[test]
fn host_a_kill_in_the_middle_is_resumed() {
    let place = Place::new();
    let repo = place.fresh();
    place.server.die_after(150);
    let at = format!("--repo={}", repo.path().display());
    // A process of its own, killed when the server has stopped.
    let mut child = isotope_sys::command::Tool::new("ostree")
        .args(["pull", &at, "test", "test/os", "--network-retries=1000000"])
        .spawn(std::process::Stdio::null(), std::process::Stdio::null(), std::process::Stdio::null())
        .unwrap();
    while place.server.requests() < 150 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().ok();
    child.wait().unwrap();
    place.server.revive();
    place.server.take_log();
    place.pull(&repo).unwrap();
    let again = place.server.take_log().iter().filter(|path| path.ends_with(".filez")).count();
    assert!(again < 250, "{again} files in the second run");
    ostree(&["fsck", &at]);
}

#[test]
fn host_what_is_not_there_is_told_with_what_is() {
    let place = Place::new();
    let repo = place.fresh();
    let pull = |what: &str| repo.pull(&Pull::new("test", [what]), &mut |_| {}).unwrap_err();
    let error = pull("test/oss");
    assert!(matches!(&error, OstreeError::UnknownRef { known, .. } if known == &["test/os"]), "{error}");
    assert!(error.to_string().contains("did you mean `test/os`?; it has: test/os"), "{error}");
    let none = "0123456789abcdef".repeat(4);
    let error = pull(&none);
    assert!(matches!(&error, OstreeError::UnknownCommit { commit, .. } if *commit == none), "{error}");
    for kind in ["filez", "dirtree", "commit"] {
        let path = place.object(kind);
        place.server.fault(&path, Some(Fault::Gone));
        let error = place.pull(&place.fresh()).unwrap_err();
        assert!(matches!(error, OstreeError::Incomplete { .. }), "{kind}: {}", chain(&error));
        place.server.fault(&path, None);
    }
    // By its checksum, and without a ref.
    let pulled = repo.pull(&Pull::new("test", [place.commit.as_str()]), &mut |_| {}).unwrap();
    assert_eq!(pulled.commits[place.commit.as_str()], place.commit);
    assert_eq!(repo.refs().unwrap().len(), 0);
    // Locally.
    let error = repo.resolve("test:test/os").unwrap_err();
    assert!(matches!(error, OstreeError::UnknownRef { .. }), "{error}");
    let error = repo.pull_local(&place.archive, &Pull::new("test", ["test/so"]), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("did you mean `test/os`?"), "{error}");
}

#[test]
fn host_a_remote_that_is_none_is_told_apart() {
    let place = Place::new();
    let repo = place.fresh();
    let pull = |url: &str| {
        repo.set_remote(&Remote::new("other", url, Verify::None)).unwrap();
        repo.pull(&Pull::new("other", ["test/os"]), &mut |_| {}).unwrap_err()
    };
    let error = pull("http://127.0.0.1:1/");
    assert!(error.to_string().contains("look at the URL, the network and the proxy"), "{}", chain(&error));
    let error = pull(&format!("{}/nowhere", place.server.url()));
    assert!(error.to_string().contains("or is no repository"), "{}", chain(&error));
    let error = pull("file:///nonexistent");
    assert!(error.to_string().contains("look whether it is an ostree repository"), "{}", chain(&error));
    // Without a summary, only libostree's refs/heads/REF.
    fs::remove_file(place.archive.path().join("summary")).unwrap();
    let repo = place.fresh();
    assert!(place.pull(&repo).is_ok());
    assert_eq!(repo.remote_refs("test").unwrap(), None);
}

#[test]
fn host_what_does_not_fit_is_refused_before_it_comes() {
    support::private_mounts();
    let place = Place::new();
    let small = PathBuf::from(place.dir.path()).join("small");
    fs::create_dir(&small).unwrap();
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("tmpfs"), &small, Some("tmpfs"), flags, Some("size=2m")).unwrap();
    let repo = Repo::create(small.join("repo"), Mode::Bare).unwrap();
    repo.set_fsync(false);
    repo.set_remote(&Remote::new("test", place.server.url(), Verify::None)).unwrap();
    place.server.take_log();
    let error = place.pull(&repo).unwrap_err();
    let OstreeError::NoSpace { need: Some(need), available, commit, .. } = &error else { panic!("{}", chain(&error)) };
    assert!(need.0 > 3_000_000 && available.0 < 2_200_000, "{error}");
    assert_eq!(commit.as_ref(), Some(&place.commit));
    assert!(!place.server.take_log().iter().any(|path| path.ends_with(".filez")));
    drop(repo);
    nix::mount::umount2(&small, nix::mount::MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn host_a_tree_in_a_cache_may_fill_its_disk() {
    let place = Place::new();
    let repo = place.fresh();
    // The reserve of libostree, of a disk that has less.
    repo.set_config("core", "min-free-space-percent", "99").unwrap();
    let error = place.pull(&repo).unwrap_err();
    assert!(matches!(error, OstreeError::NoSpace { .. }), "{}", chain(&error));
    repo.fill_disk(true).unwrap();
    place.pull(&repo).unwrap();
    repo.fill_disk(false).unwrap();
    assert_eq!(repo.config("core", "min-free-space-percent"), None, "the booted system has libostree's own");
}
