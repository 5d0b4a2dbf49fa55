//! Name resolution in the target: the host's `resolv.conf`, lent for as long as programs run in it.

use super::loan::Loan;
use isotope_sys::target::{TargetDir, TargetError};
use std::path::{Component, Path, PathBuf};

const DIR: &str = "/etc";
const NAME: &str = "resolv.conf";

/// Makes the target resolve names as the host does. `tree` has the sandbox's `/run` mounted.
pub(super) fn lend(tree: &TargetDir, content: &str) -> Result<Option<Loan>, TargetError> {
    if !tree.exists(DIR) {
        return Ok(None);
    }
    let link = tree.read_link("/etc/resolv.conf")?;
    if let Some(in_run) = link.as_deref().and_then(|link| below_run(Path::new(link))) {
        // systemd-resolved and resolvconf: the file is in /run, which is the sandbox's own; the tree is not touched.
        tree.write(in_run.to_string_lossy().as_ref(), content, 0o644)?;
        return Ok(None);
    }
    Loan::place(tree, DIR, NAME, content, 0o644).map(Some)
}

/// Where a link of `/etc` leads, if it is below `/run`.
fn below_run(link: &Path) -> Option<PathBuf> {
    let mut path = PathBuf::from(DIR);
    for part in link.components() {
        match part {
            Component::RootDir => path = PathBuf::from("/"),
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    let path = path.strip_prefix("/var").map(|rest| Path::new("/").join(rest)).unwrap_or(path);
    (path.starts_with("/run") && path.parent() != Some(Path::new("/"))).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::below_run;
    use std::path::{Path, PathBuf};

    #[test]
    fn links_are_followed_by_their_names() {
        let run = |link| below_run(Path::new(link));
        assert_eq!(
            run("../run/systemd/resolve/stub-resolv.conf"),
            Some(PathBuf::from("/run/systemd/resolve/stub-resolv.conf"))
        );
        assert_eq!(run("/run/resolvconf/resolv.conf"), Some(PathBuf::from("/run/resolvconf/resolv.conf")));
        assert_eq!(run("/var/run/x/resolv.conf"), Some(PathBuf::from("/run/x/resolv.conf")));
        assert_eq!(run("/../../run/../etc/passwd"), None);
        assert_eq!(run("resolv.conf.real"), None);
        assert_eq!(run("/run"), None);
    }
}
