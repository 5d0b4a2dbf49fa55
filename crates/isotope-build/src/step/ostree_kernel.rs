//! Kernels where ostree looks for them, `/usr/lib/modules/VERSION/vmlinuz`, each with an initramfs beside it that finds
//! deployments: made by the target's dracut, once, with its module `ostree`.

use super::Run;
use super::initramfs::kernels;
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::{Purpose, Sandbox};
use isotope_plan::{BootLocation, Family, OstreeKernel, Step};
use isotope_sys::target::{TargetDir, TargetError};
use sha2::{Digest, Sha256};

/// The step.
pub(super) struct Kernel<'a>(pub &'a OstreeKernel);

/// What packages call a kernel in /boot.
const IMAGES: [&str; 3] = ["vmlinuz", "vmlinux", "Image"];

/// Where dracut's modules are.
const MODULES: &str = "/usr/lib/dracut/modules.d";

/// Whether a tree has a kernel where ostree looks for it.
pub(super) fn is_bootable(tree: &TargetDir) -> Result<bool, TargetError> {
    Ok(kernels(tree)?.iter().any(|version| tree.exists(place(version, "vmlinuz"))))
}

/// Options by which a treefile chooses a compression itself.
const COMPRESSIONS: [&str; 9] =
    ["--compress", "--no-compress", "--gzip", "--bzip2", "--lzma", "--xz", "--lzo", "--lz4", "--zstd"];

/// What compresses an initramfs of Debian's, where the treefile does not say. Of 77 MB it makes 32.3; dracut's own `--zstd`, which is
/// `zstd -15`, 32.0 in seven times the time.
const COMPRESSOR: &str = "zstd -q -9 -T0";

impl Run for Kernel<'_> {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let mut found = Vec::new();
        for version in kernels(build.target.tree())? {
            if take(build.target.tree(), &version)? {
                found.push(version);
            } else {
                build.events.output(&format!("modules of {version} are there without a kernel"));
            }
        }
        if found.len() > 1 {
            return Err(StepError::Lacks {
                message: format!(
                    "the tree has {} kernels ({}), and a deployment boots one",
                    found.len(),
                    found.join(", ")
                ),
                hint: "let the treefile install one kernel package".to_owned(),
            });
        }
        let debian = build.plan.target.family == Family::Debian;
        if let Some(args) = &self.0.initramfs {
            let purpose = Purpose::default();
            for version in &found {
                let there = build.target.tree().exists(place(version, "initramfs.img"));
                if there && self.0.keep_existing {
                    build.events.output(&format!("the initramfs of {version} stays as it is"));
                    continue;
                }
                build.scene.purpose = Some(purpose.clone());
                ready(build.target.tree(), version)?;
                let sandbox = build.target.enter(&purpose)?;
                make(&sandbox, build, version, args, debian)?;
                sandbox.leave()?;
            }
        }
        if self.0.boot_location == BootLocation::New {
            found.iter().try_for_each(|version| copy_for_old_deployers(build.target.tree(), version))?;
        }
        Ok(())
    }
}

fn place(version: &str, name: &str) -> String {
    format!("/usr/lib/modules/{version}/{name}")
}

/// Moves a kernel to its modules. Says whether there is one.
fn take(tree: &TargetDir, version: &str) -> Result<bool, TargetError> {
    let to = place(version, "vmlinuz");
    for name in IMAGES {
        let from = format!("/boot/{name}-{version}");
        let there = tree.symlink_metadata(from.as_str())?;
        if there.is_some_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file()) {
            tree.create_dir_all(place(version, "").trim_end_matches('/'), 0o755)?;
            tree.rename(from.as_str(), to.as_str())?;
            tree.set_mode(to.as_str(), 0o644)?;
            break;
        }
    }
    Ok(tree.exists(to.as_str()))
}

/// Refuses a tree whose initramfs would not find its deployment.
fn ready(tree: &TargetDir, version: &str) -> Result<(), StepError> {
    let dracut = ["/usr/bin/dracut", "/usr/sbin/dracut"].iter().any(|path| tree.exists(*path));
    let module = tree.read_dir(MODULES)?.iter().any(|entry| entry.name.to_string_lossy().ends_with("ostree"));
    if dracut && module {
        return Ok(());
    }
    let what = if dracut { "dracut has no module `ostree`" } else { "there is no dracut" };
    Err(StepError::Lacks {
        message: format!("the initramfs of kernel {version} cannot be made: {what} in the tree"),
        hint: "install it: `dracut` and `ostree-boot` (Debian), `dracut` and `ostree` (Fedora)".to_owned(),
    })
}

