//! Pure: recipe + resolved elements + host facts → [`Plan`]. It decides everything; the engine decides nothing.

pub mod blockdev;
pub mod calendar;
pub mod compose;
pub mod dib;
pub mod draw;
mod exports;
mod facts;
pub mod geometry;
mod ids;
pub mod layout;
pub mod lock;
mod plan;
mod planner;
mod preflight;
mod problem;
pub mod recipe;
mod scope;
mod settle;
mod show;
mod sizes;
pub mod treefile;

pub use exports::ExportRequest;
pub use facts::{FreeSpace, HostFacts};
pub use isotope_element::{Arch, Bytes, CheckKind, Family, Origin, Phase, Place, Tree};
pub use plan::*;
pub use planner::{PLAN_FORMAT, plan};
pub use preflight::{HostTool, host_tools, needed_keyrings, needed_tools, preflight};
pub use problem::{PlanErrors, Problem, ProblemClass};
pub use recipe::{Recipe, RecipeErrors};
pub use show::show;
