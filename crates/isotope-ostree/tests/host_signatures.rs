//! Signatures of both kinds: who is trusted is let in, all others are not, and who is wanted is told.

mod support;

use isotope_ostree::{Checksum, Commit, Ed25519Secret, GpgKey, Mode, OstreeError, Pull, Pulled, Remote, Repo, Verify};
use std::fs;
use std::path::{Path, PathBuf};
use support::server::Server;
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
        let archive = Repo::create(dir.path().join("archive"), Mode::Archive).unwrap();
        archive.set_fsync(false);
        let commit = archive.commit(&Commit::new(&tree, "test/os"), &mut |_| {}).unwrap();
        archive.update_summary().unwrap();
        let server = Server::start(dir.path().join("archive"));
        Self { dir, archive, commit, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pull(&self, verify: &Verify) -> Result<Pulled, OstreeError> {
        let scratch = tempfile::tempdir_in(self.dir.path()).unwrap();
        let repo = Repo::create(scratch.path().join("repo"), Mode::Bare).unwrap();
        repo.set_fsync(false);
        repo.set_remote(&Remote::new("test", self.server.url(), verify.clone())).unwrap();
        let result = repo.pull(&Pull::new("test", ["test/os"]), &mut |_| {});
        // Both ways of pulling agree, and nothing comes in that is not accepted.
        let local = repo.pull_local(&self.archive, &Pull::new("test", ["test/os"]), &mut |_| {});
        assert_eq!(result.is_ok(), local.is_ok());
        assert_eq!(repo.refs().unwrap().len(), usize::from(result.is_ok()));
        result
    }

    fn refused(&self, verify: &Verify) -> (bool, Vec<String>) {
        match self.pull(verify).unwrap_err() {
            OstreeError::BadSignature { what, remote, signed, wanted, .. } => {
                assert_eq!((what, remote.as_str()), (format!("commit {}", self.commit), "test"));
                (signed, wanted)
            }
            other => panic!("{other}"),
        }
    }
}

/// libostree's own signatures are made by GPG's agent, in a directory whose name must be short.
fn homes() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap()
}

#[test]
fn host_gpg_signatures_of_the_wanted_key_only() {
    let place = Place::new();
    let homes = homes();
    let home = homes.path().join("h");
    let (good, file) = support::gpg_key(&home, "good@example.org");
    let (bad, _) = support::gpg_key(&home, "bad@example.org");
    let wanted = vec![format!("GPG {good} (good@example.org)")];
    let verify = Verify::Gpg { keys: vec![file.clone()], keypath: None };
    assert_eq!(place.refused(&verify), (false, wanted.clone()));
    let sign = |id: &str| place.archive.sign_gpg(&place.commit, &GpgKey { id: id.to_owned(), homedir: home.clone() });
    sign(&bad).unwrap();
    assert_eq!(place.refused(&verify), (true, wanted.clone()));
    sign(&good).unwrap();
    // A second time is no error.
    sign(&good).unwrap();
    assert_eq!(place.pull(&verify).unwrap().commits["test/os"], place.commit);
    // By a path of key files, binary ones too.
    let dir = place.path("keys");
    fs::create_dir(&dir).unwrap();
    let binary = dir.join("good.gpg");
    run("gpg", &["--homedir", home.to_str().unwrap(), "-o", binary.to_str().unwrap(), "--export", "good@example.org"]);
    for keypath in [&binary, &dir] {
        let keypath = Some(keypath.display().to_string());
        place.pull(&Verify::Gpg { keys: Vec::new(), keypath }).unwrap();
    }
    place.pull(&Verify::Gpg { keys: vec![binary], keypath: None }).unwrap();
    // The oracle.
    let shown = ostree(&["show", &format!("--repo={}", place.archive.path().display()), "test/os"]);
    assert!(shown.contains("Found 2 signatures"), "{shown}");
    let error = sign("nobody@example.org").unwrap_err();
    assert!(matches!(error, OstreeError::BadKey { .. }), "{error}");
    run("gpgconf", &["--homedir", home.to_str().unwrap(), "--kill", "all"]);
}

