//! What `disk-image-create` adds to the elements that its user names.

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
#[must_use]
pub fn implicit(names: &[String], rules: &Implicit) -> Vec<String> {
    let vm = names.iter().any(|name| name == "vm");
    let layout = names.iter().any(|name| name.starts_with("block-device-"));
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
    use super::super::testing::owned;
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
            assert_eq!(implicit(&owned(names), &rules), owned(expected), "{names:?}");
        }
    }
}
