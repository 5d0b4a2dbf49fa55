//! What GRUB shows: grub.cfg from built-in templates, and the settings by which the guest's own tools regenerate it.
//!
//! Where the distribution keeps BLS entries, grub.cfg reads them and this module sets their `options`; elsewhere the entries
//! are generated here as the distribution's `update-grub` will generate them again in the guest, with the same titles and ids.
//! Must not know: how the loader itself got onto the disk.

use crate::bls::Entry;
use crate::error::BootError;
use crate::flavour::Flavour;
use crate::ground::Ground;
use crate::kernels::Kernel;
use crate::place::Place;
use crate::quote;
use crate::tree::Tree;
use isotope_plan::BootSpec;
use serde::Serialize;

const GRUB_CFG: &str = include_str!("../templates/grub.cfg.hbs");
pub(crate) const REDIRECT: &str = include_str!("../templates/load-efi.cfg.hbs");
const SETTINGS: &str = include_str!("../templates/50-isotope.cfg.hbs");
const DEFAULT_GRUB: &str = include_str!("../templates/default-grub.hbs");

/// What a menu is made from.
pub(crate) struct Menu<'a> {
    pub spec: &'a BootSpec,
    pub flavour: &'a Flavour,
    pub place: &'a Place,
    pub kernels: &'a [Kernel],
}

#[derive(Serialize)]
struct MenuEntry {
    title: String,
    class: String,
    id: String,
    version: String,
    linux: String,
    args: String,
    initrd: Option<String>,
    #[serde(skip)]
    plain_title: String,
}

#[derive(Serialize)]
struct MenuData<'a> {
    #[serde(flatten)]
    ground: Ground<'a>,
    cmdline: String,
    default_entry: Option<MenuEntry>,
    entries: Vec<MenuEntry>,
    submenu_title: String,
    submenu_id: String,
}

