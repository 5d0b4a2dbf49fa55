//! Exit codes, stable by class of error. Documented in docs/cli.md and `isotope --help`.
//!
//! 0 success · 1 a check or test of the subject failed · 2 usage · 3 configuration (recipe, element, layout) ·
//! 4 environment (host, tools, permission, space) · 5 remote (mirror, registry) · 6 build (a hook or package failed) ·
//! 70 internal · 130/143 interrupted.

use std::process::ExitCode;

/// The class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What was looked at is not as it should be (`check`, `boot --test`, `diff`).
    Verdict,
    /// The command line.
    Usage,
    /// A recipe, an element, a layout.
    Configuration,
    /// The host: a tool, a permission, space.
    Environment,
    /// A server.
    Remote,
    /// A step of a build failed.
    Build,
    /// A defect of Isotope.
    Internal,
    /// A signal ended it.
    Interrupted(u8),
}

impl Class {
    /// Its exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Verdict => 1,
            Self::Usage => 2,
            Self::Configuration => 3,
            Self::Environment => 4,
            Self::Remote => 5,
            Self::Build => 6,
            Self::Internal => 70,
            Self::Interrupted(signal) => signal.saturating_add(128),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Usage => "usage",
            Self::Configuration => "configuration",
            Self::Environment => "environment",
            Self::Remote => "remote",
            Self::Build => "build",
            Self::Internal => "internal",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

/// An error whose class is known, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// What is wrong; may have several lines.
    pub message: String,
    /// What to do next.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Prints an error and gives its exit code.
#[expect(clippy::print_stderr, reason = "errors are printed here and nowhere else")]
pub fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    // Also where it is context of another error, which the chain hides in a type of its own.
    let failure = error.downcast_ref::<Failure>().or_else(|| error.chain().find_map(|cause| cause.downcast_ref()));
    let class = failure.map_or(Class::Internal, |failure| failure.class);
    let hints = failure.map(|failure| failure.hints.clone()).unwrap_or_default();
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    if json {
        let value = serde_json::json!({"error": {"class": class.name(), "messages": causes, "hints": hints}});
        eprintln!("{value}");
    } else {
        let (first, rest) =
            causes.split_first().map_or(("unknown error", &[][..]), |(first, rest)| (first.as_str(), rest));
        // Diagnostics of files say it themselves.
        eprintln!("error: {}", first.strip_prefix("error: ").unwrap_or(first));
        for cause in rest {
            eprintln!("  caused by: {cause}");
        }
        for hint in hints {
            eprintln!("  help: {hint}");
        }
    }
    ExitCode::from(class.code())
}
