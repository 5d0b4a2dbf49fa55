//! Who we are to a registry: what it asks for, and the credentials that the container tools keep.

mod challenge;
mod files;
mod helper;

pub(crate) use challenge::{Challenge, challenges};
pub use files::Credentials;
pub(crate) use files::Login;
