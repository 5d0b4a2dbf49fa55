//! Layers: an incremental build gives what a build from nothing gives, whatever was edited and whenever it was killed. Needs root.

mod support;

use isotope_element::Phase;
use isotope_plan::Format;
use std::time::{Duration, Instant};
use support::{Bench, Ended};

/// What each element does: it writes what it is and sees, and changes what those before it made.
const ELEMENTS: [(&str, Phase); 5] = [
    ("one", Phase::PreInstall),
    ("two", Phase::Install),
    ("three", Phase::Install),
    ("four", Phase::PostInstall),
    ("five", Phase::PostRoot),
];

fn script(element: &str, version: u32) -> String {
    let dir = if element == "five" { "$TARGET_ROOT" } else { "" };
    let own = if element == "five" { "$ISOTOPE_ELEMENT" } else { "/run/isotope/element" };
    let mut text = format!("#!/bin/sh\nset -e\n# version {version}\n");
    text.push_str(&format!("echo {element} {version} $WORD $(ls {own}/data 2>/dev/null) >> {dir}/log\n"));
    text.push_str(&match version % 5 {
        0 => format!(
            "mkdir -p {dir}/d/{element}; echo {version} > {dir}/d/{element}/f; ln -f {dir}/d/{element}/f {dir}/hard\n"
        ),
        1 => format!("rm -rf {dir}/d; mkdir {dir}/d; ln -sfn d {dir}/link\n"),
        2 => format!("if test -d {dir}/d; then mv {dir}/d {dir}/e.{element}; fi; touch {dir}/moved\n"),
        3 => format!("rm -f {dir}/hard {dir}/moved; cp -a {dir}/etc {dir}/copy.{element}.{version}\n"),
        _ => format!("mkdir -p {dir}/var/lib/{element}; cp -a {dir}/log {dir}/var/lib/{element}/\n"),
    });
    text
}

fn bench() -> Bench {
    let mut bench = Bench::with_tree();
    for (element, phase) in ELEMENTS {
        bench.hook_of(element, phase, &script(element, 0));
    }
    bench.export(Format::Tar, "tiny.tar");
    bench
}

/// A small generator of our own: the same edits each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn built(bench: &Bench, words: &[&str]) -> (Ended, Vec<u8>) {
    let ended = bench.run(words);
    ended.assert_ok();
    let tar = std::fs::read(bench.path("out/tiny.tar")).unwrap();
    (ended, tar)
}

/// How many steps were taken from the cache.
fn cached(ended: &Ended) -> usize {
    ended.stdout.lines().filter(|line| line.contains("\"step-finished\"") && line.contains("\"cached\"")).count()
}

fn edit(bench: &mut Bench, dice: &mut Dice) -> String {
    let (element, phase) = ELEMENTS[usize::try_from(dice.roll(5)).unwrap()];
    let version = u32::try_from(dice.roll(7)).unwrap();
    let dir = bench.path("elements").join(element);
    match dice.roll(4) {
        0 => bench.set(element, "WORD", &format!("w{version}")),
        1 => {
            std::fs::create_dir_all(dir.join("data")).unwrap();
            let path = dir.join("data").join(format!("f{version}"));
            if std::fs::remove_file(&path).is_err() {
                std::fs::write(path, "").unwrap();
            }
        }
        // A file is written again, and is what it was.
        2 => {
            let path = dir.join(format!("{phase}.d/50-{element}"));
            let text = std::fs::read(&path).unwrap();
            std::fs::write(path, text).unwrap();
        }
        _ => std::fs::write(dir.join(format!("{phase}.d/50-{element}")), script(element, version)).unwrap(),
    }
    format!("{element} {version}")
}

