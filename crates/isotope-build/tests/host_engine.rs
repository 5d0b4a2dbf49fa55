//! The engine on a real kernel: namespaces, sandbox, hooks, failures. Needs root.

mod support;

use isotope_element::Phase;
use isotope_plan::{EnvValue, Files, Format, StepAction, Write};
use std::io::Write as _;
use std::process::Stdio;
use support::{Bench, Ended};

#[test]
fn host_a_tiny_plan_runs_in_memory_and_on_disk() {
    for work in ["memory", "disk"] {
        let mut bench = Bench::with_tree();
        bench.hook(
            Phase::Install,
            "50-hello",
            "#!/bin/sh\necho pid $$ in $(hostname) at $PWD as $(id -u), $ISOTOPE_PHASE\n",
        );
        let ended = bench.run(&[work]);
        ended.assert_ok();
        assert!(
            ended.lines().iter().any(|line| line.contains("in localhost at / as 0, install")),
            "{:#?}",
            ended.lines()
        );
        assert_eq!(bench.left(), Vec::<String>::new());
        let work: Vec<_> = bench.path("cache/work").read_dir().unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(work, [".lock"], "a work directory is left");
        assert_eq!(bench.path("cache/mount").read_dir().unwrap().count(), 0);
    }
}

#[test]
fn host_the_sandbox_has_its_own_kernel_file_systems() {
    let mut bench = Bench::with_tree();
    let script = "#!/bin/sh\n\
        set -e\n\
        echo dev: $(ls /dev)\n\
        echo x > /dev/null; cat /dev/null; dd if=/dev/zero bs=1 count=1 of=/tmp/zero 2>/dev/null\n\
        touch /dev/shm/x /run/x /tmp/kept\n\
        touch /sys/x 2>/dev/null || echo sys is read-only\n\
        echo one: $(readlink /proc/self/exe) $(ls /run/isotope)\n\
        touch /run/isotope/element/x 2>/dev/null || echo element is read-only\n\
        echo first: ${PATH%%:*}\n\
        test \"$(cat /etc/resolv.conf)\" = \"$HOSTS\" && echo resolv.conf is that of the host\n";
    let hosts = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default().trim_end().to_owned();
    bench.hook_with(Phase::Install, "50-look", script, &[("HOSTS", EnvValue::from(hosts))]);
    bench.hook(
        Phase::PostInstall,
        "50-again",
        "#!/bin/sh\ntest -e /tmp/kept && echo /tmp lives as long as the build\n",
    );
    bench.hook(
        Phase::PostRoot,
        "50-clean",
        "#!/bin/sh\ncd \"$TARGET_ROOT\"; echo left: $(ls -A dev proc sys tmp run etc | grep -v ^passwd)\ntest -e etc/resolv.conf || echo no trace\n",
    );
    let ended = bench.run(&["memory"]);
    ended
        .assert_ok()
        .assert_line("dev: fd full null ptmx pts random shm stderr stdin stdout tty urandom zero")
        .assert_line("sys is read-only")
        .assert_line("element is read-only")
        .assert_line("one: /usr/bin/readlink bin element")
        .assert_line("first: /run/isotope/bin")
        .assert_line("resolv.conf is that of the host")
        .assert_line("/tmp lives as long as the build")
        .assert_line("left: dev: etc: proc: run: sys: tmp:")
        .assert_line("no trace");
}

