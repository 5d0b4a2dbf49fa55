//! Why something could not be done with a repository, a remote or a deployment.

use crate::Checksum;
use isotope_plan::Bytes;
use isotope_sys::target::TargetError;
use ostree::glib;
use std::path::PathBuf;

/// Why something could not be done with a repository, a remote or a deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OstreeError {
    /// A ref is not there.
    #[error("{place} has no ref {name:?}{}", known_refs(name, known))]
    UnknownRef {
        /// The ref asked for.
        name: String,
        /// The repository or the remote, with its URL.
        place: String,
        /// The refs there are; empty: none, or a remote without a summary, which cannot tell.
        known: Vec<String>,
    },
    /// A remote does not tell its refs.
    #[error("{url} has no summary, so its refs are not known; name them, or make one there (`ostree summary -u`)")]
    NoSummary {
        /// The remote's URL.
        url: String,
    },
    /// A commit is not there, or only parts of it are.
    #[error("{place} has no commit {commit}{}", if *partial { " in full: pull it again, which resumes" } else { "" })]
    UnknownCommit {
        /// The commit, or the beginning of its checksum.
        commit: String,
        /// The repository.
        place: String,
        /// The commit object is there, its files are not all.
        partial: bool,
    },
    /// A tree that cannot be booted.
    #[error(
        "commit {commit} has no kernel: /usr/lib/modules/VERSION/vmlinuz is expected (or /usr/lib/ostree-boot/vmlinuz-…)"
    )]
    NoKernel {
        /// The commit.
        commit: Checksum,
    },
    /// A tree that cannot be booted.
    #[error(
        "commit {commit} has the kernel {kernel} but no initramfs beside it: {expected} is expected; compose the tree with one"
    )]
    NoInitramfs {
        /// The commit.
        commit: Checksum,
        /// The kernel's path in the tree.
        kernel: String,
        /// The initramfs's path in the tree.
        expected: String,
    },
    /// What came over the wire, or lies in the repository, is not what its name says.
    #[error("object {object} from {url} is damaged; what else has come is kept")]
    Corrupt {
        /// `CHECKSUM.file`, `CHECKSUM.dirtree`, …
        object: String,
        /// Where it came from.
        url: String,
        /// What libostree said.
        source: glib::Error,
    },
    /// The remote stopped in the middle.
    #[error("{url} broke off; what has come is kept: run the same again, it resumes")]
    BrokenOff {
        /// The remote's URL.
        url: String,
        /// What libostree said.
        source: glib::Error,
    },
    /// The remote's repository lacks files of the commit.
    #[error(
        "{url} lacks an object of the commit: its repository is incomplete (`ostree fsck` there); what has come is kept"
    )]
    Incomplete {
        /// The remote's URL.
        url: String,
        /// What libostree said.
        source: glib::Error,
    },
    /// The remote cannot be reached, or refuses.
    #[error("cannot read {url}: {remedy}")]
    Remote {
        /// The remote's URL.
        url: String,
        /// What to look at.
        remedy: &'static str,
        /// What libostree said.
        source: glib::Error,
    },
    /// A commit, or a summary, without a good signature.
    #[error("{what} of remote {remote:?} {}; wanted: {}", if *signed { "is signed, but by none of the wanted keys" } else { "is not signed" }, list(wanted))]
    BadSignature {
        /// `commit CHECKSUM`, or `the summary`.
        what: String,
        /// The remote's name.
        remote: String,
        /// Some signature is there.
        signed: bool,
        /// The keys of which one must have signed.
        wanted: Vec<String>,
        /// What libostree said; `None`: we checked it ourselves.
        source: Option<glib::Error>,
    },
    /// A key that is none.
    #[error("{what} is no {kind} key: {why}")]
    BadKey {
        /// The file or the beginning of the key.
        what: String,
        /// `GPG public`, `ed25519 public`, `ed25519 secret`.
        kind: &'static str,
        /// Why not.
        why: String,
    },
    /// The name of a stateroot is not one.
    #[error(
        "{name:?} cannot name a stateroot: use letters, digits, `-`, `_` and `.`, beginning with a letter or digit"
    )]
    BadStateroot {
        /// The name.
        name: String,
    },
    /// A stateroot or deployment is not there.
    #[error("{place} has no {what}{}", if known.is_empty() { String::new() } else { format!("; it has: {}", known.join(", ")) })]
    NotThere {
        /// What is missing.
        what: String,
        /// The sysroot.
        place: PathBuf,
        /// What is there.
        known: Vec<String>,
    },
    /// A kernel argument that cannot stand in a boot entry.
    #[error("the kernel argument {arg:?} cannot stand in a boot entry: {why}")]
    BadKernelArg {
        /// The argument.
        arg: String,
        /// Why not.
        why: &'static str,
    },
    /// There is not enough room.
    #[error("no room in {place}: {} needed{}, {available} free; free some there, or make the partition larger", need.map_or_else(|| "more than there is".to_owned(), |need| need.to_string()), for_what(commit.as_ref()))]
    NoSpace {
        /// The repository or sysroot.
        place: PathBuf,
        /// Bytes needed, where that is known.
        need: Option<Bytes>,
        /// Bytes free.
        available: Bytes,
        /// For which commit.
        commit: Option<Checksum>,
    },
    /// A directory is no repository, or no sysroot.
    #[error("{path} is no {what}")]
    NotA {
        /// The directory.
        path: PathBuf,
        /// `ostree repository`, `sysroot of an atomic system`.
        what: &'static str,
        /// What libostree said.
        source: glib::Error,
    },
    /// Anything else that libostree refuses.
    #[error("cannot {deed} ({path})")]
    Libostree {
        /// What was to be done.
        deed: String,
        /// The repository or sysroot.
        path: PathBuf,
        /// What libostree said.
        source: glib::Error,
    },
    /// A file on the host.
    #[error("cannot {deed} {path}")]
    Io {
        /// What was to be done.
        deed: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file in the sysroot.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// Whose matter an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// What was asked for is not there, or cannot be named so.
    Asked,
    /// A repository or commit is not as it should be, or not signed by whom it should be.
    Content,
    /// This host: space, permissions.
    Host,
    /// A server, or the network.
    Remote,
}

