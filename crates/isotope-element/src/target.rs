//! What is known about the target when templates are rendered and conditions decided.

use crate::{Arch, Family, Tree};
use serde::Serialize;
use std::fmt;

/// The target, as templates (`{{target.arch}}`) and conditions (`when`) see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetFacts {
    /// Architecture.
    pub arch: Arch,
    /// `debian`, `fedora`, …
    pub distro: String,
    /// Its package family.
    pub family: Family,
    /// Its release: `trixie`, `42`, …
    pub release: String,
    /// What its root is made of.
    pub tree: Tree,
}

impl TargetFacts {
    /// The names templates may use after `target.`.
    pub const NAMES: [&'static str; 7] = ["arch", "deb_arch", "distro", "family", "release", "tree", "unit_dir"];
}

impl Tree {
    /// All kinds of tree.
    pub const ALL: [Self; 2] = [Self::Package, Self::Ostree];

    /// As written in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Ostree => "ostree",
        }
    }

    /// Where an element puts units of its own: beside those of packages, or, where that cannot be written, in `/etc`.
    #[must_use]
    pub const fn unit_dir(self) -> &'static str {
        match self {
            Self::Package => "/usr/lib/systemd/system",
            Self::Ostree => "/etc/systemd/system",
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Arch {
    /// All architectures.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// In the kernel's words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// In Debian's words.
    #[must_use]
    pub const fn deb_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Family {
    /// All families.
    pub const ALL: [Self; 2] = [Self::Debian, Self::Redhat];

    /// As written in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Redhat => "redhat",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
