//! The build directory: merged hooks, `_LIB`, the block device configuration.

use super::{Dib, DibState, base, beside};
use crate::build::Build;
use crate::error::StepError;
use crate::layers::sources::Sources;
use isotope_element::dib::run_parts::SCRIPT;
use isotope_plan::{DibBuild, DibHookFile, EnvValue};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// By which apt's dpkg finds [`UPDATE_INITRAMFS`] first; the rest is apt's default.
const APT_CONF: &str = "DPkg::Path \"/tmp/in_target.d/.isotope/bin:/usr/sbin:/usr/bin:/sbin:/bin\";\n";
/// One initramfs a run of dpkg, where a kernel and the trigger make two.
const UPDATE_INITRAMFS: &str = include_str!("update-initramfs.sh");

/// The merged hooks as they were when a layer was made, but for phases that are still to come: those are of today's files. What
/// hooks have put there themselves stays.
pub(super) fn resume(plan: &DibBuild, state: DibState, build: &Build<'_>) -> Result<Dib, StepError> {
    let mut dib = empty(plan, build);
    make_dir(&dib.images)?;
    dib.vars = state.vars;
    dib.image_size = state.image_size;
    dib.furnished = state.furnished;
    dib.bound = state.bound;
    dib.digests = digests(plan)?;
    let root = dib.hooks();
    for dest in state.hooks.keys().filter(|dest| !dib.digests.contains_key(*dest)) {
        let path = root.join(dest);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StepError::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    for (dest, file) in &dib.plan.hooks {
        if state.hooks.get(dest) != dib.digests.get(dest) {
            let path = root.join(dest);
            if path.symlink_metadata().is_ok() {
                std::fs::remove_file(&path).map_err(StepError::io("replace", &path))?;
            }
            hook(&root, dest, file)?;
        }
    }
    Ok(dib)
}

fn digests(plan: &DibBuild) -> Result<BTreeMap<PathBuf, String>, StepError> {
    let mut sources = Sources::default();
    let one = |(dest, file): (&PathBuf, &DibHookFile)| {
        let digest = match &file.link {
            Some(link) => format!("link to {}", link.display()),
            None => sources.one(&file.source)?,
        };
        Ok((dest.clone(), digest))
    };
    plan.hooks.iter().map(one).collect()
}

fn empty(plan: &DibBuild, build: &Build<'_>) -> Dib {
    let beside = plan.beside;
    let mut plan = plan.clone();
    if build.options.offline {
        plan.environment.insert("DIB_OFFLINE".to_owned(), EnvValue::from("1".to_owned()));
    }
    Dib {
        plan,
        dir: build.work.dib(),
        mount: if beside { build.target.entrance() } else { build.work.dib().join("mnt") },
        images: build.work.dib_images(),
        devices: build.work.devices(),
        vars: BTreeMap::new(),
        image_size: None,
        points: Vec::new(),
        furnished: false,
        bound: Vec::new(),
        digests: BTreeMap::new(),
    }
}

pub(super) fn begin(plan: &DibBuild, build: &Build<'_>) -> Result<Dib, StepError> {
    let mut dib = empty(plan, build);
    if build.layers.is_some() {
        dib.digests = digests(plan)?;
    }
    for dir in [&dib.dir, &dib.images, &dib.hooks(), &dib.mount(), &dib.lib(), &dib.dir.join("block-device")] {
        make_dir(dir)?;
    }
    hooks(&dib)?;
    library(&dib)?;
    block_devices(&dib, build.plan.seed)?;
    build.events.output(&format!("Building in {}", dib.dir.display()));
    Ok(dib)
}

fn make_dir(path: &Path) -> Result<(), StepError> {
    std::fs::create_dir_all(path).map_err(StepError::io("make", path))
}

pub(super) fn write(path: &Path, mode: u32, content: &str) -> Result<(), StepError> {
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    let written =
        std::fs::write(path, content).and_then(|()| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)));
    written.map_err(StepError::io("write", path))
}

/// The merged tree of hooks, with `dib-run-parts` at its top: the target's phases run that one.
fn hooks(dib: &Dib) -> Result<(), StepError> {
    let root = dib.hooks();
    for dest in dib.plan.hook_dirs.keys() {
        make_dir(&root.join(dest))?;
    }
    for (dest, file) in &dib.plan.hooks {
        hook(&root, dest, file)?;
    }
    // Modes at last: a directory that nobody may write can be filled before.
    for (dest, source) in &dib.plan.hook_dirs {
        let meta = source.metadata().map_err(StepError::io("look at", source))?;
        let path = root.join(dest);
        let mode = PermissionsExt::from_mode(meta.permissions().mode() | 0o700);
        std::fs::set_permissions(&path, mode).map_err(StepError::io("set the mode of", &path))?;
    }
    write(&root.join("dib-run-parts"), 0o755, SCRIPT)?;
    if dib.plan.beside {
        write(&root.join(".isotope/apt.conf"), 0o644, beside::APT_CONF)?;
        write(&root.join(".isotope/bin/install-packages"), 0o755, beside::INSTALL_PACKAGES)?;
        return base::install_type(dib);
    }
    write(&root.join(".isotope/apt.conf"), 0o644, APT_CONF)?;
    write(&root.join(".isotope/bin/update-initramfs"), 0o755, UPDATE_INITRAMFS)
}

fn hook(root: &Path, dest: &Path, file: &DibHookFile) -> Result<(), StepError> {
    let path = root.join(dest);
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    match &file.link {
        Some(link) => symlink(link, &path).map_err(StepError::io("make", &path)),
        None => {
            std::fs::copy(&file.source, &path).map_err(StepError::io("copy to the hooks", &file.source))?;
            Ok(())
        }
    }
}

/// `_LIB`, and the programs that hooks on the host find before all others.
fn library(dib: &Dib) -> Result<(), StepError> {
    let program = dib.plan.binary.as_deref().unwrap_or_else(|| Path::new("isotope"));
    super::lib::write(&dib.lib(), program).map_err(StepError::io("fill", &dib.lib()))
}

/// What `dib-block-device` reads. More comes to it when the size of the image is known.
fn block_devices(dib: &Dib, seed: uuid::Uuid) -> Result<(), StepError> {
    let config = dib.dir.join("block-device/config.yaml");
    write(&config, 0o644, &dib.plan.block_devices)?;
    write(&dib.dir.join("states/block-device/seed"), 0o644, &format!("{seed}\n"))?;
    let own = [
        ("config", config.display().to_string()),
        ("image-dir", dib.images.display().to_string()),
        ("mount-base", dib.mount().display().to_string()),
        ("build-dir", dib.dir.display().to_string()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    let mut text = String::new();
    for (name, value) in own.chain(dib.plan.parameters.clone()) {
        // Writing to a String cannot fail. Single quotes: YAML knows no escapes in them but the quote itself.
        writeln!(text, "{name}: '{}'", value.replace('\'', "''")).unwrap_or_default();
    }
    write(&dib.parameters(), 0o644, &text)
}
