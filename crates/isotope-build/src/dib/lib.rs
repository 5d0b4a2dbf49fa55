//! What hooks of diskimage-builder's elements find at `$_LIB`: shell functions that they source, a Python module that they import, and
//! programs that stand first on their PATH.
//!
//! In: a directory of the build, and this very program. Out: the files of [`FILES`], and links to the program by the names of
//! [`PROGRAMS`]. All of it is Isotope's own; only names of files and functions are diskimage-builder's.

use isotope_element::dib::run_parts;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// Name below `$_LIB`, mode, text.
pub const FILES: &[(&str, u32, &str)] = &[
    ("bin/sudo", 0o755, include_str!("lib/bin/sudo")),
    ("common-defaults", 0o644, include_str!("lib/common-defaults")),
    ("common-functions", 0o644, include_str!("lib/common-functions")),
    ("dib-run-parts", 0o755, run_parts::SCRIPT),
    ("die", 0o644, include_str!("lib/die")),
    ("img-defaults", 0o644, include_str!("lib/img-defaults")),
    ("img-functions", 0o644, include_str!("lib/img-functions")),
    ("python/diskimage_builder/__init__.py", 0o644, include_str!("lib/python/diskimage_builder/__init__.py")),
    (
        "python/diskimage_builder/logging_config.py",
        0o644,
        include_str!("lib/python/diskimage_builder/logging_config.py"),
    ),
    ("ramdisk-defaults", 0o644, include_str!("lib/ramdisk-defaults")),
    ("ramdisk-functions", 0o644, include_str!("lib/ramdisk-functions")),
];

/// Programs in `$_LIB/bin` that are Isotope itself: it looks at the name that it is started by.
pub const PROGRAMS: &[&str] =
    &["dib-block-device", "dib-run-parts", "element-info", "package-installs-squash", "svc-map-merge"];

/// Writes all into a directory, which is made. `program` is the path of the running Isotope.
///
/// # Errors
/// A file cannot be written.
pub fn write(directory: &Path, program: &Path) -> io::Result<()> {
    for (name, mode, text) in FILES {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode))?;
    }
    for name in PROGRAMS {
        symlink(program, directory.join("bin").join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
