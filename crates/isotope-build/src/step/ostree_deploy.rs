//! Makes the physical root of an atomic system from nothing: a repository, a pull, a stateroot, a deployment, and the remote that the
//! booted system upgrades from. The deployment is the target of all steps that follow.

use super::Run;
use crate::build::Build;
use crate::deployment::{self, Deployment};
use crate::error::StepError;
use crate::package::InstalledPackage;
use crate::report::DeployedCommit;
use crate::tree_kind;
use isotope_ostree::{
    CommitInfo, Deploy as DeployCommit, Progress, Pull, Remote, Repo, Sysroot, SysrootOptions, Verify,
};
use isotope_plan::layout::{DiskSize, Layout, PartitionSize};
use isotope_plan::{Bytes, OstreeDeploy, OstreeVerify, Step};
use std::path::Path;

/// The step.
pub(super) struct Deploy<'a>(pub &'a OstreeDeploy);

/// The URL of a remote of which nobody has said where it is: `.invalid` is nowhere (RFC 2606), and the error that a pull gives says why.
const NOWHERE: &str = "http://no-upgrade-url-was-given.invalid/";

impl Run for Deploy<'_> {
    fn run(&self, _step: &Step, build: &mut Build<'_>) -> Result<(), StepError> {
        let OstreeDeploy { stateroot, remote, url, rev, composed: _, verify, upgrade, root, kernel_args } = self.0;
        let physical = build.work.tree();
        let sysroot = Sysroot::init(&physical, &SysrootOptions { fsync: false, ..SysrootOptions::default() })?;
        let repo = sysroot.repo()?;
        let inherited = inherit(&build.work.inherited(), repo.path())?;
        repo.set_remote(&Remote::new(remote, url, signers(verify)))?;
        // The reserve is of the disk that this is on now.
        repo.fill_disk(true)?;
        let info = self.pull(&repo, build)?;

        sysroot.add_stateroot(stateroot)?;
        let branch = rev.parse::<isotope_ostree::Checksum>().is_err();
        let origin = upgrade.reference.as_ref().map(|reference| format!("{remote}:{reference}"));
        let wanted = DeployCommit {
            stateroot: stateroot.clone(),
            rev: if branch { format!("{remote}:{rev}") } else { rev.clone() },
            origin,
            kernel_args: kernel_args.clone(),
            keep_older: false,
        };
        let made = sysroot.deploy(&wanted)?;
        if inherited {
            repo.prune(Some(0))?;
            remove_empty(&repo.path().join("objects"))?;
        }
        repo.fill_disk(false)?;
        deployment::release(&physical);
        build.events.output(&format!("deployed {} as {}", made.checksum, made.path.display()));
        self.leave_remote(&repo)?;
        let ed25519 = matches!(upgrade.verify, OstreeVerify::Ed25519 { .. });
        if ed25519 && repo.tree_checks_ed25519(&info.checksum)? == Some(false) {
            build.warn("the tree's libostree cannot check ed25519 signatures, so the booted system will refuse to upgrade; let it check GPG signatures instead".to_owned());
        }

        let mut deployment = Deployment::new(&made.path, stateroot, root, build.work.view());
        deployment.prepare_var(&physical)?;
        let place = deployment.show(&physical)?;
        build.deployment = Some(deployment);
        build.target.move_to(&place)?;
        let told = tree_kind::look(build.target.tree(), kernel_args)?;
        told.notes.iter().for_each(|note| build.events.output(note));
        told.warnings.into_iter().for_each(|warning| build.warn(warning));
        self.check_boot(build)?;

        build.products.packages = info.packages.iter().map(installed).collect();
        build.products.deployed = Some(self.describe(&info));
        Ok(())
    }
}

