//! The EFI system partition: the distribution's signed shim and GRUB where it ships them, else a GRUB made here.
//!
//! `EFI/BOOT` is what a machine starts that has never seen the disk; `EFI/VENDOR` is what the distribution's packages
//! update in the guest. Never a `fbx64.efi` in `EFI/BOOT`: shim would start it instead of GRUB, to write boot entries.
//! Must not know: what the menu says.

use crate::error::BootError;
use crate::flavour::Flavour;
use crate::mkimage::Maker;
use crate::tree::Tree;
use isotope_plan::SecureBoot;

/// Names of one processor architecture in the world of UEFI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EfiArch {
    /// GRUB's platform.
    pub platform: &'static str,
    /// In file names: `shimx64.efi`.
    pub suffix: &'static str,
    /// What firmware starts from a disk it does not know.
    pub removable: &'static str,
}

/// Architectures, the likelier first.
pub const ARCHES: [EfiArch; 2] = [
    EfiArch { platform: "x86_64-efi", suffix: "x64", removable: "BOOTX64.EFI" },
    EfiArch { platform: "arm64-efi", suffix: "aa64", removable: "BOOTAA64.EFI" },
];

/// The signed files of a distribution, by their paths in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    shim: String,
    grub: String,
    /// MokManager: enrols keys.
    mok: Option<String>,
    /// Fallback: makes boot entries; only for the vendor's directory.
    fallback: Option<String>,
    /// What fallback reads.
    csv: Option<String>,
}

/// What now stands on the EFI system partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Efi {
    /// The signed files are used.
    pub signed: bool,
    /// Directory below `EFI/` whose `grub.cfg` the loader reads.
    pub vendor: String,
    /// GRUB's platform.
    pub platform: &'static str,
    /// What the user should know.
    pub warning: Option<String>,
}

impl Signed {
    /// The path of its GRUB in the target.
    pub fn grub(&self) -> &str {
        &self.grub
    }

    /// Looks for the signed files.
    ///
    /// # Errors
    /// `Ok(Err(names))`: these files are not in the target.
    pub fn find(
        tree: &Tree,
        flavour: &Flavour,
        arch: EfiArch,
        esp: &str,
    ) -> Result<Result<Self, Vec<String>>, BootError> {
        let EfiArch { platform, suffix, .. } = arch;
        let vendor = flavour.vendor();
        // Debian and Ubuntu; Fedora's RPMs straight on the ESP; Fedora since 43, where bootupd copies from /usr; Fedora's ostree trees
        // with bootupd before that, and without.
        let places = |lib: String, package: &str, name: &str| {
            let copied = ["/usr/lib/bootupd/updates", "/usr/lib/ostree-boot/efi"];
            let [bootupd, old_tree] = copied.map(|dir| format!("{dir}/EFI/{vendor}/{name}"));
            let newest = format!("/usr/lib/efi/{package}/*/EFI/{vendor}/{name}");
            [lib, format!("{esp}/EFI/{vendor}/{name}"), newest, bootupd, old_tree]
        };
        let shim_name = format!("shim{suffix}.efi");
        let mut shims = vec![format!("/usr/lib/shim/{shim_name}.signed.latest")];
        shims.extend(places(format!("/usr/lib/shim/{shim_name}.signed"), "shim", &shim_name));
        let grub_name = format!("grub{suffix}.efi");
        let grubs = places(format!("/usr/lib/grub/{platform}-signed/{grub_name}.signed"), "grub2", &grub_name);
        let helper = |name: String| -> Result<Option<String>, BootError> {
            let mut all = vec![format!("/usr/lib/shim/{name}.signed")];
            all.extend(places(format!("/usr/lib/shim/{name}"), "shim", &name));
            tree.find(&all)
        };
        let csv = places(
            format!("/usr/lib/shim/BOOT{}.CSV", suffix.to_uppercase()),
            "shim",
            &format!("BOOT{}.CSV", suffix.to_uppercase()),
        );
        let (shim, grub) = (tree.find(&shims)?, tree.find(&grubs)?);
        let (Some(shim), Some(grub)) = (&shim, &grub) else {
            let missing = [(shim.is_none(), shims.get(1)), (grub.is_none(), grubs.first())];
            return Ok(Err(missing
                .into_iter()
                .filter(|(absent, _)| *absent)
                .filter_map(|(_, path)| path.cloned())
                .collect()));
        };
        Ok(Ok(Self {
            shim: shim.clone(),
            grub: grub.clone(),
            mok: helper(format!("mm{suffix}.efi"))?,
            fallback: helper(format!("fb{suffix}.efi"))?,
            csv: tree.find(&csv)?,
        }))
    }
}

