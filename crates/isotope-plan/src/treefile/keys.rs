//! Which keys a treefile may have: rpm-ostree's, as its treefile documentation lists them, and our own `apt`.
//!
//! A key that is known and does nothing here says why; one that would change the tree in a way that is not supported is an error.

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It is read.
    Read,
    /// It is for people, and means nothing.
    Comment,
    /// It has no effect here, which is said; the reason.
    NoEffect(&'static str),
    /// It is an error unless its value is `false` or empty; the reason and what to do.
    Unsupported(&'static str),
}

use Support::{Comment, NoEffect, Read, Unsupported};

/// The keys, sorted. `packages-ARCH` is one more for each architecture.
const KEYS: &[(&str, Support)] = &[
    ("add-commit-metadata", Read),
    ("add-files", Read),
    ("advisories-metadata", NoEffect("advisories of packages are not put into commits")),
    ("apt", Read),
    ("arch-include", Read),
    ("automatic-version-prefix", Read),
    ("automatic-version-suffix", Read),
    ("boot-location", Read),
    ("bootstrap_packages", Read),
    ("check-groups", Read),
    ("check-passwd", Read),
    ("cliwrap", Unsupported("programs are not wrapped; leave it out or set it to false")),
    ("cliwrap-binaries", Unsupported("programs are not wrapped; leave it out")),
    ("comment", Comment),
    ("conditional-include", Read),
    ("container", Unsupported("a compose makes a host with a kernel; leave it out or set it to false")),
    ("container-cmd", Unsupported("no container image is made; leave it out")),
    ("default-target", Read),
    ("documentation", Read),
    ("edition", Read),
    ("etc-group-members", Read),
    ("exclude-packages", Read),
    ("gpg-key", NoEffect("name the key that signs with --sign gpg:KEY")),
    ("ignore-devices", NoEffect("device nodes never get into a commit")),
    ("ignore-removed-groups", Read),
    ("ignore-removed-users", Read),
    ("ima", Unsupported("IMA signatures are not copied; leave it out or set it to false")),
    ("include", Read),
    ("initramfs-args", Read),
    ("install-langs", Read),
    ("lockfile-repos", NoEffect("there are no lockfiles; versions are those of the repositories")),
    ("machineid-compat", Read),
    ("metadata", Comment),
    ("mutate-os-release", Read),
    ("no-initramfs", Read),
    ("opt-usrlocal", Read),
    ("ostree-layers", Unsupported("content of other refs cannot be laid over the tree; use add-files")),
    ("ostree-override-layers", Unsupported("content of other refs cannot be laid over the tree; use add-files")),
    ("packages", Read),
    ("platform-module", NoEffect("the module platform follows from the release")),
    ("postprocess", Read),
    ("postprocess-script", Read),
    ("preserve-passwd", Read),
    ("readonly-executables", NoEffect("modes of programs stay as packages have them")),
    ("recommends", Read),
    ("ref", Read),
    ("releasever", Read),
    ("remove-files", Read),
    ("remove-from-packages", Read),
    ("repo-metadata", NoEffect("metadata of repositories is not put into commits")),
    ("repo-packages", Unsupported("packages cannot be bound to a repository; name them under `packages`")),
    ("repos", Read),
    ("repovars", Unsupported("write the values into the .repo files")),
    ("rpmdb", NoEffect("the database is where the distribution has it, with a link at /usr/share/rpm")),
    ("rpmdb-normalize", NoEffect("the database stays as rpm wrote it")),
    ("selinux", Read),
    ("selinux-label-version", NoEffect("labels are those of the tree's own policy")),
    ("sysusers", NoEffect("users are what the packages' scripts make")),
    ("tmp-is-dir", Read),
    ("units", Read),
    ("variables", Read),
];

/// Older spellings that rpm-ostree takes, too.
const ALIASES: &[(&str, &str)] = &[
    ("automatic_version_prefix", "automatic-version-prefix"),
    ("boot_location", "boot-location"),
    ("default_target", "default-target"),
    ("gpg_key", "gpg-key"),
];

/// Architectures that `packages-ARCH` may name, in the kernel's words.
pub const ARCHES: &[&str] = &["aarch64", "armhfp", "i386", "loongarch64", "ppc64le", "riscv64", "s390x", "x86_64"];

/// The key as it is listed, and what becomes of it.
pub fn find(name: &str) -> Option<(&'static str, Support)> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, key)| key);
    KEYS.iter().find(|(key, _)| *key == name).copied()
}

/// All keys, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_aliases_lead_to_them() {
        assert!(KEYS.is_sorted_by_key(|(key, _)| *key));
        assert!(ALIASES.iter().all(|(_, key)| find(key).is_some()));
        assert_eq!(find("default_target"), Some(("default-target", Read)));
    }
}
