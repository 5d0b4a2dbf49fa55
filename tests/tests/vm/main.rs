//! Booted guests: what issue 2 promises of an image, seen from inside it. `cargo test -p isotope-tests --test vm [NAME…]`.
//!
//! A runner of its own, because guests are slow: one image is built and shared, two guests run side by side, each step prints
//! its time as it ends, and the last lines are a table and `N passed, N failed`. What is missing on the host is a failure.
//!
//! Environment: `ISOTOPE_TEST_IMAGE`, and the same with `_XFS`, `_BTRFS`, `_ATOMIC`, `_STORAGE`, `_STORAGE_ATOMIC`, `_STORAGE_TRIXIE` and
//! `_MAGNUM`, name finished images (otherwise the `isotope` binary builds them from the recipes); `ISOTOPE_TEST_STORAGE_CASES` limits the
//! table of storage to cases with that word; `ISOTOPE_TEST_LANES` is how many guests run side by side; `ISOTOPE_TEST_ACCEL` is `kvm` or
//! `tcg`. Evidence of failures and `junit.xml` are kept in `target/vm-tests`.
#![expect(clippy::print_stdout, reason = "a test runner talks to its terminal")]

mod article;
mod atomic;
mod bench;
mod command;
mod dib;
mod images;
mod kernels;
mod magnum;
mod refusal;
mod scenarios;
mod storage;
mod volumes;

use bench::{Bench, Report, Step};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let filter = Filter::parse(&args);
    if args.iter().any(|arg| arg == "--list") {
        return list(&args);
    }
    let named = scenarios::NAMED.iter().filter(|case| filter.names(case.name));
    let cases: VecDeque<_> = named.chain(scenarios::ALL.iter().filter(|case| filter.wants(case.name))).collect();
    if cases.is_empty() {
        println!("no scenario is wanted; there are: {}\n0 passed, 0 failed", names().join(", "));
        return if filter.is_a_workspaces() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let started = Instant::now();
    let bench = match Bench::new() {
        Ok(bench) => bench,
        Err(error) => {
            println!("cannot run guests here: {error:#}\n0 passed, {} failed", cases.len());
            return ExitCode::FAILURE;
        }
    };
    println!("{} because {}; {} guests side by side", bench.accel.accel.name(), bench.accel.reason, bench.lanes);
    for case in scenarios::NAMED.iter().filter(|case| !filter.names(case.name)) {
        println!("skipped: {0} (runs when it is named: cargo test -p isotope-tests --test vm {0})", case.name);
    }
    let mut steps = run(&bench, cases);
    steps.extend(scenarios::compare_identities(&bench));
    finish(&bench, &steps, started)
}

/// The arguments of Rust's own test harness, as far as `cargo test` and nextest pass them to every test program.
struct Filter {
    names: Vec<String>,
    skip: Vec<String>,
}

impl Filter {
    fn parse(args: &[String]) -> Self {
        let (mut names, mut skip) = (Vec::new(), Vec::new());
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.strip_prefix("--") {
                Some("skip") => skip.extend(args.next().cloned()),
                // Options with a value of their own.
                Some("format" | "test-threads" | "color") => drop(args.next()),
                Some(_) => {}
                None => names.push(arg.clone()),
            }
        }
        Self { names, skip }
    }

    fn wants(&self, name: &str) -> bool {
        (self.names.is_empty() || self.names.iter().any(|word| name.contains(word.as_str())))
            && !self.skip.iter().any(|word| name.contains(word.as_str()))
    }

    /// Somebody asks for just this one.
    fn names(&self, name: &str) -> bool {
        self.wants(name) && self.names.iter().any(|word| word.len() > "vm_".len() && name.contains(word.as_str()))
    }

    /// A run of the whole workspace that wants other rungs of the ladder: nothing to do here is no mistake.
    fn is_a_workspaces(&self) -> bool {
        !self.skip.is_empty() || self.names.iter().all(|word| word.starts_with("host_"))
    }
}

fn names() -> Vec<&'static str> {
    scenarios::ALL.iter().chain(scenarios::NAMED).map(|case| case.name).collect()
}

/// What nextest asks for. The scenarios count as ignored there: unit test runs must not boot guests by accident.
fn list(args: &[String]) -> ExitCode {
    for name in names() {
        if args.iter().any(|arg| arg == "--ignored") || !args.iter().any(|arg| arg == "--format") {
            println!("{name}: test");
        }
    }
    ExitCode::SUCCESS
}

/// QEMU dies with the thread that started it, so each lane is one thread that lives as long as its guests.
fn run(bench: &Bench, cases: VecDeque<&scenarios::Case>) -> Vec<Step> {
    let queue = Mutex::new(cases);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..bench.lanes {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().pop_front() else { return };
                    let mut report = Report::new(bench, case.name);
                    (case.run)(&mut report);
                    done.lock().unwrap().extend(report.into_steps());
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn finish(bench: &Bench, steps: &[Step], started: Instant) -> ExitCode {
    bench.write_junit();
    println!("\n{:<8} {:>8}  {:<16} step", "result", "seconds", "scenario");
    for step in steps {
        let word = if step.error.is_none() { "ok" } else { "FAILED" };
        println!("{word:<8} {:>8.1}  {:<16} {}", step.seconds, step.case, step.name);
    }
    let failed: Vec<&Step> = steps.iter().filter(|step| step.error.is_some()).collect();
    for step in &failed {
        println!("\n{}: {}\n{}", step.case, step.name, step.error.as_deref().unwrap_or_default());
    }
    println!(
        "\n{} passed, {} failed in {:.0} s",
        steps.len() - failed.len(),
        failed.len(),
        started.elapsed().as_secs_f64()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
