//! The engine: [`run`] executes a plan, as PID 1 of namespaces of its own, and tells what happens as [`Event`]s.
//!
//! It decides nothing that the plan has not decided. It must not know terminals, recipes or command lines.

mod archives;
mod build;
mod cache;
mod compose;
mod deployment;
pub mod dib;
mod engine;
mod error;
mod event;
pub mod facts;
mod failed_state;
mod layers;
pub mod lock;
mod log;
mod manifest;
mod mask;
mod memory;
mod options;
pub mod package;
mod preflight;
mod report;
mod run;
pub mod sandbox;
mod step;
mod tree_kind;
mod work;

pub use event::{Event, Events, Failure, FailureClass, PackageDiff};
pub use layers::forecast::{Forecast, StepForecast, forecast};
pub use options::{BuildOptions, OnError, Refresh, WorkPlace};
pub use report::{BuildError, CommitReport, DeployedCommit, OutputFile, Problem, Report, StepTime};
pub use run::run;
