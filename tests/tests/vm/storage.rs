//! Docker's storage in guests with a real LVM: a table of cases in one boot, and a machine whose disk comes, goes and comes back.

mod cases;

use crate::bench::{Report, with_hint};
use crate::images::Kind;
use anyhow::{Context, ensure};
use isotope_vm::{CheckSet, Firmware, Seed, SeedKind, Vm, examine, manifest, table as verdict_table};
use std::time::{Duration, Instant};

/// Serial number of the disk that the image's settings name (`/dev/disk/by-id/virtio-disk1`).
const DISK: &str = "disk1";
const GIB: u64 = 1 << 30;
const LIMIT: Duration = Duration::from_secs(900);

/// What is promised of docker's storage, in two boots: without its disk, and with the disk coming while the service waits.
/// Then docker on its three kinds of storage, and the table's cases that take little time.
pub fn storage(report: &mut Report<'_>) {
    let Some(mut vm) = live(report, Kind::StorageAtomic, Firmware::Bios, STORY) else { return };
    table_in(report, &mut vm, cases::core());
    off(report, &mut vm);
}

/// Every mode, option and fault, each with disks made of loop devices.
pub fn table(report: &mut Report<'_>) {
    let Some(mut vm) = boot(report, Kind::StorageAtomic, Firmware::Bios) else { return };
    table_in(report, &mut vm, cases::all());
    off(report, &mut vm);
}

fn table_in(report: &mut Report<'_>, vm: &mut Vm, cases: impl Iterator<Item = cases::Case>) {
    let wanted = std::env::var("ISOTOPE_TEST_STORAGE_CASES").unwrap_or_default();
    for case in cases.filter(|case| case.name.contains(&wanted)) {
        report.vm_step(case.name, vm, |vm| {
            root(vm, &case.script())?;
            Ok(())
        });
    }
}

/// Boot after boot: the disk goes, comes back, and goes again.
pub fn life(report: &mut Report<'_>) {
    story(report, Kind::StorageAtomic, Firmware::Uefi, LIFE);
}

/// The same on an ordinary tree of packages, whose /usr can be written to.
pub fn packages(report: &mut Report<'_>) {
    story(report, Kind::Storage, Firmware::Bios, LIFE);
}

/// A tree of Debian 13, whose docker has no devicemapper: the root volume from the first boot on.
pub fn trixie(report: &mut Report<'_>) {
    story(report, Kind::StorageTrixie, Firmware::Bios, OVERLAY_LIFE);
}

fn story(report: &mut Report<'_>, kind: Kind, firmware: Firmware, story: Story) {
    if let Some(mut vm) = live(report, kind, firmware, story) {
        off(report, &mut vm);
    }
}

pub type Act = fn(&mut Vm) -> anyhow::Result<()>;
pub type Story = &'static [(&'static str, Act)];

/// One machine's life. Each act begins where the one before has ended.
const STORY: Story = &[
    ("first boot without the disk: the service says so, docker does not start", missing),
    ("a disk that is too small is left alone", too_small),
    ("a disk in use, and one with a signature, are left alone", taken),
    ("the next boot: the disk comes late, docker runs a container on docker-docker--pool", pool),
    ("the elements' checks pass", elements_checks),
    ("docker runs a container on overlay2 on docker-root-lv", to_root_volume),
    ("docker runs a container on plain overlay2", plain),
];

const LIFE: Story = &[
    ("first boot without the disk: the service says so, docker does not start", missing),
    ("a later boot with the disk repairs it: docker runs a container on docker-docker--pool", pool),
    ("the disk is gone: docker does not start on another storage", gone),
    ("the disk comes back, and docker has its image again", back),
    ("after --reset: docker runs a container on overlay2 on docker-root-lv", to_root_volume),
    ("the next boot mounts docker-root-lv, and docker has its image", root_volume_again),
    ("without the disk docker does not start on the root filesystem", gone),
    ("docker runs a container on plain overlay2", plain),
    ("the elements' checks pass", elements_checks),
];

