//! The scenarios, each one guest or a chain of boots of one disk.

use crate::bench::{Bench, Report, Step};
use crate::images::Kind;
use crate::{article, atomic, command, dib, kernels, magnum, refusal, storage, volumes};
use anyhow::{Context, ensure};
use isotope_vm::ssh::Input;
use isotope_vm::{Firmware, Seed, SeedKind, Vm};
use std::collections::BTreeSet;
use std::time::Duration;

/// A scenario.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&mut Report<'_>),
}

/// Run when they are named, because CI has 45 minutes; a run without names lists them as not run. What they show that others do not: the
/// same image by UEFI without Secure Boot from its first boot on, the exhaustive rest of docker's storage and of Magnum's image, many of
/// diskimage-builder's elements one by one, and its logical volumes, for which few hosts have the device mapper.
pub const NAMED: &[Case] = &[
    Case { name: "vm_storage_table", run: storage::table },
    Case { name: "vm_storage_life", run: storage::life },
    Case { name: "vm_storage_packages", run: storage::packages },
    Case { name: "vm_storage_trixie", run: storage::trixie },
    Case { name: "vm_magnum", run: magnum::magnum },
    Case { name: "vm_dib_volumes", run: volumes::volumes },
    Case { name: "vm_uefi", run: uefi },
    Case { name: "vm_uefi_atomic", run: atomic::uefi },
    Case { name: "vm_secure_boot_atomic", run: atomic::secure_boot },
    Case { name: "vm_dib_many", run: dib::many },
    Case { name: "vm_dib_fedora_atomic", run: dib::fedora_atomic },
];

/// The longest first, so that the lanes end together.
pub const ALL: &[Case] = &[
    Case { name: "vm_atomic", run: atomic::bios },
    Case { name: "vm_storage", run: storage::storage },
    Case { name: "vm_dib", run: dib::plain },
    Case { name: "vm_article", run: article::article },
    Case { name: "vm_bios", run: bios },
    Case { name: "vm_secure_boot", run: command::secure_boot },
    Case { name: "vm_xfs", run: xfs },
    Case { name: "vm_btrfs", run: btrfs },
    Case { name: "vm_leftovers", run: command::leftovers },
];

const SHORT: Duration = Duration::from_secs(120);

/// BIOS with a NoCloud seed; then the kernel is replaced, and the same disk boots by BIOS and by UEFI.
fn bios(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Cloud)) else { return };
    let seed = Seed::new(SeedKind::NoCloud, "nocloud-bios");
    let Some(mut vm) = report.boot_and_check(&image, Firmware::Bios, seed) else { return };
    let passed =
        report.vm_step("NoCloud's key lets the distribution's own user in, who may become root", &mut vm, |vm| {
            let mut ssh = vm.ssh()?.as_user("debian");
            ensure!(ssh.try_login(SHORT)?, "the user debian does not get in by the key of the metadata");
            let output = ssh.exec("id -un && sudo -n id -un && hostname", Input::None, SHORT)?;
            ensure!(
                output.text() == "debian\nroot\nnocloud-bios",
                "expected debian, root, nocloud-bios; got {}",
                output.tail(5)
            );
            Ok(())
        });
    if passed.is_some() {
        second_kernel(report, &mut vm);
    }
}

fn second_kernel(report: &mut Report<'_>, vm: &mut Vm) {
    let scratch = isotope_tests::scratch("kernel-");
    let (boot, command) = (report.bench.boot_timeout(), report.bench.command_timeout());
    let Some(kernel) =
        report.vm_step("a second kernel is fetched on the host", vm, |vm| kernels::fetch_other(vm, scratch.path()))
    else {
        return;
    };
    let step = format!("{} is installed, the first kernel purged", kernel.release);
    if report.vm_step(&step, vm, |vm| kernels::replace(vm, &kernel, command)).is_none() {
        return;
    }
    let rebooted = report.vm_step("reboots into the second kernel by BIOS", vm, |vm| {
        vm.reboot(boot)?;
        expect_healthy(vm, &kernel.release)
    });
    if rebooted.is_none() {
        return;
    }
    report.vm_step("boots the second kernel from the same disk by UEFI", vm, |vm| {
        restart_by_uefi(vm, boot)?;
        expect_healthy(vm, &kernel.release)
    });
}

/// The same disk in a machine with the other firmware.
pub fn restart_by_uefi(vm: &mut Vm, boot: Duration) -> anyhow::Result<()> {
    vm.power_off(Duration::from_secs(240))?;
    vm.set_firmware(Firmware::Uefi)?;
    vm.start()?;
    vm.wait_for_ssh(boot)?;
    vm.ssh()?.root("test -d /sys/firmware/efi", SHORT).context("it was not booted by UEFI")?;
    Ok(())
}