impl Deploy<'_> {
    /// Looks at the commit first: whether it is there, is signed, and fits. Then pulls it.
    fn pull(&self, repo: &Repo, build: &Build<'_>) -> Result<CommitInfo, StepError> {
        let OstreeDeploy { remote, rev, .. } = self.0;
        let pull = Pull::new(remote, [rev]);
        let mut probed = repo.probe(&pull)?;
        let size = probed.remove(rev).and_then(|info| info.unpacked.zip(Some(info.archived)));
        if let Some((unpacked, _)) = size {
            room(unpacked, &build.work.tree(), build.plan.layout.as_ref())?;
        }
        let total = size.and_then(|(_, archived)| archived).map(|bytes| bytes.0);
        let events = &build.events;
        let mut told = |progress: Progress| {
            // What a static delta or the repository's own files spare does not come over the wire.
            events.progress("pulling", progress.bytes, total.filter(|total| progress.bytes <= *total));
        };
        let pulled = repo.pull(&pull, &mut told)?;
        let commit = pulled.commits.get(rev).ok_or(StepError::Plan("a pull without its commit"))?;
        let came = match pulled.bytes {
            0 => String::new(),
            bytes => format!(": {} objects, {}", pulled.objects, Bytes(bytes)),
        };
        build.events.output(&format!("{rev} is {commit}{came}"));
        Ok(repo.metadata(commit)?)
    }

    /// What the booted system finds as its remote.
    fn leave_remote(&self, repo: &Repo) -> Result<(), StepError> {
        let OstreeDeploy { remote, upgrade, .. } = self.0;
        let url = upgrade.url.as_deref().unwrap_or(NOWHERE);
        let branches = upgrade.reference.iter().cloned().collect();
        repo.set_remote(&Remote { branches, ..Remote::new(remote, url, signers(&upgrade.verify)) })?;
        Ok(repo.hand_over_remote(remote, None)?)
    }

    /// A tree that cannot be booted by the boot loader that is wanted is refused before anything is done with it.
    fn check_boot(&self, build: &Build<'_>) -> Result<(), StepError> {
        let (Some(spec), Some(layout)) = (&build.plan.boot, &build.plan.layout) else { return Ok(()) };
        let found = isotope_boot::ostree::check(spec, layout, build.target.tree().host_path(), &self.0.kernel_args)?;
        found.iter().for_each(|note| build.events.output(note));
        Ok(())
    }

    fn describe(&self, info: &CommitInfo) -> DeployedCommit {
        let OstreeDeploy { stateroot, remote, url, rev, composed, verify, upgrade, .. } = self.0;
        DeployedCommit {
            commit: info.checksum.to_string(),
            version: info.version.clone(),
            reference: rev.clone(),
            stateroot: stateroot.clone(),
            remote: remote.clone(),
            url: (!*composed).then(|| url.clone()),
            verified: if *composed { "composed" } else { kind(verify) }.to_owned(),
            upgrade_url: upgrade.url.clone(),
            upgrade_verified: kind(&upgrade.verify).to_owned(),
        }
    }
}

/// Moves objects of an earlier repository into this one, which has none. Whether there are some.
fn inherit(from: &Path, repo: &Path) -> Result<bool, StepError> {
    if !from.is_dir() {
        return Ok(false);
    }
    for entry in from.read_dir().map_err(StepError::io("list", from))? {
        let entry = entry.map_err(StepError::io("list", from))?;
        let place = repo.join("objects").join(entry.file_name());
        std::fs::rename(entry.path(), &place).map_err(StepError::io("make", &place))?;
    }
    std::fs::remove_dir(from).map_err(StepError::io("remove", from))?;
    Ok(true)
}

/// Removes the directories in `dir` that hold nothing any more: a repository that was pulled whole has none.
fn remove_empty(dir: &Path) -> Result<(), StepError> {
    for entry in dir.read_dir().map_err(StepError::io("list", dir))? {
        let path = entry.map_err(StepError::io("list", dir))?.path();
        match std::fs::remove_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::DirectoryNotEmpty => {
                return Err(StepError::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The keys that a remote's commits are checked with.
pub(crate) fn signers(verify: &OstreeVerify) -> Verify {
    match verify.clone() {
        OstreeVerify::Gpg { keys, keypath } => Verify::Gpg { keys, keypath },
        OstreeVerify::Ed25519 { keys } => Verify::Ed25519 { keys, files: Vec::new() },
        OstreeVerify::None => Verify::None,
    }
}

const fn kind(verify: &OstreeVerify) -> &'static str {
    match verify {
        OstreeVerify::Gpg { .. } => "gpg",
        OstreeVerify::Ed25519 { .. } => "ed25519",
        OstreeVerify::None => "none",
    }
}

fn installed(package: &isotope_ostree::Package) -> InstalledPackage {
    let isotope_ostree::Package { name, version, arch } = package.clone();
    InstalledPackage { name, version, arch, source: None }
}

/// Whether a commit of `unpacked` bytes fits where the build works, and on a disk of a given size.
fn room(unpacked: Bytes, work: &Path, layout: Option<&Layout>) -> Result<(), StepError> {
    let stat = rustix::fs::statvfs(work).map_err(|errno| StepError::io("look at", work)(errno.into()))?;
    let free = Bytes(stat.f_bavail.saturating_mul(stat.f_frsize));
    if free < unpacked {
        let message = format!("the commit needs {unpacked}, and {} has {free} free", work.display());
        let hint = "free some, or build with --work=disk and a roomy cache directory".to_owned();
        return Err(StepError::Lacks { message, hint });
    }
    match layout.and_then(root_room) {
        Some(room) if room < unpacked => {
            let message = format!("the commit needs {unpacked}, and the root partition has {room}");
            Err(StepError::Lacks { message, hint: "make the disk larger (--size), or its size `auto`".to_owned() })
        }
        _ => Ok(()),
    }
}

/// What the root partition can hold at most, where that is given.
fn root_room(layout: &Layout) -> Option<Bytes> {
    let root = layout.root_partition()?;
    if let PartitionSize::Fixed(size) = root.size {
        return Some(size);
    }
    let DiskSize::Fixed(disk) = layout.size else { return None };
    let others = layout.partitions.iter().filter(|other| other.number != root.number);
    let taken = others.map(|other| if let PartitionSize::Fixed(size) = other.size { size.0 } else { 0 });
    Some(Bytes(disk.0.saturating_sub(taken.sum())))
}
