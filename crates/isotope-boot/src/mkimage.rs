//! GRUB's images, made by the grub-mkimage that came with the modules, so that code and modules are of one build: the target's own,
//! or, for a deployment whose tree has none, this host's.

use crate::context::{RunError, RunInTarget};
use crate::error::BootError;
use crate::flavour::Flavour;
use crate::place::Place;
use crate::tree::Tree;
use isotope_sys::command::Tool;

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

/// Where GRUB's modules, and the program that makes images of them, are taken from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// The target: its own program, run inside it.
    Target(&'a dyn RunInTarget),
    /// This host, for a target that has none.
    Host,
}

/// What images are made from.
#[derive(Clone, Copy)]
pub struct Maker<'a> {
    /// The target.
    pub tree: &'a Tree,
    /// Whose modules and program are used.
    pub source: Source<'a>,
    /// Where the modules are: the target, or this host's root.
    pub modules: &'a Tree,
    /// The program that makes images of them.
    pub program: &'static str,
    /// How the target names GRUB's files.
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
        let early = format!("search.fs_uuid {} root $root\nset prefix=($root)'{grub_path}'\n", place.boot_uuid);
        self.tree.write(&format!("{dir}/load.cfg"), &early, 0o644)?;
        let prefix = format!("(,{}){grub_path}", place.boot_partition);
        let modules = ["biosdisk", place.table_module, place.filesystem_module, "search_fs_uuid"];
        self.make(
            "i386-pc",
            &prefix,
            &modules,
            (&format!("{dir}/core.img"), Some((&format!("{dir}/load.cfg"), &early))),
        )
    }

    /// Makes `/boot/grub/PLATFORM/core.efi` and returns it: an unsigned image that reads `grub.cfg` in `EFI/VENDOR`, as
    /// the distribution's signed one does.
    pub fn efi(&self, platform: &'static str) -> Result<Vec<u8>, BootError> {
        let dir = format!("/usr/lib/grub/{platform}");
        let own = format!("{}/{platform}", self.flavour.grub_dir());
        self.tree.make_dir(&own)?;
        let prefix = format!("/EFI/{}", self.flavour.vendor());
        let there = EFI_MODULES.into_iter().filter(|module| self.modules.exists(&format!("{dir}/{module}.mod")));
        let modules: Vec<&str> = [self.place.filesystem_module].into_iter().chain(there).collect();
        self.make(platform, &prefix, &modules, (&format!("{own}/core.efi"), None))
    }

    /// Makes an image at `output`, with a configuration (its path and text) inside it.
    fn make(
        &self,
        platform: &'static str,
        prefix: &str,
        modules: &[&str],
        (output, config): (&str, Option<(&str, &str)>),
    ) -> Result<Vec<u8>, BootError> {
        let failed = |source| BootError::Mkimage { platform, program: self.program, source };
        let dir = format!("/usr/lib/grub/{platform}");
        let common = ["-O", platform, "-d", &dir, "-p", prefix];
        match self.source {
            Source::Target(target) => {
                let mut argv = vec![self.program];
                argv.extend(common);
                if let Some((path, _)) = config {
                    argv.extend(["-c", path]);
                }
                argv.extend(["-o", output]);
                argv.extend(modules);
                target.run(&argv).map_err(failed)?;
            }
            Source::Host => {
                let image = on_host(self.program, &common, config.map(|(_, text)| text), modules).map_err(failed)?;
                self.tree.write(output, image, 0o644)?;
            }
        }
        self.tree.stamp(output)?;
        self.tree.need(output, "a working grub-mkimage")
    }
}

/// Makes an image in a directory of this host, never by a path of the target.
fn on_host(program: &str, common: &[&str], config: Option<&str>, modules: &[&str]) -> Result<Vec<u8>, RunError> {
    let scratch = tempfile::tempdir()?;
    let (output, early) = (scratch.path().join("image"), scratch.path().join("early.cfg"));
    let mut tool = Tool::new(program).args(common).arg("-o").arg(&output);
    if let Some(config) = config {
        std::fs::write(&early, config)?;
        tool = tool.arg("-c").arg(&early);
    }
    tool.args(modules).run()?;
    Ok(std::fs::read(&output)?)
}
