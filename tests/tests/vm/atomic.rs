//! Atomic images: debian-atomic by BIOS, UEFI and with Secure Boot; upgrade, rollback and rebase; the other deployment chosen in the menu.

use crate::bench::{Report, with_hint};
use crate::images::Kind;
use crate::scenarios::restart_by_uefi;
use anyhow::{Context, ensure};
use isotope_sys::command::Tool;
use isotope_vm::life::{self, Life};
use isotope_vm::ssh::Input;
use isotope_vm::{CheckStatus, Firmware, Seed, SeedKind, Vm};
use std::path::PathBuf;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(120);

/// BIOS with a NoCloud seed, then a life: the elements' own checks, an upgrade, a rollback, a rebase; the menu; the same disk by UEFI.
pub fn bios(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Atomic)) else { return };
    report.step("`isotope inspect` shows the deployment and its entry", |_| inspected(&image));
    let seed = Seed::new(SeedKind::NoCloud, "atomic-bios");
    let Some(mut vm) = report.boot_and_check(&image, Firmware::Bios, seed) else { return };
    let passed = report.vm_step("NoCloud's key lets the image's user in, who may become root", &mut vm, |vm| {
        let mut ssh = vm.ssh()?.as_user("debian");
        ensure!(ssh.try_login(SHORT)?, "the user debian does not get in by the key of the metadata");
        let output = ssh.exec("id -un && sudo -n id -un && hostname && pwd -P", Input::None, SHORT)?;
        ensure!(output.text() == "debian\nroot\natomic-bios\n/var/home/debian", "got {}", output.tail(5));
        Ok(())
    });
    if passed.is_none() {
        return;
    }
    let Some(before) = report.vm_step("GRUB's files are noted", &mut vm, |vm| grub(vm)) else { return };
    let boot = report.bench.boot_timeout();
    let Some(repo) =
        report.vm_step("`isotope compose --from --add` makes a commit with a package more", &mut vm, |_| layered())
    else {
        return;
    };
    let layer = Some((LAYER.to_owned(), "hello".to_owned()));
    let life = Life { repo, layer };
    let name = "upgrades, rolls back and rebases to the layer, over HTTP from a new commit, by BIOS";
    let lived = report.vm_step(name, &mut vm, |vm| lives(vm, &life, boot));
    if lived.is_none() {
        return;
    }
    report.vm_step("none of it has touched GRUB's files", &mut vm, |vm| {
        let now = grub(vm)?;
        ensure!(now == before, "before:\n{before}\nnow:\n{now}");
        Ok(())
    });
    let Some(default) =
        report.vm_step("the second deployment is chosen in the menu", &mut vm, |vm| other_entry(vm, boot))
    else {
        return;
    };
    report.vm_step("once: the same disk boots the first one again, by UEFI", &mut vm, |vm| {
        restart_by_uefi(vm, boot)?;
        let now = booted(vm)?;
        ensure!(now == default, "{now} is booted, and {default} is the default");
        Ok(())
    });
}

fn lives(vm: &mut Vm, life: &Life, boot: Duration) -> anyhow::Result<()> {
    let results = life::live(vm, life, "debian-atomic", boot, &mut |_| {}).map_err(with_hint)?;
    let failed: Vec<String> = results
        .iter()
        .filter(|result| result.status == CheckStatus::Failed)
        .map(|result| format!("{}: {:?}", result.name, result))
        .collect();
    ensure!(failed.is_empty() && results.len() > 4, "{} of {}: {}", failed.len(), results.len(), failed.join("\n"));
    Ok(())
}

/// UEFI with an OpenStack configuration drive; then the life of BIOS once more, without the layer.
pub fn uefi(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Atomic)) else { return };
    let seed = Seed::new(SeedKind::ConfigDrive, "atomic-uefi");
    let Some(mut vm) = report.boot_and_check(&image, Firmware::Uefi, seed) else { return };
    let boot = report.bench.boot_timeout();
    report.vm_step("upgrades, rolls back and rebases by UEFI", &mut vm, |vm| {
        lives(vm, &Life { repo: repository()?, layer: None }, boot)
    });
    report.vm_step("switches itself off", &mut vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
}

