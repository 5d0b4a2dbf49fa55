//! The bound of the layers in the cache: after each build the least recently used go until the rest fits.

use isotope_cache::{Bounds, Store};
use isotope_plan::Bytes;
use std::path::Path;
use std::str::FromStr;

/// Below the cache directory.
pub const LAYERS: &str = "layers";

/// The variable that says it, where no option does.
pub const VARIABLE: &str = "ISOTOPE_CACHE_SIZE";

/// Where neither says it. Enough for some ten images with their variants.
const DEFAULT: Bound = Bound(Some(20 << 30));

/// How much layers may take in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound(Option<u64>);

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self(None));
        }
        text.parse::<Bytes>().map(|Bytes(bytes)| Self(Some(bytes))).map_err(|error| format!("{error}, or `unlimited`"))
    }
}

/// The option, for subcommands that build in layers.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// How much layers in the cache may take; the least recently used go [default: ISOTOPE_CACHE_SIZE, else 20 GiB]
    #[arg(long, value_name = "SIZE|unlimited")]
    cache_size: Option<Bound>,
}

impl Args {
    /// The bound that the option, the variable's `value` or the default sets.
    ///
    /// # Errors
    /// The variable has no size.
    pub fn bound(&self, value: Option<&String>) -> Result<Bound, crate::exit::Failure> {
        self.cache_size.map_or_else(|| by_variable(value), Ok)
    }
}

/// The bound that the variable's `value` or the default sets.
///
/// # Errors
/// It has no size.
pub fn by_variable(value: Option<&String>) -> Result<Bound, crate::exit::Failure> {
    use crate::exit::{Class, Failure};
    match value.map(String::as_str) {
        None | Some("") => Ok(DEFAULT),
        Some(text) => text.parse().map_err(|error| {
            Failure::new(Class::Usage, format!("{VARIABLE} has no size: {error}")).hint("write a size, such as 10GiB")
        }),
    }
}

impl Bound {
    /// Makes room. Returns what a person should know of it. What cannot be removed now can be the next time.
    pub fn keep(self, cache_dir: &Path) -> Option<String> {
        let Self(bytes @ Some(most)) = self else { return None };
        let evict = || {
            Store::existing(&cache_dir.join(LAYERS))?
                .map(|store| store.evict(&Bounds { bytes, used_since: None }))
                .transpose()
        };
        match evict() {
            Ok(None) => None,
            Ok(Some(evicted)) if evicted.removed.is_empty() => None,
            Ok(Some(evicted)) => Some(format!(
                "made room in the cache: {} layers that were not used for long are gone, {}; those left take {} of {}",
                evicted.removed.len(),
                Bytes(evicted.bytes),
                Bytes(evicted.left),
                Bytes(most)
            )),
            Err(error) => Some(format!("the cache's layers could not be bound to {}: {error}", Bytes(most))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_sizes_or_none() {
        assert_eq!("10 GiB".parse(), Ok(Bound(Some(10 << 30))));
        assert_eq!("unlimited".parse(), Ok(Bound(None)));
        let error = "plenty".parse::<Bound>().unwrap_err();
        assert!(error.ends_with("or `unlimited`"), "{error}");
        assert_eq!(by_variable(None).unwrap(), DEFAULT);
        assert!(by_variable(Some(&"x".to_owned())).unwrap_err().message.contains(VARIABLE));
    }

    #[test]
    fn a_cache_without_layers_needs_no_room() {
        assert_eq!(DEFAULT.keep(Path::new("/nonexistent")), None);
        assert_eq!(Bound(None).keep(Path::new("/nonexistent")), None);
    }
}
