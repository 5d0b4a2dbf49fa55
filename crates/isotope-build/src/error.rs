//! Why a step failed, and how that is told.

use crate::event::{Failure, FailureClass};
use crate::package::PackageError;
use crate::report::BuildError;
use crate::sandbox::SandboxError;
use isotope_boot::BootError;
use isotope_disk::DiskError;
use isotope_image::export::ExportError;
use isotope_image::output::OutputError;
use isotope_ostree::tree::TreeError;
use isotope_ostree::{ErrorClass, OstreeError};
use isotope_plan::Step;
use isotope_sys::command::CommandError;
use isotope_sys::target::TargetError;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StepError {
    /// A hook did not end with status 0.
    #[error("hook {name} of element {element} failed")]
    Hook { name: String, element: String, source: CommandError },
    /// A hook of diskimage-builder's elements did not end with status 0, or not in time.
    #[error("hook {name} of element {element} {}", how(*timeout))]
    DibHook { name: String, element: String, timeout: Option<u64>, source: CommandError },
    /// A program failed.
    #[error("cannot {what}")]
    Command { what: String, source: CommandError },
    /// The package manager failed.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The tree refused.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The boot loader failed.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// An output failed.
    #[error(transparent)]
    Export(Box<ExportError>),
    /// A repository or commit failed.
    #[error(transparent)]
    Ostree(Box<OstreeError>),
    /// The tree cannot be laid out.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A deployment has no such place.
    #[error("element {element}: {path} cannot be written in a deployment, where only /etc, /var and /boot can")]
    ReadOnly { element: String, path: String, source: TargetError },
    /// The manifest could not be written.
    #[error(transparent)]
    Manifest(#[from] OutputError),
    /// The cache failed.
    #[error(transparent)]
    Cache(Box<BuildError>),
    /// Outputs could not be kept.
    #[error(transparent)]
    Kept(Box<isotope_image::export::kept::KeptError>),
    /// A registry of layers is not one.
    #[error(transparent)]
    Registry(Box<isotope_registry::RegistryError>),
    /// The store of layers failed.
    #[error(transparent)]
    Layers(Box<isotope_cache::CacheError>),
    /// A file of the build's own failed.
    #[error("cannot {what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    /// The target lacks something.
    #[error("{message}")]
    Lacks { message: String, hint: String },
    /// The plan asks for what cannot be at this point: a fault of the planner.
    #[error("the plan is inconsistent: {0}")]
    Plan(&'static str),
}

fn how(timeout: Option<u64>) -> String {
    timeout.map_or_else(
        || "failed".to_owned(),
        |seconds| format!("took longer than {seconds} seconds (DIB_HOOK_TIMEOUT) and was killed"),
    )
}

impl From<OstreeError> for StepError {
    fn from(error: OstreeError) -> Self {
        Self::Ostree(Box::new(error))
    }
}

impl StepError {
    /// For `map_err` on file operations.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }

    fn class(&self) -> FailureClass {
        match self {
            Self::Plan(_) => FailureClass::Internal,
            Self::Package(PackageError::Remote(_) | PackageError::Gone { offline: false, .. }) => FailureClass::Remote,
            Self::Hook { .. } | Self::DibHook { .. } | Self::Lacks { .. } | Self::Boot(_) | Self::ReadOnly { .. } => {
                FailureClass::Configuration
            }
            Self::Ostree(error) => ostree_class(error),
            Self::Package(
                PackageError::NotFound(_)
                | PackageError::NotLocked(_)
                | PackageError::Unsupported(_)
                | PackageError::Command { .. },
            ) => FailureClass::Configuration,
            Self::Sandbox(SandboxError::NotADirectory { .. }) | Self::Command { .. } => FailureClass::Configuration,
            Self::Disk(DiskError::Geometry(_)) => FailureClass::Configuration,
            Self::Tree(TreeError::Target(_)) => FailureClass::Environment,
            Self::Tree(_) => FailureClass::Configuration,
            _ => FailureClass::Environment,
        }
    }

    /// What a person is told.
    pub(crate) fn explain(&self, step: &Step, log: &Path) -> Failure {
        let mut message = String::new();
        let mut tail = Vec::new();
        let mut full = false;
        let mut status = None;
        let mut next: Option<&dyn Error> = Some(self);
        while let Some(error) = next {
            let mut text = error.to_string();
            if let Some(CommandError::Failed { tail: last, status: ended, .. }) = error.downcast_ref::<CommandError>() {
                status = ended.code();
                tail = last.lines().map(str::to_owned).collect();
                // The tail is shown by itself.
                text.truncate(text.find('\n').unwrap_or(text.len()));
            }
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                full |= error.kind() == std::io::ErrorKind::StorageFull;
            }
            if message.is_empty() {
                message = text;
            } else if !message.ends_with(&text) {
                message = format!("{message}: {text}");
            }
            next = error.source();
        }
        full |= tail.iter().any(|line| line.contains("No space left on device"));
        let mut hints = Vec::new();
        if full {
            hints.push("the place where the build works is full: free some, or build with --work=disk and a roomy cache directory".to_owned());
        }
        match self {
            Self::Hook { .. } | Self::Package(PackageError::Command { .. }) | Self::Command { .. } => {
                hints.push("--on-error=shell opens a shell in the sandbox where it failed".to_owned());
            }
            Self::DibHook { .. } => hints.push("break=after-error opens a shell where it failed".to_owned()),
            Self::Package(error) => hints.extend(error.hints()),
            Self::Lacks { hint, .. } => hints.push(hint.clone()),
            Self::ReadOnly { .. } => hints.push(IN_THE_TREE.to_owned()),
            _ => {}
        }
        Failure {
            step: Some(step.id.clone()),
            title: Some(step.title.clone()),
            origin: Some(step.origin.clone()),
            message,
            tail,
            hints,
            status,
            class: if full { FailureClass::Environment } else { self.class() },
            log: Some(log.to_owned()),
        }
    }
}

/// Where things belong that cannot be written in a deployment.
pub(crate) const IN_THE_TREE: &str =
    "write below /etc, /var or /usr/local; what belongs to /usr is part of the tree (its treefile, or a layer)";

/// Who is to mend what ostree could not do.
fn ostree_class(error: &OstreeError) -> FailureClass {
    match error.class() {
        ErrorClass::Asked | ErrorClass::Content => FailureClass::Configuration,
        ErrorClass::Host => FailureClass::Environment,
        ErrorClass::Remote => FailureClass::Remote,
    }
}
