//! What goes wrong with a registry, with what to do about it.

use crate::Place;
use std::fmt;
use std::path::PathBuf;

/// A tag or a digest in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The repository.
    pub place: Place,
    /// The tag, or a digest (`sha256:…`).
    pub reference: String,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.reference.contains(':') { '@' } else { ':' };
        write!(f, "{}{sign}{}", self.place, self.reference)
    }
}

/// Why a registry could not be used, or what it gave was not.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The name of a registry and repository is none.
    #[error("`{text}` names no repository in a registry: {why}")]
    Reference {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file with credentials is not as it should be.
    #[error("cannot take credentials from {}: {why}", file.display())]
    AuthFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A credential helper that an auth file names gave nothing.
    #[error("`docker-credential-{helper}`, which {} names for {host}, gives no credentials", file.display())]
    Helper {
        /// The auth file.
        file: PathBuf,
        /// The helper's name.
        helper: String,
        /// The registry.
        host: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The registry wants other credentials, or any.
    #[error("registry {} does not allow us {deed} {at}: {why}", at.place.host())]
    Denied {
        /// What was asked for.
        at: At,
        /// The deed: `to read`, `to write`.
        deed: &'static str,
        /// What it says, and which credentials it was given.
        why: String,
    },
    /// No answer, or a broken one.
    #[error("cannot reach registry {} for {at}{}", at.place.host(), tried(*tries))]
    Unreachable {
        /// What was asked for.
        at: At,
        /// How often.
        tries: u32,
        /// The cause of the last failure.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer that the protocol has no place for.
    #[error("registry {} answers {status} when asked {deed} {at}: {message}", at.place.host())]
    Status {
        /// What was asked for.
        at: At,
        /// The deed.
        deed: &'static str,
        /// The status of HTTP.
        status: u16,
        /// What it says.
        message: String,
    },
    /// What the registry holds is not what its digests, its key or its form say.
    #[error("refused {at}: {why}")]
    Refused {
        /// What was asked for.
        at: At,
        /// What is wrong with it.
        why: String,
    },
    /// A directory has what an OCI archive cannot carry.
    #[error("cannot make an archive of {}: {why}", path.display())]
    Pack {
        /// The file of the layer.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The store of layers.
    #[error(transparent)]
    Cache(#[from] isotope_cache::CacheError),
    /// The file system of this machine.
    #[error("cannot {what} {}", path.display())]
    Local {
        /// The deed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

fn tried(tries: u32) -> String {
    if tries > 1 { format!(", tried {tries} times") } else { String::new() }
}

impl RegistryError {
    /// Whether what came from the registry was refused: it is to be built instead.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Reference { .. } => "for example 127.0.0.1:5000/isotope/cache".to_owned(),
            Self::AuthFile { .. } => "repair or remove the file; `skopeo login REGISTRY` writes it anew".to_owned(),
            Self::Helper { .. } => "install the helper, or use `skopeo login REGISTRY`, which needs none".to_owned(),
            Self::Denied { at, .. } => {
                format!("`skopeo login {}` stores credentials where Isotope finds them", at.place.host())
            }
            Self::Unreachable { at, .. } if at.place.scheme() == crate::Scheme::Https => {
                "is it running? A registry without encryption is named with http:// before its host".to_owned()
            }
            Self::Unreachable { at, .. } => format!("is it running? `curl {}/v2/` asks it", at.place.origin()),
            Self::Status { status: 404, .. } => "is this the registry's address, and the repository's name?".to_owned(),
            Self::Status { .. } => "the registry's log tells more".to_owned(),
            Self::Refused { at, .. } => {
                format!("remove it there, or push it again: `isotope build … --cache-to {}`", at.place)
            }
            Self::Pack { .. } => "the layer stays of use on this machine".to_owned(),
            Self::Cache(_) => "`isotope cache verify` looks at the layers of this machine".to_owned(),
            Self::Local { .. } => "layers belong to root and need space: is this root, and is there any?".to_owned(),
        }
    }
}
