//! Magnum's image, done to as Magnum's atomic driver does: user data settles the storage of a Cinder volume, and starts Heat's agent.

use crate::bench::Report;
use crate::images::Kind;
use crate::storage::{Story, root, runs_container};
use anyhow::ensure;
use isotope_vm::{Firmware, Seed, SeedKind, Vm};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(900);

/// The first 20 characters of a volume's id, which is all that virtio has room for.
const VOLUME: &str = "b3f2c1d4-5e6f-4a7b-8";

pub fn magnum(report: &mut Report<'_>) {
    let Some(image) = report.step("the image is there", |bench| bench.images.get(Kind::Magnum)) else { return };
    report.step("its manifest has the properties that Magnum finds its driver by", |_| properties(&image));
    let seed = Seed::new(SeedKind::ConfigDrive, "magnum");
    let Some(mut vm) = report.boot_and_check(&image, Firmware::Bios, seed) else { return };
    let story: Story = &[
        ("docker is off, and does not start without its pool", without_pool),
        ("user data makes docker-docker--pool of a Cinder volume, and docker runs a container on it", volume),
        ("the next boot starts docker on the pool", again),
        ("Heat's agent runs in its container when heat-params is there, and reaches the host as root", agent),
    ];
    for (name, work) in story {
        if report.vm_step(name, &mut vm, *work).is_none() {
            return;
        }
    }
    report.vm_step("switches itself off", &mut vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
}

/// What becomes the image's properties in Glance.
fn properties(image: &Path) -> anyhow::Result<()> {
    let manifest = std::fs::read(image.with_extension("manifest.json"))?;
    let found = &serde_json::from_slice::<serde_json::Value>(&manifest)?["properties"];
    for (name, value) in [("os_distro", "fedora-atomic"), ("os_admin_user", "fedora"), ("os_type", "linux")] {
        ensure!(found[name] == value, "{name} is not {value} in {found}");
    }
    Ok(())
}

fn without_pool(vm: &mut Vm) -> anyhow::Result<()> {
    root(
        vm,
        "set -e
         ! systemctl is-active --quiet docker.service
         ! systemctl is-enabled --quiet docker-storage-setup.service
         ! systemctl start docker.service
         journalctl --boot --unit docker.service --output cat | grep -F 'the thin pool /dev/mapper/docker-docker--pool did not appear'
         ! pgrep -x dockerd
         systemctl stop docker.socket docker.service
         systemctl reset-failed",
    )?;
    Ok(())
}

/// What `configure-docker-storage` of Magnum's templates does for devicemapper with a volume.
fn volume(vm: &mut Vm) -> anyhow::Result<()> {
    vm.attach_empty_disk(VOLUME, 8 << 30)?;
    let script = format!(
        "set -e
         device=/dev/disk/by-id/virtio-{VOLUME}
         timeout 60 sh -c \"until [ -b $device ]; do sleep 1; done\"
         systemctl stop docker
         sed -i '/^DOCKER_STORAGE_OPTIONS=/ s/=.*/=/' /etc/sysconfig/docker-storage
         echo GROWROOT=True >/etc/sysconfig/docker-storage-setup
         echo STORAGE_DRIVER=devicemapper >>/etc/sysconfig/docker-storage-setup
         pvcreate -f $device
         vgcreate docker $device
         echo VG=docker >>/etc/sysconfig/docker-storage-setup
         docker-storage-setup
         sed -i \"s/^OPTIONS='/OPTIONS='--label=magnum=yes /\" /etc/sysconfig/docker
         systemctl enable docker
         systemctl --no-block start docker
         timeout 300 sh -c 'until docker info >/dev/null 2>&1; do sleep 2; done'
         docker info --format '{{{{json .}}}}'"
    );
    let told = root(vm, &script)?;
    ensure!(told.contains("\"docker-docker--pool\""), "docker's pool is another: {told}");
    ensure!(told.contains("magnum=yes"), "docker does not read /etc/sysconfig/docker: {told}");
    runs_container(vm, "devicemapper", true)
}

fn again(vm: &mut Vm) -> anyhow::Result<()> {
    vm.reboot(LIMIT)?;
    root(vm, "systemctl is-system-running --wait || { systemctl --failed; exit 1; }")?;
    runs_container(vm, "devicemapper", false)
}

/// A stand-in for the agent's image, with its entry point: it says what it sees, and stays.
fn agent(vm: &mut Vm) -> anyhow::Result<()> {
    root(
        vm,
        r#"set -e
        cd /var/tmp/image
        mkdir -p usr/bin tmp
        cat >usr/bin/start-heat-container-agent <<'AGENT'
#!/bin/busybox sh
busybox grep CLUSTER_UUID /etc/sysconfig/heat-params >/srv/magnum/seen
echo "$CLUSTER_UUID" >>/srv/magnum/seen
busybox ls /run/systemd/private >>/srv/magnum/seen
exec busybox sleep 100000
AGENT
        chmod 0755 usr/bin/start-heat-container-agent
        ln -sf busybox bin/sh
        tar -c . | podman import - localhost/magnum/heat-container-agent:test
        printf 'CLUSTER_UUID=5d12\nCONTAINER_INFRA_PREFIX=localhost/magnum/\nHEAT_CONTAINER_AGENT_TAG=test\n' >/etc/sysconfig/heat-params
        systemctl start heat-container-agent.service
        timeout 120 sh -c 'until grep -q private /srv/magnum/seen 2>/dev/null; do sleep 2; done' || { journalctl -u heat-container-agent; exit 1; }
        test "$(cat /srv/magnum/seen)" = "CLUSTER_UUID=5d12
5d12
/run/systemd/private"
        systemctl is-active heat-container-agent.service
        ssh -i /srv/magnum/.ssh/heat_agent_rsa -o StrictHostKeyChecking=no -o BatchMode=yes root@localhost id -un | grep -x root
        systemctl stop heat-container-agent.service
        test -z "$(podman ps --quiet)""#,
    )?;
    Ok(())
}
