//! The kernels in the target's `/boot`, as the distributions name them.

use crate::error::BootError;
use crate::tree::Tree;
use crate::version::compare;

/// A kernel and its initramfs, by their names in `/boot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Its version.
    pub version: String,
    /// `vmlinuz-VERSION`.
    pub image: String,
    /// `initrd.img-VERSION` or `initramfs-VERSION.img`.
    pub initrd: Option<String>,
}

/// All kernels, the newest first; rescue images of Fedora are left out.
pub fn find(tree: &Tree) -> Result<Vec<Kernel>, BootError> {
    let names = tree.list("/boot")?;
    let mut kernels: Vec<Kernel> = names
        .iter()
        .filter_map(|name| name.strip_prefix("vmlinuz-").map(|version| (name, version)))
        .filter(|(_, version)| {
            !version.starts_with("0-rescue")
                && ![".old", ".bak", ".dpkg-new", ".dpkg-tmp"].iter().any(|end| version.ends_with(end))
        })
        .map(|(name, version)| Kernel {
            version: version.to_owned(),
            image: name.clone(),
            initrd: [format!("initrd.img-{version}"), format!("initramfs-{version}.img"), format!("initrd-{version}")]
                .into_iter()
                .find(|initrd| names.contains(initrd)),
        })
        .collect();
    kernels.sort_by(|a, b| compare(&b.version, &a.version));
    if kernels.is_empty() { Err(BootError::NoKernel) } else { Ok(kernels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_first_with_its_initramfs() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path(), 1).unwrap();
        for name in [
            "vmlinuz-6.1.0-9-amd64",
            "vmlinuz-6.12.1-amd64",
            "initrd.img-6.12.1-amd64",
            "initramfs-6.1.0-9-amd64.img",
            "config-6.12.1-amd64",
            "vmlinuz-0-rescue-abc",
            "vmlinuz-6.1.0-9-amd64.dpkg-new",
            "System.map-6.12.1-amd64",
        ] {
            tree.write(&format!("/boot/{name}"), "", 0o644).unwrap();
        }
        let kernels = find(&tree).unwrap();
        let found: Vec<_> = kernels.iter().map(|k| (k.version.as_str(), k.initrd.as_deref())).collect();
        assert_eq!(
            found,
            [("6.12.1-amd64", Some("initrd.img-6.12.1-amd64")), ("6.1.0-9-amd64", Some("initramfs-6.1.0-9-amd64.img"))]
        );
    }

    #[test]
    fn an_empty_boot_is_an_error_that_names_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path(), 1).unwrap();
        assert!(find(&tree).unwrap_err().to_string().contains("install a kernel package"));
    }
}
