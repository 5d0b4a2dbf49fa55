//! Docker's storage in guests with a real LVM: a table of cases in one boot, and a machine whose disk comes, goes and comes back.

mod cases;

use crate::bench::{Report, with_hint};
use crate::images::Kind;
use anyhow::{Context, ensure};
use isotope_vm::{CheckSet, Firmware, Seed, SeedKind, Vm, examine, manifest, table as verdict_table};
use std::time::Duration;

/// Serial number of the disk that the image's settings name (`/dev/disk/by-id/virtio-disk1`).
const DISK: &str = "disk1";
const GIB: u64 = 1 << 30;
const LIMIT: Duration = Duration::from_secs(900);

/// Every mode, option and fault, each with disks made of loop devices.
pub fn table(report: &mut Report<'_>) {
    let Some(mut vm) = boot(report, "storage-table") else { return };
    let wanted = std::env::var("ISOTOPE_TEST_STORAGE_CASES").unwrap_or_default();
    for case in cases::all().filter(|case| case.name.contains(&wanted)) {
        report.vm_step(case.name, &mut vm, |vm| {
            root(vm, &case.script())?;
            Ok(())
        });
    }
}

/// The image as it is, without its disk, then with it, without it again; three ways to keep images.
pub fn boots(report: &mut Report<'_>) {
    let Some(mut vm) = boot(report, "storage-boots") else { return };
    for (name, work) in STORY {
        if report.vm_step(name, &mut vm, *work).is_none() {
            return;
        }
    }
    let passed = report.vm_step("the elements' checks pass", &mut vm, elements_checks);
    if passed.is_some() {
        report.vm_step("switches itself off", &mut vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
    }
}

type Act = fn(&mut Vm) -> anyhow::Result<()>;

/// One machine's life. Each act begins where the one before has ended.
const STORY: &[(&str, Act)] = &[
    ("first boot without the disk: the service says so, docker does not start", missing),
    ("a disk that is too small is left alone", too_small),
    ("a later boot with the disk repairs it: docker runs a container on the thin pool", repaired),
    ("the disk is gone: docker does not start on another storage", gone),
    ("the disk comes back, and docker has its image again", back),
    ("after --reset: docker runs a container on overlay2 on docker-root-lv", root_volume),
    ("the next boot mounts docker-root-lv, and docker has its image", root_volume_rebooted),
    ("without the disk docker does not start on the root filesystem", root_volume_gone),
    ("docker runs a container on plain overlay2", plain),
];

/// A machine of the storage image, up, its first boot over.
fn boot(report: &mut Report<'_>, hostname: &str) -> Option<Vm> {
    let image = report.step("the image is there", |bench| bench.images.get(Kind::Storage))?;
    let mut vm = report.step("the machine is made", |bench| {
        let seed = Seed::new(SeedKind::NoCloud, hostname);
        Vm::create(bench.spec(&image, Firmware::Bios, seed)?, &bench.cancel).map_err(with_hint)
    })?;
    let timeout = report.bench.boot_timeout();
    report.vm_step("boots", &mut vm, |vm| {
        vm.start().map_err(with_hint)?;
        vm.wait_for_ssh(timeout).map_err(with_hint)?;
        settled(vm)
    })?;
    Some(vm)
}

fn root(vm: &Vm, script: &str) -> anyhow::Result<String> {
    Ok(vm.ssh()?.root(script, LIMIT)?.text())
}

/// All units have started or failed.
fn settled(vm: &Vm) -> anyhow::Result<()> {
    root(vm, "systemctl is-system-running --wait || true")?;
    Ok(())
}

/// Off and on again: QEMU begins without the disk that was plugged in.
fn boot_without_disk(vm: &mut Vm) -> anyhow::Result<()> {
    vm.power_off(Duration::from_secs(300))?;
    vm.start()?;
    vm.wait_for_ssh(LIMIT)?;
    settled(vm)
}

/// The service failed with these words, docker does not run, and does not start when it is asked to.
fn docker_stays_off(vm: &Vm, words: &str) -> anyhow::Result<()> {
    let script = format!(
        "systemctl is-failed --quiet docker-storage-setup.service || {{ echo 'the service has not failed'; exit 1; }}
         journalctl --boot --unit docker-storage-setup.service --output cat | grep -F '{words}'
         systemctl is-active --quiet docker.service && {{ echo 'docker runs'; exit 1; }}
         systemctl start docker.service && {{ echo 'docker starts'; exit 1; }}
         ! pgrep -x dockerd"
    );
    root(vm, &script).context("docker's storage is not ready, and that is not what follows")?;
    Ok(())
}

fn missing(vm: &mut Vm) -> anyhow::Result<()> {
    docker_stays_off(vm, "/dev/disk/by-id/virtio-disk1 did not appear within 20 s")?;
    let options = root(vm, "cat /etc/sysconfig/docker-storage")?;
    ensure!(!options.contains("--storage"), "docker has options all the same: {options}");
    Ok(())
}

fn too_small(vm: &mut Vm) -> anyhow::Result<()> {
    vm.attach_empty_disk(DISK, GIB)?;
    root(
        vm,
        "timeout 60 sh -c 'until [ -b /dev/disk/by-id/virtio-disk1 ]; do sleep 1; done'; systemctl restart docker-storage-setup || true",
    )?;
    docker_stays_off(vm, "the disks are too small: 1.0G")?;
    let signature = root(vm, "wipefs --no-act --noheadings /dev/disk/by-id/virtio-disk1")?;
    ensure!(signature.is_empty(), "the disk was written to: {signature}");
    Ok(())
}

fn repaired(vm: &mut Vm) -> anyhow::Result<()> {
    // The next start has no disk; this one comes while the service waits for it.
    vm.power_off(Duration::from_secs(300))?;
    vm.start()?;
    vm.attach_empty_disk(DISK, 8 * GIB)?;
    vm.wait_for_ssh(LIMIT)?;
    settled(vm)?;
    runs_container(vm, "devicemapper", true)?;
    let pool = root(vm, "docker info --format '{{json .DriverStatus}}'")?;
    ensure!(pool.contains("\"docker-docker--pool\""), "docker's pool is another: {pool}");
    Ok(())
}

fn gone(vm: &mut Vm) -> anyhow::Result<()> {
    boot_without_disk(vm)?;
    docker_stays_off(vm, "/dev/disk/by-id/virtio-disk1 did not appear within 20 s")
}

fn back(vm: &mut Vm) -> anyhow::Result<()> {
    vm.attach_disk_again(DISK)?;
    vm.reboot(LIMIT)?;
    settled(vm)?;
    runs_container(vm, "devicemapper", false)
}

fn root_volume(vm: &mut Vm) -> anyhow::Result<()> {
    root(
        vm,
        "set -e
         systemctl stop docker.socket docker.service
         /usr/local/libexec/isotope/container-storage-setup --reset
         rm -rf /var/lib/docker/*
         cat >/etc/sysconfig/docker-storage-setup <<'SETTINGS'
STORAGE_DRIVER=overlay2
VG=docker
DEVS=/dev/disk/by-id/virtio-disk1
DOCKER_ROOT_VOLUME=yes
DOCKER_ROOT_VOLUME_SIZE=60%FREE
DEVICE_WAIT_TIMEOUT=20
SETTINGS
         systemctl restart docker-storage-setup.service
         systemctl start docker.socket docker.service",
    )?;
    on_root_volume(vm)?;
    runs_container(vm, "overlay2", true)
}

fn on_root_volume(vm: &Vm) -> anyhow::Result<()> {
    let mount = root(vm, "findmnt --noheadings --output SOURCE,FSTYPE --mountpoint /var/lib/docker")?;
    let words: Vec<&str> = mount.split_whitespace().collect();
    ensure!(words == ["/dev/mapper/docker-docker--root--lv", "xfs"], "on /var/lib/docker is {mount}");
    let backing = root(vm, "docker info --format '{{json .DriverStatus}}'")?;
    ensure!(backing.contains("[\"Backing Filesystem\",\"xfs\"]"), "docker does not know of xfs: {backing}");
    Ok(())
}

fn root_volume_rebooted(vm: &mut Vm) -> anyhow::Result<()> {
    vm.reboot(LIMIT)?;
    settled(vm)?;
    on_root_volume(vm)?;
    runs_container(vm, "overlay2", false)
}

fn root_volume_gone(vm: &mut Vm) -> anyhow::Result<()> {
    boot_without_disk(vm)?;
    docker_stays_off(vm, "/dev/disk/by-id/virtio-disk1 did not appear within 20 s")
}

fn plain(vm: &mut Vm) -> anyhow::Result<()> {
    root(
        vm,
        "set -e
         /usr/local/libexec/isotope/container-storage-setup --reset
         systemctl disable --now var-lib-docker.mount || true
         rm -f /etc/systemd/system/var-lib-docker.mount
         systemctl daemon-reload
         echo STORAGE_DRIVER=overlay2 >/etc/sysconfig/docker-storage-setup
         systemctl restart docker-storage-setup.service
         systemctl reset-failed
         systemctl restart docker.socket docker.service",
    )?;
    runs_container(vm, "overlay2", true)?;
    let backing = root(vm, "docker info --format '{{json .DriverStatus}}'")?;
    ensure!(backing.contains("[\"Backing Filesystem\",\"extfs\"]"), "docker is not on the root filesystem: {backing}");
    Ok(())
}

/// Docker is up with this driver, takes an image that no registry gave it (or has it from before), and runs it.
fn runs_container(vm: &Vm, driver: &str, import: bool) -> anyhow::Result<()> {
    let import = if import {
        "mkdir -p /var/tmp/image/bin; cp /bin/busybox /var/tmp/image/bin/; tar -C /var/tmp/image -c . | docker import - busybox:local"
    } else {
        "docker image inspect busybox:local >/dev/null"
    };
    let script = format!(
        "set -e
         systemctl is-active docker-storage-setup.service docker.service
         {import}
         docker run --rm --network none busybox:local /bin/busybox echo hello from a container
         docker run --rm busybox:local /bin/busybox sh -c 'busybox echo x >/file && busybox cat /file'
         docker info --format 'driver {{{{.Driver}}}}'"
    );
    let output = root(vm, &script).context("docker runs no container")?;
    ensure!(output.contains("hello from a container\nx\n"), "the containers said: {output}");
    ensure!(output.contains(&format!("driver {driver}")), "docker has another driver: {output}");
    Ok(())
}

/// What the image's elements want to know, of a machine whose storage stands.
fn elements_checks(vm: &mut Vm) -> anyhow::Result<()> {
    let image = vm.spec().disks.first().and_then(|disk| disk.image.clone()).context("the machine has no image")?;
    let manifest = manifest::beside(&image).map_err(with_hint)?.context("there is no manifest beside the image")?;
    let elements = manifest.checks.into_iter().filter(|check| check.element.contains("storage")).collect();
    let set = CheckSet { elements, ..CheckSet::default() };
    let verdict = examine(vm, &set, LIMIT, &mut |_| {}).map_err(with_hint)?;
    ensure!(verdict.passed(), "{}", verdict_table(&verdict));
    Ok(())
}
