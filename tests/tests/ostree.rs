//! `isotope ostree …` on repositories, remotes and images that the `ostree` command made.

use isotope_sys::command::Tool;
use isotope_tests::{isotope_command, scratch};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

struct World {
    dir: tempfile::TempDir,
}

impl World {
    /// An archive with two commits of a tiny system.
    fn new() -> Self {
        let world = Self { dir: scratch("ostree") };
        let tree = world.path("tree");
        for dir in ["usr/lib/modules/6.1", "usr/etc", "boot", "dev", "proc", "run", "sys", "var"] {
            fs::create_dir_all(tree.join(dir)).unwrap();
        }
        for file in ["usr/lib/modules/6.1/vmlinuz", "usr/lib/modules/6.1/initramfs.img"] {
            fs::write(tree.join(file), "x").unwrap();
        }
        fs::write(tree.join("usr/lib/os-release"), "ID=x\nNAME=X\nPRETTY_NAME=\"X\"\n").unwrap();
        world.ostree(&["init", "--repo=archive", "--mode=archive"]);
        for version in ["1", "2"] {
            fs::write(tree.join("usr/etc/version"), version.repeat(version.parse().unwrap())).unwrap();
            let metadata = format!("--add-metadata-string=version={version}");
            let args =
                ["commit", "--repo=archive", "-b", "x/os", "--tree=dir=tree", "--bootable", "-s", "s", &metadata];
            world.ostree(&args);
        }
        world.ostree(&["summary", "-u", "--repo=archive"]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn tool(&self, program: &str, args: &[&str]) -> String {
        Tool::new(program).args(args).current_dir(self.dir.path()).run().unwrap().text()
    }

    fn ostree(&self, args: &[&str]) -> String {
        self.tool("ostree", args)
    }

    fn run(&self, args: &[&str]) -> Output {
        let command = &mut isotope_command(&self.path("cache"));
        command.args(args).current_dir(self.dir.path()).output().unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str], code: i32) -> serde_json::Value {
        let output = self.run(&[&["--json", "ostree"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn refuses(&self, args: &[&str], code: i32, words: &[&str]) {
        let output = self.run(&[&["ostree"], args].concat());
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{args:?} does not say {word:?}:\n{text}");
        }
    }

    /// A root directory with both commits deployed.
    fn root(&self) -> PathBuf {
        self.ostree(&["admin", "init-fs", "--modern", &self.made("root")]);
        self.ostree(&["admin", "os-init", "--sysroot=root", "x"]);
        self.ostree(&["config", "--repo=root/ostree/repo", "set", "sysroot.bootloader", "none"]);
        self.ostree(&["remote", "add", "--repo=root/ostree/repo", "--no-sign-verify", "r", "http://h/", "x/os"]);
        self.ostree(&["pull-local", "--repo=root/ostree/repo", "--remote=r", "--depth=-1", "archive", "x/os"]);
        for rev in ["r:x/os^", "r:x/os"] {
            let args = ["admin", "deploy", "--sysroot=root", "--os=x", "--karg=quiet", "--karg=root=LABEL=a", rev];
            self.ostree(&args);
        }
        self.path("root")
    }

    fn made(&self, name: &str) -> String {
        fs::create_dir(self.path(name)).unwrap();
        name.to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let deployments = Tool::new("find").arg(self.dir.path()).args(["-maxdepth", "7", "-path", "*/deploy/*.0"]);
        for dir in deployments.run().unwrap().text().lines() {
            Tool::new("chattr").args(["-i", dir]).run().ok();
        }
    }
}

#[test]
fn a_repository_and_a_remote_say_the_same() {
    let world = World::new();
    let head = world.ostree(&["rev-parse", "--repo=archive", "x/os"]);
    let url = format!("file://{}", world.path("archive").display());
    for subject in ["archive", &url] {
        let refs = world.json(&["refs", subject], 0);
        assert_eq!((&refs["x/os"]["checksum"], &refs["x/os"]["version"]), (&head.as_str().into(), &"2".into()));
        let log = world.json(&["log", subject], 0);
        assert_eq!(log.as_array().unwrap().len(), 2, "{log}");
        let list = world.json(&["ls", subject, "/usr/etc"], 0);
        assert_eq!((&list[0]["path"], &list[0]["size"]), (&"/usr/etc/version".into(), &2.into()));
        let diff = world.json(&["diff", subject], 1);
        assert_eq!(diff["files"][0]["path"], "/usr/etc/version", "{diff}");
        assert_eq!(diff["files"][0]["aspects"][0], "content");
        assert_eq!(world.json(&["diff", subject, "--from", &head], 0)["files"].as_array().unwrap().len(), 0);
        world.refuses(&["ls", subject, "/nowhere"], 2, &["has no /nowhere"]);
        world.refuses(&["ls", subject, "--rev", "x/so"], 2, &["did you mean `x/os`?"]);
        world.refuses(&["status", subject], 2, &["isotope ostree refs"]);
    }
    let diff = world.json(&["diff", "archive", "--from", "x/os^", "--with", &url], 1);
    assert_eq!(diff["files"].as_array().unwrap().len(), 1, "{diff}");
}

#[test]
fn a_checkout_of_a_remote_needs_somebody_to_trust() {
    let world = World::new();
    let url = format!("file://{}", world.path("archive").display());
    world.refuses(&["checkout", &url, "out"], 2, &["--gpg-key", "--no-verify"]);
    world.refuses(&["checkout", &url, "out", "--ed25519-key", "AAAA"], 2, &["no ed25519 public key"]);
    let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    world.refuses(&["checkout", &url, "out", "--ed25519-key", key], 3, &["is not signed", key]);
    assert!(!world.path("out").exists());
    world.json(&["checkout", &url, "out", "--no-verify"], 0);
    assert_eq!(fs::read_to_string(world.path("out/usr/etc/version")).unwrap(), "22");
    world.refuses(&["checkout", "archive", "out"], 4, &["out"]);
    world.json(&["checkout", "archive", "old", "--rev", "x/os^", "--path", "/usr/etc"], 0);
    assert_eq!(fs::read_to_string(world.path("old/version")).unwrap(), "1");
}

#[test]
fn fsck_has_a_verdict() {
    let world = World::new();
    assert_eq!(world.json(&["fsck", "archive"], 0)["problems"].as_array().unwrap().len(), 0);
    let list = world.tool("find", &["archive/objects", "-name", "*.filez"]);
    fs::write(world.path(list.lines().next().unwrap()), "damaged").unwrap();
    let report = world.json(&["fsck", "archive"], 1);
    assert_eq!(report["problems"].as_array().unwrap().len(), 1, "{report}");
    world.refuses(&["fsck", "nowhere"], 2, &["cannot open nowhere"]);
    world.refuses(&["refs", "tree"], 2, &["is no ostree repository"]);
}

#[test]
fn host_a_root_and_an_image_of_it_show_their_deployments() {
    let world = World::new();
    world.root();
    world.tool("truncate", &["-s", "64M", "image.raw"]);
    world.tool("mke2fs", &["-q", "-t", "ext4", "-d", "root", "image.raw"]);
    world.tool("qemu-img", &["convert", "-O", "qcow2", "image.raw", "image.qcow2"]);
    for subject in ["root", "image.raw", "image.qcow2"] {
        let status = world.json(&["status", subject], 0);
        let all = status.as_array().unwrap();
        assert_eq!(all.len(), 2, "{status}");
        assert_eq!((&all[0]["version"], &all[1]["version"]), (&"2".into(), &"1".into()));
        assert_eq!(all[0]["origin"], "r:x/os");
        let kargs: Vec<&str> = all[0]["kargs"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        assert_eq!(&kargs[..2], ["quiet", "root=LABEL=a"]);
        assert!(kargs[2].starts_with("ostree=/ostree/boot."), "{kargs:?}");
        // The two deployments are what is compared, and the default what is listed.
        assert_eq!(world.json(&["diff", subject], 1)["files"][0]["path"], "/usr/etc/version");
        assert_eq!(world.json(&["ls", subject, "/usr/etc"], 0)[0]["size"], 2);
        assert_eq!(world.json(&["fsck", subject], 0)["problems"].as_array().unwrap().len(), 0);
        let out = format!("out-{subject}");
        world.json(&["checkout", subject, &out], 0);
        assert_eq!(fs::read_to_string(world.path(&out).join("usr/etc/version")).unwrap(), "22");
    }
    let plain = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!plain.lines().any(|line| line.split(' ').nth(1) == Some("/mnt")), "something is still mounted");
    world.tool("truncate", &["-s", "8M", "plain.raw"]);
    world.tool("mke2fs", &["-q", "-t", "ext4", "plain.raw"]);
    world.refuses(&["status", "plain.raw"], 2, &["holds no atomic system", "has no /ostree/repo"]);
}

#[test]
fn host_a_deployment_takes_over_objects_of_the_one_before() {
    let world = World::new();
    let tree = world.path("tree");
    for dir in ["usr/share", "sysroot", "tmp"] {
        fs::create_dir(tree.join(dir)).unwrap();
    }
    for (link, to) in [("ostree", "sysroot/ostree"), ("root", "var/roothome")] {
        std::os::unix::fs::symlink(to, tree.join(link)).unwrap();
    }
    for (name, content) in [("stays", "the same in all commits"), ("goes", "not in the last one")] {
        fs::write(tree.join("usr/share").join(name), content).unwrap();
    }
    std::os::unix::fs::symlink("stays", tree.join("usr/share/link")).unwrap();
    let commit =
        || world.ostree(&["commit", "--repo=archive", "-b", "x/os", "--tree=dir=tree", "--bootable"]).trim().to_owned();
    fs::create_dir_all(world.path("elements/tiny-atomic")).unwrap();
    let element = r#"summary = "x"
requires = ["ostree-deploy"]
[distro]
name = "x"
family = "debian"
release = "1"
"#;
    fs::write(world.path("elements/tiny-atomic/element.toml"), element).unwrap();
    let url = format!("url=file://{}", world.path("archive").display());
    let build = |commit: &str, out: &str, more: &[&str]| {
        let settings = [url.clone(), format!("ref={commit}"), "verify=false".to_owned()];
        let settings = settings.map(|it| format!("--set=ostree-deploy.{it}"));
        let mut command = isotope_command(&world.path("cache"));
        command.args(["build", "tiny-atomic", "--elements-path", "elements"]).args(settings);
        command.args(["-o", "system", "-t", "tar", "--output-dir", out]);
        let output = command.args(more).env("SOURCE_DATE_EPOCH", "1767225600").current_dir(world.dir.path()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(world.path(out).join("system.tar.zst")).unwrap()
    };
    let first = commit();
    build(&first, "first", &[]);
    // What the layers are is written down, to be compared with what they are at the end.
    let verify = || {
        let output = world.run(&["cache", "verify"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    verify();
    fs::remove_file(tree.join("usr/share/goes")).unwrap();
    fs::write(tree.join("usr/share/new"), "of the last one").unwrap();
    let second = commit();
    let taken = build(&second, "second", &[]);

    // One file of both layers' repositories.
    let object = |commit: &str, path: &str| {
        let line = world.ostree(&["ls", "-C", "--repo=archive", commit, path]);
        let sum = line.split_whitespace().nth(4).unwrap().to_owned();
        PathBuf::from("ostree/repo/objects").join(&sum[..2]).join(format!("{}.file", &sum[2..]))
    };
    let layers = fs::read_dir(world.path("cache/layers")).unwrap().flatten();
    let trees: Vec<PathBuf> = layers.map(|layer| layer.path().join("upper/tree")).collect();
    let inodes = |path: &Path| -> Vec<u64> {
        let found = trees.iter().filter_map(|tree| tree.join(path).symlink_metadata().ok());
        found.map(|meta| std::os::unix::fs::MetadataExt::ino(&meta)).collect()
    };
    for path in ["/usr/share/stays", "/usr/share/link"] {
        let found = inodes(&object(&second, path));
        assert!(found.len() == 2 && found[0] == found[1], "{path}: {found:?}");
    }
    assert_eq!(inodes(&object(&first, "/usr/share/goes")).len(), 1, "what the commit does not have is not kept");
    build(&second, "clean", &["--no-layers"]);
    let list = |out: &str| world.tool("tar", &["--zstd", "--full-time", "-tvf", &format!("{out}/system.tar.zst")]);
    assert_eq!(list("second"), list("clean"), "another tree than one made at once");
    assert!(taken == fs::read(world.path("clean/system.tar.zst")).unwrap());
    assert!(taken == build(&second, "fresh", &["--refresh"]));
    verify();
}

#[test]
fn a_repository_leaves_the_cache_as_a_whole() {
    let world = World::new();
    let url = format!("file://{}", world.path("archive").display());
    world.json(&["ls", &url], 0);
    let kept = || Path::new(&world.path("cache/ostree/remotes")).read_dir().map_or(0, Iterator::count);
    assert_eq!(kept(), 1);
    assert!(world.run(&["cache", "prune", "--older-than", "1"]).status.success());
    assert_eq!(kept(), 1);
    let repo = fs::read_dir(world.path("cache/ostree/remotes")).unwrap().next().unwrap().unwrap().path();
    world.ostree(&["fsck", &format!("--repo={}", repo.display())]);
    assert!(world.run(&["cache", "prune"]).status.success());
    assert_eq!(kept(), 0);
}
