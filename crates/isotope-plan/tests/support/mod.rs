//! Elements as text, planned for a made-up host; paths in what comes out are short.

#![allow(dead_code, reason = "each test binary uses its part")]

use isotope_plan::{Arch, Bytes, Family, HostFacts, Plan, PlanErrors, Recipe};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Elements in a directory of their own.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    /// Writes files given as `== PATH` lines followed by their content; hooks (`*.d/*`) become executable.
    pub fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for part in
            text.split("\n== ").map(|part| part.trim_start_matches("== ")).filter(|part| !part.trim().is_empty())
        {
            let (path, content) = part.split_once('\n').unwrap_or((part, ""));
            let path = dir.path().join(path.trim());
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
            std::fs::write(&path, format!("{}\n", content.trim_end_matches('\n'))).expect("a file");
            if path.parent().is_some_and(|parent| parent.to_string_lossy().ends_with(".d")) {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
            }
        }
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Plans a recipe over these elements.
    pub fn plan(&self, recipe: &Recipe, facts: &HostFacts) -> Result<Plan, PlanErrors> {
        let catalogue = isotope_element::load(&[self.dir.path().to_owned()]).unwrap_or_else(|errors| {
            panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let set = catalogue.resolve(&recipe.element_names()).unwrap_or_else(|errors| panic!("{errors}"));
        isotope_plan::plan(recipe, &set, None, facts)
    }

    /// Plans the recipe in this text.
    pub fn plan_text(&self, recipe: &str) -> Result<Plan, PlanErrors> {
        let recipe = Recipe::parse(Path::new("image.toml"), recipe).unwrap_or_else(|errors| panic!("{errors}"));
        self.plan(&recipe, &facts())
    }

    /// What is said against the recipe in this text.
    pub fn refusal(&self, recipe: &str) -> String {
        match self.plan_text(recipe) {
            Ok(plan) => panic!("this should not plan:\n{}", isotope_plan::show(&plan)),
            Err(errors) => self.short(&errors.to_string()),
        }
    }

    /// Text without the place of the temporary directory.
    pub fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

/// A Debian host that can do everything.
pub fn facts() -> HostFacts {
    let mirrors = [
        ("debian", "http://mirror.example.org/debian"),
        ("debian-security", "http://mirror.example.org/debian-security"),
    ];
    HostFacts {
        family: Some(Family::Debian),
        mirrors: mirrors.iter().map(|(name, url)| ((*name).to_owned(), (*url).to_owned())).collect(),
        tools: isotope_plan::host_tools().iter().map(|tool| tool.name.to_owned()).collect(),
        keyrings: [std::path::PathBuf::from("/usr/share/keyrings/debian-archive-keyring.gpg")].into(),
        source_date_epoch: 1_700_000_000,
        is_root: true,
        loop_devices: true,
        device_mapper: true,
        memory: Bytes::gib(8),
        ..HostFacts::unknown(Arch::X86_64)
    }
}

/// A small operating system, a disk, a boot loader and something on top.
pub const ELEMENTS: &str = r#"
== os/element.toml
summary = "A small Debian"
provides = ["operating-system"]

[vars.release]
type = "enum"
values = ["trixie", "bookworm"]
default = "trixie"
env = "DIB_RELEASE"
help = "Debian release"

[vars.kernel]
type = "string"
default = "linux-image-{{target.deb_arch}}"
help = "Kernel package"

[distro]
name = "debian"
family = "debian"
release = "{{release}}"

[bootstrap]
packages = ["apt"]

[[bootstrap.sources]]
uri = "host:debian"
suite = "{{release}}"
components = ["main"]
keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

[[packages]]
names = ["{{kernel}}", "systemd-sysv"]

[sysprep]
remove = ["/var/lib/seed"]

[properties]
os_distro = "debian"

[[checks]]
name = "the release is {{release}}"
run = "grep -q {{release}} /etc/os-release"
== os/root.d/10-first
#!/bin/sh
== disk/element.toml
summary = "GPT, BIOS and UEFI"

[vars.root_fs]
type = "enum"
values = ["ext4", "xfs", "btrfs"]
default = "ext4"
help = "Root filesystem"

[layout]
table = "gpt"

[[layout.partitions]]
name = "bios-boot"
kind = "bios-boot"
size = "1 MiB"

[[layout.partitions]]
name = "esp"
kind = "esp"
size = "128 MiB"
filesystem = { type = "fat", label = "ESP", mount = "/boot/efi" }

[[layout.partitions]]
name = "swap"
kind = "swap"
size = "10%"

[[layout.partitions]]
name = "root"
kind = "root"
size = "rest"
filesystem = { type = "{{root_fs}}", label = "root", mount = "/" }
== loader/element.toml
summary = "A boot loader"
requires = ["disk"]

[bootloader]
bios = true
uefi = true
timeout = 3
kernel_args = ["quiet"]
== serial/element.toml
summary = "A serial console"

[bootloader]
kernel_args = ["console=ttyS0"]
consoles = ["tty0", "ttyS0"]
== web/element.toml
summary = "A web server"
after = ["os"]

[vars.packages]
type = "list"
default = ["nginx"]
help = "Packages"

[vars.password]
type = "string"
default = ""
secret = true
help = "Password of the admin page"

[[packages]]
names = ["systemd-sysv", "curl"]
names_from = "packages"

[[packages]]
names = ["gnupg"]
recommends = true
when = { release = "bookworm" }

[[files]]
source = "files"
dest = "/"

[[templates]]
source = "templates/conf.hbs"
dest = "/etc/web.conf"
mode = "0600"

[[services]]
enable = ["web.service"]
disable = ["apache2.service"]
== web/files/usr/share/web/index.html
hello
== web/templates/conf.hbs
password = {{password}}
== web/post-install.d/50-web
#!/bin/sh
"#;
