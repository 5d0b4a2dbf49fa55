//! GRUB's images, made by the target's own grub-mkimage, so that code and modules are of one build.

use crate::context::RunInTarget;
use crate::error::BootError;
use crate::flavour::Flavour;
use crate::place::Place;
use crate::tree::Tree;

/// What an image for UEFI has inside beside the filesystem: enough to show a menu and to boot with no module file.
const EFI_MODULES: [&str; 34] = [
    "part_gpt",
    "part_msdos",
    "fat",
    "normal",
    "configfile",
    "search",
    "search_fs_uuid",
    "search_fs_file",
    "search_label",
    "regexp",
    "linux",
    "gzio",
    "echo",
    "test",
    "true",
    "cat",
    "ls",
    "loadenv",
    "sleep",
    "minicmd",
    "reboot",
    "halt",
    "serial",
    "terminal",
    "terminfo",
    "font",
    "gfxterm",
    "all_video",
    "efi_gop",
    "probe",
    "help",
    "gettext",
    "iso9660",
    "boot",
];

/// What images are made from.
#[derive(Clone, Copy)]
pub struct Maker<'a> {
    /// The target.
    pub tree: &'a Tree,
    /// Runs its programs.
    pub target: &'a dyn RunInTarget,
    /// How it names them.
    pub flavour: &'a Flavour,
    /// What the images must find.
    pub place: &'a Place,
}

impl Maker<'_> {
    /// Makes `/boot/grub/i386-pc/core.img` and returns it. It finds `/boot` by its filesystem's UUID and tries the disk it
    /// was booted from first, so that a clone attached beside it is not taken.
    pub fn bios(&self) -> Result<Vec<u8>, BootError> {
        let (flavour, place) = (self.flavour, self.place);
        let dir = format!("{}/i386-pc", flavour.grub_dir());
        let grub_path = format!("{}/{}", place.boot_path, flavour.directory);
        let (config, output) = (format!("{dir}/load.cfg"), format!("{dir}/core.img"));
        self.tree.write(
            &config,
            format!("search.fs_uuid {} root $root\nset prefix=($root)'{grub_path}'\n", place.boot_uuid),
            0o644,
        )?;
        let prefix = format!("(,{}){grub_path}", place.boot_partition);
        let arguments = ["-O", "i386-pc", "-d", "/usr/lib/grub/i386-pc", "-p", &prefix, "-c", &config, "-o", &output];
        let modules = ["biosdisk", place.table_module, place.filesystem_module, "search_fs_uuid"];
        self.run("i386-pc", &[&arguments[..], &modules[..]].concat(), &output)
    }

    /// Makes `/boot/grub/PLATFORM/core.efi` and returns it: an unsigned image that reads `grub.cfg` in `EFI/VENDOR`, as
    /// the distribution's signed one does.
    pub fn efi(&self, platform: &'static str) -> Result<Vec<u8>, BootError> {
        let dir = format!("/usr/lib/grub/{platform}");
        let own = format!("{}/{platform}", self.flavour.grub_dir());
        self.tree.make_dir(&own)?;
        let output = format!("{own}/core.efi");
        let prefix = format!("/EFI/{}", self.flavour.vendor());
        let arguments = ["-O", platform, "-d", &dir, "-p", &prefix, "-o", &output];
        let there: Vec<&str> =
            EFI_MODULES.into_iter().filter(|module| self.tree.exists(&format!("{dir}/{module}.mod"))).collect();
        self.run(platform, &[&arguments[..], &[self.place.filesystem_module], &there].concat(), &output)
    }

    fn run(&self, platform: &'static str, arguments: &[&str], output: &str) -> Result<Vec<u8>, BootError> {
        let program = self.flavour.mkimage;
        let argv = [&[program], arguments].concat();
        self.target.run(&argv).map_err(|source| BootError::Mkimage { platform, program, source })?;
        self.tree.stamp(output)?;
        self.tree.need(output, "a working grub-mkimage")
    }
}
