//! Variables: what hooks may rely on, and what the files of `environment.d` read without knowing that it is set.
//!
//! Those files are read by bash under `set -u`, before every phase, on the host and in the target: a variable that is not set
//! ends the build, often late. In: the files in the order in which they are read. Out: [`Unset`] uses.

mod scan;

use crate::{Diagnostic, Severity, Spot};
use regex::Regex;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Set in every phase, by `disk-image-create` itself (facts/diskimage-builder.md §1.5).
pub const EXPORTED: &[&str] = &[
    "ARCH",
    "DIB_ARGS",
    "DIB_BLOCK_DEVICE_PARAMS_YAML",
    "DIB_BOOT_LABEL",
    "DIB_CHECKSUM",
    "DIB_DEBUG_TRACE",
    "DIB_ENV",
    "DIB_IMAGE_CACHE",
    "DIB_LOCKFILES",
    "DIB_MIN_TMPFS",
    "DIB_MOUNTPOINTS",
    "DIB_NO_TMPFS",
    "DIB_OFFLINE",
    "DIB_PYTHON_EXEC",
    "DIB_ROOT_FSTYPE",
    "DIB_ROOT_LABEL",
    "ELEMENTS_PATH",
    "FS_TYPE",
    "IMAGE_ELEMENT",
    "IMAGE_ELEMENT_YAML",
    "IMAGE_NAME",
    "IMAGE_TYPE",
    "LC_ALL",
    "OUT_IMAGE_PATH",
    "PS4",
    "TMP_BUILD_DIR",
    "TMP_HOOKS_PATH",
    "TMP_IMAGE_DIR",
    "TMP_MOUNT_PATH",
    "_LIB",
];

/// Set by the `environment.d` of elements that provide an operating system.
pub const OF_OPERATING_SYSTEM: &[&str] =
    &["DIB_DISTRIBUTION_MIRROR", "DIB_INIT_SYSTEM", "DIB_RELEASE", "DISTRO_NAME", "EFI_BOOT_DIR"];

/// Set from a phase on, or in some phases only (by the names of their directories).
pub const OF_PHASES: &[(&str, &[&str])] = &[
    (
        "DIB_DEFAULT_INSTALLTYPE",
        &[
            "extra-data.d",
            "pre-install.d",
            "install.d",
            "post-install.d",
            "post-root.d",
            "block-device.d",
            "pre-finalise.d",
            "finalise.d",
            "cleanup.d",
        ],
    ),
    ("DIB_IMAGE_SIZE", &["block-device.d", "pre-finalise.d", "finalise.d", "cleanup.d"]),
    ("IMAGE_BLOCK_DEVICE", &["pre-finalise.d", "finalise.d", "cleanup.d"]),
    ("IMAGE_BLOCK_DEVICES", &["pre-finalise.d", "finalise.d", "cleanup.d"]),
    ("TARGET_ROOT", &["root.d", "cleanup.d"]),
];

/// Set by bash, sudo and chroot wherever a file is read.
const OF_SHELL: &[&str] = &[
    "BASH",
    "BASHOPTS",
    "BASHPID",
    "BASH_ENV",
    "BASH_LINENO",
    "BASH_REMATCH",
    "BASH_SOURCE",
    "BASH_SUBSHELL",
    "BASH_VERSINFO",
    "BASH_VERSION",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HOME",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "LINENO",
    "MACHTYPE",
    "OPTIND",
    "OSTYPE",
    "PATH",
    "PIPESTATUS",
    "PPID",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "UID",
    "_",
];

/// A file of `environment.d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A variable that is read where nothing has set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unset {
    /// Which one.
    pub variable: String,
    /// The file.
    pub file: PathBuf,
    /// Where.
    pub spot: Spot,
    /// `${NAME:?…}`: the file says itself that it must be set.
    pub demanded: bool,
}

impl Unset {
    /// What is told of it, with the severity that it has for the teller.
    #[must_use]
    pub fn diagnostic(&self, severity: Severity) -> Diagnostic {
        let name = &self.variable;
        let message = if self.demanded {
            format!("`{name}` must be set")
        } else {
            format!("`{name}` may be unset, and under `set -u` that ends the build")
        };
        let hint = format!("export {name} before the build, or write ${{{name}:-}} or another default");
        Diagnostic::error(&self.file, message).severity(severity).at(self.spot.clone()).hint(hint)
    }
}

/// What files of `environment.d` set, for the scripts that run after them.
#[must_use]
pub fn set_by(files: &[EnvironmentFile]) -> BTreeSet<String> {
    let everything = BTreeSet::new();
    files.iter().flat_map(|file| scan::scan(&file.text, &everything).all_set()).collect()
}

/// Uses of variables that neither an earlier file, nor an earlier line, nor `known` sets. Each variable is told once a file.
///
/// This reads the text and runs nothing: what stands in a branch counts as done, a default anywhere in a file counts as a
/// test, and after `source`, `eval` or `set +u` nothing more is said about the file.
#[must_use]
pub fn unset(files: &[EnvironmentFile], known: &BTreeSet<String>) -> Vec<Unset> {
    let mut set: BTreeSet<String> = known.clone();
    set.extend(EXPORTED.iter().chain(OF_SHELL).map(|name| (*name).to_owned()));
    let mut found = Vec::new();
    for file in files {
        let scan = scan::scan(&file.text, &set);
        found.extend(scan.uses.into_iter().map(|used| Unset {
            variable: used.name.clone(),
            file: file.path.clone(),
            spot: Spot::of(&file.text, used.at..used.at + used.name.len()),
            demanded: used.demanded,
        }));
        set.extend(scan.set);
    }
    found
}

/// The value that files give a variable which nobody has set, where one line alone says it and bash is not needed to tell:
/// `export NAME=value`, `NAME=${NAME:-value}`, `: ${NAME:=value}`, and not indented, so that it stands under no condition.
#[must_use]
pub fn plain_default(files: &[EnvironmentFile], name: &str) -> Option<String> {
    if name.is_empty() || !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
        return None;
    }
    let pattern = |pattern: &str| Regex::new(&pattern.replace("NAME", name)).ok();
    let anywhere = pattern(r"(?m)(?:^|[\s;&|(])NAME\+?=|\$\{NAME:?=")?;
    if files.iter().map(|file| anywhere.find_iter(&file.text).count()).sum::<usize>() != 1 {
        return None;
    }
    let forms = [
        pattern(r#"(?m)^(?:export |declare -x )?NAME="?\$\{NAME:?-([^}]*)\}"?\s*(?:#.*)?$"#)?,
        pattern(r#"(?m)^(?:export |declare -x )?NAME=("[^"]*"|'[^']*'|[^\s"']*)\s*(?:#.*)?$"#)?,
        pattern(r#"(?m)^: "?\$\{NAME:?=([^}]*)\}"?\s*(?:#.*)?$"#)?,
    ];
    let found = files.iter().find_map(|file| forms.iter().find_map(|form| form.captures(&file.text)))?;
    let value = found[1].trim_matches(|char| char == '"' || char == '\'');
    (!value.contains(['$', '`', '\\'])).then(|| value.to_owned())
}

#[cfg(test)]
mod tests;
