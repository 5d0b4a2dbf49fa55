//! Pure: what an element is. Manifest, search path, variables, resolution, templates.
//!
//! [`load`] a search path, [`Catalogue::resolve`] names of it; [`lint::check`] an element, [`scaffold::element`] a new one.
//! In: directories. Out: an ordered [`ElementSet`] of parsed, validated elements. It must not know recipes, plans or the host.
//! It reads the directories of the search path and nothing else; it writes nothing and starts nothing.

mod catalogue;
mod condition;
mod diagnostic;
pub mod dib;
pub mod document;
mod downloads;
mod hook;
mod keep;
pub mod lint;
mod manifest;
pub mod mixed;
mod nearest;
mod raw;
mod resolve;
pub mod scaffold;
mod size;
mod target;
pub mod template;
mod units;
mod validate;
mod value;
pub mod yaml;

pub use catalogue::{Catalogue, Element, load};
pub use condition::Condition;
pub use diagnostic::{Diagnostic, ManifestError, Severity, Spot};
pub use hook::HookFile;
pub use keep::Keep;
pub use manifest::{
    BootloaderSection, BootstrapSection, CheckBody, CheckKind, CheckSection, DistroSection, FilesSection,
    FilesystemSection, LayoutSection, Located, Manifest, OstreeComposeSection, OstreeDeploySection, OstreeSection,
    PackagesSection, PartitionSection, RuleSection, ServicesSection, SourceSection, SysprepSection, TemplateSection,
};
pub use nearest::suggest;
pub use resolve::{ElementSet, ResolveErrors};
pub use target::TargetFacts;
pub use template::{RenderError, Renderer, Template};
pub use units::{Arch, Bytes, Family, Origin, Phase, Place, Tree};
pub use value::{Form, Given, Value, ValueError, Values, VarDecl, VarDefault, VarType};

/// The JSON Schema of `element.toml`.
#[must_use]
pub fn manifest_schema() -> schemars::Schema {
    schemars::schema_for!(raw::RawManifest)
}

/// The JSON Schema of `isotope.toml` of elements in diskimage-builder's format.
#[must_use]
pub fn side_file_schema() -> schemars::Schema {
    schemars::schema_for!(dib::RawSideFile)
}
