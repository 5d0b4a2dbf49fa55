//! `svc-map`: names of services → those of a distribution.
//!
//! In: the files of a build's elements (YAML). Out: [`SvcMap`] each, merged by [`merge`]. A service is one element's only.

use super::values::{entries, scalar, text_of};
use super::{ElementSet, Kind};
use crate::yaml::Text;
use crate::{Diagnostic, Located};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SvcMap {
    /// The file.
    pub file: PathBuf,
    /// Service → distribution, family or `default` → its name there.
    pub services: Vec<(Located<String>, BTreeMap<String, String>)>,
    /// Keys that stand twice.
    pub warnings: Vec<Diagnostic>,
}

/// The family of a distribution; fewer than `pkg-map` knows.
#[must_use]
pub fn family(distro: &str) -> Option<&'static str> {
    match distro {
        "centos" | "fedora" | "rhel" => Some("redhat"),
        "debian" | "ubuntu" => Some("debian"),
        "opensuse" => Some("suse"),
        _ => None,
    }
}

impl SvcMap {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`SvcMap::parse`]; or it cannot be read.
    pub fn read(file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let text = text_of(file).map_err(|error| vec![error])?;
        Self::parse(file, &text)
    }

    /// Reads a file of this text.
    ///
    /// # Errors
    /// It is no YAML, or not of the right shape; all at once.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut map = Self { file: file.to_owned(), ..Self::default() };
        let text = Text { path: file, text };
        let root = text.parse_as_python(&mut map.warnings).map_err(|error| vec![error])?;
        let Some(root) = root.filter(|root| !root.is_null()) else { return Ok(map) };
        let mut errors = Vec::new();
        let mut wrong = |node: &crate::yaml::Node, what: &str| {
            errors.push(text.error(node.at, format!("{what} is expected here, and this is {}", node.what())));
        };
        let Some(services) = entries(&root) else {
            wrong(&root, "a map of services");
            return Err(errors);
        };
        for (service, node) in services {
            let Some(names) = entries(node) else {
                wrong(node, "a map of distributions and families");
                continue;
            };
            let mut found = BTreeMap::new();
            for (key, value) in names {
                match scalar(value) {
                    Some(name) => drop(found.insert(key.name.clone(), name.to_owned())),
                    None => wrong(value, "the name of a service"),
                }
            }
            map.services.push((Located { value: service.name.clone(), line: service.at.line }, found));
        }
        if errors.is_empty() { Ok(map) } else { Err(errors) }
    }

    /// What a service is called: by the distribution, its family, `default`, or as it is.
    #[must_use]
    pub fn name<'n>(service: &'n str, names: &'n BTreeMap<String, String>, distro: &str) -> &'n str {
        let keys = [Some(distro), family(distro), Some("default")];
        keys.into_iter().flatten().find_map(|key| names.get(key)).map_or(service, String::as_str)
    }
}

/// The services of all elements of a set, for a distribution.
///
/// # Errors
/// All that is wrong in all files; and services of two elements.
pub fn merge(set: &ElementSet, distro: &str) -> Result<BTreeMap<String, String>, Vec<Diagnostic>> {
    let mut services = BTreeMap::new();
    let mut errors = Vec::new();
    for element in &set.elements {
        let contents = match element.contents() {
            Ok(contents) => contents,
            Err(more) => {
                errors.extend(more);
                continue;
            }
        };
        for file in contents.sources().filter(|file| file.kind == Kind::SvcMap) {
            match SvcMap::read(&file.path) {
                Ok(map) => errors.extend(add(&mut services, &map, distro)),
                Err(more) => errors.extend(more),
            }
        }
    }
    if errors.is_empty() { Ok(services) } else { Err(errors) }
}

fn add(services: &mut BTreeMap<String, String>, map: &SvcMap, distro: &str) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for (service, names) in &map.services {
        let name = SvcMap::name(&service.value, names, distro).to_owned();
        if services.insert(service.value.clone(), name).is_some() {
            let message = format!("{} already found in services list", service.value);
            let hint = format!("line {}: another element maps this service; leave one of them out", service.line);
            errors.push(Diagnostic::error(&map.file, message).hint(hint));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    const MAP: &str = "web:\n  debian: apache2\n  redhat: httpd\n  default: www\nplain: {suse: x}\n";

    #[test]
    fn services_by_distribution_family_and_default() {
        let map = SvcMap::parse(Path::new("svc-map"), MAP).unwrap();
        let names = &map.services[0].1;
        for (distro, expected) in [("debian", "apache2"), ("ubuntu", "apache2"), ("fedora", "httpd"), ("rocky", "www")]
        {
            assert_eq!(SvcMap::name("web", names, distro), expected, "{distro}");
        }
        assert_eq!(SvcMap::name("plain", &map.services[1].1, "debian"), "plain");
    }

    #[test]
    fn a_service_is_one_elements() {
        let world = World::new();
        world.element("os", &[], &["operating-system"]).file("os/svc-map", 0o644, MAP);
        world.element("app", &["os"], &[]).file("app/svc-map", 0o644, "db: {default: postgres}\n");
        let merged = merge(&world.set(&["app"]), "debian").unwrap();
        let merged: Vec<(&str, &str)> = merged.iter().map(|(service, name)| (&**service, &**name)).collect();
        assert_eq!(merged, [("db", "postgres"), ("plain", "plain"), ("web", "apache2")]);
        world.file("app/svc-map", 0o644, "web: {default: x}\n");
        let errors = merge(&world.set(&["app"]), "debian").unwrap_err();
        assert_eq!(errors[0].message, "web already found in services list");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, part) in [
            ("- a\n", "a map of services is expected here, and this is a list\n --> svc-map:1:1"),
            (
                "web: httpd\n",
                "a map of distributions and families is expected here, and this is a text\n --> svc-map:1:6",
            ),
            ("web:\n  debian: [x]\n", "the name of a service is expected here, and this is a list\n --> svc-map:2:11"),
        ] {
            let errors = SvcMap::parse(Path::new("svc-map"), text).unwrap_err();
            assert!(errors[0].to_string().contains(part), "{}", errors[0]);
        }
        assert!(SvcMap::parse(Path::new("svc-map"), "# nothing\n").unwrap().services.is_empty());
    }
}
