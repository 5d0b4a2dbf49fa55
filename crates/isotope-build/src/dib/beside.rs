//! Hooks of diskimage-builder's elements in a recipe: the tree, later the mounted disk, is that of Isotope's own elements, and so is
//! the sandbox. On the host, TMP_MOUNT_PATH and TARGET_ROOT are the tree with the sandbox's mounts in it: what a hook there leaves in
//! `/tmp` one in the target finds there, and none of it comes into the image.
//!
//! Unlike in a build of their own, what hooks mount goes with the phase.

use super::hooks::{IN_TARGET, done};
use super::{Dib, breaks, follow, hooks};
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::{self, Access, Purpose};
use crate::step::with_env;
use isotope_plan::{DibHooks, Place, Step};

/// By which apt's dpkg finds the sandbox's stand-ins first.
pub(super) const APT_CONF: &str = "DPkg::Path \"/run/isotope/bin:/usr/sbin:/usr/bin:/sbin:/bin\";\n";
/// What base distributions of diskimage-builder bring, for hooks that call it.
pub(super) const INSTALL_PACKAGES: &str = include_str!("install-packages.sh");

pub(super) fn run(hooks: &DibHooks, step: &Step, dib: &mut Dib, build: &mut Build<'_>) -> Result<(), StepError> {
    let purpose = Purpose { packages: true, defer_initramfs: build.initramfs_to_come(step), ..Purpose::default() };
    build.scene.purpose = Some(purpose.clone());
    if hooks.place == Place::Host {
        let sandbox = build.target.enter(&purpose)?;
        hooks::on_host(hooks, dib, build)?;
        return Ok(sandbox.leave()?);
    }
    let phase = &hooks.phase;
    let dir = format!("{phase}.d");
    if !dib.hooks().join(&dir).is_dir() {
        return Ok(());
    }
    let mut env = dib.environment(Place::Target, false);
    env.insert("PATH".to_owned(), format!("{IN_TARGET}/.isotope/bin:{}", sandbox::path()));
    build.scene.env.clone_from(&env);
    let sandbox = build.target.enter(&purpose)?;
    sandbox.dir().create_dir_all(IN_TARGET, 0o755)?;
    sandbox.bind(&dib.hooks(), IN_TARGET, Access::ReadOnly)?;
    breaks::at(&format!("before-{phase}"), Place::Target, dib, build)?;
    let tool = sandbox.tool(&format!("{IN_TARGET}/dib-run-parts"))?.arg(format!("{IN_TARGET}/{dir}"));
    let ended = follow::run(&with_env(tool, &env), dib.plan.hook_timeout, &build.events);
    done(ended, hooks, dib, build)?;
    breaks::at(&format!("after-{phase}"), Place::Target, dib, build)?;
    Ok(sandbox.leave()?)
}
