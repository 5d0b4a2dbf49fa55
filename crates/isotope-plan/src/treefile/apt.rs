//! The section `apt`: our own, for trees of Debian's packages.

use super::layer::{Apt, AptSource, Placed};
use super::node::{Kind, Node};
use super::read::Reader;
use isotope_element::suggest;

const KEYS: [&str; 4] = ["distro", "packages", "release", "sources"];
const SOURCE_KEYS: [&str; 5] = ["components", "keyring", "mirror", "suite", "verify"];

impl Reader<'_> {
    pub(super) fn apt(&mut self, node: &Node) -> Option<Apt> {
        let Kind::Map(entries) = &node.kind else {
            self.error(node.at, format!("`apt` is a map, and this is {}", node.what()));
            return None;
        };
        let mut apt = Apt::default();
        for (key, value) in entries {
            match key.name.as_str() {
                "distro" => apt.distro = self.text(value),
                "release" => apt.release = self.text(value),
                "packages" => apt.packages = self.words(value),
                "sources" => apt.sources = self.sources(value),
                other => match other.strip_prefix("packages-").filter(|release| !release.is_empty()) {
                    Some(release) => drop(apt.release_packages.insert(release.to_owned(), self.words(value))),
                    None => {
                        let hint = suggest(other, KEYS, "keys of apt");
                        self.error_hint(key.at, format!("`apt` has no key `{other}`"), hint);
                    }
                },
            }
        }
        Some(apt)
    }

    fn sources(&mut self, node: &Node) -> Vec<Placed<AptSource>> {
        let Kind::List(items) = &node.kind else {
            self.error(node.at, format!("a list of sources is expected here, and this is {}", node.what()));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.source(item)).collect()
    }

    fn source(&mut self, node: &Node) -> Option<Placed<AptSource>> {
        let Kind::Map(entries) = &node.kind else {
            self.error(node.at, format!("a source is a map with `mirror`, and this is {}", node.what()));
            return None;
        };
        let mut source = AptSource { verify: true, ..AptSource::default() };
        let mut at = node.at;
        for (key, value) in entries {
            match key.name.as_str() {
                "mirror" => {
                    at = key.at;
                    source.mirror = self.text(value).map(|mirror| mirror.value);
                }
                "suite" => source.suite = self.text(value).map(|suite| suite.value),
                "components" => {
                    source.components = Some(self.words(value).into_iter().map(|word| word.value).collect());
                }
                "keyring" => source.keyring = self.text(value).map(|keyring| keyring.value.into()),
                "verify" => source.verify = self.truth(value).is_none_or(|verify| verify.value),
                other => {
                    let hint = suggest(other, SOURCE_KEYS, "keys of a source");
                    self.error_hint(key.at, format!("a source has no key `{other}`"), hint);
                }
            }
        }
        if source.mirror.is_none() {
            let hint = "for example: mirror: host:debian, which is the archive that this host itself uses";
            self.error_hint(at, "a source needs a `mirror`", Some(hint.to_owned()));
        }
        Some(self.placed(at, source))
    }
}
