//! What kind of ostree tree was deployed: of which time, and what it expects of whoever deploys it.

use crate::error::StepError;
use isotope_sys::target::TargetDir;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// For the log.
    pub notes: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// The kernel argument by which a tree's composefs can be switched off.
const OVERRIDE: &str = "ostree.prepare-root.composefs=";

/// Looks at a deployment.
///
/// # Errors
/// The tree boots only from a composefs image, which nobody has made.
pub(crate) fn look(tree: &TargetDir, kernel_args: &[String]) -> Result<Told, StepError> {
    let mut told = Told::default();
    if has_kernel(tree, "/usr/lib/ostree-boot")? || has_kernel(tree, "/boot")? {
        told.notes.push(
            "the tree keeps its kernel where trees before 2017 have it (/usr/lib/ostree-boot or /boot)".to_owned(),
        );
    }
    if tree.exists("/usr/lib/bootupd/updates") {
        told.notes.push(
            "the tree has bootupd, which updates the boot loader in the booted system once it has adopted it"
                .to_owned(),
        );
        told.warnings.push(
            "the boot loader was written by Isotope; `bootupctl adopt-and-update` in the booted system hands it over to bootupd"
                .to_owned(),
        );
    }
    if !tree.exists("/usr/lib/ostree/ostree-prepare-root") && !tree.exists("/usr/lib/ostree-boot") {
        told.notes.push("the tree has no /usr/lib/ostree/ostree-prepare-root outside of its initramfs".to_owned());
    }
    composefs(tree, kernel_args, &mut told)?;
    if !tree.exists("/etc/passwd") && !tree.exists("/usr/lib/passwd") {
        told.warnings.push("the tree has neither /etc/passwd nor /usr/lib/passwd".to_owned());
    }
    Ok(told)
}

fn has_kernel(tree: &TargetDir, dir: &str) -> Result<bool, StepError> {
    // The view's /boot is the disk's, where ostree's own directories are.
    Ok(tree.read_dir(dir)?.iter().any(|entry| !entry.is_dir && entry.name.to_string_lossy().starts_with("vmlinuz")))
}

/// What the tree's prepare-root.conf says of composefs. The one who deploys makes the image, and this libostree does not.
fn composefs(tree: &TargetDir, kernel_args: &[String], told: &mut Told) -> Result<(), StepError> {
    let Some(path) = ["/etc/ostree/prepare-root.conf", "/usr/lib/ostree/prepare-root.conf"]
        .into_iter()
        .find(|path| tree.exists(path))
    else {
        return Ok(());
    };
    let text = tree.read_text(path)?;
    let Some(enabled) = value(&text, "composefs", "enabled") else { return Ok(()) };
    match enabled.to_ascii_lowercase().as_str() {
        "no" | "false" | "0" => Ok(()),
        "maybe" => {
            told.notes.push(
                "the tree may run from composefs; this deployment runs without, until the system upgrades itself"
                    .to_owned(),
            );
            Ok(())
        }
        _ if kernel_args.iter().any(|argument| argument.starts_with(OVERRIDE)) => {
            told.warnings.push(format!(
                "the tree wants composefs ({path}: enabled = {enabled}), which a kernel argument overrides"
            ));
            Ok(())
        }
        _ => Err(StepError::Lacks {
            message: format!(
                "the tree boots from a composefs image only ({path}: enabled = {enabled}), and this libostree makes none"
            ),
            hint: format!(
                "if the tree's ostree is new enough to know it: --set ostree-deploy.kernel_args={OVERRIDE}maybe"
            ),
        }),
    }
}

/// A value of a key file.
fn value<'t>(text: &'t str, section: &str, key: &str) -> Option<&'t str> {
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
        } else if inside
            && let Some((own, value)) = line.split_once('=')
            && own.trim() == key
        {
            return Some(value.trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, TargetDir) {
        let dir = tempfile::tempdir().unwrap();
        let tree = TargetDir::open(dir.path()).unwrap();
        for (path, text) in files {
            tree.write(path, text, 0o644).unwrap();
        }
        (dir, tree)
    }

    const CONF: &str = "/usr/lib/ostree/prepare-root.conf";

    #[test]
    fn trees_of_the_article_s_time_and_of_today_are_told_apart() {
        let (_dir, old) = tree(&[("/usr/lib/ostree-boot/vmlinuz-4.2-abc", ""), ("/etc/passwd", "")]);
        assert!(look(&old, &[]).unwrap().notes[0].contains("before 2017"));
        let (_dir, new) = tree(&[
            ("/usr/lib/bootupd/updates/BIOS.json", ""),
            (CONF, "[sysroot]\nreadonly = true\n[composefs]\nenabled = maybe\n"),
            ("/usr/lib/passwd", ""),
            ("/usr/lib/ostree/ostree-prepare-root", ""),
        ]);
        let told = look(&new, &[]).unwrap();
        assert!(told.notes.iter().any(|note| note.contains("composefs")), "{told:?}");
        assert!(told.warnings.iter().any(|warning| warning.contains("bootupctl")), "{told:?}");
    }

    #[test]
    fn a_tree_that_needs_composefs_is_refused_unless_told_otherwise() {
        let (_dir, strict) = tree(&[(CONF, "[composefs]\nenabled = signed\n"), ("/etc/passwd", "")]);
        let error = look(&strict, &[]).unwrap_err();
        assert!(error.to_string().contains("enabled = signed"), "{error}");
        look(&strict, &[format!("{OVERRIDE}maybe")]).unwrap();
        let (_dir, off) = tree(&[(CONF, "[root]\nenabled=yes\n[composefs]\nenabled = false\n"), ("/etc/passwd", "")]);
        assert_eq!(look(&off, &[]).unwrap().warnings, [""; 0]);
    }
}
