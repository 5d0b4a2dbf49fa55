//! Pure: builds of diskimage-builder's elements.
//!
//! [`Options`] and the environment → [`Request`]. What the words mean is diskimage-builder's documentation; where its program
//! differs from that, the documentation holds (docs/diskimage-builder.md lists those places).

pub mod definitions;
mod request;

pub use request::{ImageFormat, Options, Program, Request};
mod beside;
mod checks;
mod fetches;
mod make;
mod secret;
mod steps;
mod variables;

pub use beside::Beside;
pub(crate) use beside::{Around, Planned, plan as plan_beside};
pub use checks::{layout, preflight};
pub use make::{Input, plan};
pub use secret::is_secret;
