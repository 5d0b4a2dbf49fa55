//! Layers, images and composes in OCI registries, so that other machines start warm.
//!
//! [`Registry`] speaks the distribution protocol of the Open Container Initiative (`/v2/`, distribution-spec 1.1): it finds an artifact
//! by its tag, and reads and writes blobs and manifests. [`archive`] makes a tar of a layer's upper directory and
//! unpacks one; it trusts nothing that a tar says. What a registry gives is believed as far as its digests go.
//! Must not know: steps, plans, terminals.

pub mod archive;
mod artifact;
mod auth;
mod client;
mod digest;
mod directory;
mod download;
mod error;
mod keyed;
mod kind;
mod layer;
mod place;
mod upload;

pub use artifact::{Artifact, Descriptor, Pushed, Registry};
pub use auth::Credentials;
pub use digest::Digest;
pub use directory::Directory;
pub use error::{At, RegistryError};
pub use keyed::Found;
pub use kind::Kind;
pub use place::{Place, Scheme};
