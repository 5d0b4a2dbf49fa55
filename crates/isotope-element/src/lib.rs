//! Pure: what an element is. Manifest, search path, variables, resolution, templates.
//!
//! In: directories. Out: an ordered `ElementSet` of parsed, validated elements. It must not know recipes, plans or the host.

mod units;

pub use units::{Arch, Bytes, Family, Origin, Phase, Place};
