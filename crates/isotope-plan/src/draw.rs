//! Pictures of a plan: the graph of its elements and its steps in the lanes of their phases, as SVG or for Graphviz.

mod dot;
mod layers;
mod svg;

pub use dot::dot;
pub use svg::svg;