/// Fills the EFI system partition's staging directory, all but `EFI/VENDOR/grub.cfg`.
///
/// # Errors
/// Secure Boot is required and the target cannot, or it has no GRUB for UEFI at all.
pub fn install(maker: &Maker<'_>, esp: &str, wanted: SecureBoot) -> Result<Efi, BootError> {
    let (tree, flavour) = (maker.tree, maker.flavour);
    let mut missing = Vec::new();
    if wanted != SecureBoot::Off {
        for arch in ARCHES {
            match Signed::find(tree, flavour, arch, esp)? {
                Ok(signed) => return place_signed(tree, flavour, arch, esp, &signed),
                Err(names) if missing.is_empty() => missing = names,
                Err(_) => {}
            }
        }
    }
    if wanted == SecureBoot::Required {
        return Err(BootError::NotSigned { missing });
    }
    let arch =
        ARCHES.into_iter().find(|arch| maker.modules.exists(&format!("/usr/lib/grub/{}/moddep.lst", arch.platform)));
    let arch = arch.ok_or_else(|| BootError::MissingFile {
        path: "/usr/lib/grub/x86_64-efi".to_owned(),
        package: "grub-efi-amd64-bin (Debian) or grub2-efi-x64-modules (Fedora)",
    })?;
    let image = maker.efi(arch.platform)?;
    let (boot, vendor) = (format!("{esp}/EFI/BOOT"), format!("{esp}/EFI/{}", flavour.vendor()));
    tree.write(&format!("{boot}/{}", arch.removable), &image, 0o644)?;
    tree.write(&format!("{vendor}/grub{}.efi", arch.suffix), &image, 0o644)?;
    no_fallback(tree, &boot, arch)?;
    let warning = (wanted == SecureBoot::Auto).then(|| {
        format!("the image does not boot with Secure Boot enforced: the target lacks {}", missing.join(" and "))
    });
    Ok(Efi { signed: false, vendor: flavour.vendor().to_owned(), platform: arch.platform, warning })
}

fn place_signed(tree: &Tree, flavour: &Flavour, arch: EfiArch, esp: &str, signed: &Signed) -> Result<Efi, BootError> {
    let EfiArch { suffix, removable, platform } = arch;
    let read = |path: &str| tree.need(path, "shim-signed");
    let optional = |path: &Option<String>| path.as_deref().map(read).transpose();
    let (shim, grub, mok) = (read(&signed.shim)?, read(&signed.grub)?, optional(&signed.mok)?);
    let vendor = compiled_prefix(&grub).unwrap_or_else(|| flavour.vendor().to_owned());
    let write = |path: String, data: &[u8]| tree.write(&format!("{esp}/EFI/{path}"), data, 0o644);

    write(format!("BOOT/{removable}"), &shim)?;
    write(format!("{vendor}/shim{suffix}.efi"), &shim)?;
    for dir in ["BOOT", &vendor] {
        write(format!("{dir}/grub{suffix}.efi"), &grub)?;
        if let Some(mok) = &mok {
            write(format!("{dir}/mm{suffix}.efi"), mok)?;
        }
    }
    if let Some(fallback) = optional(&signed.fallback)? {
        write(format!("{vendor}/fb{suffix}.efi"), &fallback)?;
    }
    if let Some(csv) = optional(&signed.csv)? {
        write(format!("{vendor}/BOOT{}.CSV", suffix.to_uppercase()), &csv)?;
    }
    no_fallback(tree, &format!("{esp}/EFI/BOOT"), arch)?;
    Ok(Efi { signed: true, vendor, platform, warning: None })
}

fn no_fallback(tree: &Tree, boot: &str, arch: EfiArch) -> Result<(), BootError> {
    for name in tree.list(boot)? {
        if name.eq_ignore_ascii_case(&format!("fb{}.efi", arch.suffix)) {
            tree.remove(&format!("{boot}/{name}"))?;
        }
    }
    Ok(())
}