/// A later boot: this kernel, and nothing failed.
fn expect_healthy(vm: &Vm, release: &str) -> anyhow::Result<()> {
    let now = vm.ssh()?.root("uname -r", SHORT)?.text();
    ensure!(now == release, "kernel {now} runs, expected {release}");
    let script = "state=$(systemctl is-system-running --wait); systemctl --failed --no-legend --plain; test \"$state\" = running";
    vm.ssh()?.root(script, Duration::from_secs(600)).context("the system does not report itself as running")?;
    let trouble: Vec<String> =
        vm.events().into_iter().filter(|event| event.kind.is_trouble()).map(|event| event.line).collect();
    ensure!(trouble.is_empty(), "the console shows: {}", trouble.join("\n"));
    Ok(())
}

/// UEFI with an OpenStack configuration drive.
fn uefi(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Cloud)) else { return };
    let seed = Seed::new(SeedKind::ConfigDrive, "configdrive-uefi");
    let Some(mut vm) = report.boot_and_check(&image, Firmware::Uefi, seed) else { return };
    config_drive(report, &mut vm);
    off(report, &mut vm);
}

fn config_drive(report: &mut Report<'_>, vm: &mut Vm) {
    report.vm_step("the seed was read as a configuration drive", vm, |vm| {
        let id = vm.ssh()?.root("cloud-id", SHORT)?.text();
        ensure!(
            ["config-drive", "configdrive", "openstack"].contains(&id.as_str()),
            "cloud-id says `{id}`, expected config-drive"
        );
        Ok(())
    });
}

fn xfs(report: &mut Report<'_>) {
    other_root(report, Kind::Xfs, Firmware::Bios, "xfs");
}

/// UEFI, an OpenStack configuration drive; its kernel is then the loader that Secure Boot must refuse.
fn btrfs(report: &mut Report<'_>) {
    other_root(report, Kind::Btrfs, Firmware::Uefi, "btrfs");
}

fn other_root(report: &mut Report<'_>, kind: Kind, firmware: Firmware, filesystem: &str) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(kind)) else { return };
    let seed = if kind == Kind::Btrfs { SeedKind::ConfigDrive } else { SeedKind::NoCloud };
    let seed = Seed::new(seed, format!("root-{filesystem}"));
    let Some(mut vm) = report.boot_and_check(&image, firmware, seed) else { return };
    report.vm_step(&format!("its root is {filesystem}"), &mut vm, |vm| {
        let script =
            "awk '$5 == \"/\" { for (i = 7; i < NF; i++) if ($i == \"-\") print $(i + 1) }' /proc/self/mountinfo";
        let found = vm.ssh()?.root(script, SHORT)?.text();
        ensure!(found == filesystem, "/ is {found}");
        Ok(())
    });
    if kind == Kind::Xfs {
        report.vm_step("a running guest sees its disk grow and a new disk come", &mut vm, plug_and_grow);
        off(report, &mut vm);
        return;
    }
    config_drive(report, &mut vm);
    let kernel = report.vm_step("its kernel is copied out", &mut vm, |vm| {
        Ok(vm.ssh()?.root("cat /boot/vmlinuz-$(uname -r)", SHORT)?.stdout)
    });
    off(report, &mut vm);
    if let Some(kernel) = kernel {
        refusal::unsigned_loader(report, kernel);
    }
}

/// Clouds resize and attach volumes while the guest runs.
fn plug_and_grow(vm: &mut Vm) -> anyhow::Result<()> {
    let disk = vm.disks().first().context("the machine has no disk")?.size + (1 << 30);
    vm.grow_disk(0, disk)?;
    vm.attach_empty_disk("volume1", 1 << 30)?;
    let script = format!(
        "n=0; while [ $n -lt 60 ]; do n=$((n + 1)); sleep 1; udevadm settle; \
         [ $(($(cat /sys/block/vda/size) * 512)) = {disk} ] && [ -b /dev/disk/by-id/virtio-volume1 ] && exit 0; done; \
         cat /sys/block/vda/size; ls -l /dev/disk/by-id; exit 1"
    );
    vm.ssh()?.root(&script, Duration::from_secs(240))?;
    Ok(())
}

/// A guest that does not switch itself off in order would lose data in a real cloud.
fn off(report: &mut Report<'_>, vm: &mut Vm) {
    report.vm_step("switches itself off", vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
}

/// No two guests of the same image share an identity.
pub fn compare_identities(bench: &Bench) -> Vec<Step> {
    let identities = bench.identities.lock().unwrap().clone();
    if identities.len() < 2 {
        return Vec::new();
    }
    let mut report = Report::new(bench, "vm_identity");
    report.step("machine-ids and host keys differ from guest to guest", |_| {
        let ids: BTreeSet<&String> = identities.iter().map(|identity| &identity.machine_id).collect();
        ensure!(ids.len() == identities.len(), "two guests share a machine-id: {identities:?}");
        let keys: Vec<&String> = identities.iter().flat_map(|identity| &identity.host_keys).collect();
        ensure!(keys.len() >= identities.len(), "a guest has no host key: {identities:?}");
        let distinct: BTreeSet<&&String> = keys.iter().collect();
        ensure!(distinct.len() == keys.len(), "two guests share a host key: {identities:?}");
        Ok(())
    });
    report.into_steps()
}
