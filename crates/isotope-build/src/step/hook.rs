//! Runs a hook of a phase, on the host or in the target.
//!
//! | variable | on the host | in the target |
//! |---|---|---|
//! | `TARGET_ROOT` | the tree | (not set) |
//! | `ISOTOPE_ELEMENT` | the element's directory | `/run/isotope/element` |
//! | `ISOTOPE_PHASE` | `pre-install`, … | the same |
//! | `ARCH`, `DISTRO_NAME`, `DIB_RELEASE`, `DIB_ROOT_LABEL`, `SOURCE_DATE_EPOCH` | of the plan | the same |
//! | the element's variables | as the plan has them | the same |

use super::Run;
use crate::build::Build;
use crate::error::StepError;
use crate::sandbox::Purpose;
use isotope_plan::layout::Layout;
use isotope_plan::{Arch, Family, Hook, Place, Plan, Step};
use isotope_sys::command::{CommandError, Tool};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where the target sees the hook's element.
const ELEMENT: &str = "/run/isotope/element";

/// The hook.
pub(super) struct Script<'a>(pub &'a Hook);

impl Run for Script<'_> {
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let mut env = common(build.plan);
        env.insert("ISOTOPE_PHASE".to_owned(), step.phase.to_string());
        match self.0.place {
            Place::Host => {
                env.insert("TARGET_ROOT".to_owned(), build.target.tree().host_path().display().to_string());
                env.insert("ISOTOPE_ELEMENT".to_owned(), self.0.element_dir.display().to_string());
                env.extend(build.options.proxy.clone());
            }
            Place::Target => {
                env.insert("ISOTOPE_ELEMENT".to_owned(), ELEMENT.to_owned());
            }
        }
        env.extend(self.0.env.iter().map(|(name, value)| (name.clone(), value.value.clone())));
        build.scene.env.clone_from(&env);
        match self.0.place {
            Place::Host => self.on_host(step, build, &env),
            Place::Target => self.in_target(step, build, &env),
        }
    }
}

impl Script<'_> {
    fn on_host(&self, step: &Step, build: &mut Build<'_>, env: &BTreeMap<String, String>) -> Result<(), StepError> {
        let tool = with_env(Tool::new(&self.0.script), env).current_dir(build.work.host_directory());
        build.events.command(&tool.line());
        tool.run_merged(&mut |line| build.events.output(line)).map_err(|source| self.failed(step, source))
    }

    fn in_target(&self, step: &Step, build: &mut Build<'_>, env: &BTreeMap<String, String>) -> Result<(), StepError> {
        let purpose = Purpose {
            defer_initramfs: build.initramfs_to_come(step),
            element: Some(self.0.element_dir.clone()),
            ..Purpose::default()
        };
        build.scene.purpose = Some(purpose.clone());
        let sandbox = build.target.enter(&purpose)?;
        let inside = self.0.script.strip_prefix(&self.0.element_dir).map(|path| Path::new(ELEMENT).join(path));
        let inside: PathBuf =
            inside.map_err(|_| StepError::Plan("a hook of the target is outside its element's directory"))?;
        let tool = with_env(sandbox.tool(&inside.to_string_lossy())?, env);
        sandbox.run(&tool, &build.events).map_err(|source| self.failed(step, source))?;
        Ok(sandbox.leave()?)
    }

    fn failed(&self, step: &Step, source: CommandError) -> StepError {
        let name = self.0.script.strip_prefix(&self.0.element_dir).unwrap_or(&self.0.script).display().to_string();
        StepError::Hook { name, element: step.origin.element.clone(), source }
    }
}

pub(crate) fn with_env(tool: Tool, env: &BTreeMap<String, String>) -> Tool {
    env.iter().fold(tool, |tool, (name, value)| tool.env(name, value))
}

/// What every hook sees, in diskimage-builder's words where it has some.
pub(super) fn common(plan: &Plan) -> BTreeMap<String, String> {
    let arch = match (plan.target.family, plan.target.arch) {
        (Family::Debian, Arch::X86_64) => "amd64",
        (Family::Debian, Arch::Aarch64) => "arm64",
        (Family::Redhat, Arch::X86_64) => "x86_64",
        (Family::Redhat, Arch::Aarch64) => "aarch64",
    };
    let root_label = plan.layout.as_ref().and_then(Layout::root).and_then(|root| root.label.clone());
    let mut env: BTreeMap<String, String> = [
        ("ARCH", arch.to_owned()),
        ("DISTRO_NAME", plan.target.distro.clone()),
        ("DIB_RELEASE", plan.target.release.clone()),
        ("SOURCE_DATE_EPOCH", plan.source_date_epoch.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let Some(label) = root_label {
        env.insert("DIB_ROOT_LABEL".to_owned(), label);
    }
    env
}
