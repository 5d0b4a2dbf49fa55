//! What came of a guest, as data and as a table.

use crate::accel::Accel;
use crate::console::Event;
use crate::firmware::Firmware;
use crate::spec::VmSpec;
use serde::Serialize;
use std::path::PathBuf;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Passed,
    /// Not as it should be.
    Failed,
    /// Does not apply to this image; the message says why.
    Skipped,
}

/// One check's end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckResult {
    /// Whose check it is.
    pub element: String,
    /// What it proves.
    pub name: String,
    /// How it ended.
    pub status: CheckStatus,
    /// How long it took.
    pub seconds: f64,
    /// What it said, if it did not pass.
    pub message: String,
}

/// What came of a guest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The image.
    pub image: PathBuf,
    /// How it was booted.
    pub firmware: Firmware,
    /// How its processors were run.
    pub accelerator: Accel,
    /// From power-on to the login; `None` if it never let us in.
    pub boot_seconds: Option<f64>,
    /// All of it.
    pub seconds: f64,
    /// Every check.
    pub results: Vec<CheckResult>,
    /// What the console told of trouble.
    pub console_events: Vec<Event>,
    /// Where console, journal and screenshot are, if they were kept.
    pub evidence: Option<PathBuf>,
}

impl Verdict {
    pub(crate) fn new(spec: &VmSpec) -> Self {
        Self {
            image: spec.disks.first().and_then(|disk| disk.image.clone()).unwrap_or_default(),
            firmware: spec.firmware,
            accelerator: spec.accel,
            boot_seconds: None,
            seconds: 0.0,
            results: Vec::new(),
            console_events: Vec::new(),
            evidence: None,
        }
    }

    /// How many ended so.
    #[must_use]
    pub fn count(&self, status: CheckStatus) -> usize {
        self.results.iter().filter(|result| result.status == status).count()
    }

    /// Nothing failed, and something was asked.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.results.is_empty() && self.count(CheckStatus::Failed) == 0
    }
}

/// The verdict for people.
#[must_use]
pub fn table(verdict: &Verdict) -> String {
    let width = verdict.results.iter().map(|result| result.element.chars().count()).max().unwrap_or(0);
    let mut text =
        format!("{} · {} · {}\n", verdict.image.display(), verdict.firmware.name(), verdict.accelerator.name());
    for result in &verdict.results {
        let status = match result.status {
            CheckStatus::Passed => "ok",
            CheckStatus::Failed => "FAILED",
            CheckStatus::Skipped => "skipped",
        };
        text.push_str(&format!(
            "  {status:<7} {:>6.1} s  {:<width$}  {}\n",
            result.seconds, result.element, result.name
        ));
        for line in result.message.lines() {
            text.push_str(&format!("          {line}\n"));
        }
    }
    let [passed, failed, skipped] =
        [CheckStatus::Passed, CheckStatus::Failed, CheckStatus::Skipped].map(|status| verdict.count(status));
    text.push_str(&format!("{passed} passed, {failed} failed, {skipped} skipped in {:.0} s", verdict.seconds));
    if let Some(seconds) = verdict.boot_seconds {
        text.push_str(&format!(" (login after {seconds:.0} s)"));
    }
    text.push('\n');
    if let Some(dir) = &verdict.evidence {
        text.push_str(&format!("console, journal and screenshot: {}\n", dir.display()));
    }
    text
}

#[cfg(test)]
pub(crate) fn example() -> Verdict {
    let mut verdict = Verdict::new(&VmSpec::new("out/a&b.qcow2", Firmware::Bios, Accel::Tcg));
    let result = |name: &str, status, message: &str| CheckResult {
        element: "vm".to_owned(),
        name: name.to_owned(),
        status,
        seconds: 1.25,
        message: message.to_owned(),
    };
    verdict.results = vec![
        result("root is mounted", CheckStatus::Passed, ""),
        result("a < b", CheckStatus::Failed, "exit status 1\n\u{1b}[31m\"x\" & <y>]]>\u{0}"),
        result("swap", CheckStatus::Skipped, "no swap"),
    ];
    verdict.boot_seconds = Some(61.4);
    verdict.seconds = 70.0;
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_reasons_and_sums() {
        let text = table(&example());
        assert!(text.contains("  FAILED     1.2 s  vm  a < b\n          exit status 1\n"), "{text}");
        assert!(text.contains("1 passed, 1 failed, 1 skipped in 70 s (login after 61 s)"), "{text}");
    }

    #[test]
    fn asking_nothing_is_no_pass() {
        let mut verdict = example();
        assert!(!verdict.passed());
        verdict.results.truncate(1);
        assert!(verdict.passed());
        verdict.results.clear();
        assert!(!verdict.passed());
    }
}
