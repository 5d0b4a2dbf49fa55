//! The table of cases: shell text in files beside this one, each case begun by a line `## NAME`, or `## core: NAME`.

/// What each case begins with: a clean system, and words to write cases with.
const HARNESS: &str = include_str!("harness.sh");

const FILES: [&str; 4] =
    [include_str!("modes.sh"), include_str!("options.sh"), include_str!("faults.sh"), include_str!("named.sh")];

/// One case.
pub struct Case {
    /// What it proves.
    pub name: &'static str,
    /// One of the few that every run of all scenarios has time for.
    core: bool,
    body: &'static str,
}

impl Case {
    /// The whole script, for bash.
    pub fn script(&self) -> String {
        format!("#!/bin/bash\n{HARNESS}\n{}\n", self.body)
    }
}

/// All of them, in order.
pub fn all() -> impl Iterator<Item = Case> {
    FILES.into_iter().flat_map(|file| {
        let cases = file.strip_prefix("## ").unwrap_or(file).split("\n## ");
        cases.map(|case| {
            let (name, body) = case.split_once('\n').unwrap_or((case, ""));
            let short = name.strip_prefix("core: ");
            Case { name: short.unwrap_or(name), core: short.is_some(), body }
        })
    })
}

/// Those that every run of all scenarios has time for: one of each mode, one of each fault that could cost data.
pub fn core() -> impl Iterator<Item = Case> {
    all().filter(|case| case.core)
}
