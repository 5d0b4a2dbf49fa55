//! Elements of both formats for one image: Isotope's own, and beside them diskimage-builder's.
//!
//! In: both catalogues, and the names that a recipe gives. Out: [`Mixed`], or every reason why there is none.
//!
//! A name means an element of ours where there is one, in recipes as in `element-deps`: a third-party element that depends on `vm`
//! or `cloud-init` gets ours. What ours do for all (packages, the base distribution, the disk) counts as provided.

use crate::dib::side::SideFile;
use crate::dib::{self, DibElement};
use crate::resolve::resolve as own_elements;
use crate::{Catalogue, Diagnostic, ElementSet, Located, ResolveErrors};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// diskimage-builder's elements whose work the engine does itself where elements of ours make the tree.
const DONE_BY_US: [&str; 8] = [
    "operating-system",
    "package-installs",
    "dpkg",
    "yum",
    "debootstrap",
    "block-device",
    "dib-run-parts",
    "dib-python",
];
/// Elements that others rely on without a word, because every base distribution of diskimage-builder depends on them.
const RELIED_UPON: [&str; 3] = ["dib-init-system", "install-bin", "pkg-map"];
/// Who provides all that is ours, in messages.
const OURS: &str = "isotope";

/// The elements of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixed {
    /// Isotope's own.
    pub set: ElementSet,
    /// diskimage-builder's, if there are any.
    pub beside: Option<Beside>,
}

/// Elements in diskimage-builder's format that stand beside Isotope's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// Those of the image, in order.
    pub set: dib::ElementSet,
    /// All of their search path that have no name of ours.
    pub catalogue: dib::Catalogue,
}

/// Resolves names of both formats. `theirs` is asked only where a name is no element of ours.
///
/// # Errors
/// As [`Catalogue::resolve`], for both formats; or diskimage-builder's elements cannot be read.
pub fn resolve(
    ours: &Catalogue,
    theirs: impl FnOnce() -> Result<dib::Catalogue, dib::LoadError>,
    names: &[&str],
) -> Result<Mixed, ResolveErrors> {
    if names.iter().all(|name| is_ours(ours, name)) {
        return Ok(Mixed { set: ours.resolve(names)?, beside: None });
    }
    let mut catalogue = theirs()
        .map_err(|error| ResolveErrors { errors: vec![Diagnostic::error(Path::new(""), error.to_string())] })?;
    catalogue.elements.retain(|name, _| !ours.elements.contains_key(name));
    let theirs: Vec<&str> = catalogue.elements.keys().map(String::as_str).collect();
    let (foreign, own): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| !is_ours(ours, name) && catalogue.elements.contains_key(**name));
    if foreign.is_empty() {
        return Ok(Mixed { set: own_elements(ours, names, &theirs)?, beside: None });
    }
    let mut errors = Vec::new();
    let set = beside(ours, &catalogue, &foreign).map_err(|more| errors.extend(more)).unwrap_or_default();
    let mut wanted: Vec<&str> = own;
    for need in set.elements.iter().flat_map(|element| &element.depends).map(|need| need.value.as_str()) {
        if ours.elements.contains_key(need) && !set.providers.contains_key(need) && !wanted.contains(&need) {
            wanted.push(need);
        }
    }
    match own_elements(ours, &wanted, &theirs) {
        Ok(own) if errors.is_empty() => {
            let twice: Vec<Diagnostic> = own
                .elements
                .iter()
                .filter_map(|element| Some((element, set.providers.get(&element.name)?)))
                .map(|(element, by)| {
                    let message =
                        format!("`{}` is provided by `{by}`, and is an element of the image too", element.name);
                    Diagnostic::error(&element.manifest.file, message).hint("leave one of them out".to_owned())
                })
                .collect();
            if !twice.is_empty() {
                return Err(ResolveErrors { errors: twice });
            }
            Ok(Mixed { set: own, beside: Some(Beside { set, catalogue }) })
        }
        Ok(_) => Err(ResolveErrors { errors }),
        Err(more) => Err(ResolveErrors { errors: more.errors.into_iter().chain(errors).collect() }),
    }
}

fn is_ours(ours: &Catalogue, name: &str) -> bool {
    ours.elements.contains_key(name) || provided(ours).any(|provided| provided == name)
}

/// Names that elements of ours provide beside their own.
fn provided(ours: &Catalogue) -> impl Iterator<Item = &str> {
    ours.elements.values().flat_map(|element| &element.manifest.provides).map(|name| name.value.as_str())
}

