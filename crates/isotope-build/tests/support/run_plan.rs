//! `isotope-run-plan PLAN.json OUT_DIR CACHE_DIR [memory|disk] [shell|keep=DIR] [lock=FILE] [offline] [layers] [clock] [from=REGISTRY] [to=REGISTRY]`: runs a plan, prints events
//! as JSON lines, then the report. With `write-lock=FILE [update|update=NAME,…]`, writes its lock instead. Exit status: 0, 1 (failed), 2 (preflight), 128 + signal.

use isotope_build::lock::Update;
use isotope_build::{BuildError, BuildOptions, Events, OnError, WorkPlace};
use isotope_plan::Plan;
use isotope_plan::lock::{Lock, LockDiff};
use std::io::Write;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [plan, out, cache, rest @ ..] = args.as_slice() else {
        std::process::exit(64);
    };
    // What a test looks at is a build from nothing, unless it says otherwise.
    let mut options = BuildOptions { layers: false, ..BuildOptions::new(out, cache) };
    let (mut write, mut update) = (None, Update::Missing);
    for word in rest {
        match word.as_str() {
            "memory" => options.work = WorkPlace::Memory,
            "disk" => options.work = WorkPlace::Disk,
            "offline" => options.offline = true,
            "layers" => options.layers = true,
            "clock" => options.fixed_clock = true,
            "shell" => options.on_error = OnError::Shell,
            other => match other.split_once('=') {
                Some(("keep", dir)) => options.on_error = OnError::Keep(dir.into()),
                Some(("from", registry)) => options.cache_from.push(registry.to_owned()),
                Some(("to", registry)) => options.cache_to = Some(registry.to_owned()),
                Some(("lock", file)) => options.lock = Some(read(file)),
                Some(("write-lock", file)) => write = Some(file.to_owned()),
                Some(("update", names)) => update = Update::Named(names.split(',').map(str::to_owned).collect()),
                _ => match other {
                    "update" => update = Update::All,
                    _ => std::process::exit(64),
                },
            },
        }
    }
    let text = std::fs::read_to_string(plan).unwrap_or_default();
    let Ok(plan) = serde_json::from_str(&text) else {
        std::process::exit(65);
    };
    if let Some(file) = write {
        std::process::exit(resolve(&plan, &options, &file, &update));
    }
    let say = |value: &dyn erased::Json| {
        writeln!(std::io::stdout().lock(), "{}", value.json()).ok();
    };
    let code = match isotope_build::run(&plan, &options, &mut |event| say(&event)) {
        Ok(report) => {
            say(&report);
            0
        }
        Err(error) => {
            writeln!(std::io::stderr().lock(), "{error}").ok();
            match error {
                BuildError::Preflight(_) => 2,
                BuildError::Interrupted { signal } | BuildError::Killed { signal } => 128 + signal,
                _ => 1,
            }
        }
    };
    std::process::exit(code);
}

fn read(file: &str) -> Lock {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    Lock::parse(file.as_ref(), &text).unwrap_or_else(|errors| {
        errors.iter().for_each(|error| drop(writeln!(std::io::stderr().lock(), "{error}")));
        std::process::exit(66)
    })
}

/// Writes the lock of a plan, and prints how it differs from that in the file.
fn resolve(plan: &Plan, options: &BuildOptions, file: &str, update: &Update) -> i32 {
    let old = std::path::Path::new(file).exists().then(|| read(file));
    match isotope_build::lock::lock(plan, options, old.as_ref(), update, &Events::none()) {
        Ok(lock) => {
            let before = old.unwrap_or_else(|| Lock::new(&lock.name));
            writeln!(std::io::stdout().lock(), "{}", LockDiff::of(&before, &lock)).ok();
            if std::fs::write(file, lock.to_text()).is_ok() { 0 } else { 67 }
        }
        Err(error) => {
            writeln!(std::io::stderr().lock(), "{error}").ok();
            1
        }
    }
}

/// Anything that has a JSON form.
mod erased {
    pub trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap_or_default()
        }
    }
}
