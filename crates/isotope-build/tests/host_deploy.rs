//! Deployments as targets: pulled, deployed, written to as a booted system could, and put onto a disk. Needs root, loop devices and the
//! command `ostree`, which is asked for its opinion.

mod support;

use isotope_build::DeployedCommit;
use isotope_element::Phase;
use isotope_ostree::{Commit, Mode, Repo};
use isotope_plan::{
    EnvValue, Files, Format, OstreeDeploy, OstreeUpgrade, OstreeVerify, Services, StepAction, Sysprep, Write,
};
use isotope_sys::command::Tool;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use support::{Bench, Ended, TREE};

const REF: &str = "tiny/1/x86_64/host";

/// An archive repository with a commit that has a shell, a kernel and an initramfs (neither of which is one).
fn repository(dir: &Path, with_initramfs: bool) -> PathBuf {
    let tree = dir.join("tree");
    std::fs::create_dir(&tree).unwrap();
    Tool::new("sh").arg("-c").arg(TREE).env("TARGET_ROOT", &tree).run().unwrap();
    for name in ["boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "usr/lib/modules/6.1"] {
        std::fs::create_dir_all(tree.join(name)).unwrap();
    }
    std::fs::remove_dir(tree.join("root")).unwrap();
    std::fs::remove_dir_all(tree.join("var")).unwrap();
    std::fs::create_dir(tree.join("var")).unwrap();
    for (link, content) in
        [("home", "var/home"), ("root", "var/roothome"), ("ostree", "sysroot/ostree"), ("usr/local", "../var/usrlocal")]
    {
        symlink(content, tree.join(link)).unwrap();
    }
    std::fs::write(tree.join("usr/lib/modules/6.1/vmlinuz"), "kernel").unwrap();
    if with_initramfs {
        std::fs::write(tree.join("usr/lib/modules/6.1/initramfs.img"), "initramfs").unwrap();
    }
    std::fs::write(tree.join("usr/lib/os-release"), "ID=tiny\nPRETTY_NAME=\"Tiny 1\"\n").unwrap();
    std::fs::write(tree.join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::write(tree.join("usr/lib/tool"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(tree.join("usr/lib/tool"), std::fs::Permissions::from_mode(0o4755)).unwrap();
    std::fs::rename(tree.join("etc"), tree.join("usr/etc")).unwrap();
    let repo = Repo::create(dir.join("repo"), Mode::Archive).unwrap();
    let commit = Commit { version: Some("1.0".to_owned()), ..Commit::new(&tree, REF) };
    repo.commit(&commit, &mut |_| {}).unwrap();
    dir.join("repo")
}

fn deploy(repo: &Path) -> OstreeDeploy {
    OstreeDeploy {
        stateroot: "tiny".into(),
        remote: "origin".into(),
        url: format!("file://{}", repo.display()),
        rev: REF.into(),
        composed: false,
        verify: OstreeVerify::None,
        upgrade: OstreeUpgrade {
            url: Some("http://127.0.0.1/upgrades".into()),
            reference: Some(REF.into()),
            verify: OstreeVerify::None,
        },
        root: "LABEL=root".into(),
        kernel_args: ["root=LABEL=root", "rw", "console=tty0", "console=ttyS0"].map(str::to_owned).to_vec(),
    }
}

fn write(dest: &str, text: &str) -> StepAction {
    StepAction::Write(Write { dest: dest.into(), content: EnvValue::from(text.to_owned()), mode: 0o644 })
}

fn bench() -> Bench {
    let mut bench = Bench::new();
    let repo = repository(bench.dir.path(), true);
    bench.step(Phase::Root, "deploy", StepAction::OstreeDeploy(deploy(&repo)));
    bench
}

fn deployed(ended: &Ended) -> DeployedCommit {
    let report = ended.stdout.lines().last().unwrap();
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    serde_json::from_value(report["deployed"].clone()).unwrap()
}

/// The root filesystem of a raw disk, mounted; unmounted when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn of(raw: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let offset = 1 << 20;
        Tool::new("mount").args(["-o", &format!("ro,loop,offset={offset}")]).args([raw, dir.path()]).run().unwrap();
        Self(dir)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Tool::new("umount").arg(self.0.path()).run().unwrap();
    }
}

#[test]
fn host_a_deployment_becomes_a_disk() {
    for work in ["memory", "disk"] {
        let mut bench = bench();
        let hook = "#!/bin/sh\nset -eu\necho hello >/etc/from-hook\necho data >/var/lib/data\nmkdir -p /usr/local/bin\n\
            echo script >/usr/local/bin/script\ntouch /usr/x 2>/dev/null || echo usr is read-only\n\
            touch /x 2>/dev/null || echo root is read-only\ntest -d /sysroot/ostree/repo && echo sysroot is there\n\
            echo root: $ISOTOPE_PHASE; ls /boot/loader/syslinux.cfg\n";
        bench.hook(Phase::Install, "50-hook", hook);
        bench.step(Phase::PostInstall, "etc", write("/etc/written", "text\n"));
        bench.step(Phase::PostInstall, "home", write("/home/user/file", "mine\n"));
        bench.step(Phase::PostRoot, "sysprep", StepAction::Sysprep(Sysprep { remove: vec!["/etc/from-hook".into()] }));
        bench.disk().export(Format::Raw, "tiny.raw");
        let ended = bench.run(&[work]);
        ended
            .assert_ok()
            .assert_line("usr is read-only")
            .assert_line("root is read-only")
            .assert_line("sysroot is there");
        let told = deployed(&ended);
        assert_eq!((told.version.as_deref(), told.reference.as_str()), (Some("1.0"), REF));
        assert_eq!(told.verified, "none");
        assert_eq!(bench.left(), Vec::<String>::new());

        let disk = Mounted::of(&bench.path("out/tiny.raw"));
        let root = disk.0.path();
        let mut names: Vec<_> = root.read_dir().unwrap().flatten().map(|entry| entry.file_name()).collect();
        names.retain(|name| name != "lost+found");
        names.sort();
        assert_eq!(names, ["boot", "ostree"], "{names:?}");
        let dir = root.join(format!("ostree/deploy/tiny/deploy/{}.0", told.commit));
        let text = |path: &str| std::fs::read_to_string(dir.join(path)).unwrap();
        assert_eq!(text("etc/written"), "text\n");
        assert_eq!(text("etc/machine-id"), "");
        assert!(!dir.join("etc/from-hook").exists());
        let fstab = text("etc/fstab");
        assert!(fstab.contains("\nLABEL=root "), "{fstab}");
        let var = root.join("ostree/deploy/tiny/var");
        for (path, content) in
            [("lib/data", "data\n"), ("usrlocal/bin/script", "script\n"), ("home/user/file", "mine\n")]
        {
            assert_eq!(std::fs::read_to_string(var.join(path)).unwrap(), content);
        }
        let tool = dir.join("usr/lib/tool").metadata().unwrap();
        assert_eq!((tool.mode() & 0o7777, tool.nlink() > 1), (0o4755, true), "one file with the repository's");
        let flags = Tool::new("lsattr").arg("-d").arg(&dir).run().unwrap().text();
        assert!(flags.split(' ').next().unwrap().contains('i'), "{flags}");

        // The opinion of ostree itself.
        let ostree = |args: &[&str]| Tool::new("ostree").args(args).run().unwrap().text();
        let sysroot = format!("--sysroot={}", root.display());
        let status = ostree(&["admin", "status", &sysroot]);
        assert!(status.contains(&format!("origin refspec: origin:{REF}")), "{status}");
        let repo = format!("--repo={}", root.join("ostree/repo").display());
        ostree(&["fsck", "--quiet", &repo]);
        assert_eq!(ostree(&["remote", "show-url", "origin", &repo]), "http://127.0.0.1/upgrades");
        let entry = std::fs::read_to_string(root.join("boot/loader/entries/ostree-1-tiny.conf")).unwrap();
        let options = entry.lines().find(|line| line.starts_with("options ")).unwrap();
        assert!(
            options.starts_with("options root=LABEL=root rw console=tty0 console=ttyS0 ostree=/ostree/boot.1/tiny/"),
            "{options}"
        );
        let syslinux = std::fs::read_to_string(root.join("boot/loader/syslinux.cfg")).unwrap();
        assert!(syslinux.contains("LABEL Tiny 1"), "{syslinux}");
    }
}

#[test]
fn host_what_a_deployment_does_not_keep_is_refused_by_name() {
    let mut bench = bench();
    std::fs::create_dir_all(bench.path("element/files/usr/share/doc")).unwrap();
    std::fs::write(bench.path("element/files/usr/share/doc/x"), "x").unwrap();
    let files = Files { source: bench.path("element/files"), dest: "/".into(), mode: None };
    bench.step(Phase::PostInstall, "files", StepAction::Files(files));
    let ended = bench.run(&["memory"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("element tiny: /usr/share"), "{}", ended.stderr);
    assert!(ended.stdout.contains("treefile"), "the remedy is told: {}", ended.stdout);
    assert_eq!(bench.left(), Vec::<String>::new());

    let mut bench = self::bench();
    bench.hook(Phase::Install, "50-bad", "#!/bin/sh\nmkdir /usr/x\n");
    let ended = bench.run(&["memory"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("what belongs to /usr is part of the tree"), "{}", ended.stdout);
}

#[test]
fn host_commits_that_cannot_be_had_leave_nothing() {
    let bench = Bench::new();
    let repo = repository(bench.dir.path(), false);
    let cases = [
        (deploy(&repo), "initramfs"),
        (OstreeDeploy { rev: "tiny/2/x86_64/host".into(), ..deploy(&repo) }, REF),
        (OstreeDeploy { url: "file:///nowhere".into(), ..deploy(&repo) }, "/nowhere"),
        (OstreeDeploy { kernel_args: vec!["a\nb".into()], ..deploy(&repo) }, "line break"),
        (OstreeDeploy { stateroot: "../x".into(), ..deploy(&repo) }, "../x"),
    ];
    for (deploy, word) in cases {
        let mut bench = Bench::new();
        bench.step(Phase::Root, "deploy", StepAction::OstreeDeploy(deploy)).disk().export(Format::Raw, "tiny.raw");
        let ended = bench.run(&["disk"]);
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        assert_eq!(bench.left(), Vec::<String>::new());
        assert_eq!(bench.path("out").read_dir().unwrap().count(), 0);
        let work: Vec<_> = bench.path("cache/work").read_dir().unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(work, [".lock"], "a work directory is left");
    }
}

#[test]
fn host_units_are_enabled_by_the_tree_s_own_systemctl_or_told_missing() {
    let mut bench = bench();
    let services = Services { enable: vec!["x.service".into()], ..Services::default() };
    bench.step(Phase::PostInstall, "services", StepAction::Services(services));
    let ended = bench.run(&["memory"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("no systemctl"), "{}", ended.stderr);
}

#[test]
fn host_an_input_plan_comes_first_and_in_a_tree_of_its_own() {
    let mut input = Bench::with_tree();
    input.hook(Phase::PostInstall, "50-input", "#!/bin/sh\necho input >/made-by-input; echo input runs\n");
    let mut bench = bench();
    bench.hook(Phase::Install, "50-image", "#!/bin/sh\ntest ! -e /made-by-input; echo image runs\n");
    bench.inputs.push(input.plan());
    let ended = bench.run(&["memory"]);
    ended.assert_ok().assert_line("input runs").assert_line("image runs");
    let steps: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| event["event"] == "step-started")
        .collect();
    let numbers: Vec<_> = steps.iter().map(|event| (event["index"].as_u64(), event["total"].as_u64())).collect();
    assert_eq!(numbers, [(Some(1), Some(4)), (Some(2), Some(4)), (Some(3), Some(4)), (Some(4), Some(4))]);
}
