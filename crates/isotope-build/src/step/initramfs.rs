//! Makes the initramfs of every installed kernel, once, when all packages are there.

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_plan::Step;
use isotope_plan::layout::{FilesystemKind, Layout};
use isotope_sys::target::{TargetDir, TargetError};
use std::collections::{BTreeMap, BTreeSet};

/// The step.
pub(super) struct Initramfs;

/// A program that makes one. Adding one: a line in [`GENERATORS`] and its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generator {
    UpdateInitramfs,
    Dracut,
}

/// By what is in the target, in this order.
const GENERATORS: [(&str, Generator); 3] = [
    ("/usr/sbin/update-initramfs", Generator::UpdateInitramfs),
    ("/usr/bin/dracut", Generator::Dracut),
    ("/usr/sbin/dracut", Generator::Dracut),
];

impl Run for Initramfs {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let kernels = kernels(build.target.tree())?;
        if kernels.is_empty() {
            build.events.output("no kernel is installed, so no initramfs is needed");
            return Ok(());
        }
        let tree = build.target.tree();
        let Some((_, generator)) = GENERATORS.into_iter().find(|(path, _)| tree.exists(path)) else {
            let kernels = kernels.into_iter().collect::<Vec<_>>().join(", ");
            build.warn(format!(
                "kernel {kernels} is installed without an initramfs generator: it boots without an initramfs"
            ));
            return Ok(());
        };
        let purpose = Purpose { lend: build.plan.layout.as_ref().map(lent).unwrap_or_default(), ..Purpose::default() };
        build.scene.purpose = Some(purpose.clone());
        let sandbox = build.target.enter(&purpose)?;
        for version in &kernels {
            let args = arguments(generator, version, tree.exists("/etc/debian_version"));
            let (program, args) = args.split_first().ok_or(StepError::Plan("an initramfs generator without a name"))?;
            let tool =
                sandbox.tool(program)?.args(args).env("SOURCE_DATE_EPOCH", build.plan.source_date_epoch.to_string());
            sandbox.run(&tool, &build.events).map_err(|source| StepError::Command {
                what: format!("make the initramfs of kernel {version}"),
                source,
            })?;
        }
        Ok(sandbox.leave()?)
    }
}

/// Versions of the kernels whose modules or image are installed.
pub(super) fn kernels(tree: &TargetDir) -> Result<BTreeSet<String>, TargetError> {
    let mut found = BTreeSet::new();
    for dir in ["/usr/lib/modules", "/lib/modules"] {
        for entry in tree.read_dir(dir)? {
            let version = entry.name.to_string_lossy().into_owned();
            // A directory without this list belongs to a kernel that is gone or was never there (headers, DKMS).
            if entry.is_dir && tree.exists(format!("{dir}/{version}/modules.builtin")) {
                found.insert(version);
            }
        }
    }
    for entry in tree.read_dir("/boot")? {
        if let Some(version) = entry.name.to_string_lossy().strip_prefix("vmlinuz-")
            && !version.contains("rescue")
        {
            found.insert(version.to_owned());
        }
    }
    Ok(found)
}

/// What generators read of the image's filesystems, to put the fsck of its root into the initramfs. The disk is made later.
fn lent(layout: &Layout) -> BTreeMap<String, String> {
    let mut lent = BTreeMap::from([("/etc/fstab".to_owned(), isotope_disk::fstab::render(layout, None))]);
    if let Some(root) = layout.root() {
        // Of fstab's root, initramfs-tools looks at the device, which is not there; this it believes.
        let kind = match root.kind {
            FilesystemKind::Ext4 => "ext4",
            FilesystemKind::Ext3 => "ext3",
            FilesystemKind::Ext2 => "ext2",
            FilesystemKind::Xfs => "xfs",
            FilesystemKind::Btrfs => "btrfs",
            FilesystemKind::Fat | FilesystemKind::Swap => "auto",
        };
        lent.insert("/etc/initramfs-tools/conf.d/isotope".to_owned(), format!("FSTYPE={kind}\n"));
    }
    lent
}

fn arguments(generator: Generator, version: &str, debian: bool) -> Vec<String> {
    match generator {
        Generator::UpdateInitramfs => ["update-initramfs", "-c", "-k", version].map(str::to_owned).to_vec(),
        Generator::Dracut => {
            let image =
                if debian { format!("/boot/initrd.img-{version}") } else { format!("/boot/initramfs-{version}.img") };
            ["dracut", "--force", "--no-hostonly", "--reproducible", "--kver", version, &image]
                .map(str::to_owned)
                .to_vec()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_by_modules_and_by_image() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        tree.write("/usr/lib/modules/6.12.1-amd64/modules.builtin", "", 0o644).unwrap();
        tree.create_dir_all("/usr/lib/modules/5.0-headers-only/build", 0o755).unwrap();
        tree.symlink("usr/lib", "/lib").unwrap();
        tree.write("/boot/vmlinuz-6.1.0-50-amd64", "", 0o644).unwrap();
        tree.write("/boot/vmlinuz-0-rescue-abc", "", 0o644).unwrap();
        let found: Vec<String> = kernels(&tree).unwrap().into_iter().collect();
        assert_eq!(found, ["6.1.0-50-amd64", "6.12.1-amd64"]);
    }

    #[test]
    fn images_have_the_names_that_boot_loaders_look_for() {
        let last = |debian| arguments(Generator::Dracut, "6.1", debian).pop().unwrap();
        assert_eq!(last(true), "/boot/initrd.img-6.1");
        assert_eq!(last(false), "/boot/initramfs-6.1.img");
    }
}
