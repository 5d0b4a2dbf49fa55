//! A commit of the sysroot's repository becomes a deployment with a boot entry.

use super::{Deployment, Sysroot, check_stateroot};
use crate::repo::NEVER;
use crate::{Checksum, OstreeError, Repo, check_kernel_args};
use ostree::{SysrootDeployTreeOpts, SysrootSimpleWriteDeploymentFlags};

/// A deployment to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// The stateroot; it must exist ([`Sysroot::add_stateroot`]).
    pub stateroot: String,
    /// What to deploy: `REMOTE:REF`, a ref or a commit that has been pulled into the sysroot's repository.
    pub rev: String,
    /// What the booted system follows when it upgrades: `REMOTE:REF`. `None`: `rev`, if it is a ref.
    pub origin: Option<String>,
    /// Kernel arguments, each one word, in order; the same key may come again (`console=`). `ostree=` is added. libostree
    /// moves repeated keys together, in their order.
    pub kernel_args: Vec<String>,
    /// Older deployments of the stateroot stay; else only the newest of them does.
    pub keep_older: bool,
}

impl Sysroot {
    /// Deploys: checks the commit first, checks it out, merges /etc of the stateroot's last deployment if there is one,
    /// and writes kernel, initramfs, boot entry and origin. The boot entries change last; what a failure leaves is not
    /// booted, and is removed.
    ///
    /// # Errors
    /// Bad stateroot or kernel argument, unknown ref, a commit without kernel or initramfs, no room.
    pub fn deploy(&self, deploy: &Deploy) -> Result<Deployment, OstreeError> {
        let Deploy { stateroot, rev, origin, kernel_args, keep_older } = deploy;
        check_stateroot(stateroot)?;
        check_kernel_args(kernel_args)?;
        let stateroots = self.stateroots()?;
        if !stateroots.contains(stateroot) {
            let what = format!("stateroot {stateroot:?}");
            return Err(OstreeError::NotThere { what, place: self.path.clone(), known: stateroots });
        }
        let repo = self.repo()?;
        let commit = repo.resolve(rev)?;
        check_bootable(&repo, &commit)?;
        let refspec = origin.clone().or_else(|| rev.parse::<Checksum>().is_err().then(|| rev.clone()));
        let library = self.library()?;
        let merge = library.merge_deployment(Some(stateroot));
        let key_file = library.origin_new_from_refspec(refspec.as_deref().unwrap_or(commit.as_str()));
        let args: Vec<&str> = kernel_args.iter().map(String::as_str).collect();
        let options = SysrootDeployTreeOpts { override_kernel_argv: Some(&args), ..SysrootDeployTreeOpts::default() };
        let mut flags = SysrootSimpleWriteDeploymentFlags::NONE;
        if *keep_older {
            flags |= SysrootSimpleWriteDeploymentFlags::RETAIN;
        }
        let deed = || self.refused(format!("deploy {} to {stateroot}", commit.short()));
        let made = library
            .deploy_tree_with_options(
                Some(stateroot),
                commit.as_str(),
                Some(&key_file),
                merge.as_ref(),
                Some(&options),
                NEVER,
            )
            .and_then(|made| {
                library.simple_write_deployment(Some(stateroot), &made, merge.as_ref(), flags, NEVER)?;
                Ok(made)
            });
        if let Err(error) = made {
            // Removes what no boot entry names. The first error counts.
            library.cleanup(NEVER).ok();
            return Err(self.explain(&commit, error, deed()));
        }
        let all = self.status()?;
        all.into_iter().find(|one| one.index == 0).ok_or_else(|| OstreeError::NotThere {
            what: "deployment".to_owned(),
            place: self.path.clone(),
            known: Vec::new(),
        })
    }