fn make(
    sandbox: &Sandbox<'_>,
    build: &Build<'_>,
    version: &str,
    args: &[String],
    debian: bool,
) -> Result<(), StepError> {
    let zstd = debian && sandbox.dir().exists("/usr/bin/zstd");
    let image = place(version, "initramfs.img");
    let args = arguments(version, &image, args, zstd);
    let tool = sandbox
        .tool("dracut")?
        .args(&args)
        .env("SOURCE_DATE_EPOCH", build.plan.source_date_epoch.to_string())
        // Modules of this host are none of the image's.
        .env("DRACUT_NO_XATTR", "1");
    let failed = |source| StepError::Command { what: format!("make the initramfs of kernel {version}"), source };
    if !sandbox.dir().exists(place(version, "modules.dep")) {
        sandbox.run(&sandbox.tool("depmod")?.args(["-a", version]), &build.events).map_err(failed)?;
    }
    sandbox.run(&tool, &build.events).map_err(failed)?;
    if !sandbox.dir().exists(image.as_str()) {
        return Err(StepError::Lacks {
            message: format!("dracut ended well, but left no {image}"),
            hint: "look at its output in the log".to_owned(),
        });
    }
    // Servers that are not root serve it to machines that boot over the network.
    Ok(sandbox.dir().set_mode(image.as_str(), 0o644)?)
}

/// dracut's arguments: `own` are the treefile's, `--no-hostonly` where it has none.
fn arguments(version: &str, image: &str, own: &[String], zstd: bool) -> Vec<String> {
    let mut args: Vec<String> = ["--force", "--reproducible", "--kver", version, "--tmpdir", "/tmp", "--add", "ostree"]
        .map(str::to_owned)
        .to_vec();
    if own.is_empty() {
        args.push("--no-hostonly".to_owned());
    }
    let compressed = own.iter().any(|arg| COMPRESSIONS.iter().any(|option| arg.split('=').next() == Some(option)));
    if zstd && !compressed {
        args.extend(["--compress".to_owned(), COMPRESSOR.to_owned()]);
    }
    args.extend(own.iter().cloned());
    args.push(image.to_owned());
    args
}

/// `/usr/lib/ostree-boot/{vmlinuz-VERSION,initramfs-VERSION.img}-CHECKSUM`, of both files' bytes.
fn copy_for_old_deployers(tree: &TargetDir, version: &str) -> Result<(), StepError> {
    let kernel = tree.read(place(version, "vmlinuz"))?;
    let initramfs = place(version, "initramfs.img");
    let initramfs = if tree.exists(initramfs.as_str()) { tree.read(initramfs)? } else { Vec::new() };
    let digest = Sha256::new().chain_update(&kernel).chain_update(&initramfs).finalize();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    tree.write(format!("/usr/lib/ostree-boot/vmlinuz-{version}-{digest}"), &kernel, 0o644)?;
    if !initramfs.is_empty() {
        tree.write(format!("/usr/lib/ostree-boot/initramfs-{version}.img-{digest}"), &initramfs, 0o644)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_treefile_chooses_hostonly_and_compression() {
        let line = |own: &[&str], zstd| {
            arguments("6.1", "/i", &own.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(), zstd).join(" ")
        };
        let start = "--force --reproducible --kver 6.1 --tmpdir /tmp --add ostree";
        assert_eq!(line(&[], true), format!("{start} --no-hostonly --compress zstd -q -9 -T0 /i"));
        assert_eq!(line(&["--hostonly"], false), format!("{start} --hostonly /i"));
        assert_eq!(line(&["--no-hostonly", "--compress=xz"], true), format!("{start} --no-hostonly --compress=xz /i"));
    }

    #[test]
    fn kernels_move_to_their_modules() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        tree.write("/boot/vmlinuz-6.1-amd64", "kernel", 0o600).unwrap();
        tree.create_dir_all("/usr/lib/modules/6.1-amd64/kernel", 0o755).unwrap();
        assert!(take(&tree, "6.1-amd64").unwrap());
        assert_eq!(tree.read("/usr/lib/modules/6.1-amd64/vmlinuz").unwrap(), b"kernel");
        assert!(take(&tree, "6.1-amd64").unwrap(), "it is there already");
        assert!(!take(&tree, "5.10-headers").unwrap());
        tree.write("/usr/lib/modules/6.1-amd64/initramfs.img", "initramfs", 0o600).unwrap();
        copy_for_old_deployers(&tree, "6.1-amd64").unwrap();
        let names: Vec<String> = tree
            .read_dir("/usr/lib/ostree-boot")
            .unwrap()
            .into_iter()
            .map(|entry| entry.name.to_string_lossy().into_owned())
            .collect();
        let digest: String = Sha256::digest("kernelinitramfs").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(names, [format!("initramfs-6.1-amd64.img-{digest}"), format!("vmlinuz-6.1-amd64-{digest}")]);
    }

    #[test]
    fn a_tree_without_dracuts_module_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        assert!(ready(&tree, "1").unwrap_err().to_string().contains("there is no dracut"));
        tree.write("/usr/bin/dracut", "", 0o755).unwrap();
        assert!(ready(&tree, "1").unwrap_err().to_string().contains("no module `ostree`"));
        tree.create_dir_all("/usr/lib/dracut/modules.d/98ostree", 0o755).unwrap();
        ready(&tree, "1").unwrap();
    }
}
