//! Keeps secrets out of events and logs.

use crate::event::{Event, Failure};
use isotope_plan::{DibAction, Plan, StepAction};
use std::collections::BTreeSet;

/// Shown instead of a secret.
const MASK: &str = "***";
/// A secret shorter than this would mask half of the log and is known from the recipe's form anyway.
const SHORTEST: usize = 4;

/// The secrets of a plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask {
    /// Longest first, so that a secret that contains another goes as a whole.
    secrets: Vec<String>,
}

impl Mask {
    /// All that the plan's variables, hooks and files call secret.
    pub(crate) fn of(plan: &Plan) -> Self {
        let variables = plan.with_inputs().flat_map(|plan| &plan.elements).flat_map(|element| element.vars.values());
        let in_steps = plan.with_inputs().flat_map(|plan| &plan.steps).flat_map(|step| match &step.action {
            StepAction::Hook(hook) => hook.env.values().collect::<Vec<_>>(),
            StepAction::Dib(DibAction::Begin(build)) => build.environment.values().collect(),
            StepAction::Write(write) => vec![&write.content],
            _ => Vec::new(),
        });
        let lines: BTreeSet<String> = variables
            .chain(in_steps)
            .filter(|value| value.secret)
            .flat_map(|value| value.value.lines())
            .map(|line| line.trim().to_owned())
            .filter(|line| line.len() >= SHORTEST)
            .collect();
        let mut secrets: Vec<String> = lines.into_iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    fn text(&self, text: &mut String) {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), MASK);
            }
        }
    }

    /// Masks what programs and errors put into an event.
    pub(crate) fn event(&self, event: &mut Event) {
        match event {
            Event::Command { line } | Event::Output { line } => self.text(line),
            Event::Note { message } | Event::Warning { message } | Event::ShellStarted { message } => {
                self.text(message)
            }
            Event::Failed(failure) => self.failure(failure),
            _ => {}
        }
    }

    fn failure(&self, failure: &mut Failure) {
        self.text(&mut failure.message);
        failure.tail.iter_mut().chain(&mut failure.hints).for_each(|line| self.text(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_secret_goes_as_a_whole() {
        let mask = Mask { secrets: vec!["hunter22".into(), "hunter".into()] };
        let mut event = Event::Output { line: "password hunter22, not hunter".into() };
        mask.event(&mut event);
        assert_eq!(event, Event::Output { line: "password ***, not ***".into() });
    }
}
