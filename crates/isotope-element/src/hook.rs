//! Hooks: the scripts of a phase, `<phase>.d/NN-name`.

use crate::Phase;
use std::path::PathBuf;

/// A script of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFile {
    /// Its element.
    pub element: String,
    /// Its phase.
    pub phase: Phase,
    /// File name, which orders it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Whether somebody may execute it. A set with one that is not does not resolve.
    pub executable: bool,
}
