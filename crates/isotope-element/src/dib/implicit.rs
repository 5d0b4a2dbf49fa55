//! What `disk-image-create` adds to the elements that its user names.

use super::{Catalogue, closure};

/// What decides what is added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Implicit {
    /// diskimage-builder's word for the architecture (`-a`, `ARCH`).
    pub arch: String,
    /// `-n`: without `base`.
    pub skip_base: bool,
    /// For `ramdisk-image-create`: the value of `RAMDISK_ELEMENT`.
    pub ramdisk: Option<String>,
}

/// The elements that are resolved: the ramdisk's, `base`, the user's; and a disk layout where `vm` is named and no layout is.
///
/// So too where `vm` is only a dependency and nothing among the elements provides a layout, which is an error of diskimage-builder's:
/// elements from before 2017 depend on `vm`, which brought one then.
#[must_use]
pub fn implicit(names: &[String], rules: &Implicit, catalogue: &Catalogue) -> Vec<String> {
    let named = names.iter().any(|name| name == "vm");
    let all = closure(catalogue, names);
    let vm = named || all.elements.iter().any(|element| element.name == "vm");
    let layout = match named {
        true => names.iter().any(|name| name.starts_with("block-device-")),
        false => all.providers.contains_key("block-device"),
    };
    let default = match rules.arch.as_str() {
        "arm64" | "aarch64" => "block-device-efi",
        _ => "block-device-mbr",
    };
    let base = (!rules.skip_base).then(|| "base".to_owned());
    let layout = (vm && !layout).then(|| default.to_owned());
    rules.ramdisk.clone().into_iter().chain(base).chain(names.iter().cloned()).chain(layout).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{World, owned};
    use super::*;

    #[test]
    fn base_the_ramdisk_and_a_layout_are_added() {
        let rules = |arch: &str, skip_base: bool, ramdisk: Option<&str>| Implicit {
            arch: arch.to_owned(),
            skip_base,
            ramdisk: ramdisk.map(str::to_owned),
        };
        for (names, rules, expected) in [
            (&["os", "vm"][..], rules("amd64", false, None), &["base", "os", "vm", "block-device-mbr"][..]),
            (&["os", "vm"], rules("arm64", true, None), &["os", "vm", "block-device-efi"]),
            (&["vm"], rules("aarch64", true, None), &["vm", "block-device-efi"]),
            (&["vm", "block-device-gpt"], rules("amd64", false, None), &["base", "vm", "block-device-gpt"]),
            (&["os"], rules("arm64", false, Some("ramdisk")), &["ramdisk", "base", "os"]),
        ] {
            assert_eq!(implicit(&owned(names), &rules, &Catalogue::default()), owned(expected), "{names:?}");
        }
    }

    #[test]
    fn who_needs_a_disk_gets_a_layout_if_nothing_has_one() {
        let world = World::new();
        world
            .element("vm", &["block-device"], &[])
            .element("old", &["vm"], &[])
            .element("mine", &["vm", "my-disk"], &[])
            .element("my-disk", &[], &["block-device"]);
        let rules = Implicit { arch: "amd64".to_owned(), skip_base: true, ramdisk: None };
        let of = |name: &str| implicit(&owned(&[name]), &rules, &world.catalogue());
        assert_eq!(of("old"), ["old", "block-device-mbr"]);
        assert_eq!(of("mine"), ["mine"]);
    }
}
