//! Which element's block device configuration a build uses.
//!
//! diskimage-builder takes the first one that it meets in a hash table. Ours is the last one of the set's order: an element that
//! depends on another has the last word. What is in the file is for `isotope_plan::blockdev`.

use super::ElementSet;
use std::path::PathBuf;

impl ElementSet {
    /// The element that has a configuration for an architecture (diskimage-builder's word), and the file; one for the
    /// architecture wins over the same element's `default`. None: the whole disk is one filesystem.
    #[must_use]
    pub fn block_device(&self, arch: &str) -> Option<(&str, PathBuf)> {
        // Both words for the little endian one.
        let arch = if arch == "ppc64le" { "ppc64el" } else { arch };
        self.elements.iter().rev().find_map(|element| {
            let mut files = element.contents().ok()?.block_devices();
            let file = files.remove(arch).or_else(|| files.remove("default"))?;
            Some((element.name.as_str(), file))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;

    #[test]
    fn the_element_that_depends_on_others_has_the_last_word() {
        let world = World::new();
        world.element("os", &[], &["operating-system"]).element("mbr", &[], &[]).element("vm", &["os", "mbr"], &[]);
        let chosen = |arch: &str| {
            let set = world.set(&["vm"]);
            set.block_device(arch)
                .map(|(element, file)| format!("{element}: {}", file.file_name().unwrap().to_string_lossy()))
        };
        assert_eq!(chosen("amd64"), None);
        world.file("mbr/block-device-default.yaml", 0o644, "").file("mbr/block-device-ppc64el.yaml", 0o644, "");
        assert_eq!(chosen("amd64").unwrap(), "mbr: block-device-default.yaml");
        assert_eq!(chosen("ppc64le").unwrap(), "mbr: block-device-ppc64el.yaml");
        world.file("vm/block-device-arm64.yaml", 0o644, "");
        assert_eq!(chosen("arm64").unwrap(), "vm: block-device-arm64.yaml");
        assert_eq!(chosen("amd64").unwrap(), "mbr: block-device-default.yaml");
    }
}
