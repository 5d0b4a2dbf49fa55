//! From what `root.d` has made to a tree that programs run in.

use super::{Dib, begin, mounts};
use crate::build::Build;
use crate::error::StepError;
use isotope_sys::target::TargetDir;
use std::path::Path;

/// The name server's file, and where the target's own is kept meanwhile. Elements write to the latter what the image is to have.
pub(super) const RESOLV: &str = "/etc/resolv.conf";
pub(super) const RESOLV_KEPT: &str = "/etc/resolv.conf.ORIG";
/// For hosts without any.
const RESOLVER: &str = "nameserver 8.8.8.8\n";

pub(super) fn settle(dib: &mut Dib, build: &Build<'_>) -> Result<(), StepError> {
    let tree = dib.tree()?;
    let names = tree.read_dir("/")?;
    if names.iter().all(|entry| entry.name == "lost+found" || entry.name == "tmp") {
        return Err(StepError::Lacks {
            message: "Failed to deploy the root element.".to_owned(),
            hint: "no hook of root.d has put anything into TARGET_ROOT: is an element of an operating system among the elements?"
                .to_owned(),
        });
    }
    lend_resolver(&tree)?;
    mounts::furnish(dib)?;
    dib.furnished = true;
    install_type(dib)?;
    build.events.output(&format!("{} names in the tree", names.len()));
    Ok(())
}

/// `--install-type`, for hooks.
pub(super) fn install_type(dib: &Dib) -> Result<(), StepError> {
    let file = dib.hooks().join("environment.d/11-dib-install-type.bash");
    let kind = &dib.plan.install_type;
    begin::write(&file, 0o644, &format!("export DIB_DEFAULT_INSTALLTYPE=${{DIB_DEFAULT_INSTALLTYPE:-\"{kind}\"}}\n"))
}

fn lend_resolver(tree: &TargetDir) -> Result<(), StepError> {
    let text = std::fs::read_to_string(Path::new(RESOLV)).unwrap_or_else(|_| RESOLVER.to_owned());
    if tree.symlink_metadata(RESOLV)?.is_some() {
        tree.rename(RESOLV, RESOLV_KEPT)?;
    } else {
        tree.create_dir_all("/etc", 0o755)?;
    }
    tree.write(RESOLV, text, 0o777)?;
    Ok(tree.set_mode(RESOLV, 0o777)?)
}