#[test]
fn host_a_remote_may_want_a_signed_summary() {
    let place = Place::new();
    let homes = homes();
    let home = homes.path().join("h");
    let (id, file) = support::gpg_key(&home, "good@example.org");
    let key = GpgKey { id, homedir: home.clone() };
    place.archive.sign_gpg(&place.commit, &key).unwrap();
    let repo = Repo::create(place.path("repo"), Mode::Bare).unwrap();
    repo.set_fsync(false);
    let verify = Verify::Gpg { keys: vec![file], keypath: None };
    repo.set_remote(&Remote { verify_summary: true, ..Remote::new("test", place.server.url(), verify) }).unwrap();
    let pull = || repo.pull(&Pull::new("test", ["test/os"]), &mut |_| {});
    let error = pull().unwrap_err();
    assert!(error.to_string().starts_with("the summary of remote \"test\" is not signed"), "{error}");
    place.archive.sign_summary_gpg(&key).unwrap();
    // Another signature beside it harms nothing.
    let (secret, pem) = ed25519(&place, "key");
    place.archive.sign_summary_ed25519(&secret).unwrap();
    place.archive.sign_summary_ed25519(&secret).unwrap();
    pull().unwrap();
    assert_eq!(repo.remote_refs("test").unwrap().unwrap()["test/os"].checksum, place.commit);
    let summary = place.archive.path().join("summary");
    assert!(openssl_finds(&place, &pem, &summary, &place.archive.path().join("summary.sig")));
    // A new summary has no old signatures.
    place.archive.update_summary().unwrap();
    assert!(pull().is_err());
    run("gpgconf", &["--homedir", home.to_str().unwrap(), "--kill", "all"]);
}

#[test]
fn host_a_commit_that_was_changed_after_signing_is_refused() {
    let place = Place::new();
    let homes = homes();
    let home = homes.path().join("h");
    let (id, file) = support::gpg_key(&home, "good@example.org");
    place.archive.sign_gpg(&place.commit, &GpgKey { id, homedir: home.clone() }).unwrap();
    // Somebody else's commit with the good one's signatures.
    let tree = place.path("other");
    fs::create_dir(&tree).unwrap();
    support::tree(&tree, "evil");
    let other = place.archive.commit(&Commit::new(&tree, "test/os"), &mut |_| {}).unwrap();
    place.archive.update_summary().unwrap();
    let meta = |commit: &Checksum| {
        let (dir, rest) = commit.as_str().split_at(2);
        place.archive.path().join(format!("objects/{dir}/{rest}.commitmeta"))
    };
    fs::create_dir_all(meta(&other).parent().unwrap()).unwrap();
    fs::copy(meta(&place.commit), meta(&other)).unwrap();
    let error = place.pull(&Verify::Gpg { keys: vec![file], keypath: None }).unwrap_err();
    assert!(matches!(&error, OstreeError::BadSignature { what, .. } if *what == format!("commit {other}")), "{error}");
    run("gpgconf", &["--homedir", home.to_str().unwrap(), "--kill", "all"]);
}

#[test]
fn host_files_that_are_no_keys_are_refused() {
    let place = Place::new();
    let repo = Repo::create(place.path("repo"), Mode::Bare).unwrap();
    repo.set_fsync(false);
    let homes = homes();
    let (_, good) = support::gpg_key(&homes.path().join("h"), "good@example.org");
    let text = fs::read_to_string(&good).unwrap();
    let middle = text.len() / 2;
    let mut damaged = text.clone().into_bytes();
    damaged[middle] = if damaged[middle] == b'A' { b'B' } else { b'A' };
    for (name, data) in [("empty", Vec::new()), ("text", b"hello".to_vec()), ("damaged", damaged)] {
        let file = place.path(name);
        fs::write(&file, data).unwrap();
        let verify = Verify::Gpg { keys: vec![file.clone()], keypath: None };
        let error = repo.set_remote(&Remote::new("test", "http://h/", verify)).unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert_eq!(repo.remotes(), [""; 0]);
    }
    run("gpgconf", &["--homedir", homes.path().join("h").to_str().unwrap(), "--kill", "all"]);
}

