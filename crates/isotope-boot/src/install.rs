//! The one entry point: BIOS, UEFI and the menu, as the plan wants them.

use crate::context::BootContext;
use crate::error::BootError;
use crate::flavour::Flavour;
use crate::menu::Menu;
use crate::mkimage::{Maker, Source};
use crate::place::{Place, esp_mount};
use crate::tree::Tree;
use crate::{bios, kernels, modules, uefi};
use isotope_plan::BootSpec;
use isotope_plan::layout::SectorSize;

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Installed {
    /// Boots by BIOS.
    pub bios: bool,
    /// Boots by UEFI.
    pub uefi: bool,
    /// By the distribution's signed shim: boots with Secure Boot enforced.
    pub secure_boot: bool,
    /// Titles of the menu's entries, the default first.
    pub entries: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Makes the disk bootable. The same target, layout and clock give the same bytes.
///
/// # Errors
/// The target lacks the boot loader's files or a kernel, something does not fit, or the disk cannot be written.
pub fn install(spec: &BootSpec, context: &BootContext<'_>) -> Result<Installed, BootError> {
    let tree = Tree::open(context.tree, context.epoch)?;
    let place = Place::of(context.layout)?;
    let flavour = Flavour::of(&tree)?;
    let kernels = kernels::find(&tree)?;
    let source = Source::Target(context.target);
    let maker =
        Maker { tree: &tree, source, modules: &tree, program: flavour.mkimage, flavour: &flavour, place: &place };
    let menu = Menu { spec, flavour: &flavour, place: &place, kernels: &kernels };
    let mut installed = loader(spec, context, (&maker, &maker), &menu.redirect()?)?;
    installed.entries = menu.write(&tree)?;
    Ok(installed)
}

/// GRUB itself, all but its menu: the makers are those for BIOS and for UEFI, `redirect` is the `grub.cfg` of the EFI system partition.
pub(crate) fn loader(
    spec: &BootSpec,
    context: &BootContext<'_>,
    (bios, efi): (&Maker<'_>, &Maker<'_>),
    redirect: &str,
) -> Result<Installed, BootError> {
    let mut installed = Installed::default();
    let (tree, flavour) = (bios.tree, bios.flavour);
    modules::common(bios.modules, tree, flavour)?;
    if spec.bios && spec.uefi && context.geometry.sector_size == SectorSize::B4096 {
        installed
            .warnings
            .push("the image boots by UEFI only: a BIOS cannot boot a disk with 4096-byte sectors".to_owned());
    } else if spec.bios {
        install_bios(bios, context)?;
        installed.bios = true;
    }
    if spec.uefi {
        let esp = esp_mount(context.layout)?;
        let written = uefi::install(efi, esp, spec.secure_boot)?;
        modules::copy(efi.modules, tree, flavour, written.platform)?;
        tree.write(&format!("{esp}/EFI/{}/grub.cfg", written.vendor), redirect, 0o644)?;
        installed.uefi = true;
        installed.secure_boot = written.signed;
        installed.warnings.extend(written.warning);
    }
    Ok(installed)
}

fn install_bios(maker: &Maker<'_>, context: &BootContext<'_>) -> Result<(), BootError> {
    const PACKAGE: &str = "grub-pc-bin (Debian) or grub2-pc-modules (Fedora)";
    let place = bios::core_place(context.layout, context.geometry)?;
    let boot_img = maker.modules.need("/usr/lib/grub/i386-pc/boot.img", PACKAGE)?;
    modules::copy(maker.modules, maker.tree, maker.flavour, "i386-pc")?;
    let core_img = maker.bios()?;
    // Kept beside the modules, as grub-install keeps it.
    maker.tree.write(&format!("{}/i386-pc/boot.img", maker.flavour.grub_dir()), &boot_img, 0o644)?;
    maker.tree.stamp(&format!("{}/i386-pc", maker.flavour.grub_dir()))?;
    bios::embed(context.disk, &place, &boot_img, &core_img)
}
