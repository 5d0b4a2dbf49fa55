//! FAT filesystems made in one go, without mounting: the same files, ids and clock give the same bytes.

mod build;
mod dots;
mod pages;

pub use build::{Content, FatError, FatOptions, FatSummary, build, kind_for, read_tree};