/// A secret key made by OpenSSL: the seed is the last 32 bytes of its DER form.
fn ed25519(place: &Place, name: &str) -> (Ed25519Secret, PathBuf) {
    let file = place.path(name);
    let path = file.to_str().unwrap();
    run("openssl", &["genpkey", "-algorithm", "ed25519", "-out", path]);
    let script = format!("openssl pkey -in {path} -outform DER | tail -c 32 | base64");
    fs::write(place.path("seed"), run("sh", &["-c", &script])).unwrap();
    (Ed25519Secret::read(&place.path("seed")).unwrap(), file)
}

#[test]
fn host_ed25519_signatures_of_the_wanted_keys_only() {
    let place = Place::new();
    let ((good, good_pem), (bad, _)) = (ed25519(&place, "good"), ed25519(&place, "bad"));
    let verify = Verify::Ed25519 { keys: vec![good.public()], files: Vec::new() };
    let wanted = vec![format!("ed25519 {}", good.public())];
    assert_eq!(place.refused(&verify), (false, wanted.clone()));
    place.archive.sign_ed25519(&place.commit, &bad).unwrap();
    assert_eq!(place.refused(&verify), (true, wanted));
    place.archive.sign_ed25519(&place.commit, &good).unwrap();
    assert_eq!(place.pull(&verify).unwrap().commits["test/os"], place.commit);
    // Two keys in a file: either will do.
    let file = place.path("keys");
    let third = ed25519(&place, "third").0;
    fs::write(&file, format!("{}\n{}\n", third.public(), good.public())).unwrap();
    place.pull(&Verify::Ed25519 { keys: Vec::new(), files: vec![file] }).unwrap();
    assert_eq!(place.archive.verify_ed25519(&place.commit, &[third.public()]).unwrap(), None);
    // The oracle: OpenSSL, over the commit object's bytes.
    let (dir, rest) = place.commit.as_str().split_at(2);
    let object = place.archive.path().join(format!("objects/{dir}/{rest}.commit"));
    let meta = place.archive.path().join(format!("objects/{dir}/{rest}.commitmeta"));
    assert!(openssl_finds(&place, &good_pem, &object, &meta), "OpenSSL finds no good signature in the metadata");
}

/// The oracle: whether OpenSSL finds a good signature of `data` anywhere in the file `signatures`.
fn openssl_finds(place: &Place, key: &Path, data: &Path, signatures: &Path) -> bool {
    let all = fs::read(signatures).unwrap();
    let signature = place.path("signature");
    (0..=all.len() - 64).any(|start| {
        fs::write(&signature, &all[start..start + 64]).unwrap();
        let paths = [key, data, &signature].map(|path| path.to_str().unwrap());
        isotope_sys::command::Tool::new("openssl")
            .args(["pkeyutl", "-verify", "-rawin", "-inkey", paths[0], "-in", paths[1], "-sigfile", paths[2]])
            .run()
            .is_ok()
    })
}

#[test]
fn host_the_booted_system_gets_its_keys_and_its_url() {
    let place = Place::new();
    let repo = Repo::create(place.path("repo"), Mode::Bare).unwrap();
    repo.set_fsync(false);
    let keys = vec![ed25519(&place, "a").0.public(), ed25519(&place, "b").0.public()];
    let verify = Verify::Ed25519 { keys: keys.clone(), files: Vec::new() };
    repo.set_remote(&Remote::new("test", "http://build/", verify)).unwrap();
    repo.hand_over_remote("test", Some("https://upgrades.example.org/repo")).unwrap();
    let section = "remote \"test\"";
    assert_eq!(repo.config(section, "url").as_deref(), Some("https://upgrades.example.org/repo"));
    assert_eq!(repo.config(section, "sign-verify").as_deref(), Some("ed25519"));
    let file = repo.config(section, "verification-ed25519-file").unwrap();
    assert_eq!(file, "/ostree/repo/test.trusted.ed25519");
    assert_eq!(fs::read_to_string(repo.path().join("test.trusted.ed25519")).unwrap(), keys.join("\n") + "\n");
}
