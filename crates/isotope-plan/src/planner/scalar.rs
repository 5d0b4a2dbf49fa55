//! A value that several elements may set, if they agree.

use crate::Problem;
use isotope_element::Origin;
use std::fmt::Display;

/// A scalar and who set it.
pub(super) struct Scalar<T> {
    /// For messages: `[bootloader] bios`.
    pub name: &'static str,
    value: Option<(T, Origin)>,
}

impl<T: PartialEq + Display> Scalar<T> {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, value: None }
    }

    /// Takes a value; the first stays, another one is a problem.
    pub(super) fn set(&mut self, value: Option<T>, origin: &Origin, problems: &mut Vec<Problem>) {
        let Some(value) = value else { return };
        match &self.value {
            Some((before, whose)) if *before != value => {
                let message = format!("{}: `{value}` here, but `{before}` in element {}", self.name, whose.element);
                problems.push(
                    Problem::configuration(message)
                        .at(origin)
                        .remedy("one of the two elements must leave it to the other"),
                );
            }
            Some(_) => {}
            None => self.value = Some((value, origin.clone())),
        }
    }

    /// What it is.
    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref().map(|(value, _)| value)
    }

    /// Who said so.
    pub(super) fn origin(&self) -> Option<&Origin> {
        self.value.as_ref().map(|(_, origin)| origin)
    }

    pub(super) fn into_value(self) -> Option<T> {
        self.value.map(|(value, _)| value)
    }
}