impl Menu<'_> {
    /// Writes grub.cfg and the settings of the guest's own tools; returns the titles of the menu, the default first.
    pub fn write(&self, tree: &Tree) -> Result<Vec<String>, BootError> {
        let data = self.data()?;
        let titles = if self.flavour.bls {
            self.write_bls(tree, &data)?
        } else {
            tree.write("/etc/default/grub.d/50-isotope.cfg", render("50-isotope.cfg", SETTINGS, &data)?, 0o644)?;
            tree.stamp("/etc/default/grub.d")?;
            // Its packages' scripts look for this file, which only packages that run grub-install bring.
            if let (false, Some(default)) =
                (tree.exists("/etc/default/grub"), tree.read("/usr/share/grub/default/grub")?)
            {
                tree.write("/etc/default/grub", default, 0o644)?;
            }
            data.default_entry.iter().chain(&data.entries).map(|entry| entry.plain_title.clone()).collect()
        };
        tree.write(&format!("{}/grub.cfg", self.flavour.grub_dir()), render("grub.cfg", GRUB_CFG, &data)?, 0o600)?;
        tree.stamp(&self.flavour.grub_dir())?;
        Ok(titles)
    }

    /// `EFI/VENDOR/grub.cfg`: leads from the EFI system partition to `/boot`.
    pub fn redirect(&self) -> Result<String, BootError> {
        render("load-efi.cfg", REDIRECT, &self.data()?)
    }

    /// `root=` and the rest of the command line.
    fn arguments(&self, kernel: &Kernel) -> Result<Vec<String>, BootError> {
        // Without an initramfs the kernel itself looks for its root, and it knows no filesystem UUIDs.
        let root = match kernel.initrd {
            Some(_) => format!("root=UUID={}", self.place.root_uuid),
            None => format!("root=PARTUUID={}", self.place.root_partuuid),
        };
        Ok([root, "ro".to_owned()].into_iter().chain(self.own_arguments()).collect())
    }

    fn own_arguments(&self) -> impl Iterator<Item = String> {
        let consoles = self.spec.consoles.iter().map(|console| format!("console={console}"));
        self.spec.kernel_args.iter().cloned().chain(consoles)
    }

    fn data(&self) -> Result<MenuData<'_>, BootError> {
        let default_entry = self.kernels.first().map(|kernel| self.entry(kernel, Kind::Simple)).transpose()?;
        let mut entries = Vec::new();
        for kernel in self.kernels {
            entries.push(self.entry(kernel, Kind::Advanced)?);
            entries.push(self.entry(kernel, Kind::Recovery)?);
        }
        let own: Vec<String> = self.own_arguments().collect();
        Ok(MenuData {
            ground: Ground::new(self.spec, self.flavour, self.place, self.flavour.bls),
            cmdline: quote::shell_inside(&quote::arguments(&own)?),
            default_entry,
            entries,
            submenu_title: quote::quoted("NAME of os-release", &format!("Advanced options for {}", self.flavour.name))?,
            submenu_id: format!("'gnulinux-advanced-{}'", self.place.root_uuid),
        })
    }

    fn entry(&self, kernel: &Kernel, kind: Kind) -> Result<MenuEntry, BootError> {
        let (version, uuid, name) = (&kernel.version, &self.place.root_uuid, &self.flavour.name);
        let (title, id) = match kind {
            Kind::Simple => (name.clone(), format!("gnulinux-simple-{uuid}")),
            Kind::Advanced => (format!("{name}, with Linux {version}"), format!("gnulinux-{version}-advanced-{uuid}")),
            Kind::Recovery => {
                (format!("{name}, with Linux {version} (recovery mode)"), format!("gnulinux-{version}-recovery-{uuid}"))
            }
        };
        let mut arguments = self.arguments(kernel)?;
        if kind == Kind::Recovery {
            arguments.splice(2..2, self.flavour.recovery.iter().map(|word| (*word).to_owned()));
        }
        let path = |file: &str| quote::word("file name in /boot", &format!("{}/{file}", self.place.boot_path));
        Ok(MenuEntry {
            title: quote::quoted("NAME of os-release", &title)?,
            class: quote::word("NAME of os-release", name.to_lowercase().split(' ').next().unwrap_or("linux"))?,
            id: quote::quoted("kernel version", &id)?,
            version: version.replace('\'', ""),
            linux: path(&kernel.image)?,
            args: quote::arguments(&arguments)?,
            initrd: kernel.initrd.as_deref().map(path).transpose()?,
            plain_title: title,
        })
    }

    /// Entries that kernel-install made in the build know neither the root filesystem nor the command line: they get both.
    fn write_bls(&self, tree: &Tree, data: &MenuData<'_>) -> Result<Vec<String>, BootError> {
        const DIR: &str = "/boot/loader/entries";
        let mut there = Vec::new();
        for name in tree.list(DIR)?.into_iter().filter(|name| name.ends_with(".conf")) {
            let text = tree.read_text(&format!("{DIR}/{name}"))?.unwrap_or_default();
            there.push((name.clone(), Entry::parse(&name, &text)?));
        }
        let mut titles = Vec::new();
        for kernel in self.kernels {
            let of_kernel = |entry: &Entry| {
                entry.get("linux").is_some_and(|path| path.rsplit('/').next() == Some(kernel.image.as_str()))
            };
            let (name, mut entry) = match there.iter().find(|(_, entry)| of_kernel(entry)) {
                Some((name, entry)) => (name.clone(), entry.clone()),
                None => self.new_entry(tree, kernel)?,
            };
            entry.set("linux", &format!("{}/{}", self.place.boot_path, kernel.image))?;
            if let Some(initrd) = &kernel.initrd {
                entry.set("initrd", &format!("{}/{initrd}", self.place.boot_path))?;
            }
            entry.set("options", &self.arguments(kernel)?.join(" "))?;
            tree.write(&format!("{DIR}/{name}"), entry.to_string(), 0o644)?;
            titles.push(entry.title());
        }
        tree.stamp(DIR)?;
        if let Some(newest) = self.kernels.first() {
            // What kernel-install gives to kernels that come later.
            tree.write("/etc/kernel/cmdline", format!("{}\n", self.arguments(newest)?.join(" ")), 0o644)?;
        }
        tree.write("/etc/default/grub", render("default-grub", DEFAULT_GRUB, data)?, 0o644)?;
        Ok(titles)
    }

    fn new_entry(&self, tree: &Tree, kernel: &Kernel) -> Result<(String, Entry), BootError> {
        let machine = tree.read_text("/etc/machine-id")?.unwrap_or_default();
        let machine = machine.trim();
        let token = if machine.len() == 32 && machine.bytes().all(|b| b.is_ascii_hexdigit()) {
            machine
        } else {
            self.flavour.id.as_str()
        };
        let mut entry = Entry::new(&format!("{token}-{}", kernel.version))?;
        entry.set("title", &format!("{} ({})", self.flavour.name, kernel.version))?.set("version", &kernel.version)?;
        entry
            .set("grub_users", "$grub_users")?
            .set("grub_arg", "--unrestricted")?
            .set("grub_class", &self.flavour.id)?;
        Ok((format!("{}.conf", entry.id), entry))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Simple,
    Advanced,
    Recovery,
}

pub(crate) fn render(name: &'static str, template: &str, data: &impl Serialize) -> Result<String, BootError> {
    let mut handlebars = handlebars::Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(handlebars::no_escape);
    handlebars.render_template(template, data).map_err(|source| BootError::Template { name, source: Box::new(source) })
}

#[cfg(test)]
mod tests;
