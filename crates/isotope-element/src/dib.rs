//! Pure: diskimage-builder's elements, read as they are.
//!
//! [`ElementsPath`] → [`Catalogue`] → [`resolve`] → [`ElementSet`] → [`HookTree`]; beside them the files that elements may
//! have ([`PackageInstalls`], [`PkgMap`], [`SvcMap`], [`source_repository`]), the order in which scripts run ([`run_parts`]),
//! and the [`lint`]. In: directories without `element.toml`. Out: plain values, in an order that is always the same.
//!
//! The rules are those of diskimage-builder 3.43, with its errors' wording. Where its order is that of a hash table, ours is
//! stable; where it ignores a file without a word, ours says so. Nothing is run and nothing is written here.

mod block_device;
mod catalogue;
mod contents;
mod element;
pub mod environment;
mod hook_tree;
mod implicit;
mod info;
pub mod lint;
mod package_installs;
pub mod pkg_map;
mod resolve;
pub mod run_parts;
pub mod side;
pub mod source_repository;
pub mod svc_map;
mod upstream;
mod values;

#[cfg(test)]
mod testing;

pub use catalogue::{Catalogue, ElementsPath, InvalidElementDir, LoadError, load};
pub use contents::{Contents, Entry, EntryKind, Kind, SourceFile};
pub use element::{DibElement, looks_like};
pub use hook_tree::{DuplicateHook, HookTree, HookTreeError, TreeFile};
pub use implicit::{Implicit, implicit};
pub use package_installs::{PHASES, PackageEntry, PackageInstalls, Packages, SquashError, Squashed, When, squash};
pub use pkg_map::PkgMap;
pub use resolve::{DibResolveError, DibResolveErrors, ElementSet, Wanted, closure, resolve};
pub(crate) use side::RawSideFile;
pub use svc_map::SvcMap;
pub use upstream::UPSTREAM;
pub use values::text_of;
