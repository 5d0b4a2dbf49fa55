//! A second kernel: chosen and fetched on the host from the archives that the guest itself names, by a private apt
//! configuration that touches nothing of the host.

use anyhow::{Context, bail};
use isotope_sys::command::Tool;
use isotope_vm::Vm;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A kernel package that the guest does not have.
#[derive(Debug)]
pub struct Kernel {
    /// What `uname -r` will say.
    pub release: String,
    /// The packages to install, the kernel's own last.
    pub packages: Vec<PathBuf>,
}

/// Fetches the newest kernel of the running one's flavour that is not the running one.
pub fn fetch_other(vm: &Vm, dir: &Path) -> anyhow::Result<Kernel> {
    let limit = Duration::from_secs(120);
    let running = vm.ssh()?.root("uname -r", limit)?.text();
    let flavour =
        flavour(&running).with_context(|| format!("`{running}` does not end in a flavour like -cloud-amd64"))?;
    let apt = PrivateApt::new(vm, dir)?;
    let names = apt.tool("apt-cache").args(["pkgnames", "linux-image-"]).run()?.text();
    let Some(release) = newest_other(&names, flavour, &running) else {
        bail!("the guest's archives have no second kernel of flavour {flavour}, only {running}");
    };
    let kernel = format!("linux-image-{release}");
    let depends = apt.tool("apt-cache").args(["depends", "--important", &kernel]).run()?.text();
    let mut wanted: Vec<String> = versioned_dependencies(&depends, &release);
    wanted.push(kernel);
    let mut packages = Vec::new();
    for name in &wanted {
        apt.tool("apt-get")
            .args(["-q", "download", name])
            .current_dir(dir)
            .run()
            .with_context(|| format!("cannot fetch {name}"))?;
        packages.push(package_file(dir, name)?);
    }
    Ok(Kernel { release, packages })
}

/// Installs `kernel` and removes the running one, by the guest's own tools; gives the removed release.
pub fn replace(vm: &Vm, kernel: &Kernel, limit: Duration) -> anyhow::Result<String> {
    let ssh = vm.ssh()?;
    let old = ssh.root("uname -r", Duration::from_secs(120))?.text();
    for (index, package) in kernel.packages.iter().enumerate() {
        ssh.copy_to(package, &format!("/var/tmp/kernel{index}.deb"), limit)?;
    }
    let script = format!(
        "set -eu\nexport DEBIAN_FRONTEND=noninteractive\n\
         dpkg -i /var/tmp/kernel*.deb\nrm /var/tmp/kernel*.deb\n\
         apt-get -y purge linux-image-{old}\n\
         test ! -e /boot/vmlinuz-{old}\ntest -e /boot/vmlinuz-{new}\n\
         ! grep -rs -e {old} /boot/grub/grub.cfg /boot/loader/entries\n\
         grep -qrs -e {new} /boot/grub/grub.cfg /boot/loader/entries\n",
        new = kernel.release
    );
    ssh.root(&script, limit)?;
    Ok(old)
}

fn flavour(release: &str) -> Option<&str> {
    // 6.12.107+deb13-cloud-amd64: everything after the first `-`.
    release.split_once('-').map(|(_, flavour)| flavour)
}

fn newest_other(names: &str, flavour: &str, running: &str) -> Option<String> {
    names
        .lines()
        .filter_map(|name| name.trim().strip_prefix("linux-image-"))
        .filter(|release| release.starts_with(|c: char| c.is_ascii_digit()))
        .filter(|release| *release != running && self::flavour(release) == Some(flavour))
        .max_by_key(|release| numbers(release))
        .map(str::to_owned)
}

/// The numbers of a version, for comparison: good enough among kernels of one release.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// Dependencies that belong to the same kernel (`linux-modules-…` where kernels are split).
fn versioned_dependencies(depends: &str, release: &str) -> Vec<String> {
    depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .filter(|name| name.starts_with("linux-") && name.contains(release))
        .map(str::to_owned)
        .collect()
}

fn package_file(dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let prefix = format!("{name}_");
    fs::read_dir(dir)?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .with_context(|| format!("apt-get downloaded no {prefix}*.deb"))
}

struct PrivateApt {
    config: PathBuf,
}

impl PrivateApt {
    fn new(vm: &Vm, dir: &Path) -> anyhow::Result<Self> {
        for name in ["lists/partial", "archives/partial", "sources", "keys", "none"] {
            fs::create_dir_all(dir.join(name))?;
        }
        let limit = Duration::from_secs(120);
        let ssh = vm.ssh()?;
        let lists =
            ssh.root("cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true", limit)?.text();
        let deb822 = "for f in /etc/apt/sources.list.d/*.sources; do [ -e \"$f\" ] && cat \"$f\" && echo; done; true";
        let deb822 = ssh.root(deb822, limit)?.text();
        fs::write(dir.join("sources/guest.list"), without_key_options(&lists))?;
        fs::write(dir.join("sources/guest.sources"), without_signed_by(&deb822))?;
        // The guest's keys, so that its archives are verified as it does itself.
        let keys = ssh.root("cd /usr/share/keyrings && ls -1 *.gpg *.pgp 2>/dev/null || true", limit)?.text();
        for key in keys.lines() {
            let data = ssh.root(&format!("cat '/usr/share/keyrings/{key}'"), limit)?.stdout;
            fs::write(
                dir.join("keys").join(Path::new(key).with_extension("gpg").file_name().unwrap_or_default()),
                data,
            )?;
        }
        let config = dir.join("apt.conf");
        fs::write(&config, configuration(dir))?;
        let apt = Self { config };
        apt.tool("apt-get").args(["-q", "update"]).run().context("cannot fetch the lists of the guest's archives")?;
        Ok(apt)
    }

    fn tool(&self, program: &str) -> Tool {
        let mut tool = Tool::new(program).env("APT_CONFIG", &self.config);
        for name in ["http_proxy", "https_proxy", "no_proxy"] {
            if let Some(value) = std::env::var_os(name) {
                tool = tool.env(name, value);
            }
        }
        tool
    }
}

fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "Dir::Etc::main \"/dev/null\";\nDir::Etc::parts \"{dir}/none\";\nDir::Etc::sourcelist \"{dir}/sources/guest.list\";\n\
         Dir::Etc::sourceparts \"{dir}/sources\";\nDir::Etc::preferences \"/dev/null\";\nDir::Etc::preferencesparts \"{dir}/none\";\n\
         Dir::Etc::trusted \"/dev/null\";\nDir::Etc::trustedparts \"{dir}/keys\";\nDir::State::lists \"{dir}/lists\";\n\
         Dir::State::status \"/dev/null\";\nDir::Cache::archives \"{dir}/archives\";\nDir::Cache::pkgcache \"\";\n\
         Dir::Cache::srcpkgcache \"\";\nAPT::Sandbox::User \"root\";\nAPT::Architecture \"amd64\";\n"
    )
}

/// `deb [signed-by=/path arch=amd64] uri …` without its options: the paths are the guest's.
fn without_key_options(list: &str) -> String {
    let line = |line: &str| match (line.split_once('['), line.split_once(']')) {
        (Some((head, _)), Some((_, tail))) if line.trim_start().starts_with("deb") => format!("{head}{tail}\n"),
        _ => format!("{line}\n"),
    };
    list.lines().map(line).collect()
}

/// The same for deb822: the field and its continuation lines.
fn without_signed_by(sources: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for line in sources.lines() {
        inside = if inside { line.starts_with([' ', '\t']) } else { false }
            || line.to_ascii_lowercase().starts_with("signed-by:");
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