/// The directory below `/EFI/` that a GRUB image has compiled in as its prefix.
#[must_use]
pub fn compiled_prefix(image: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"/EFI/";
    let mut found =
        image.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK).filter_map(|(at, _)| {
            let name = image[at + MARK.len()..].split(|b| *b == 0).next()?;
            let fits = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
            let whole =
                !name.is_empty() && name.len() <= 32 && name.iter().all(fits) && !name.eq_ignore_ascii_case(b"BOOT");
            whole.then(|| String::from_utf8_lossy(name).into_owned())
        });
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debian() -> (tempfile::TempDir, Tree, Flavour) {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path(), 5).unwrap();
        tree.write("/usr/lib/os-release", "ID=debian\nNAME=\"Debian GNU/Linux\"\n", 0o644).unwrap();
        let flavour = Flavour::of(&tree).unwrap();
        (dir, tree, flavour)
    }

    #[test]
    fn debian_s_signed_files_go_where_firmware_and_the_packages_look() {
        let (_dir, tree, flavour) = debian();
        for name in ["shimx64.efi.signed", "mmx64.efi.signed", "mmx64.efi", "fbx64.efi.signed", "BOOTX64.CSV"] {
            tree.write(&format!("/usr/lib/shim/{name}"), name, 0o644).unwrap();
        }
        tree.write("/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", "..\0/EFI/debian\0..", 0o644).unwrap();
        let signed = Signed::find(&tree, &flavour, ARCHES[0], "/boot/efi").unwrap().unwrap();
        let efi = place_signed(&tree, &flavour, ARCHES[0], "/boot/efi", &signed).unwrap();
        assert_eq!((efi.signed, efi.vendor.as_str()), (true, "debian"));
        assert_eq!(tree.list("/boot/efi/EFI/BOOT").unwrap(), ["BOOTX64.EFI", "grubx64.efi", "mmx64.efi"]);
        assert_eq!(
            tree.list("/boot/efi/EFI/debian").unwrap(),
            ["BOOTX64.CSV", "fbx64.efi", "grubx64.efi", "mmx64.efi", "shimx64.efi"]
        );
        assert_eq!(tree.read_text("/boot/efi/EFI/BOOT/mmx64.efi").unwrap().unwrap(), "mmx64.efi.signed");
    }

    #[test]
    fn fedora_s_files_are_on_the_esp_already_and_fallback_leaves_the_removable_path() {
        let (_dir, tree, _) = debian();
        tree.write("/usr/lib/os-release", "ID=fedora\n", 0o644).unwrap();
        let flavour = Flavour::of(&tree).unwrap();
        for name in
            ["fedora/shimx64.efi", "fedora/grubx64.efi", "fedora/mmx64.efi", "BOOT/fbx64.efi", "BOOT/BOOTX64.EFI"]
        {
            tree.write(&format!("/boot/efi/EFI/{name}"), name, 0o644).unwrap();
        }
        let signed = Signed::find(&tree, &flavour, ARCHES[0], "/boot/efi").unwrap().unwrap();
        place_signed(&tree, &flavour, ARCHES[0], "/boot/efi", &signed).unwrap();
        assert_eq!(tree.list("/boot/efi/EFI/BOOT").unwrap(), ["BOOTX64.EFI", "grubx64.efi", "mmx64.efi"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let (_dir, tree, flavour) = debian();
        tree.write("/usr/lib/shim/shimx64.efi.signed", "", 0o644).unwrap();
        let missing = Signed::find(&tree, &flavour, ARCHES[0], "/boot/efi").unwrap().unwrap_err();
        assert_eq!(missing, ["/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"]);
    }

    #[test]
    fn a_prefix_is_a_whole_string() {
        assert_eq!(compiled_prefix(b"x/EFI/debian\0y").as_deref(), Some("debian"));
        assert_eq!(compiled_prefix(b"/EFI/BOOT/x\0 /EFI/BOOT\0 /EFI/fedora\0").as_deref(), Some("fedora"));
        assert_eq!(compiled_prefix(b"nothing here"), None);
    }
}