impl OstreeError {
    /// Whose matter it is.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownRef { .. }
            | Self::UnknownCommit { .. }
            | Self::NoSummary { .. }
            | Self::BadKey { .. }
            | Self::BadStateroot { .. }
            | Self::BadKernelArg { .. }
            | Self::NotThere { .. }
            | Self::NotA { .. } => ErrorClass::Asked,
            Self::NoKernel { .. }
            | Self::NoInitramfs { .. }
            | Self::BadSignature { .. }
            | Self::Libostree { .. }
            | Self::Target(_) => ErrorClass::Content,
            Self::NoSpace { .. } | Self::Io { .. } => ErrorClass::Host,
            Self::Corrupt { .. } | Self::BrokenOff { .. } | Self::Incomplete { .. } | Self::Remote { .. } => {
                ErrorClass::Remote
            }
        }
    }
}

fn known_refs(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "; it has none, or no summary to tell them by (`ostree summary -u` makes one), or is no repository"
            .to_owned();
    }
    let near = isotope_element::suggest(name, known.iter().map(String::as_str), "");
    let near = near.filter(|text| text.starts_with("did")).map(|text| format!("; {text}")).unwrap_or_default();
    format!("{near}; it has: {}", known.join(", "))
}

fn list(wanted: &[String]) -> String {
    if wanted.is_empty() { "a key, and the remote has none".to_owned() } else { wanted.join(", ") }
}

fn for_what(commit: Option<&Checksum>) -> String {
    commit.map(|commit| format!(" for commit {}", commit.short())).unwrap_or_default()
}
