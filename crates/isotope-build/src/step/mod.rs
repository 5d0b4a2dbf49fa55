//! One module for each kind of step. Adding one: a file here, and a line in [`of`].

mod bootloader;
mod disk;
mod export;
mod files;
mod hook;
mod initramfs;
mod ostree_checkout;
mod ostree_commit;
mod ostree_deploy;
mod ostree_kernel;
mod ostree_parent;
mod ostree_tree;
mod ostree_trim;
mod packages;
mod script;
mod services;
mod sysprep;
mod write;

pub(crate) use disk::told;
pub(crate) use hook::with_env;
pub(crate) use ostree_deploy::signers;

use crate::build::Build;
use crate::error::StepError;
use isotope_plan::{Step, StepAction};

/// What a kind of step does.
pub(crate) trait Run {
    /// Does it. Processes it leaves behind are killed afterwards.
    fn run(&self, step: &Step, build: &mut Build<'_>) -> Result<(), StepError>;
}

/// The table: action → what does it.
pub(crate) fn of(action: &StepAction) -> Box<dyn Run + '_> {
    match action {
        StepAction::Bootstrap(bootstrap) => Box::new(packages::Base(bootstrap)),
        StepAction::Packages(packages) => Box::new(packages::Transaction(packages)),
        StepAction::Files(files) => Box::new(files::Copy(files)),
        StepAction::Write(write) => Box::new(write::Text(write)),
        StepAction::Services(services) => Box::new(services::Units(services)),
        StepAction::Hook(hook) => Box::new(hook::Script(hook)),
        StepAction::Script(script) => Box::new(script::Text(script)),
        StepAction::OstreeParent(parent) => Box::new(ostree_parent::Begin(parent)),
        StepAction::OstreeCheckout(checkout) => Box::new(ostree_checkout::Unlay(checkout)),
        StepAction::OstreeTrim(trim) => Box::new(ostree_trim::Trim(trim)),
        StepAction::OstreeKernel(kernel) => Box::new(ostree_kernel::Kernel(kernel)),
        StepAction::OstreeTree(tree) => Box::new(ostree_tree::Lay(tree)),
        StepAction::OstreeCommit(commit) => Box::new(ostree_commit::Write(commit)),
        StepAction::OstreeDeploy(deploy) => Box::new(ostree_deploy::Deploy(deploy)),
        StepAction::Dib(action) => Box::new(crate::dib::Action(action)),
        StepAction::Initramfs => Box::new(initramfs::Initramfs),
        StepAction::Sysprep(sysprep) => Box::new(sysprep::Reset(sysprep)),
        StepAction::Disk => Box::new(disk::Assemble),
        StepAction::Bootloader => Box::new(bootloader::Install),
        StepAction::Export { index } => Box::new(export::Export(*index)),
    }
}
