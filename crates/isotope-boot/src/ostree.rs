//! GRUB for a deployment: the loader as for any system, and a menu that is never written again.
//!
//! GRUB's files come from the tree; where it has none, from this host. The menu is a static grub.cfg that reads what ostree keeps: BLS
//! entries where the tree's own GRUB reads them (Fedora's `blscfg`), else `/boot/loader/syslinux.cfg`, whose keywords are GRUB
//! functions. The context's `tree` is the deployment as the booted system sees it, with the disk's `/boot`.
//! Must not know: how deployments are made.

use crate::bls::Entry;
use crate::context::BootContext;
use crate::error::BootError;
use crate::flavour::Flavour;
use crate::ground::Ground;
use crate::install::{Installed, loader};
use crate::menu::{REDIRECT, render};
use crate::mkimage::{Maker, Source};
use crate::place::{Place, esp_mount};
use crate::tree::Tree;
use crate::uefi::{ARCHES, Signed};
use crate::{syslinux, version};
use isotope_plan::layout::Layout;
use isotope_plan::{BootSpec, SecureBoot};
use isotope_sys::command::Tool;
use serde::Serialize;
use std::path::Path;

const GRUB_CFG: &str = include_str!("../templates/ostree.cfg.hbs");

/// What reads the list of deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum List {
    /// GRUB's `blscfg` reads `/boot/loader/entries`.
    Bls,
    /// grub.cfg itself reads `/boot/loader/syslinux.cfg`.
    Syslinux,
}

/// Who brings GRUB's modules for a platform, and the program that goes with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Means {
    host: bool,
    program: &'static str,
}

/// By what the disk will boot.
struct Ways {
    bios: Option<Means>,
    /// `None`: signed files of the tree, or no UEFI.
    efi: Option<Means>,
    list: List,
}

/// Looks at a deployment before anything is done with it: whether tree and host have what the boot loader needs, and whether its menu
/// can carry the kernel arguments. Says what will be used.
///
/// # Errors
/// Something is missing in both, or an argument cannot stand in the menu.
pub fn check(spec: &BootSpec, layout: &Layout, tree: &Path, kernel_args: &[String]) -> Result<Vec<String>, BootError> {
    let tree = Tree::open(tree, 0)?;
    let flavour = Flavour::of(&tree)?;
    let ways = ways(spec, layout, &tree, &flavour)?;
    if ways.list == List::Syslinux {
        carried(kernel_args)?;
    }
    let whose = |means: Means| if means.host { "this host's GRUB" } else { "the tree's own GRUB" };
    let mut notes = Vec::new();
    notes.extend(ways.bios.map(|means| format!("boots by BIOS with {}", whose(means))));
    if spec.uefi {
        let by = ways.efi.map_or("the tree's signed shim and GRUB", whose);
        notes.push(format!("boots by UEFI with {by}"));
    }
    notes.push(match ways.list {
        List::Bls => "the menu is read by blscfg".to_owned(),
        List::Syslinux => "the menu is read by a static grub.cfg".to_owned(),
    });
    Ok(notes)
}

/// Makes the disk bootable, and says what its menu is read by.
///
/// # Errors
/// As [`crate::install()`], and as [`check`].
pub fn install(
    spec: &BootSpec,
    context: &BootContext<'_>,
    kernel_args: &[String],
) -> Result<(Installed, List), BootError> {
    let tree = Tree::open(context.tree, context.epoch)?;
    let host = Tree::open(Path::new("/"), context.epoch)?;
    let place = Place::of(context.layout)?;
    let flavour = Flavour::of(&tree)?;
    let ways = ways(spec, context.layout, &tree, &flavour)?;
    if ways.list == List::Syslinux {
        carried(kernel_args)?;
    }
    let maker = |means: Option<Means>| {
        let means = means.unwrap_or(Means { host: false, program: flavour.mkimage });
        let (source, modules) =
            if means.host { (Source::Host, &host) } else { (Source::Target(context.target), &tree) };
        Maker { tree: &tree, source, modules, program: means.program, flavour: &flavour, place: &place }
    };
    let data = Ground::new(spec, &flavour, &place, ways.list == List::Bls);
    let redirect = render("load-efi.cfg", REDIRECT, &data)?;
    let mut installed = loader(spec, context, (&maker(ways.bios), &maker(ways.efi)), &redirect)?;
    tree.write(&format!("{}/grub.cfg", flavour.grub_dir()), render("grub.cfg", GRUB_CFG, &data)?, 0o600)?;
    tree.stamp(&flavour.grub_dir())?;
    installed.entries = titles(&tree, ways.list)?;
    if installed.entries.is_empty() {
        return Err(BootError::NoKernel);
    }
    Ok((installed, ways.list))
}

