//! Layers in OCI registries, so that other machines start warm.
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
mod download;
mod error;
mod layer;
mod place;
mod upload;

pub use artifact::{ARTIFACT_TYPE, Artifact, Descriptor, Pushed, Registry};
pub use auth::Credentials;
pub use digest::Digest;
pub use error::{At, RegistryError};
pub use place::{Place, Scheme};