/// The closure of diskimage-builder's elements. An element stands in it for all that is ours, and is taken out again.
fn beside(ours: &Catalogue, catalogue: &dib::Catalogue, names: &[&str]) -> Result<dib::ElementSet, Vec<Diagnostic>> {
    let mut catalogue = catalogue.clone();
    let helpers = RELIED_UPON.into_iter().filter(|name| catalogue.elements.contains_key(*name));
    let names: Vec<String> = names.iter().copied().chain(helpers).map(str::to_owned).collect();
    // What they provide themselves is theirs, unless it is the distribution.
    let theirs = dib::closure(&catalogue, &names).providers;
    let known = ours.elements.keys().map(String::as_str).chain(provided(ours));
    let known: BTreeSet<&str> = known.filter(|name| !theirs.contains_key(*name)).chain(DONE_BY_US).collect();
    let provides = known.into_iter().map(|name| Located { value: name.to_owned(), line: 1 }).collect();
    let nowhere = PathBuf::new();
    let stand_in = DibElement {
        name: OURS.to_owned(),
        dir: nowhere.clone(),
        listed: nowhere,
        depends: Vec::new(),
        provides,
        side: SideFile::default(),
    };
    catalogue.elements.insert(OURS.to_owned(), stand_in);
    let names: Vec<String> = std::iter::once(OURS.to_owned()).chain(names).collect();
    let mut set = dib::resolve(&catalogue, &names).map_err(|found| {
        let told = |error: &dib::DibResolveError| match error {
            dib::DibResolveError::ProvidedTwice { name, first, second } if name == "operating-system" => {
                let other = if first == OURS { second } else { first };
                let message = format!("`{other}` is a base distribution in diskimage-builder's format");
                let hint = "a recipe begins with a base of Isotope's own (debian-minimal, fedora-minimal); this one is built by disk-image-create";
                Diagnostic::error(Path::new(""), message).hint(hint.to_owned())
            }
            other => other.diagnostic(Path::new("")),
        };
        found.errors.iter().map(told).collect::<Vec<_>>()
    })?;
    set.elements.retain(|element| element.name != OURS);
    set.providers.retain(|_, by| by != OURS);
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dib::ElementsPath;

    struct World(tempfile::TempDir);

    impl World {
        fn new() -> Self {
            let world = Self(tempfile::tempdir().unwrap());
            world
                .file("os/element.toml", "summary = \"os\"\nprovides = [\"operating-system\"]\n")
                .file("vm/element.toml", "summary = \"vm\"\n")
                .file("app/element-deps", "vm\nlibrary\ndpkg\npackage-installs\n")
                .file("library/README.rst", "A library\n")
                .file("install-bin/README.rst", "bin\n")
                .file("other-os/element-provides", "operating-system\n");
            world
        }

        fn file(&self, path: &str, text: &str) -> &Self {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            self
        }

        fn resolve(&self, names: &[&str]) -> Result<Mixed, ResolveErrors> {
            let ours = crate::load(&[self.0.path().to_owned()]).unwrap();
            resolve(&ours, || dib::load(&ElementsPath { entries: vec![self.0.path().to_owned()] }), names)
        }
    }

    #[test]
    fn both_formats_are_one_image() {
        let mixed = World::new().resolve(&["os", "app"]).unwrap();
        let own: Vec<&str> = mixed.set.elements.iter().map(|element| element.name.as_str()).collect();
        assert_eq!(own, ["os", "vm"], "what theirs depend on is ours where we have it");
        assert_eq!(mixed.beside.unwrap().set.names(), ["library", "app", "install-bin"]);
    }

    #[test]
    fn without_foreign_names_nothing_foreign_is_read() {
        let ours = crate::load(&[World::new().0.path().to_owned()]).unwrap();
        let mixed = resolve(&ours, || panic!("not asked"), &["os", "vm"]);
        // The world is gone, and its directories with it: what was loaded is enough.
        assert_eq!(mixed.unwrap().beside, None);
    }

    #[test]
    fn a_second_distribution_and_unknown_names_are_told() {
        let world = World::new();
        world.file("app/element-deps", "nowhere\n");
        let told = world.resolve(&["os", "app"]).unwrap_err().to_string();
        assert!(told.contains("Element 'nowhere' not found"), "{told}");
        let told = world.resolve(&["os", "other-os"]).unwrap_err().to_string();
        assert!(told.contains("`other-os` is a base distribution"), "{told}");
        let told = world.resolve(&["os", "librari"]).unwrap_err().to_string();
        assert!(told.contains("there is no element `librari`") && told.contains("did you mean `library`"), "{told}");
    }
}
