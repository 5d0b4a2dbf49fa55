//! Where a build may write in a deployment: `/etc` and `/var`, what is linked there, and `/boot`. All else is the commit's, or is not kept.

use crate::layout::Layout;
use crate::{Problem, Step, StepAction};
use isotope_element::Origin;
use std::path::Path;

/// Refuses steps that would write elsewhere, as far as their paths tell.
pub(crate) fn check_steps(steps: &[Step], problems: &mut Vec<Problem>) {
    for step in steps {
        match &step.action {
            // The content of a directory goes below its destination, so `/` says nothing yet; the engine tells then.
            StepAction::Files(files) if files.dest == "/" => {}
            StepAction::Files(files) => problems.extend(check_path(&files.dest, &step.origin)),
            StepAction::Write(write) => problems.extend(check_path(&write.dest, &step.origin)),
            StepAction::Sysprep(sysprep) => {
                problems.extend(sysprep.remove.iter().filter_map(|path| check_path(path, &step.origin)));
            }
            _ => {}
        }
    }
}

/// Refuses a path that cannot be written.
fn check_path(path: &str, origin: &Origin) -> Option<Problem> {
    let fault = fault(path)?;
    let message = format!("element {}: {path} cannot be written in a deployment: {fault}", origin.element);
    let remedy =
        "write below /etc, /var or /usr/local; what belongs to /usr is part of the tree (its treefile, or a layer)";
    Some(Problem::configuration(message).at(origin).remedy(remedy))
}

/// Why a path is not the build's to write.
fn fault(path: &str) -> Option<&'static str> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("etc" | "var" | "boot", Some(_)) | ("home" | "root" | "srv" | "opt" | "mnt", _) | ("usr", Some("local")) => {
            None
        }
        ("usr" | "bin" | "sbin" | "lib" | "lib32" | "lib64" | "libx32", _) => Some("/usr is the commit's"),
        ("run" | "tmp" | "dev" | "proc" | "sys" | "media", _) => Some("what is there is gone after a boot"),
        ("ostree" | "sysroot", _) => Some("it is ostree's own"),
        ("etc" | "var" | "boot", None) => Some("it is a directory of the deployment"),
        _ => Some("a deployment has nothing of its own below / but /etc and /var"),
    }
}

/// Refuses filesystems that a deployment has no place for.
pub(crate) fn check_layout(layout: &Layout, problems: &mut Vec<Problem>) {
    for partition in &layout.partitions {
        let mount = partition.filesystem.as_ref().and_then(|filesystem| filesystem.mount.as_ref());
        let Some(mount) = mount.filter(|mount| !fits(&mount.path)) else { continue };
        let message = format!(
            "partition `{}` is mounted on {}, and a deployment's disk has `/`, `/boot` and what is below `/boot` only",
            partition.name, mount.path
        );
        let remedy =
            "keep it in the root filesystem, or make and mount it in the booted system (docker-storage does so)";
        problems.push(Problem::configuration(message).at(&partition.origin).remedy(remedy));
    }
}

fn fits(path: &str) -> bool {
    path == "/" || Path::new(path).starts_with("/boot") || path == "none"
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn what_a_deployment_keeps() {
        for good in [
            "/etc/fstab",
            "/var/lib/x",
            "/home/x/y",
            "/root/.ssh",
            "/usr/local/bin/x",
            "/opt/x",
            "/boot/grub/custom.cfg",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in
            ["/usr/bin/x", "/lib/systemd/x", "/run/x", "/tmp/x", "/data/x", "/etc", "/", "/ostree/x", "/sysroot/x"]
        {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
