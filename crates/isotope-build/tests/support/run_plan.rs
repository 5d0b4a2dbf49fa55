//! `isotope-run-plan PLAN.json OUT_DIR CACHE_DIR [memory|disk] [shell|keep=DIR]`: runs a plan, prints events as JSON
//! lines, then the report. Exit status: 0, 1 (failed), 2 (preflight), 128 + signal.

use isotope_build::{BuildError, BuildOptions, OnError, WorkPlace};
use std::io::Write;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [plan, out, cache, rest @ ..] = args.as_slice() else {
        std::process::exit(64);
    };
    let mut options = BuildOptions::new(out, cache);
    for word in rest {
        match word.as_str() {
            "memory" => options.work = WorkPlace::Memory,
            "disk" => options.work = WorkPlace::Disk,
            "shell" => options.on_error = OnError::Shell,
            other => match other.strip_prefix("keep=") {
                Some(dir) => options.on_error = OnError::Keep(dir.into()),
                None => std::process::exit(64),
            },
        }
    }
    let text = std::fs::read_to_string(plan).unwrap_or_default();
    let Ok(plan) = serde_json::from_str(&text) else {
        std::process::exit(65);
    };
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
