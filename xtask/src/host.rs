//! The host: what it lacks, how that is installed, and how cargo and Isotope are started.

use crate::Xtask;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use xshell::cmd;

/// How much of the host must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// What compiles Isotope and builds images.
    Build,
    /// Also what boots and tests them.
    Everything,
}

/// Which build of Isotope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For people.
    Release,
    /// The one that the tests compile anyway.
    Dev,
}

/// Who runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// The caller.
    User,
    /// Root, through sudo when the caller is not root.
    Root,
}

/// A package of Debian and Ubuntu, and the file or program that tells that it is there.
struct Package {
    name: &'static str,
    probe: &'static str,
    need: Need,
}

const fn package(name: &'static str, probe: &'static str, need: Need) -> Package {
    Package { name, probe, need }
}

/// Everything that a bare machine with a Rust toolchain may lack. A probe with a `/` is a path, with a `*` as its last
/// component a prefix; any other is a program.
const PACKAGES: &[Package] = &[
    package("gcc", "cc", Need::Build),
    package("libc6-dev", "/usr/include/stdlib.h", Need::Build),
    package("pkg-config", "pkg-config", Need::Build),
    package("libclang-dev", "/usr/lib/llvm-*", Need::Build),
    package("libostree-dev", "/usr/include/ostree-1/ostree.h", Need::Build),
    package("debian-archive-keyring", "/usr/share/keyrings/debian-archive-keyring.gpg", Need::Build),
    package("gpgv", "gpgv", Need::Build),
    package("gpg", "gpg", Need::Build),
    package("gpg-agent", "gpg-agent", Need::Build),
    package("e2fsprogs", "mkfs.ext4", Need::Build),
    package("xfsprogs", "mkfs.xfs", Need::Build),
    package("btrfs-progs", "mkfs.btrfs", Need::Build),
    package("squashfs-tools", "mksquashfs", Need::Build),
    package("qemu-utils", "qemu-img", Need::Build),
    package("qemu-system-x86", "qemu-system-x86_64", Need::Everything),
    package("ovmf", "/usr/share/OVMF/OVMF_CODE_4M.fd", Need::Everything),
    package("openssh-client", "ssh", Need::Everything),
    package("ostree", "ostree", Need::Everything),
    package("openssl", "openssl", Need::Everything),
    package("gdisk", "sgdisk", Need::Everything),
    package("fdisk", "sfdisk", Need::Everything),
    package("dosfstools", "fsck.fat", Need::Everything),
    package("mtools", "mcopy", Need::Everything),
    package("mmdebstrap", "mmdebstrap", Need::Everything),
    package("debootstrap", "debootstrap", Need::Everything),
    package("git", "git", Need::Everything),
    package("dnf", "dnf", Need::Everything),
    package("rpm", "rpmbuild", Need::Everything),
    package("createrepo-c", "createrepo_c", Need::Everything),
    package("skopeo", "skopeo", Need::Everything),
    package("docker-registry", "docker-registry", Need::Everything),
    package("zstd", "zstd", Need::Everything),
    package("sudo", "sudo", Need::Everything),
    package("python3", "python3", Need::Everything),
    package("python3-venv", "/usr/share/doc/python3-venv", Need::Everything),
    package("grub-common", "grub-fstest", Need::Everything),
    package("busybox-static", "/bin/busybox", Need::Everything),
    package("shellcheck", "shellcheck", Need::Everything),
    package("attr", "getfattr", Need::Everything),
    package("acl", "getfacl", Need::Everything),
    package("lvm2", "lvm", Need::Everything),
    package("libcap2-bin", "setcap", Need::Everything),
];

/// Prints a line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "this is xtask's printer")]
pub fn say(text: &str) {
    eprintln!("{text}");
}

fn present(probe: &str) -> bool {
    if let Some((dir, prefix)) = probe.rsplit_once('/').filter(|(_, name)| name.ends_with('*')) {
        let prefix = prefix.trim_end_matches('*');
        return std::fs::read_dir(dir).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with(prefix) && has_libclang(&entry.path()))
        });
    }
    if probe.starts_with('/') {
        return Path::new(probe).exists();
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').any(|dir| Path::new(dir).join(probe).is_file())
}

/// bindgen (of loopdev) loads libclang at build time.
fn has_libclang(llvm: &Path) -> bool {
    std::fs::read_dir(llvm.join("lib"))
        .is_ok_and(|entries| entries.flatten().any(|entry| is_libclang(&entry.file_name().to_string_lossy())))
}

/// The C library. The C++ one (`libclang-cpp.so.14`, which Mesa's drivers bring) is of no use to bindgen.
fn is_libclang(file: &str) -> bool {
    file.starts_with("libclang") && !file.starts_with("libclang-cpp")
}

