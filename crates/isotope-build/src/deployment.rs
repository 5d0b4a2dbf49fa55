//! A deployment as the target of steps: the view that the booted system has of it, and how it becomes one on the disk.
//!
//! The view is made of bind mounts in the build's own namespace: the deployment's root read-only, over it its own `/etc`, the
//! stateroot's `/var`, the physical root's `/boot`, and the physical root itself, read-only, at `/sysroot`. What a booted system cannot
//! write, a step cannot, and the kernel says so.

use crate::error::StepError;
use crate::layers::state::DeploymentState;
use crate::sandbox::{Access, mounts};
use isotope_disk::Fstab;
use isotope_sys::target::{TargetDir, TargetPath};
use rustix::fs::{IFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Where in a deployment's root ostree keeps the links of `/home` and its like, and what else a tree expects of a fresh `/var`.
const SHARED: [(&str, u32); 7] = [
    ("home", 0o755),
    ("roothome", 0o700),
    ("opt", 0o755),
    ("srv", 0o755),
    ("mnt", 0o755),
    ("usrlocal", 0o755),
    ("lib", 0o755),
];

/// A deployment, wherever its physical root is.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// `ostree/deploy/STATEROOT/deploy/COMMIT.SERIAL`, from the physical root.
    path: PathBuf,
    /// `ostree/deploy/STATEROOT/var`.
    var: PathBuf,
    /// How the root filesystem is found.
    root: String,
    /// Where it is shown.
    view: PathBuf,
    shown: bool,
}

impl Deployment {
    /// `path` is that of the deployment below its physical root, `root` is `UUID=…` or `LABEL=…`, `view` an empty directory.
    pub(crate) fn new(path: &Path, stateroot: &str, root: &str, view: PathBuf) -> Self {
        let var = Path::new("ostree/deploy").join(stateroot).join("var");
        Self { path: path.to_owned(), var, root: root.to_owned(), view, shown: false }
    }

    /// What it is made of again, where the same physical root is.
    pub(crate) fn state(&self) -> DeploymentState {
        let stateroot = self.var.components().nth(2).map(|name| name.as_os_str().to_string_lossy().into_owned());
        DeploymentState { path: self.path.clone(), stateroot: stateroot.unwrap_or_default(), root: self.root.clone() }
    }

    /// Makes in the stateroot's `/var` what links of the tree point to: ostree leaves it empty, and the booted system makes it by
    /// tmpfiles.d, with the same modes, if nothing is there.
    pub(crate) fn prepare_var(&self, physical: &Path) -> Result<(), StepError> {
        let tree = TargetDir::open(physical.join(&self.path))?;
        let var = TargetDir::open(physical.join(&self.var))?;
        for (name, mode) in SHARED {
            let mut links = vec![format!("/{name}")];
            links.extend((name == "roothome").then(|| "/root".to_owned()));
            links.extend((name == "usrlocal").then(|| "/usr/local".to_owned()));
            let linked = links.iter().any(|link| {
                let content = tree.read_link(link).ok().flatten();
                content.is_some_and(|content| {
                    content.to_string_lossy().trim_start_matches(['.', '/']) == format!("var/{name}")
                })
            });
            if linked || name == "lib" {
                var.create_dir_all(format!("/{name}"), mode)?;
            }
        }
        Ok(())
    }

    /// Shows the deployment of the physical root at `physical`, instead of what was shown before; returns where.
    pub(crate) fn show(&mut self, physical: &Path) -> Result<PathBuf, StepError> {
        self.hide()?;
        let dir = physical.join(&self.path);
        mounts::plain_bind(&dir, &self.view).map_err(StepError::io("show the deployment at", &self.view))?;
        self.shown = true;
        mounts::read_only(&self.view).map_err(StepError::io("make read-only", &self.view))?;
        let view = TargetDir::open(&self.view)?;
        let places = [
            (physical.to_owned(), "/sysroot", Access::ReadOnly),
            (dir.join("etc"), "/etc", Access::ReadWrite),
            (physical.join(&self.var), "/var", Access::ReadWrite),
            (physical.join("boot"), "/boot", Access::ReadWrite),
        ];
        for (host, at, access) in places {
            mounts::bind(&view, &host, TargetPath::new(at), access)?;
        }
        Ok(self.view.clone())
    }

    /// Takes the view down.
    pub(crate) fn hide(&mut self) -> Result<(), StepError> {
        if std::mem::take(&mut self.shown) {
            mounts::detach(&self.view).map_err(StepError::io("unmount", &self.view))?;
        }
        Ok(())
    }

    /// fstab goes into the deployment's own `/etc`.
    pub(crate) fn fstab(&self) -> Fstab {
        Fstab { etc: format!("/{}/etc", self.path.display()), root: Some(self.root.clone()) }
    }

    /// Takes the view down, and protects the deployment's root on the disk at `physical` as ostree does on its own: it cannot be
    /// written even before `/usr` is mounted read-only. Says what keeps it from that.
    pub(crate) fn finish(mut self, physical: &Path) -> Result<Option<String>, StepError> {
        self.hide()?;
        let dir = physical.join(&self.path);
        match set_immutable(&dir, true) {
            Ok(()) => Ok(None),
            Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::PERM) => Ok(Some(
                "the root filesystem has no immutable flag: the deployment's own directory stays writable for root"
                    .to_owned(),
            )),
            Err(errno) => Err(StepError::io("protect", &dir)(errno.into())),
        }
    }
}

/// libostree sets the immutable flag on deployments; nobody could copy times onto them, or remove them, then. Takes it away from all
/// deployments below `physical`, if there are any. Links are not followed.
pub(crate) fn release(physical: &Path) {
    let below = |dir: &Path| -> Vec<PathBuf> {
        let entries = dir.read_dir().into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
    };
    for stateroot in below(&physical.join("ostree/deploy")) {
        for deployment in below(&stateroot.join("deploy")) {
            // A filesystem without the flag has nothing to take away; removing tells the rest.
            set_immutable(&deployment, false).ok();
        }
    }
}

fn set_immutable(dir: &Path, immutable: bool) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd: OwnedFd = rustix::fs::open(dir, flags, Mode::empty())?;
    let file = File::from(fd);
    let mut own = rustix::fs::ioctl_getflags(&file)?;
    if own.contains(IFlags::IMMUTABLE) == immutable {
        return Ok(());
    }
    own.set(IFlags::IMMUTABLE, immutable);
    rustix::fs::ioctl_setflags(&file, own)
}