const OVERLAY_LIFE: Story = &[
    ("first boot without the disk: the service says so, docker does not start", missing),
    ("a later boot with the disk repairs it: docker runs a container on overlay2 on docker-root-lv", root_volume),
    ("the elements' checks pass", elements_checks),
    ("the next boot mounts docker-root-lv, and docker has its image", root_volume_again),
    ("without the disk docker does not start on the root filesystem", gone),
    ("docker runs a container on plain overlay2", plain),
];

/// Boots a machine and has it live through a story; it is still up afterwards.
fn live(report: &mut Report<'_>, kind: Kind, firmware: Firmware, story: Story) -> Option<Vm> {
    let mut vm = boot(report, kind, firmware)?;
    for (name, work) in story {
        report.vm_step(name, &mut vm, *work)?;
    }
    Some(vm)
}

fn off(report: &mut Report<'_>, vm: &mut Vm) {
    report.vm_step("switches itself off", vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
}

/// A machine of the storage image, up, its first boot over.
pub fn boot(report: &mut Report<'_>, kind: Kind, firmware: Firmware) -> Option<Vm> {
    let image = report.step("the image is there", |bench| bench.images.get(kind))?;
    let case = report.case.replace('_', "-");
    let mut vm = report.step("the machine is made", |bench| {
        let seed = Seed::new(SeedKind::NoCloud, case);
        Vm::create(bench.spec(&image, firmware, seed)?, &bench.cancel).map_err(with_hint)
    })?;
    let timeout = report.bench.boot_timeout();
    report.vm_step("boots", &mut vm, |vm| {
        vm.start().map_err(with_hint)?;
        vm.wait_for_ssh(timeout).map_err(with_hint)?;
        settled(vm)
    })?;
    Some(vm)
}

pub fn root(vm: &Vm, script: &str) -> anyhow::Result<String> {
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
    docker_stays_off(vm, "/dev/disk/by-id/virtio-disk1 did not appear within 30 s")?;
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

/// The guest's own disk, although signatures may be wiped; and a disk with a filesystem.
fn taken(vm: &mut Vm) -> anyhow::Result<()> {
    let restart = |device: &str, wipe: bool| {
        format!(
            "sed -e s,^DEVS=.*,DEVS={device}, -e s/^WIPE_SIGNATURES=.*/WIPE_SIGNATURES={wipe}/ /run/settings \
                 >/etc/sysconfig/docker-storage-setup
             systemctl restart docker-storage-setup.service || true"
        )
    };
    let script = "set -e
         cp /etc/sysconfig/docker-storage-setup /run/settings
         truncate -s 5G /var/tmp/other
         mkfs.ext4 -q /var/tmp/other
         losetup /dev/loop5 /var/tmp/other
         blkid -p -s UUID -o value /dev/loop5 >/run/uuid";
    root(vm, &format!("{script}\n{}", restart("/dev/vda", true)))?;
    docker_stays_off(vm, "/dev/vda is in use: it is mounted on /")?;
    root(vm, &restart("/dev/loop5", false))?;
    docker_stays_off(vm, "Found ext4 signature on /dev/loop5")?;
    let script = "set -e
         test \"$(blkid -p -s UUID -o value /dev/loop5)\" = \"$(cat /run/uuid)\"
         losetup -d /dev/loop5
         rm /var/tmp/other
         cp /run/settings /etc/sysconfig/docker-storage-setup";
    root(vm, script)?;
    Ok(())
}

/// Off and on again. QEMU begins without the disk, which comes when the service has begun to wait for it: its words reach the console
/// at that boot, too.
fn boot_with_new_disk(vm: &mut Vm) -> anyhow::Result<()> {
    root(
        vm,
        "mkdir -p /etc/systemd/system/docker-storage-setup.service.d
         printf '[Service]\\nStandardError=journal+console\\n' >/etc/systemd/system/docker-storage-setup.service.d/console.conf",
    )?;
    vm.power_off(Duration::from_secs(300))?;
    let before = std::fs::metadata(vm.console_log())?.len();
    vm.start()?;
    wait_on_console(vm, before, "waiting up to 30 s for /dev/disk/by-id/virtio-disk1", LIMIT)?;
    vm.attach_empty_disk(DISK, 8 * GIB)?;
    vm.wait_for_ssh(LIMIT)?;
    settled(vm)
}

/// Until this boot's console, which begins at `from`, has these words.
/// Waits until the console has said something, from a byte of its log on.
pub fn wait_on_console(vm: &mut Vm, from: u64, words: &str, limit: Duration) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let log = std::fs::read(vm.console_log())?;
        let log = log.get(usize::try_from(from)?..).unwrap_or(&log);
        if String::from_utf8_lossy(log).contains(words) {
            return Ok(());
        }
        ensure!(vm.is_running() && started.elapsed() < limit, "the console did not say `{words}`");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn pool(vm: &mut Vm) -> anyhow::Result<()> {
    boot_with_new_disk(vm)?;
    runs_container(vm, "devicemapper", true)?;
    let pool = root(vm, "docker info --format '{{json .DriverStatus}}'")?;
    ensure!(pool.contains("\"docker-docker--pool\""), "docker's pool is another: {pool}");
    Ok(())
}

fn root_volume(vm: &mut Vm) -> anyhow::Result<()> {
    boot_with_new_disk(vm)?;
    on_root_volume(vm)?;
    runs_container(vm, "overlay2", true)
}

fn gone(vm: &mut Vm) -> anyhow::Result<()> {
    boot_without_disk(vm)?;
    docker_stays_off(vm, "/dev/disk/by-id/virtio-disk1 did not appear within 30 s")
}

fn back(vm: &mut Vm) -> anyhow::Result<()> {
    vm.attach_disk_again(DISK)?;
    vm.reboot(LIMIT)?;
    settled(vm)?;
    runs_container(vm, "devicemapper", false)
}

fn to_root_volume(vm: &mut Vm) -> anyhow::Result<()> {
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
DEVICE_WAIT_TIMEOUT=30
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

fn root_volume_again(vm: &mut Vm) -> anyhow::Result<()> {
    vm.reboot(LIMIT)?;
    settled(vm)?;
    on_root_volume(vm)?;
    runs_container(vm, "overlay2", false)
}

fn plain(vm: &mut Vm) -> anyhow::Result<()> {
    root(
        vm,
        "set -e
         systemctl stop docker.socket docker.service
         /usr/local/libexec/isotope/container-storage-setup --reset
         rm -rf /var/lib/docker/*
         test ! -e /etc/systemd/system/var-lib-docker.mount
         echo STORAGE_DRIVER=overlay2 >/etc/sysconfig/docker-storage-setup
         systemctl reset-failed
         systemctl restart docker-storage-setup.service
         systemctl start docker.socket docker.service",
    )?;
    runs_container(vm, "overlay2", true)?;
    let backing = root(vm, "docker info --format '{{json .DriverStatus}}'")?;
    ensure!(backing.contains("[\"Backing Filesystem\",\"extfs\"]"), "docker is not on the root filesystem: {backing}");
    Ok(())
}

/// Docker is up with this driver, takes an image that no registry gave it (or has it from before), and runs it.
pub fn runs_container(vm: &Vm, driver: &str, import: bool) -> anyhow::Result<()> {
    if import {
        root(vm, "mkdir -p /var/tmp/image/bin")?;
        // Static, and the same on all Debians.
        vm.ssh()?.copy_to("/bin/busybox".as_ref(), "/var/tmp/image/bin/busybox", LIMIT)?;
        root(vm, "chmod 0755 /var/tmp/image/bin/busybox; tar -C /var/tmp/image -c . | docker import - busybox:local")?;
    }
    let script = "set -e
         systemctl is-active docker.service
         docker image inspect busybox:local >/dev/null
         docker run --rm --network none busybox:local /bin/busybox echo hello from a container
         docker run --rm busybox:local /bin/busybox sh -c 'busybox echo x >/file && busybox cat /file'
         docker info --format 'driver {{.Driver}}'";
    let output = root(vm, script).context("docker runs no container")?;
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
