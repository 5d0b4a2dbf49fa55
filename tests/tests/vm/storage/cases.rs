//! The table of cases: shell text in files beside this one, each case begun by a line `## NAME`.

/// What each case begins with: a clean system, and words to write cases with.
const HARNESS: &str = include_str!("harness.sh");

const FILES: [&str; 4] =
    [include_str!("modes.sh"), include_str!("options.sh"), include_str!("faults.sh"), include_str!("named.sh")];

/// One case.
pub struct Case {
    /// What it proves.
    pub name: &'static str,
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
            Case { name, body }
        })
    })
}
