//! The engine: [`run`] executes a plan, as PID 1 of namespaces of its own, and tells what happens as [`Event`]s.
//!
//! It decides nothing that the plan has not decided. It must not know terminals, recipes or command lines.

mod event;
mod options;
pub mod package;
mod report;
mod run;
pub mod sandbox;

pub use event::{Event, Events, Failure, FailureClass};
pub use options::{BuildOptions, OnError, WorkPlace};
pub use report::{BuildError, OutputFile, Problem, Report, StepTime};
pub use run::run;
