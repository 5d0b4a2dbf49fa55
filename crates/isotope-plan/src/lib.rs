//! Pure: recipe + resolved elements + host facts → [`Plan`]. It decides everything; the engine decides nothing.

pub mod geometry;
pub mod layout;
mod plan;

pub use isotope_element::{Arch, Bytes, Family, Origin, Phase, Place};
pub use plan::*;