#[test]
fn host_layers_after_any_edit_give_what_a_build_from_nothing_gives() {
    let mut bench = bench();
    let mut dice = Dice(2026);
    let mut reused = 0;
    for round in 0..40 {
        let mut edits = vec![edit(&mut bench, &mut dice)];
        if dice.roll(3) == 0 {
            edits.push(edit(&mut bench, &mut dice));
        }
        let (ended, incremental) = built(&bench, &["layers", "clock"]);
        let (clean, whole) = built(&bench, &["clock"]);
        reused += cached(&ended);
        assert_eq!(cached(&clean), 0);
        assert!(incremental == whole, "round {round}, after {edits:?}:\n{}", ended.stdout);
    }
    assert!(reused > 60, "the cache was hardly used: {reused} steps");
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn host_layers_tell_what_has_changed_and_a_build_without_change_does_nothing() {
    let mut bench = bench();
    let (first, _) = built(&bench, &["layers", "clock"]);
    assert!(first.lines().iter().any(|line| line.contains("has not been done before")), "{:#?}", first.lines());
    let (same, _) = built(&bench, &["layers", "clock"]);
    assert_eq!(cached(&same), 7);
    assert!(same.lines().iter().any(|line| line.contains("nothing has changed")), "{:#?}", same.lines());
    let path = bench.path("elements/four/post-install.d/50-four");
    std::fs::write(&path, script("four", 3)).unwrap();
    let (changed, _) = built(&bench, &["layers", "clock"]);
    let why =
        "post-install/four is done again: post-install/four: file of element tiny: post-install.d/50-four changed";
    changed.assert_line(why);
    assert_eq!(cached(&changed), 4);
    bench.set("two", "WORD", "x");
    let (set, _) = built(&bench, &["layers", "clock"]);
    assert!(set.lines().iter().any(|line| line.contains("variable WORD is new")), "{:#?}", set.lines());
}

#[test]
fn host_layers_of_a_failed_build_are_where_the_next_one_goes_on() {
    let bench = bench();
    let path = bench.path("elements/four/post-install.d/50-four");
    std::fs::write(&path, "#!/bin/sh\nexit 7\n").unwrap();
    assert_eq!(bench.run(&["layers", "clock"]).code, Some(1));
    std::fs::write(&path, script("four", 1)).unwrap();
    let (ended, resumed) = built(&bench, &["layers", "clock"]);
    assert_eq!(cached(&ended), 4);
    let (_, whole) = built(&bench, &["clock"]);
    assert!(resumed == whole);
}

#[test]
fn host_layers_of_builds_killed_at_random_moments_are_whole_or_not_there() {
    let mut bench = Bench::with_tree();
    for (element, phase) in ELEMENTS {
        let script = script(element, 4).replace("set -e\n", "set -e\nsleep 0.02\n");
        bench.hook_of(element, phase, &script);
    }
    bench.export(Format::Tar, "tiny.tar");
    let mut dice = Dice(7);
    let start = Instant::now();
    let (_, whole) = built(&bench, &["clock"]);
    let usual = start.elapsed().max(Duration::from_millis(200));
    let mut ended = 0;
    for round in 0..100 {
        let mut child = bench.command(&["layers", "clock"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        let share = u32::try_from(dice.roll(1000)).unwrap();
        std::thread::sleep(usual * share / 1500);
        child.kill().ok();
        let status = child.wait().unwrap();
        ended += usize::from(status.code().is_none());
        // Now and then what is there is finished, and is what it would have been; then all is forgotten.
        if round % 10 == 9 {
            let (_, resumed) = built(&bench, &["layers", "clock"]);
            assert!(resumed == whole, "round {round}");
            std::fs::remove_dir_all(bench.path("cache/layers")).unwrap();
            std::fs::remove_dir_all(bench.path("cache/images")).unwrap();
        }
    }
    assert!(ended > 40, "only {ended} of 100 kills ended a build");
    built(&bench, &["layers", "clock"]);
    let half: Vec<_> =
        bench.path("cache/layers").read_dir().unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!half.iter().any(|name| name.to_string_lossy().starts_with(".new-")), "{half:?}");
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn host_layers_serve_two_builds_at_a_time() {
    let (one, mut two) = (bench(), bench());
    two.set("three", "WORD", "other");
    // One cache, the other's plan.
    let shared = one.path("cache");
    std::fs::remove_dir(two.path("cache")).unwrap();
    std::os::unix::fs::symlink(&shared, two.path("cache")).unwrap();
    let children = [&one, &two]
        .map(|bench| bench.command(&["layers", "clock"]).stdout(std::process::Stdio::null()).spawn().unwrap());
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for bench in [&one, &two] {
        let made = std::fs::read(bench.path("out/tiny.tar")).unwrap();
        let (_, whole) = built(bench, &["clock"]);
        assert!(made == whole);
    }
}