    /// Gives a deployment other kernel arguments, all of them anew, as [`Deploy::kernel_args`] has it.
    ///
    /// # Errors
    /// There is no such deployment, or an argument cannot stand in a boot entry.
    pub fn set_kernel_args(&self, deployment: &Deployment, kernel_args: &[String]) -> Result<Deployment, OstreeError> {
        check_kernel_args(kernel_args)?;
        let library = self.library()?;
        let args: Vec<&str> = kernel_args.iter().map(String::as_str).collect();
        let index = self.index(&library, deployment)?;
        library
            .deployment_set_kargs(&library.deployments()[index], &args, NEVER)
            .map_err(self.refused("write the boot entries"))?;
        self.status()?.into_iter().nth(index).ok_or_else(|| self.not_there(deployment))
    }

    /// Removes a deployment with its boot entry, and what only it needed.
    ///
    /// # Errors
    /// There is no such deployment.
    pub fn undeploy(&self, deployment: &Deployment) -> Result<(), OstreeError> {
        let library = self.library()?;
        let mut all = library.deployments();
        all.remove(self.index(&library, deployment)?);
        library.write_deployments(&all, NEVER).map_err(self.refused("write the boot entries"))
    }

    /// The place of a deployment in libostree's list.
    fn index(&self, library: &ostree::Sysroot, deployment: &Deployment) -> Result<usize, OstreeError> {
        let same =
            |one: &ostree::Deployment| library.deployment_dirpath(one).as_str() == deployment.path.to_string_lossy();
        library.deployments().iter().position(same).ok_or_else(|| self.not_there(deployment))
    }

    fn not_there(&self, deployment: &Deployment) -> OstreeError {
        let what = format!("deployment {}", deployment.path.display());
        OstreeError::NotThere { what, place: self.path.clone(), known: Vec::new() }
    }

    /// Removes what no deployment needs any more: old deployments, kernels, and objects that no ref and no deployment
    /// names.
    ///
    /// # Errors
    /// The sysroot cannot be written.
    pub fn cleanup(&self) -> Result<(), OstreeError> {
        self.library()?.cleanup(NEVER).map_err(self.refused("remove what is not deployed any more"))
    }

    fn explain(
        &self,
        commit: &Checksum,
        error: ostree::glib::Error,
        otherwise: impl FnOnce(ostree::glib::Error) -> OstreeError,
    ) -> OstreeError {
        if !error.message().contains("No space left on device") {
            return otherwise(error);
        }
        let available = crate::repo::free_space(&self.path).unwrap_or(isotope_plan::Bytes(0));
        OstreeError::NoSpace { place: self.path.clone(), need: None, available, commit: Some(commit.clone()) }
    }
}

/// A kernel with an initramfs where libostree looks for them, in its order.
fn check_bootable(repo: &Repo, commit: &Checksum) -> Result<(), OstreeError> {
    let modules = repo.list_dir(commit, "/usr/lib/modules")?;
    for version in modules.iter().flatten() {
        let dir = format!("/usr/lib/modules/{version}");
        let files = repo.list_dir(commit, &dir)?.unwrap_or_default();
        if files.iter().any(|name| name == "vmlinuz") {
            if files.iter().any(|name| name == "initramfs.img") {
                return Ok(());
            }
            return Err(OstreeError::NoInitramfs {
                commit: commit.clone(),
                kernel: format!("{dir}/vmlinuz"),
                expected: format!("{dir}/initramfs.img"),
            });
        }
    }
    for dir in ["/usr/lib/ostree-boot", "/boot"] {
        let files = repo.list_dir(commit, dir)?.unwrap_or_default();
        if let Some(kernel) = files.iter().find(|name| name.starts_with("vmlinuz-")) {
            if files.iter().any(|name| name.starts_with("initramfs-")) {
                return Ok(());
            }
            return Err(OstreeError::NoInitramfs {
                commit: commit.clone(),
                kernel: format!("{dir}/{kernel}"),
                expected: format!("{dir}/initramfs-{}", kernel.trim_start_matches("vmlinuz-")),
            });
        }
    }
    Err(OstreeError::NoKernel { commit: commit.clone() })
}
