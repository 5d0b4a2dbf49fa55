//! Builds of diskimage-builder's elements: what their hooks find, and in which order they run.

pub mod lib;
