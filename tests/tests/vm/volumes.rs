//! Logical volumes of diskimage-builder's layouts in a guest, whose kernel has the device mapper, and reads partition tables by itself:
//! made, asked for, filled and taken down by `dib-block-device`, judged by LVM and the filesystems' checkers.

use crate::bench::Report;
use crate::images::Kind;
use crate::storage::{boot, root};
use isotope_vm::{Firmware, Vm};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(900);

/// What every script begins with.
const HEAD: &str = r#"#!/bin/bash
set -eux
cd /var/tmp/dib
export DIB_BLOCK_DEVICE_PARAMS_YAML=$PWD/params.yaml
nothing_left() {
    for n in 1 2 3 4 5 6 7 8 9 10; do
        [ -z "$(losetup -nO BACK-FILE -a | grep /var/tmp/dib)" ] && break
        sleep 1
    done
    [ -z "$(losetup -nO BACK-FILE -a | grep /var/tmp/dib)" ]
    [ -z "$(cat /sys/block/dm-*/dm/name 2>/dev/null | grep '^vg--')" ]
    [ -z "$(grep /var/tmp/dib/ /proc/mounts)" ]
    [ ! -e /dev/vg-a ] && [ ! -e /dev/vg-b ] && [ -z "$(ls /dev/mapper | grep '^vg--')" ]
}
"#;

const SETUP: &str = r#"
chmod 755 ../isotope
ln -sf ../isotope dib-block-device
cat > config.yaml <<'EOF'
- local_loop: {name: image0}
- partitioning:
    base: image0
    label: gpt
    partitions:
      - {name: ESP, type: EF00, size: 64MiB, mkfs: {type: vfat, mount: {mount_point: /boot/efi, fstab: {fsck-passno: 2}}}}
      - {name: one, type: 8e00, size: 1200MiB}
      - {name: two, type: 8e00, size: 100%}
- lvm:
    name: lvm
    pvs: [{name: pv1, base: one, options: [--force]}, {name: pv2, base: two}]
    vgs: [{name: vg-a, base: [pv1], options: [--force]}, {name: vg-b, base: [pv2]}]
    lvs:
      - {name: lv_root, base: vg-a, extents: 60%VG}
      - {name: lv_var, base: vg-a, extents: 30%VG}
      - {name: lv_swap, base: vg-b, size: 64MiB}
      - {name: pool, base: vg-b, type: thin-pool, size: 600MiB}
      - {name: lv_thin, base: vg-b, type: thin, thin-pool: pool, size: 300MiB}
- mkfs: {name: fs_root, base: lv_root, type: xfs, label: img-rootfs, mount: {mount_point: /, fstab: {fsck-passno: 1}}}
- mkfs: {name: fs_var, base: lv_var, type: ext4, mount: {mount_point: /var, fstab: {}}}
- mkfs: {name: fs_thin, base: lv_thin, type: ext4, mount: {mount_point: /srv, fstab: {}}}
- mkfs: {name: swap, base: lv_swap, type: swap, mount: {mount_point: none, fstab: {}}}
EOF
printf '%s\n' "config: $PWD/config.yaml" "image-dir: $PWD/images" "mount-base: $PWD/mnt" "build-dir: $PWD/build" 'image-size: 3GiB' > params.yaml
./dib-block-device init
[ "$(./dib-block-device getval root-label)" = img-rootfs ]
"#;

const MAKE: &str = r#"
./dib-block-device create
[ "$(findmnt -nro SOURCE,FSTYPE mnt)" = '/dev/mapper/vg--a-lv_root xfs' ]
[ "$(findmnt -nro SOURCE,FSTYPE mnt/srv)" = '/dev/mapper/vg--b-lv_thin ext4' ]
device=$(./dib-block-device getval image-block-device)
[ "$(findmnt -nro SOURCE mnt/boot/efi)" = "${device}p1" ]
eval "declare -A devices=($(./dib-block-device getval image-block-devices))"
[ "${devices[lv_var]}" = /dev/mapper/vg--a-lv_var ] && [ "${devices[two]}" = "${device}p3" ]
for name in . var srv boot/efi; do echo "in $name" > mnt/$name/file; done
"#;

const TAKE_DOWN: &str = r#"
./dib-block-device umount
nothing_left
"#;

const SOUND: &str = r#"
device=$(losetup -fP --show images/image0.raw)
udevadm settle
vgchange -ay vg-a vg-b
xfs_repair -n /dev/vg-a/lv_root
for volume in vg-a/lv_var vg-b/lv_thin; do e2fsck -fn /dev/$volume; done
for volume in vg-a/lv_root=. vg-a/lv_var=var vg-b/lv_thin=srv; do
    mount -o ro /dev/${volume%=*} /mnt
    [ "$(cat /mnt/file)" = "in ${volume#*=}" ]
    umount /mnt
done
[ "$(blkid -po value -s TYPE /dev/vg-b/lv_swap)" = swap ]
[ "$(blkid -po value -s TYPE ${device}p1)" = vfat ]
vgchange -an vg-a vg-b
losetup -d $device
"#;

/// The names of the volumes, as a build that was killed leaves them in /dev.
const AGAIN: &str = r#"
./dib-block-device cleanup
mkdir /dev/vg-a
ln -s /dev/mapper/vg--a-lv_root /dev/vg-a/lv_root
./dib-block-device create
./dib-block-device delete
nothing_left
[ ! -e images/image0.raw ] && [ ! -e build/states/block-device ]
"#;

const STEPS: &[(&str, &str)] = &[
    ("a configuration with groups, a thin pool and swap is read", SETUP),
    ("volumes are made, mounted and asked for", MAKE),
    ("everything is unmounted and detached", TAKE_DOWN),
    ("volumes and filesystems are sound and hold what was written", SOUND),
    ("names that a killed build left are in nobody's way, and delete removes all", AGAIN),
];

pub fn volumes(report: &mut Report<'_>) {
    let Some(mut vm) = boot(report, Kind::StorageAtomic, Firmware::Bios) else { return };
    let come = |vm: &mut Vm| {
        vm.ssh()?.copy_to(&isotope_tests::isotope(), "/var/tmp/isotope", LIMIT)?;
        root(vm, "mkdir -p /var/tmp/dib")?;
        Ok(())
    };
    if report.vm_step("the program comes into the guest", &mut vm, come).is_none() {
        return;
    }
    for (name, script) in STEPS {
        let script = format!("{HEAD}{script}");
        let step = |vm: &mut Vm| {
            root(vm, &script)?;
            Ok(())
        };
        if report.vm_step(name, &mut vm, step).is_none() {
            return;
        }
    }
    report.vm_step("switches itself off", &mut vm, |vm| Ok(vm.power_off(Duration::from_secs(240))?));
}