/// What is used, decided once for [`check`] and [`install`].
fn ways(spec: &BootSpec, layout: &Layout, tree: &Tree, flavour: &Flavour) -> Result<Ways, BootError> {
    let bios = if spec.bios { Some(means(tree, flavour, "i386-pc")?) } else { None };
    let mut efi = None;
    let mut signed_reads_bls = false;
    if spec.uefi {
        let signed = match spec.secure_boot {
            SecureBoot::Off => None,
            SecureBoot::Auto | SecureBoot::Required => signed(tree, flavour, layout)?,
        };
        match signed {
            Some(grub) => signed_reads_bls = grub.windows(7).any(|window| window == b"blscfg\0"),
            // That the files are missing is said by the installer, which knows how much they are wanted.
            None if spec.secure_boot == SecureBoot::Required => {}
            None => efi = Some(efi_means(tree, flavour)?),
        }
    }
    // Only Fedora's blscfg reads what is written here: later modules of that name take other arguments.
    let reads = |platform: &str, means: Means| {
        !means.host && flavour.directory == "grub2" && tree.exists(&format!("/usr/lib/grub/{platform}/blscfg.mod"))
    };
    let by_bios = bios.is_none_or(|means| reads("i386-pc", means));
    let by_efi = !spec.uefi || signed_reads_bls || efi.is_some_and(|means| reads("x86_64-efi", means));
    let list = if by_bios && by_efi && flavour.directory == "grub2" { List::Bls } else { List::Syslinux };
    Ok(Ways { bios, efi, list })
}

/// The tree's signed GRUB, if it has that and a shim.
fn signed(tree: &Tree, flavour: &Flavour, layout: &Layout) -> Result<Option<Vec<u8>>, BootError> {
    let esp = esp_mount(layout)?;
    for arch in ARCHES {
        if let Ok(signed) = Signed::find(tree, flavour, arch, esp)? {
            return tree.read(signed.grub());
        }
    }
    Ok(None)
}

fn efi_means(tree: &Tree, flavour: &Flavour) -> Result<Means, BootError> {
    let there = ARCHES.into_iter().find(|arch| tree.exists(&format!("/usr/lib/grub/{}/moddep.lst", arch.platform)));
    means(tree, flavour, there.map_or("x86_64-efi", |arch| arch.platform))
}

/// The tree's modules and program, or the host's.
fn means(tree: &Tree, flavour: &Flavour, platform: &'static str) -> Result<Means, BootError> {
    let modules = format!("/usr/lib/grub/{platform}/moddep.lst");
    if tree.exists(&modules) && tree.exists(&format!("/usr/bin/{}", flavour.mkimage)) {
        return Ok(Means { host: false, program: flavour.mkimage });
    }
    let program = ["grub-mkimage", "grub2-mkimage"].into_iter().find(|program| Tool::exists(program));
    match program.filter(|_| Path::new(&modules).exists()) {
        Some(program) => Ok(Means { host: true, program }),
        None => Err(BootError::NoGrub {
            platform,
            package: match platform {
                "i386-pc" => "grub-pc-bin (Debian) or grub2-pc-modules (Fedora)",
                "arm64-efi" => "grub-efi-arm64-bin (Debian) or grub2-efi-aa64-modules (Fedora)",
                _ => "grub-efi-amd64-bin (Debian) or grub2-efi-x64-modules (Fedora)",
            },
        }),
    }
}

/// Refuses what GRUB's script language would take as its own.
fn carried(kernel_args: &[String]) -> Result<(), BootError> {
    let own = |char: char| ";&|<>{}$\"'\\#".contains(char);
    match kernel_args.iter().find(|argument| argument.contains(own)) {
        Some(argument) => Err(BootError::NotInMenu { argument: argument.clone() }),
        None => Ok(()),
    }
}

/// Titles of the menu, the default first.
fn titles(tree: &Tree, list: List) -> Result<Vec<String>, BootError> {
    match list {
        List::Syslinux => {
            let text = tree.read_text("/boot/loader/syslinux.cfg")?.unwrap_or_default();
            Ok(syslinux::parse(&text).into_iter().map(|record| record.label).collect())
        }
        List::Bls => Ok(entries(tree)?.iter().map(Entry::title).collect()),
    }
}

fn entries(tree: &Tree) -> Result<Vec<Entry>, BootError> {
    const DIR: &str = "/boot/loader/entries";
    let mut entries = Vec::new();
    for name in tree.list(DIR)?.into_iter().filter(|name| name.ends_with(".conf")) {
        entries.push(Entry::parse(&name, &tree.read_text(&format!("{DIR}/{name}"))?.unwrap_or_default())?);
    }
    let order = |entry: &Entry| entry.get("version").unwrap_or_default().to_owned();
    entries.sort_by(|one, other| version::compare(&order(other), &order(one)));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_grub_would_take_as_its_own_are_refused() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(carried(&args("root=LABEL=root rw console=tty0 console=ttyS0,115200n8 a.b=c:d,e x=%y @z")).is_ok());
        for bad in ["ds=nocloud;s=http://x/", "a=$b", "a='b'", "a=\"b", "a|b", "a#b"] {
            let error = carried(&args(bad)).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
