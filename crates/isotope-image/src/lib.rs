//! Image containers: sparse reading, qcow2, FAT, checksums, conversions, outputs that get their name when complete.
//!
//! [`export`] turns a finished raw disk, or a tree, into output files; everything else here is what it is made of, and
//! usable alone. This crate knows bytes and files; it must not know elements, recipes, partitions or terminals.

pub mod chunk;
pub mod copy;
pub mod digest;
pub mod export;
pub mod fat;
pub mod output;
pub mod qcow2;
pub mod reader;
pub mod sparse;
