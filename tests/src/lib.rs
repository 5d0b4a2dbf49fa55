//! Shared support of the end-to-end tests: the `isotope` binary, scratch directories, what a build may leave behind.

pub mod leaks;
pub mod registry;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// The `isotope` binary: `ISOTOPE_BIN`, else the one of this target directory (`cargo xtask test` builds it first).
///
/// # Panics
/// It is not there.
#[must_use]
pub fn isotope() -> PathBuf {
    if let Some(path) = std::env::var_os("ISOTOPE_BIN") {
        return PathBuf::from(path);
    }
    let own = std::env::current_exe().unwrap_or_default();
    let binary = own.ancestors().nth(2).map(|dir| dir.join("isotope")).unwrap_or_default();
    assert!(binary.is_file(), "{} is not there; run `cargo build -p isotope` first", binary.display());
    binary
}

/// `isotope` with the tests' elements and a cache of its own, ready for more arguments.
#[must_use]
pub fn isotope_command(cache: &Path) -> std::process::Command {
    #[expect(clippy::disallowed_methods, reason = "the subject under test, with the caller's environment")]
    let mut command = std::process::Command::new(isotope());
    command.arg("--elements-path").arg(root().join("tests/elements")).arg("--cache-dir").arg(cache);
    command
}

/// A scratch directory below target/, on a real disk.
///
/// # Panics
/// It cannot be made.
#[must_use]
pub fn scratch(name: &str) -> tempfile::TempDir {
    let base = root().join("target/test-scratch");
    std::fs::create_dir_all(&base).expect("target/test-scratch can be made");
    tempfile::Builder::new().prefix(name).tempdir_in(base).expect("a scratch directory can be made")
}

/// Writes a file with a mode, and the directories above it.
pub fn put(path: &Path, mode: u32, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