/// The tree's own shim, GRUB and kernel, with Secure Boot enforced.
pub fn secure_boot(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Atomic)) else { return };
    let seed = Seed::new(SeedKind::NoCloud, "atomic-secure");
    let Some(mut vm) = report.boot_and_check(&image, Firmware::UefiSecureBoot, seed) else { return };
    report.vm_step("switches itself off", &mut vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
}

/// The repository that the image's tree was committed to.
fn repository() -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("ISOTOPE_TEST_TREE_REPO").map(PathBuf::from);
    let repo = given.unwrap_or_else(|| PathBuf::from("/var/cache/isotope/ostree/debian-atomic"));
    ensure!(repo.join("objects").is_dir(), "{} is no repository; ISOTOPE_TEST_TREE_REPO names another", repo.display());
    Ok(repo)
}

fn inspected(image: &std::path::Path) -> anyhow::Result<()> {
    let run = Tool::new(isotope_tests::isotope()).args(["--json", "inspect"]).arg(image).run()?;
    let found: serde_json::Value = serde_json::from_slice(&run.stdout)?;
    let deployments = found["deployments"].as_array().context("there are no deployments")?;
    ensure!(deployments.len() == 1 && deployments[0]["index"] == 0, "{deployments:?}");
    ensure!(deployments[0]["stateroot"] == "debian-atomic", "{deployments:?}");
    let entries = found["boot"]["entries"].to_string();
    ensure!(entries.contains("Debian") && !entries.contains('$'), "{entries}");
    ensure!(
        found["system"]["packages"].as_array().is_some_and(|packages| packages.len() > 100),
        "no packages are shown"
    );
    Ok(())
}

/// Checksums of what GRUB reads and nobody may change.
fn grub(vm: &Vm) -> anyhow::Result<String> {
    let script = "cd /boot && find grub efi -type f ! -name grubenv -exec sha256sum {} + | sort -k 2";
    let sums = vm.ssh()?.root(script, SHORT)?.text();
    ensure!(sums.contains("grub/grub.cfg"), "{sums}");
    Ok(sums)
}

/// What runs: `COMMIT.SERIAL`.
fn booted(vm: &Vm) -> anyhow::Result<String> {
    let script = "readlink -f /sysroot$(sed -n 's/.*\\bostree=\\([^ ]*\\).*/\\1/p' /proc/cmdline) | sed 's,.*/,,'";
    Ok(vm.ssh()?.root(script, SHORT)?.text())
}

/// GRUB's environment names the second entry for the next boot only. What is the default.
fn other_entry(vm: &mut Vm, boot: Duration) -> anyhow::Result<String> {
    let first = booted(vm)?;
    vm.ssh()?.root("grub-editenv /boot/grub/grubenv set next_entry=1", SHORT)?;
    vm.reboot(boot)?;
    let second = booted(vm)?;
    ensure!(second != first, "{second} is booted, the entry that is the default");
    Ok(first)
}

/// The ref of the commit with a package more.
const LAYER: &str = "debian-atomic/layered";

/// The repository, with that commit.
fn layered() -> anyhow::Result<PathBuf> {
    let repo = repository()?;
    let refs = Tool::new("ostree").args(["refs", "--repo"]).arg(&repo).run()?.text();
    let from = refs.lines().find(|line| line.contains("/trixie/")).context("there is no tree of trixie")?;
    Tool::new(isotope_tests::isotope())
        .args(["compose", "--log-format", "text", "--from", from, "--add", "hello", "--ref", LAYER, "--repo"])
        .arg(&repo)
        .run()
        .context("composing the layer failed")?;
    Ok(repo)
}