#[test]
fn host_a_hostile_tree_leads_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("precious"), "kept").unwrap();
    let mut bench = Bench::with_tree();
    let links = "#!/bin/sh\nset -e\ncd \"$TARGET_ROOT\"\n\
        rm -rf etc/resolv.conf etc/conf.d boot\n\
        ln -s \"$OUTSIDE/precious\" etc/resolv.conf\n\
        ln -s \"$OUTSIDE\" etc/conf.d\n\
        ln -s \"$OUTSIDE\" boot\n\
        mkdir -p \".$OUTSIDE\"\n\
        ln -s ../../../../../..\"$OUTSIDE\"/precious etc/fstab\n";
    let place = EnvValue::from(outside.path().display().to_string());
    bench.hook_with(Phase::Root, "50-hostile", links, &[("OUTSIDE", place)]);
    let write = |dest: &str| {
        StepAction::Write(Write { dest: dest.into(), content: EnvValue::from("mine".to_owned()), mode: 0o644 })
    };
    bench.step(Phase::PreInstall, "fstab", write("/etc/fstab"));
    bench.step(Phase::PreInstall, "grub.cfg", write("/boot/grub/grub.cfg"));
    std::fs::write(bench.path("element/file"), "mine").unwrap();
    let source = bench.path("element/file");
    bench.step(
        Phase::PreInstall,
        "file",
        StepAction::Files(Files { source, dest: "/etc/conf.d/precious".into(), mode: None }),
    );
    bench.hook(Phase::Install, "50-run", "#!/bin/sh\ntest -f /etc/resolv.conf && echo ran\nreadlink /boot\n");
    bench.hook(Phase::PostRoot, "50-look", "#!/bin/sh\nreadlink \"$TARGET_ROOT/etc/resolv.conf\"\ncat \"$TARGET_ROOT$(readlink \"$TARGET_ROOT/boot\")/grub/grub.cfg\"\n");
    let ended = bench.run(&["memory"]);
    ended
        .assert_ok()
        .assert_line("ran")
        .assert_line("mine")
        .assert_line(&format!("{}/precious", outside.path().display()));
    assert_eq!(std::fs::read_to_string(outside.path().join("precious")).unwrap(), "kept");
    assert_eq!(outside.path().read_dir().unwrap().count(), 1, "something was written outside of the target");
}

