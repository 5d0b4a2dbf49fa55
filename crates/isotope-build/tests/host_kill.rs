//! Crash-only: whichever process of a build is killed, at whatever moment, nothing of it is left. Needs root.

mod support;

use isotope_element::Phase;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use support::Bench;

/// The process and all below it: number → what it is.
fn family(root: u32) -> BTreeMap<u32, String> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let mut words = rest.split_whitespace();
        let state = words.next().unwrap_or_default();
        let parent: u32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        if state != "Z" {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            parents.insert(pid, (parent, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    let mut found = BTreeMap::new();
    let mut queue = vec![root];
    while let Some(pid) = queue.pop() {
        if let Some((_, line)) = parents.get(&pid) {
            found.insert(pid, line.clone());
        }
        queue.extend(parents.iter().filter(|(_, (parent, _))| *parent == pid).map(|(pid, _)| *pid));
    }
    found
}

fn kill(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, signal).ok();
}

/// Processes of `family` that still live after a moment.
fn survivors(family: &BTreeMap<u32, String>, patience: Duration) -> Vec<String> {
    let end = Instant::now() + patience;
    loop {
        let alive: Vec<String> = family
            .iter()
            .filter(|(pid, line)| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                let zombie = stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'));
                let now = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                !zombie && String::from_utf8_lossy(&now).replace('\0', " ") == **line
            })
            .map(|(pid, line)| format!("{pid} {line}"))
            .collect();
        if alive.is_empty() || Instant::now() > end {
            return alive;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is left after a moment: the kernel detaches loop devices from a work queue.
fn settled(bench: &Bench) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(5);
    while !bench.left().is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    bench.left()
}

fn busy_bench() -> Bench {
    let mut bench = Bench::with_tree();
    bench.hook(Phase::Install, "50-busy", "#!/bin/sh\nsleep 27182 &\nsleep 0.3\n");
    bench.hook(Phase::PostInstall, "50-more", "#!/bin/sh\n(sleep 27182; sleep 27182) >/dev/null 2>&1 &\nsleep 0.3\n");
    bench.hook(Phase::PostRoot, "50-host", "#!/bin/sh\nsleep 27182 &\nsleep 0.1\n");
    bench.disk();
    bench.hook(Phase::PreFinalise, "50-on-disk", "#!/bin/sh\ncd \"$TARGET_ROOT\"; sleep 27182 &\nsleep 0.2\n");
    bench.hook(Phase::Finalise, "50-in-disk", "#!/bin/sh\nsleep 27182 &\nsleep 0.2\n");
    bench
}

fn start(bench: &Bench, work: &str) -> Child {
    bench.command(&[work]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn host_kill_any_process_at_any_moment() {
    let bench = busy_bench();
    let begun = Instant::now();
    assert!(start(&bench, "memory").wait().unwrap().success());
    let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let mut random = u64::from(std::process::id()) | 1;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut killed = 0;
    for round in 0..30 {
        let mut child = start(&bench, if round % 2 == 0 { "memory" } else { "disk" });
        let moment = Duration::from_micros(next(whole));
        std::thread::sleep(moment);
        let family = family(child.id());
        let Some(victim) = family.keys().nth(usize::try_from(next(family.len().max(1) as u64)).unwrap()) else {
            continue;
        };
        kill(*victim, nix::sys::signal::Signal::SIGKILL);
        let status = child.wait().unwrap();
        killed += u32::from(!status.success());
        let alive = survivors(&family, Duration::from_secs(10));
        assert!(
            alive.is_empty(),
            "round {round} after {moment:?}, {victim} ({}) killed: {alive:?} live on",
            family[victim]
        );
        assert_eq!(settled(&bench), Vec::<String>::new(), "round {round} after {moment:?}");
        assert_eq!(bench.path("out").read_dir().unwrap().count(), 0);
    }
    assert!(killed > 5, "only {killed} kills hit a running build");
    assert!(start(&bench, "disk").wait().unwrap().success());
    let work: Vec<_> = bench.path("cache/work").read_dir().unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(work, [".lock"], "the next start leaves nothing of the dead ones");
}

#[test]
fn host_each_link_of_the_chain_takes_the_others_with_it() {
    let bench = busy_bench();
    // The caller, the supervisor, PID 1.
    for depth in 0..3 {
        let mut child = start(&bench, "memory");
        let end = Instant::now() + Duration::from_secs(20);
        while !family(child.id()).values().any(|line| line.contains("50-busy")) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let family = family(child.id());
        let chain: Vec<u32> =
            family.iter().filter(|(_, line)| line.contains("isotope-run-plan")).map(|(pid, _)| *pid).collect();
        assert_eq!(chain.len(), 3, "{family:?}");
        kill(chain[depth], nix::sys::signal::Signal::SIGKILL);
        let status = child.wait().unwrap();
        match depth {
            0 => assert_eq!(status.signal(), Some(9)),
            _ => assert_eq!(status.code(), Some(137), "the caller says what happened"),
        }
        let alive = survivors(&family, Duration::from_secs(5));
        assert!(alive.is_empty(), "link {depth}: {alive:?}");
        assert_eq!(settled(&bench), Vec::<String>::new());
    }
}

#[test]
fn host_an_interrupt_leaves_nothing_and_says_so() {
    for (signal, code) in [(nix::sys::signal::Signal::SIGINT, 130), (nix::sys::signal::Signal::SIGTERM, 143)] {
        for work in ["memory", "disk"] {
            let bench = busy_bench();
            let child = bench.command(&[work]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(900));
            let family = family(child.id());
            kill(child.id(), signal);
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(code));
            assert_eq!(String::from_utf8_lossy(&output.stderr), "interrupted; nothing is left behind\n");
            // At once: by the time the caller ends, everything has.
            let alive = survivors(&family, Duration::ZERO);
            assert!(alive.is_empty(), "{alive:?}");
            assert_eq!(bench.left(), Vec::<String>::new());
            let work: Vec<_> =
                bench.path("cache/work").read_dir().unwrap().flatten().map(|entry| entry.file_name()).collect();
            assert_eq!(work, [".lock"]);
        }
    }
}
