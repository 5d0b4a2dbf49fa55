//! Unpacking and entering packages without dpkg, so that dpkg finds exactly what it would have left itself.

mod claims;
pub mod database;
pub mod rounds;
pub mod unpack;

pub use unpack::UnpackError;
