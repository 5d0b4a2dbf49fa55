//! The lowest floor: everything that touches the host kernel directly, and the only crate with `unsafe`.
//!
//! [`command`] is the one way to start a host tool; [`target`] is the one way to write inside a target tree;
//! [`namespace`] is where a build lives, [`network`] what it may be kept from; [`sync_filter`] keeps package managers from waiting for the disk.
//! It must not know elements, plans, layouts or terminals.

pub mod command;
pub mod cpu;
pub mod device_mapper;
pub mod loop_device;
pub mod machine;
pub mod namespace;
pub mod network;
pub mod sync_filter;
pub mod target;