/// Installs what is missing, showing the command; with `--no-install` prints it and fails.
pub fn setup(xtask: &Xtask, need: Need) -> anyhow::Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|package| package.need <= need && !present(package.probe))
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let release = xtask.shell.read_file("/etc/os-release").unwrap_or_default();
    let debian = release.lines().any(|line| {
        line.strip_prefix("ID=")
            .or_else(|| line.strip_prefix("ID_LIKE="))
            .is_some_and(|ids| ids.contains("debian") || ids.contains("ubuntu"))
    });
    let list = missing.join(" ");
    if !debian {
        bail!(
            "this host lacks what the Debian packages {list} hold, and is neither Debian nor Ubuntu: install their like by hand"
        );
    }
    if !xtask.install {
        bail!("this host lacks packages; install them with: apt-get install -y --no-install-recommends {list}");
    }
    say(&format!("this host lacks {} packages: {list}", missing.len()));
    let _env = xtask.shell.push_env("DEBIAN_FRONTEND", "noninteractive");
    apt(xtask, &["update"], Attempt::Last)?;
    let mut command = vec!["install", "-y", "--no-install-recommends"];
    command.extend(&missing);
    if apt(xtask, &command, Attempt::First)? {
        return Ok(());
    }
    // A package of ours may be installed in a version that no archive of this host has (from backports that were
    // switched off, say), so that its siblings do not fit: take ours in the archive's version.
    let held = foreign(xtask, need)?;
    if held.is_empty() {
        bail!("apt-get could not install {list}");
    }
    command.insert(2, "--allow-downgrades");
    command.extend(held.iter().map(String::as_str));
    apt(xtask, &command, Attempt::Last).map(drop)
}

/// Whether a failure is the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    Last,
}

/// Runs apt-get as root or through sudo, showing the command. Its output is shown only where it fails for good.
fn apt(xtask: &Xtask, args: &[&str], attempt: Attempt) -> anyhow::Result<bool> {
    let shell = &xtask.shell;
    let command =
        if is_root() { cmd!(shell, "apt-get -q {args...}") } else { cmd!(shell, "sudo apt-get -q {args...}") };
    say(&format!("$ {command}"));
    let output = command.quiet().ignore_status().output()?;
    if output.status.success() {
        return Ok(true);
    }
    if attempt == Attempt::Last {
        say(&String::from_utf8_lossy(&output.stdout));
        say(&String::from_utf8_lossy(&output.stderr));
        bail!("apt-get failed");
    }
    Ok(false)
}

/// Our installed packages whose installed version is in no archive, as `name=version` of the archive's newest.
fn foreign(xtask: &Xtask, need: Need) -> anyhow::Result<Vec<String>> {
    let shell = &xtask.shell;
    let mut found = Vec::new();
    for package in PACKAGES.iter().filter(|package| package.need <= need && present(package.probe)) {
        let name = package.name;
        let installed =
            cmd!(shell, "dpkg-query -W -f '${{Version}}' {name}").quiet().ignore_status().ignore_stderr().read()?;
        let table = cmd!(shell, "apt-cache madison {name}").quiet().ignore_status().read()?;
        let versions: Vec<&str> = table.lines().filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
        if let Some(newest) =
            versions.first().filter(|_| !installed.is_empty() && !versions.contains(&installed.as_str()))
        {
            found.push(format!("{name}={newest}"));
        }
    }
    Ok(found)
}

/// Whether the caller is root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// The diskimage-builder that ours is compared with, and its variable for tests: a virtualenv.
pub const DIB_VARIABLE: &str = "ISOTOPE_TEST_DIB";
const DIB: &str = "diskimage-builder==3.43.0";

/// A virtualenv with diskimage-builder: the one that the caller names in [`DIB_VARIABLE`], else `target/dib-venv`, made from
/// the package index that pip is set up for.
pub fn dib(xtask: &Xtask) -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os(DIB_VARIABLE).filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let venv = xtask.root.join("target/dib-venv");
    let done = venv.join(DIB);
    if done.is_file() {
        return Ok(venv);
    }
    let shell = &xtask.shell;
    say(&format!("making a virtualenv with {DIB}, to compare with"));
    cmd!(shell, "python3 -m venv --clear {venv}").run().context("cannot make a virtualenv")?;
    let pip = venv.join("bin/pip");
    cmd!(shell, "{pip} install --quiet --disable-pip-version-check {DIB}").run()?;
    shell.write_file(&done, "complete\n")?;
    Ok(venv)
}

/// Compiles the `isotope` binary and returns its path.
pub fn compile(xtask: &Xtask, profile: Profile) -> anyhow::Result<PathBuf> {
    let shell = &xtask.shell;
    let _dir = shell.push_dir(&xtask.root);
    let (flags, dir): (&[&str], _) = match profile {
        Profile::Release => (&["--release"], "release"),
        Profile::Dev => (&[], "debug"),
    };
    cmd!(shell, "cargo build --locked -p isotope {flags...}").run().context("Isotope does not compile")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| xtask.root.join("target"), PathBuf::from);
    Ok(target.join(dir).join("isotope"))
}

/// Runs a program on the caller's terminal and passes its exit code on.
pub fn exec(xtask: &Xtask, program: &Path, args: &[String], who: As) -> anyhow::Result<ExitCode> {
    let shell = &xtask.shell;
    let command = if who == As::Root && !is_root() {
        say("$ sudo isotope (building needs loop devices and mounts)");
        cmd!(shell, "sudo {program} {args...}")
    } else {
        cmd!(shell, "{program} {args...}")
    };
    let status = std::process::Command::from(command.quiet())
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

#[cfg(test)]
mod tests {
    use super::is_libclang;

    #[test]
    fn the_cpp_library_is_not_libclang() {
        for (file, expected) in
            [("libclang.so.1", true), ("libclang-14.so.14.0.6", true), ("libclang-cpp.so.14", false)]
        {
            assert_eq!(is_libclang(file), expected, "{file}");
        }
    }
}
