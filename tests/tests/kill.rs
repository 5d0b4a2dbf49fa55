//! Crash-only: `kill -9` of any process of a build, at any moment, leaves no mount, loop device, process, half image or (after
//! the next start) temporary directory. Counted over many random moments.

#![expect(clippy::print_stdout, reason = "the count of kills is the result")]

use isotope_tests::{isotope_command, leaks, scratch};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How many kills: `ISOTOPE_KILLS`, else 100.
fn kills() -> u32 {
    std::env::var("ISOTOPE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// A xorshift generator: the seed is printed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below.max(1)
    }
}

fn start(cache: &Path, out: &Path, work: &str) -> Child {
    isotope_command(cache)
        // Everything is done, and layers are made and replaced, each time.
        .args([
            "--quiet",
            "build",
            "--refresh",
            "tiny-os",
            "tiny-disk",
            "-o",
            "tiny",
            "-t",
            "qcow2,raw,vmdk",
            "--work",
            work,
        ])
        .args(["--set", "tiny-os.sleep=0.2", "--output-dir"])
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(pid: u32, name: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's own tool")]
    let mut kill = std::process::Command::new("kill");
    drop(kill.args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status());
}

/// Waits until all of `family` are gone; the kernel takes a moment to end a PID namespace.
fn wait_gone(family: &leaks::Processes) -> Vec<u32> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let alive = leaks::alive(family);
        if alive.is_empty() || Instant::now() > end {
            return alive;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Loop devices are detached by the kernel when the last reference goes, in a work queue.
fn settled<T>(look: impl Fn() -> Vec<T>) -> Vec<T> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let found = look();
        if found.is_empty() || Instant::now() > end {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is under its final name is whole.
fn assert_whole(out: &Path) {
    for name in leaks::files(out) {
        let path = out.join(&name);
        let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_owned();
        match kind.as_str() {
            "qcow2" | "vmdk" => {
                #[expect(clippy::disallowed_methods, reason = "the oracle")]
                let mut check = std::process::Command::new("qemu-img");
                let output = check.arg("check").arg(&path).output().unwrap();
                assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            }
            "raw" | "json" | "sha256" => {
                assert!(path.metadata().unwrap().len() > 0, "{name} is empty");
            }
            _ => panic!("a kill left {name} in the output directory"),
        }
    }
}

#[test]
fn host_kill_at_random_moments_leaves_nothing() {
    let scratch = scratch("kill");
    let (cache, out) = (scratch.path().join("cache"), scratch.path().join("out"));
    std::fs::create_dir_all(&out).unwrap();
    let begin = Instant::now();
    assert!(start(&cache, &out, "auto").wait().unwrap().success(), "the undisturbed build failed");
    let whole = begin.elapsed();
    let seed = u64::from(std::process::id()) | 1;
    println!("one build takes {whole:?}; seed {seed}");
    let mut random = Random(seed);
    let (mut early, mut late) = (0, 0);
    for round in 0..kills() {
        std::fs::remove_dir_all(&out).unwrap();
        std::fs::create_dir_all(&out).unwrap();
        let work = if round % 2 == 0 { "memory" } else { "disk" };
        let mut child = start(&cache, &out, work);
        let moment = Duration::from_micros(random.next(u64::try_from(whole.as_micros()).unwrap()));
        std::thread::sleep(moment);
        let family = leaks::family(child.id());
        let members: Vec<u32> = family.keys().copied().collect();
        // Half of the time the leader, by one of three signals; else any process of the family, by KILL.
        let at = usize::try_from(random.next(u64::try_from(members.len()).unwrap_or(1))).unwrap_or(0);
        match (random.next(2), random.next(3)) {
            (0, 0) => signal(child.id(), "INT"),
            (0, 1) => signal(child.id(), "TERM"),
            (0, _) => signal(child.id(), "KILL"),
            _ => members.get(at).into_iter().for_each(|pid| signal(*pid, "KILL")),
        }
        let status = child.wait().unwrap();
        if status.success() {
            late += 1
        } else {
            early += 1
        }
        let alive = wait_gone(&family);
        assert!(alive.is_empty(), "round {round} at {moment:?}: processes {alive:?} live on");
        let loops = settled(|| leaks::loops(scratch.path()));
        assert!(loops.is_empty(), "round {round} at {moment:?}: {loops:?}");
        let mounts = settled(|| leaks::mounts(scratch.path()));
        assert!(mounts.is_empty(), "round {round} at {moment:?}: {mounts:?}");
        assert_whole(&out);
    }
    assert!(start(&cache, &out, "disk").wait().unwrap().success(), "the build after the kills failed");
    let left: Vec<String> =
        leaks::files(&cache).into_iter().filter(|name| name.contains("work/") && !name.ends_with("lock")).collect();
    assert!(left.is_empty(), "the next start left {left:?} of earlier builds");
    println!("{} kills: {early} ended a build, {late} came too late or hit a bystander; nothing was left", kills());
}
