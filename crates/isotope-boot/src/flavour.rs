//! What differs between distributions: names of GRUB's programs and directories, and who keeps the menu.

use crate::error::BootError;
use crate::tree::Tree;

/// How this distribution packages GRUB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flavour {
    /// `ID` of os-release.
    pub id: String,
    /// `NAME` of os-release: what the menu says.
    pub name: String,
    /// GRUB's directory below `/boot`: `grub` or `grub2`.
    pub directory: &'static str,
    /// The program that makes GRUB's images.
    pub mkimage: &'static str,
    /// The menu is made of BLS entries, which the distribution's kernel-install keeps.
    pub bls: bool,
    /// What its update-grub gives to entries of recovery mode.
    pub recovery: &'static [&'static str],
}

/// Directories on the EFI system partition that do not have the name of the distribution's `ID`.
const VENDORS: [(&str, &str); 3] =
    [("rhel", "redhat"), ("opensuse-leap", "opensuse"), ("opensuse-tumbleweed", "opensuse")];

impl Flavour {
    /// Looks at the target.
    pub fn of(tree: &Tree) -> Result<Self, BootError> {
        let text = match tree.read_text("/usr/lib/os-release")? {
            Some(text) => text,
            None => tree.read_text("/etc/os-release")?.unwrap_or_default(),
        };
        let grub2 = tree.exists("/usr/bin/grub2-mkimage");
        let platforms = ["i386-pc", "x86_64-efi", "arm64-efi"].map(|p| format!("/usr/lib/grub/{p}"));
        let has_module = platforms.iter().any(|p| tree.exists(&format!("{p}/blscfg.mod")));
        // Fedora's signed GRUB has the module built in, and the files of its modules are in packages of their own.
        let bls = (has_module || grub2) && tree.exists("/usr/lib/kernel/install.d/20-grub.install");
        // Since 2.12 of Debian: no microcode is loaded in recovery mode.
        let script = tree.read_text("/etc/grub.d/10_linux")?.unwrap_or_default();
        let no_microcode = script.contains("dis_ucode_ldr");
        Ok(Self {
            recovery: if no_microcode { &["single", "dis_ucode_ldr"] } else { &["single"] },
            id: os_release(&text, "ID").unwrap_or_else(|| "linux".to_owned()),
            name: os_release(&text, "NAME").unwrap_or_else(|| "Linux".to_owned()),
            directory: if grub2 { "grub2" } else { "grub" },
            mkimage: if grub2 { "grub2-mkimage" } else { "grub-mkimage" },
            bls,
        })
    }

    /// GRUB's directory in the target.
    pub fn grub_dir(&self) -> String {
        format!("/boot/{}", self.directory)
    }

    /// The distribution's directory below `EFI/` on the EFI system partition.
    pub fn vendor(&self) -> &str {
        VENDORS.iter().find(|(id, _)| *id == self.id).map_or(self.id.as_str(), |(_, vendor)| vendor)
    }
}

/// A value of os-release, its quotes removed.
fn os_release(text: &str, key: &str) -> Option<String> {
    let value = text
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .filter(|(k, _)| *k == key)
        .map(|(_, v)| v)
        .next_back()?;
    let quoted = |q: char| value.strip_prefix(q).and_then(|v| v.strip_suffix(q));
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    (!value.is_empty()).then(|| value.replace("\\", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path(), 1).unwrap();
        for (path, text) in files {
            tree.write(path, text, 0o644).unwrap();
        }
        (dir, tree)
    }

    #[test]
    fn debian_keeps_its_menu_by_update_grub() {
        let (_dir, tree) = tree(&[
            ("/usr/lib/os-release", "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"13\"\n"),
            ("/usr/bin/grub-mkimage", ""),
        ]);
        let flavour = Flavour::of(&tree).unwrap();
        assert_eq!(
            (flavour.name.as_str(), flavour.vendor(), flavour.grub_dir().as_str()),
            ("Debian GNU/Linux", "debian", "/boot/grub")
        );
        assert!(!flavour.bls);
    }

    #[test]
    fn a_newer_debian_has_the_module_and_still_no_entries() {
        let (_dir, tree) = tree(&[("/etc/os-release", "ID=debian\n"), ("/usr/lib/grub/i386-pc/blscfg.mod", "")]);
        assert!(!Flavour::of(&tree).unwrap().bls);
    }

    #[test]
    fn recovery_mode_is_that_of_the_distribution_s_own_script() {
        let (_dir, old) = tree(&[("/etc/grub.d/10_linux", "case x in *) single;; esac\n")]);
        let (_dir, new) = tree(&[("/etc/grub.d/10_linux", "GRUB_CMDLINE_LINUX_RECOVERY=\"$x dis_ucode_ldr\"\n")]);
        assert_eq!(Flavour::of(&old).unwrap().recovery, ["single"]);
        assert_eq!(Flavour::of(&new).unwrap().recovery, ["single", "dis_ucode_ldr"]);
    }

    #[test]
    fn fedora_has_bls_entries() {
        let (_dir, tree) = tree(&[
            ("/usr/lib/os-release", "NAME='Fedora Linux'\nID=fedora\n"),
            ("/usr/bin/grub2-mkimage", ""),
            ("/usr/lib/kernel/install.d/20-grub.install", ""),
        ]);
        let flavour = Flavour::of(&tree).unwrap();
        assert_eq!((flavour.directory, flavour.mkimage, flavour.bls), ("grub2", "grub2-mkimage", true));
    }
}
