//! `package-installs.yaml` and `.json`: which packages an element wants, and when.
//!
//! In: a file; then, for [`squash`], the elements of a build and their environment. Out: [`PackageInstalls`], every value with
//! its line; then [`Squashed`], what each phase installs and uninstalls.
//!
//! Two things are not as diskimage-builder's own program does them, but as its documentation tells: an `arch` list may have
//! blanks after its commas, and an entry that does not apply (by `arch`, `when` and so on) takes no uninstallation away.

mod read;
mod squash;

pub use squash::{Packages, SquashError, Squashed, squash};

use crate::{Diagnostic, Located};
use std::path::{Path, PathBuf};

/// The phases that packages can be installed in; others are read by nobody.
pub const PHASES: [&str; 3] = ["pre-install.d", "install.d", "post-install.d"];

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageInstalls {
    /// The file.
    pub file: PathBuf,
    /// In the file's order; one package may have several entries.
    pub entries: Vec<PackageEntry>,
    /// What has no effect: unknown keys and phases.
    pub warnings: Vec<Diagnostic>,
}

/// One wish for a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageEntry {
    /// The package, in the words of the element's `pkg-map`.
    pub package: Located<String>,
    /// `phase`; `install.d` where it is not given.
    pub phase: Located<String>,
    /// `uninstall` is there; its value does not count.
    pub uninstall: bool,
    /// `build-only` is there: installed, and uninstalled at the end of the phase; its value does not count.
    pub build_only: bool,
    /// `installtype`: only where the element is installed so.
    pub install_type: Option<Located<String>>,
    /// `arch`: only on these.
    pub arch: Option<Located<Vec<String>>>,
    /// `not-arch`: not on these.
    pub not_arch: Option<Located<Vec<String>>>,
    /// `dib_python_version`: only with this `DIB_PYTHON_VERSION`.
    pub python_version: Option<Located<String>>,
    /// `when`: only where all hold.
    pub when: Vec<When>,
}

/// `VARIABLE = value` or `VARIABLE != value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The variable of the environment; it must be set.
    pub variable: String,
    /// Whether it must be equal.
    pub equal: bool,
    /// To what.
    pub value: String,
    /// Its line, from 1.
    pub line: u32,
}

impl PackageInstalls {
    /// Reads a file of this text.
    ///
    /// # Errors
    /// Everything that diskimage-builder would stop at, all at once.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Vec<Diagnostic>> {
        read::parse(file, text)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`PackageInstalls::parse`]; or it cannot be read.
    pub fn read(file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let text = super::text_of(file).map_err(|error| vec![error])?;
        Self::parse(file, &text)
    }
}

#[cfg(test)]
mod tests;
