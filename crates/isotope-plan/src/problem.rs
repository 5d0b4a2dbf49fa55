//! What stands against a build: one [`Problem`] each, all of them at once in [`PlanErrors`].
//!
//! In: what the planner or [`preflight`](crate::preflight) found. Out: text for people, fields for `--json`, a class for the exit code.

use isotope_element::{Diagnostic, Origin, Spot};
use serde::Serialize;
use std::fmt;

/// Whose matter a problem is; the binary derives its exit code from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemClass {
    /// The command line.
    Usage,
    /// A recipe or an element.
    Configuration,
    /// This host.
    Environment,
}

/// One reason why a build cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whose matter it is.
    pub class: ProblemClass,
    /// What is wrong.
    pub message: String,
    /// Where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<Origin>>,
    /// The place in that file, where its text is known.
    #[serde(skip)]
    pub spot: Option<Box<Spot>>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The package of this host's distribution that solves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

impl Problem {
    /// A problem of this class.
    #[must_use]
    pub fn new(class: ProblemClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), origin: None, spot: None, remedy: None, package: None }
    }

    /// A problem of a recipe or an element.
    #[must_use]
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(ProblemClass::Configuration, message)
    }

    /// A problem of this host.
    #[must_use]
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(ProblemClass::Environment, message)
    }

    /// A problem of the command line.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ProblemClass::Usage, message)
    }

    /// Says where it comes from.
    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.origin = Some(Box::new(origin.clone()));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_remedy(mut self, remedy: Option<String>) -> Self {
        self.remedy = remedy.or(self.remedy);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(origin) = self.origin.as_ref().filter(|origin| origin.file.is_some() || origin.element != "isotope")
        {
            write!(f, "\n  --> {}", place(origin, self.spot.as_deref()))?;
        }
        if let Some(spot) = &self.spot {
            excerpt(f, spot)?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  help: {remedy}")?;
        }
        Ok(())
    }
}

/// `file:line:column`, or whose it is where there is no file.
fn place(origin: &Origin, spot: Option<&Spot>) -> String {
    let mut place = match &origin.file {
        Some(file) => file.display().to_string(),
        None => origin.element.clone(),
    };
    if let Some(line) = spot.map(|spot| spot.line).or(origin.line) {
        place.push_str(&format!(":{line}"));
    }
    if let Some(spot) = spot {
        place.push_str(&format!(":{}", spot.column));
    }
    place
}

/// The source line with a mark below it.
fn excerpt(f: &mut fmt::Formatter<'_>, spot: &Spot) -> fmt::Result {
    let number = spot.line.to_string();
    let margin = " ".repeat(number.len());
    let before: String = spot.text.chars().take(spot.column.saturating_sub(1) as usize).map(blank).collect();
    let marks = "^".repeat(spot.width.max(1) as usize);
    write!(f, "\n  {margin} |\n  {number} | {}\n  {margin} | {before}{marks}", spot.text)
}

const fn blank(char: char) -> char {
    if char == '\t' { '\t' } else { ' ' }
}

impl From<Diagnostic> for Problem {
    fn from(diagnostic: Diagnostic) -> Self {
        let Diagnostic { severity: _, file, spot, message, hint } = diagnostic;
        let line = spot.as_ref().map(|spot| spot.line);
        let origin = Origin { element: "recipe".to_owned(), file: Some(file), line };
        Self {
            class: ProblemClass::Configuration,
            message,
            origin: Some(Box::new(origin)),
            spot: spot.map(Box::new),
            remedy: hint,
            package: None,
        }
    }
}

/// All reasons why a recipe makes no plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PlanErrors {
    /// Each with file and line where there is one.
    pub problems: Vec<Problem>,
}

impl PlanErrors {
    /// The class that decides the exit code: the earliest of usage, configuration, environment.
    #[must_use]
    pub fn class(&self) -> ProblemClass {
        self.problems.iter().map(|problem| problem.class).min().unwrap_or(ProblemClass::Configuration)
    }
}

/// "did you mean `x`?", or the list of what is known.
pub(crate) fn suggest(name: &str, known: &[&str]) -> String {
    isotope_element::suggest(name, known.iter().copied(), "known are").unwrap_or_else(|| "there are none".to_owned())
}
