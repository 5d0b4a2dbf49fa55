//! What a repository holds and how it is looked after, beside what the `ostree` command says.

mod support;

use isotope_ostree::{
    Aspect, CheckoutOptions, Checksum, Commit, FileKind, Mode, Package, Parent, Pull, Remote, Repo, ToVariant as _,
    Verify,
};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use support::server::Server;
use support::{ostree, run};

struct Place {
    dir: tempfile::TempDir,
    repo: Repo,
}

impl Place {
    fn new(mode: Mode) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repo = Repo::create(dir.path().join("repo"), mode).unwrap();
        repo.set_fsync(false);
        Self { dir, repo }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A tree with everything that a commit keeps.
    fn tree(&self, name: &str, version: &str) -> PathBuf {
        let tree = self.path(name);
        fs::create_dir(&tree).unwrap();
        support::tree(&tree, version);
        support::many_files(&tree, 40, 7);
        fs::set_permissions(tree.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        run("setfattr", &["-n", "user.note", "-v", "hello", tree.join("usr/bin/tool").to_str().unwrap()]);
        run("setcap", &["cap_net_raw+ep", tree.join("usr/share/many/file1").to_str().unwrap()]);
        tree
    }

    fn commit(&self, tree: &Path, reference: &str) -> Checksum {
        self.repo.commit(&Commit::new(tree, reference), &mut |_| {}).unwrap()
    }

    fn at(&self) -> String {
        format!("--repo={}", self.repo.path().display())
    }
}

#[test]
fn host_a_commit_is_the_one_that_the_ostree_command_makes() {
    for mode in [Mode::Archive, Mode::Bare, Mode::BareUser] {
        let place = Place::new(mode);
        let tree = place.tree("tree", "1");
        let mut commit = Commit::new(&tree, "ours");
        commit.subject = "Subject".to_owned();
        commit.body = "Body".to_owned();
        commit.version = Some("1.2".to_owned());
        commit.timestamp = Some(1_700_000_000);
        commit.metadata = BTreeMap::from([("my.list".to_owned(), vec!["a", "b"].to_variant())]);
        commit.packages = vec![Package { name: "bash".into(), version: "5.2".into(), arch: "amd64".into() }];
        let mut heard = 0;
        let ours = place.repo.commit(&commit, &mut |count| heard = count).unwrap();
        let tree = format!("--tree=dir={}", tree.display());
        let args = ["commit", &place.at(), "-b", "theirs", &tree, "-s", "x", "--bootable"];
        let theirs: Checksum = ostree(&args).parse().unwrap();
        if mode == Mode::Archive {
            // Not asked for above: `--generate-sizes` is a commit of its own.
            let sized: Checksum = ostree(&[&args[..], &["--generate-sizes"]].concat()).parse().unwrap();
            let sizes = |commit: &Checksum| place.repo.metadata_value(commit, "ostree.sizes").unwrap().unwrap();
            let (ours, theirs) = (sorted_sizes(&sizes(&ours)), sorted_sizes(&sizes(&sized)));
            let differ = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
            assert!(differ.is_none() && ours.len() == theirs.len(), "{differ:?}");
        }
        let (ours, theirs) = (place.repo.metadata(&ours).unwrap(), place.repo.metadata(&theirs).unwrap());
        assert_eq!(ours.content, theirs.content, "{mode:?}");
        assert_eq!(ours.linux.as_deref(), Some(support::KVER));
        assert_eq!((ours.version.as_deref(), ours.timestamp, ours.body.as_str()), (Some("1.2"), 1_700_000_000, "Body"));
        assert_eq!(ours.packages, commit.packages);
        assert_eq!(ours.metadata["my.list"], "['a', 'b']");
        assert_eq!(place.repo.metadata_value(&ours.checksum, "my.list").unwrap().unwrap().n_children(), 2);
        let log = ostree(&["log", &place.at(), "ours"]);
        assert!(log.contains("Version: 1.2") && log.contains("Subject") && log.contains("2023-11-14"), "{log}");
        ostree(&["fsck", &place.at()]);
    }
}

/// Each entry in text, and in order whatever order it was written in.
fn sorted_sizes(list: &isotope_ostree::Variant) -> Vec<String> {
    let mut entries: Vec<String> = list.iter().map(|entry| entry.print(false).to_string()).collect();
    entries.sort();
    entries
}

#[test]
fn host_a_tree_that_no_commit_can_hold_is_refused_with_the_file() {
    let place = Place::new(Mode::Archive);
    let tree = place.tree("tree", "1");
    run("mkfifo", &[tree.join("usr/share/pipe").to_str().unwrap()]);
    let error = place.repo.commit(&Commit::new(&tree, "os"), &mut |_| {}).unwrap_err();
    assert!(error.to_string().ends_with("tree/usr/share/pipe"), "{error}");
    fs::remove_file(tree.join("usr/share/pipe")).unwrap();
    let bad = tree
        .join(std::ffi::OsStr::new("usr/share"))
        .join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"));
    fs::write(&bad, "x").unwrap();
    assert!(place.repo.commit(&Commit::new(&tree, "os"), &mut |_| {}).is_err());
    assert_eq!(place.repo.refs().unwrap().len(), 0);
}

#[test]
fn host_large_files_and_hard_links_are_committed_as_the_command_does() {
    let place = Place::new(Mode::Archive);
    let tree = place.tree("tree", "1");
    // Above what is read into memory.
    let large: Vec<u8> = (0..9_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(tree.join("usr/share/large"), large).unwrap();
    fs::write(tree.join("usr/share/empty"), "").unwrap();
    fs::hard_link(tree.join("usr/bin/tool"), tree.join("usr/bin/tool2")).unwrap();
    let ours = place.commit(&tree, "ours");
    let tree = format!("--tree=dir={}", tree.display());
    let theirs: Checksum = ostree(&["commit", &place.at(), "-b", "theirs", &tree, "--bootable"]).parse().unwrap();
    let content = |commit: &Checksum| place.repo.metadata(commit).unwrap().content;
    assert_eq!(content(&ours), content(&theirs));
    ostree(&["fsck", &place.at()]);
}

#[test]
fn host_history_is_followed_as_far_as_it_goes() {
    let place = Place::new(Mode::Archive);
    let commits: Vec<Checksum> =
        (1..=3).map(|number| place.commit(&place.tree(&format!("tree{number}"), &number.to_string()), "os")).collect();
    let log = place.repo.log("os").unwrap();
    assert_eq!(log.iter().rev().map(|info| info.checksum.clone()).collect::<Vec<_>>(), commits);
    assert_eq!(place.repo.resolve("os^").unwrap(), commits[1]);
    assert_eq!(place.repo.resolve(&commits[0].as_str()[..12]).unwrap(), commits[0]);
    // What a client has that pulled the last two.
    let client = Repo::create(place.path("client"), Mode::Archive).unwrap();
    client.set_remote(&Remote::new("r", "http://127.0.0.1:1/", Verify::None)).unwrap();
    let mut pull = Pull::new("r", ["os"]);
    pull.depth = 1;
    client.pull_local(&place.repo, &pull, &mut |_| {}).unwrap();
    assert_eq!(client.log("r:os").unwrap().len(), 2);
    // Pruning keeps as many.
    let pruned = place.repo.prune(Some(0)).unwrap();
    assert!(pruned.removed > 2 && pruned.bytes > 0, "{pruned:?}");
    assert_eq!(place.repo.log("os").unwrap().len(), 1);
    ostree(&["fsck", &place.at()]);
    assert!(
        place
            .repo
            .commit(&Commit { parent: Parent::None, ..Commit::new(&place.path("tree1"), "os") }, &mut |_| {})
            .is_ok()
    );
    assert_eq!(place.repo.log("os").unwrap().len(), 1);
}

#[test]
fn host_ls_says_what_the_ostree_command_says() {
    for mode in [Mode::Archive, Mode::Bare, Mode::BareUser] {
        let place = Place::new(mode);
        let commit = place.commit(&place.tree("tree", "1"), "os");
        let listed = place.repo.ls(&commit, "/", true).unwrap().unwrap();
        let ours: Vec<String> = listed
            .iter()
            .map(|one| {
                let kind = match one.kind {
                    FileKind::File => '-',
                    FileKind::Directory => 'd',
                    FileKind::Symlink => 'l',
                };
                let arrow = one.target.as_ref().map(|target| format!(" -> {target}")).unwrap_or_default();
                format!("{kind}{:05o} {} {} {} {}{arrow}", one.mode, one.uid, one.gid, one.size, one.path)
            })
            .collect();
        let theirs: Vec<String> = ostree(&["ls", &place.at(), "-R", "os", "/"])
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .map(|line| if line.starts_with('l') { blank_size(&line) } else { line })
            .collect();
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        assert_eq!(sorted(ours), sorted(theirs), "{mode:?}");
        let tool = listed.iter().find(|one| one.path == "/usr/bin/tool").unwrap();
        assert_eq!((tool.mode, tool.xattrs["user.note"].as_str()), (0o4755, "hello"));
        let capable = listed.iter().find(|one| one.path == "/usr/share/many/file1").unwrap();
        assert!(capable.xattrs["security.capability"].starts_with("0x"), "{:?}", capable.xattrs);
        assert_eq!(place.repo.ls(&commit, "usr/bin/", false).unwrap().unwrap().len(), 1);
        assert_eq!(place.repo.ls(&commit, "/usr/bin/tool", false).unwrap().unwrap()[0].path, "/usr/bin/tool");
        assert_eq!(place.repo.ls(&commit, "/nowhere", false).unwrap(), None);
        assert_eq!(place.repo.read_file(&commit, "/usr/etc/hostname").unwrap().unwrap(), b"test\n");
        assert_eq!(place.repo.read_file(&commit, "/usr/etc").unwrap(), None);
    }
}

/// The command tells the length of a link's target as its size.
fn blank_size(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    words[3] = "0";
    words.join(" ")
}

#[test]
fn host_diff_finds_what_the_ostree_command_finds_and_says_why() {
    let place = Place::new(Mode::Archive);
    let tree = place.tree("tree", "1");
    let mut commit = Commit::new(&tree, "os");
    let package =
        |name: &str, version: &str| Package { name: name.into(), version: version.into(), arch: "all".into() };
    commit.packages = vec![package("a", "1"), package("b", "1")];
    let old = place.repo.commit(&commit, &mut |_| {}).unwrap();
    fs::write(tree.join("usr/bin/tool"), "changed").unwrap();
    fs::set_permissions(tree.join("usr/etc/hostname"), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(tree.join("usr/share/many"), Some(5), Some(6)).unwrap();
    fs::remove_file(tree.join("usr/share/many/file3")).unwrap();
    fs::create_dir_all(tree.join("usr/share/new/deep")).unwrap();
    fs::write(tree.join("usr/share/new/deep/file"), "new").unwrap();
    fs::remove_file(tree.join("home")).unwrap();
    symlink("var/elsewhere", tree.join("home")).unwrap();
    fs::remove_file(tree.join("usr/share/many/file4")).unwrap();
    fs::create_dir(tree.join("usr/share/many/file4")).unwrap();
    commit.packages = vec![package("b", "2"), package("c", "1")];
    let new = place.repo.commit(&commit, &mut |_| {}).unwrap();
    let diff = place.repo.diff(&old, &place.repo, &new).unwrap();
    let found: BTreeMap<&str, &[Aspect]> =
        diff.files.iter().map(|change| (change.path.as_str(), change.aspects.as_slice())).collect();
    // Writing to a set-uid file as root keeps the bit.
    assert_eq!(found["/usr/bin/tool"], [Aspect::Content]);
    assert_eq!(found["/usr/etc/hostname"], [Aspect::Mode]);
    assert_eq!(found["/usr/share/many"], [Aspect::Owner]);
    assert_eq!(found["/usr/share/many/file3"], [Aspect::Removed]);
    assert_eq!(found["/usr/share/many/file4"], [Aspect::Kind]);
    assert_eq!(found["/usr/share/new/deep/file"], [Aspect::Added]);
    assert_eq!(found["/home"], [Aspect::Content]);
    let theirs = ostree(&["diff", &place.at(), old.as_str(), new.as_str()]);
    for line in theirs.lines() {
        let path = line.split_whitespace().nth(1).unwrap();
        assert!(found.contains_key(path), "{line}: {found:?}");
    }
    assert_eq!(diff.packages.changed, [(package("b", "1"), package("b", "2"))]);
    assert_eq!((diff.packages.added, diff.packages.removed), (vec![package("c", "1")], vec![package("a", "1")]));
    assert!(place.repo.diff(&old, &place.repo, &old).unwrap().is_empty());
}

#[test]
fn host_fsck_finds_what_is_damaged_and_what_is_missing() {
    let place = Place::new(Mode::Archive);
    place.commit(&place.tree("tree", "1"), "os");
    let clean = place.repo.fsck(&mut |_, _| {}).unwrap();
    assert!(clean.problems.is_empty() && clean.objects > 40 && clean.commits == 1, "{clean:?}");
    let objects =
        run("find", &[place.repo.path().join("objects").to_str().unwrap(), "-name", "*.filez", "-size", "+1k"]);
    let files: Vec<&str> = objects.lines().collect();
    let mut data = fs::read(files[0]).unwrap();
    let middle = data.len() / 2;
    data[middle] ^= 1;
    fs::write(files[0], data).unwrap();
    fs::remove_file(files[1]).unwrap();
    let found = place.repo.fsck(&mut |_, _| {}).unwrap();
    let name = |path: &str| {
        let parts: Vec<&str> = path.trim_end_matches('z').rsplit('/').take(2).collect();
        format!("{}{}", parts[1], parts[0])
    };
    let what: Vec<&str> = found.problems.iter().map(|problem| problem.what.as_str()).collect();
    let mut expected = [name(files[0]), name(files[1])];
    expected.sort();
    assert_eq!(what, expected, "{found:?}");
    let theirs = isotope_sys::command::Tool::new("ostree").args(["fsck", &place.at()]).run();
    assert!(theirs.is_err());
}

#[test]
fn host_a_client_takes_the_static_delta() {
    let place = Place::new(Mode::Archive);
    let first = place.commit(&place.tree("tree1", "1"), "os");
    let second = place.commit(&place.tree("tree2", "2"), "os");
    let size = place.repo.static_delta(Some(&first), &second).unwrap();
    assert!(size.0 > 100, "{size}");
    assert_eq!(place.repo.static_delta(Some(&first), &second).unwrap(), size);
    place.repo.static_delta(None, &second).unwrap();
    assert_eq!(place.repo.static_deltas().unwrap().len(), 2);
    place.repo.update_summary().unwrap();
    let listed = ostree(&["static-delta", "list", &place.at()]);
    assert!(listed.contains(&format!("{first}-{second}")), "{listed}");
    let server = Server::start(place.repo.path());
    let client = Repo::create(place.path("client"), Mode::Bare).unwrap();
    client.set_remote(&Remote::new("r", server.url(), Verify::None)).unwrap();
    client.pull(&Pull::new("r", [first.as_str()]), &mut |_| {}).unwrap();
    client.set_ref("r:os", Some(&first)).unwrap();
    server.take_log();
    let pulled = client.pull(&Pull::new("r", ["os"]), &mut |_| {}).unwrap();
    let asked = server.take_log();
    assert!(pulled.delta_parts > 0, "{pulled:?} {asked:?}");
    // libostree reads the new tree while the delta's parts still come, and may ask for what they bring.
    let loose = asked.iter().filter(|path| path.ends_with(".filez")).count();
    assert!(loose < 5, "{asked:?}");
    ostree(&["fsck", &format!("--repo={}", client.path().display())]);
}

#[test]
fn host_a_checkout_is_the_tree_that_was_committed() {
    for mode in [Mode::Archive, Mode::Bare] {
        let place = Place::new(mode);
        let tree = place.tree("tree", "1");
        let commit = place.commit(&tree, "os");
        let out = place.path("out");
        let options = CheckoutOptions { owners: true, ..CheckoutOptions::default() };
        place.repo.checkout(&commit, &out, &options).unwrap();
        assert_eq!(listing(&tree), listing(&out), "{mode:?}");
        run("diff", &["-r", "--no-dereference", tree.to_str().unwrap(), out.to_str().unwrap()]);
        let capable = run("getcap", &[out.join("usr/share/many/file1").to_str().unwrap()]);
        assert!(capable.contains("cap_net_raw"), "{capable}");
        // Copies: who writes to them damages nothing.
        assert_eq!(fs::metadata(out.join("usr/etc/hostname")).unwrap().nlink(), 1);
        // Never over something that is there.
        assert!(place.repo.checkout(&commit, &out, &options).unwrap_err().to_string().contains("out"));
        let part = place.path("part");
        let options = CheckoutOptions { subpath: Some("/usr/etc".to_owned()), ..CheckoutOptions::default() };
        place.repo.checkout(&commit, &part, &options).unwrap();
        assert_eq!(fs::read_to_string(part.join("hostname")).unwrap(), "test\n");
        assert_eq!(fs::metadata(part.join("hostname")).unwrap().uid(), 0);
        let options = CheckoutOptions { subpath: Some("/nowhere".to_owned()), ..CheckoutOptions::default() };
        assert!(place.repo.checkout(&commit, &place.path("x"), &options).is_err());
        let left: Vec<_> = fs::read_dir(place.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 4, "{left:?}");
    }
}

/// Names, kinds, modes, owners, sizes, targets.
fn listing(root: &Path) -> String {
    run("sh", &["-c", &format!("cd {} && find . -printf '%P %y %m %U %G %l\\n' | sort", root.display())])
}

#[test]
fn host_files_known_by_hard_links_are_not_read_again() {
    let place = Place::new(Mode::Bare);
    let tree = place.tree("tree", "1");
    let first = place.commit(&tree, "os");
    let out = place.path("out");
    let options = CheckoutOptions { owners: true, links: true, ..CheckoutOptions::default() };
    place.repo.checkout(&first, &out, &options).unwrap();
    fs::write(out.join("usr/share/added"), "new").unwrap();
    let mut commit = Commit::new(&out, "os");
    commit.linked = true;
    let second = place.repo.commit(&commit, &mut |_| {}).unwrap();
    let diff = place.repo.diff(&first, &place.repo, &second).unwrap();
    assert_eq!(diff.files.len(), 1, "{diff:?}");
    ostree(&["fsck", &place.at()]);
}

#[test]
fn host_a_trees_libostree_is_looked_at() {
    let place = Place::new(Mode::Archive);
    let tree = place.tree("tree", "1");
    let commit = place.commit(&tree, "os");
    assert_eq!(place.repo.tree_checks_ed25519(&commit).unwrap(), None);
    // The host's own, beside what its command says of it.
    let dir = tree.join("usr/lib/x86_64-linux-gnu");
    fs::create_dir_all(&dir).unwrap();
    let library = run("sh", &["-c", "ldconfig -p | grep -o '/.*libostree-1.so.1$' | head -n1"]);
    fs::copy(fs::canonicalize(library).unwrap(), dir.join("libostree-1.so.1.0.0")).unwrap();
    symlink("libostree-1.so.1.0.0", dir.join("libostree-1.so.1")).unwrap();
    let commit = place.commit(&tree, "os");
    let can = ostree(&["--version"]).contains("sign-ed25519");
    assert_eq!(place.repo.tree_checks_ed25519(&commit).unwrap(), Some(can));
}

#[test]
fn host_names_of_remotes_lead_nowhere() {
    let place = Place::new(Mode::Archive);
    for name in ["../up", "a/b", ""] {
        assert!(place.repo.set_remote(&Remote::new(name, "http://h/", Verify::None)).is_err(), "{name:?}");
    }
}

#[test]
fn host_what_is_no_repository_or_no_tree_is_said() {
    let place = Place::new(Mode::Archive);
    let error = Repo::open(place.path("nowhere")).unwrap_err();
    assert!(error.to_string().contains("is no ostree repository"), "{error}");
    let error = place.repo.commit(&Commit::new(&place.path("nowhere"), "os"), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("cannot open the tree"), "{error}");
    let empty = place.path("empty");
    fs::create_dir(&empty).unwrap();
    assert!(place.repo.commit(&Commit::new(&empty, "os"), &mut |_| {}).is_err());
    for name in ["", "a b", "-x", "../x"] {
        let mut commit = Commit::new(&empty, name);
        commit.bootable = false;
        assert!(place.repo.commit(&commit, &mut |_| {}).is_err(), "{name:?}");
    }
    assert_eq!(place.repo.refs().unwrap().len(), 0);
}

#[test]
fn host_commits_of_small_trees_at_the_same_time_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repo");
    Repo::create(&path, Mode::Archive).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (path, tree) = (&path, dir.path().join(format!("tree-{writer}")));
            scope.spawn(move || {
                let repo = Repo::open(path).unwrap();
                repo.set_fsync(false);
                for number in 0..25 {
                    fs::create_dir(&tree).unwrap();
                    support::tree(&tree, &format!("{writer}.{number}"));
                    repo.commit(&Commit::new(&tree, format!("test/{writer}")), &mut |_| {}).unwrap();
                    fs::remove_dir_all(&tree).unwrap();
                }
            });
        }
    });
    let repo = Repo::open(&path).unwrap();
    assert_eq!(repo.refs().unwrap().len(), 3);
}