#[test]
fn host_a_tree_whose_tmp_is_a_link_is_refused() {
    let mut bench = Bench::with_tree();
    bench.hook(Phase::Root, "50-link", "#!/bin/sh\nln -s /var/tmp \"$TARGET_ROOT/tmp\"\n");
    bench.hook(Phase::Install, "50-run", "#!/bin/sh\n");
    let ended = bench.run(&["memory"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("/tmp of the target is not a directory"), "{}", ended.stderr);
}

#[test]
fn host_daemons_do_not_outlive_their_step() {
    let mut bench = Bench::with_tree();
    // It holds the hook's output open, which must not keep the build waiting.
    bench.hook(Phase::Install, "50-daemon", "#!/bin/sh\nsleep 31415 &\nsleep 31416 >/dev/null 2>&1 &\necho started\n");
    bench.hook(
        Phase::PostRoot,
        "50-look",
        "#!/bin/sh\nfor p in /proc/[0-9]*; do echo seen: $(tr '\\0' ' ' < $p/cmdline); done\nsleep 31417 &\n",
    );
    let begun = std::time::Instant::now();
    let ended = bench.run(&["memory"]);
    ended.assert_ok().assert_line("started");
    assert!(begun.elapsed().as_secs() < 60);
    assert!(!ended.lines().iter().any(|line| line.contains("sleep 3141")), "{:#?}", ended.lines());
    assert_eq!(support::processes("3141"), Vec::<i32>::new());
}

#[test]
fn host_a_failing_hook_says_what_happened() {
    let mut bench = Bench::with_tree();
    bench.hook(Phase::Install, "50-bad", "#!/bin/sh\necho one\necho two >&2\nsleep 31418 &\nexit 3\n");
    bench.hook(Phase::PostInstall, "50-never", "#!/bin/sh\necho never\n");
    let ended = bench.run(&["memory"]);
    assert_eq!(ended.code, Some(1));
    let failed = ended.stdout.lines().last().unwrap();
    let failed: serde_json::Value = serde_json::from_str(failed).unwrap();
    assert_eq!(failed["event"], "failed");
    assert_eq!(failed["step"], "install/50-bad");
    assert_eq!(failed["origin"]["element"], "tiny");
    assert_eq!(failed["tail"], serde_json::json!(["one", "two"]));
    assert_eq!(failed["class"], "configuration");
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.starts_with("hook install.d/50-bad of element tiny failed: ")
            && message.ends_with("ended with exit status 3"),
        "{message}"
    );
    assert!(failed["hints"][0].as_str().unwrap().contains("--on-error=shell"));
    let log = std::fs::read_to_string(failed["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("  two") && log.contains("FAILED install/50-bad"), "{log}");
    assert!(!ended.lines().contains(&"never".to_owned()));
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn host_secrets_are_not_told() {
    let mut bench = Bench::with_tree();
    let secret = EnvValue { value: "hunter22hunter".into(), secret: true };
    bench.hook_with(
        Phase::Install,
        "50-leak",
        "#!/bin/sh\necho the password is $PASSWORD\nexit 1\n",
        &[("PASSWORD", secret)],
    );
    // A plan read back from JSON carries no secrets: the value arrives as `***`, which is what must be seen.
    let ended = bench.run(&["memory"]);
    assert!(!ended.stdout.contains("hunter22"), "{}", ended.stdout);
}

#[test]
fn host_a_failed_tree_is_kept() {
    let mut bench = Bench::with_tree();
    bench.hook(Phase::Install, "50-bad", "#!/bin/sh\ntouch /etc/witness\nexit 1\n");
    let keep = bench.path("kept");
    let ended = bench.run(&["memory", &format!("keep={}", keep.display())]);
    assert_eq!(ended.code, Some(1));
    assert!(keep.join("etc/witness").exists() && keep.join("usr/bin/sh").exists());
    assert!(!keep.join("etc/resolv.conf").exists(), "the loan was taken back");
    let again = bench.run(&["memory", &format!("keep={}", keep.display())]);
    assert_eq!(again.code, Some(2), "a directory that is not empty is refused: {}", again.stderr);
}

#[test]
fn host_a_shell_opens_in_the_failed_sandbox() {
    let mut bench = Bench::with_tree();
    let value = EnvValue::from("seen".to_owned());
    bench.hook_with(Phase::Install, "50-bad", "#!/bin/sh\nexit 1\n", &[("MARK", value)]);
    let mut child = bench
        .command(&["memory", "shell"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"echo $MARK in $(ls /run/isotope/element) > /tmp/x; cat /tmp/x; sleep 31419 &\nexit\n")
        .unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("seen in install.d"), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(r#"{"event":"shell-ended"}"#));
    assert_eq!(support::processes("31419"), Vec::<i32>::new());
}

#[test]
fn host_syncing_costs_nothing_in_the_target() {
    let mut bench = Bench::with_tree();
    bench.hook(
        Phase::Install,
        "50-sync",
        "#!/bin/sh\ndd if=/dev/zero of=/root/file bs=64k count=64 conv=fsync 2>/dev/null && sync && echo synced\n",
    );
    bench.run(&["disk"]).assert_ok().assert_line("synced");
}

#[test]
fn host_a_tree_is_exported_with_clamped_times_and_a_manifest() {
    let mut bench = Bench::with_tree();
    bench.hook(
        Phase::Install,
        "50-new",
        "#!/bin/sh\ntouch /etc/new; touch -d @1000000000 /etc/old; ln -s new /etc/link\n",
    );
    bench.export(Format::Tar, "tiny.tar");
    bench.run(&["memory"]).assert_ok();
    let tar = std::fs::File::open(bench.path("out/tiny.tar")).unwrap();
    let mut times = std::collections::BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        times.insert(name.trim_start_matches("./").trim_end_matches('/').to_owned(), entry.header().mtime().unwrap());
    }
    assert_eq!((times["etc/new"], times["etc/link"], times["etc/old"]), (1_700_000_000, 1_700_000_000, 1_000_000_000));
    assert!(times.values().all(|time| *time <= 1_700_000_000));
    assert!(!times.contains_key("etc/resolv.conf"), "{times:?}");
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(bench.path("out/tiny.manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["outputs"][0]["file"], "tiny.tar");
    assert_eq!(manifest["source_date_epoch"], 1_700_000_000);
}

#[test]
fn host_a_disk_and_a_tree_are_exported_by_one_build() {
    let mut bench = Bench::with_tree();
    bench.disk();
    bench.hook(Phase::Finalise, "50-late", "#!/bin/sh\ntouch /etc/late\n");
    bench.export(Format::Raw, "tiny.raw").export(Format::Tar, "tiny.tar");
    bench.run(&["disk"]).assert_ok();
    let tar = std::fs::File::open(bench.path("out/tiny.tar")).unwrap();
    let names: Vec<String> = tar::Archive::new(tar)
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert!(names.iter().any(|name| name.ends_with("etc/late")), "the tree of the archive is that of the disk");
    assert!(names.iter().any(|name| name.ends_with("etc/fstab")));
    assert!(bench.path("out/tiny.raw").metadata().unwrap().len() > 1 << 20);
    assert_eq!(bench.left(), Vec::<String>::new());
}
