## a pool under a name: create, export, list, deactivate, activate, add-dev, remove
a=$(disk a 5G)
b=$(disk b 2G)
printf 'STORAGE_DRIVER=devicemapper\nDEVS=%s\nVG=box\nCONTAINER_THINPOOL=pool\nEXTRA_STORAGE_OPTIONS=--x\n' "$a" >"$WORK/in"
setup create -o "$WORK/out" first "$WORK/in"
wanted='STORAGE_OPTIONS="--storage-driver devicemapper --storage-opt dm.fs=xfs --storage-opt dm.thinpooldev=/dev/mapper/box-pool --storage-opt dm.use_deferred_removal=true --storage-opt dm.use_deferred_deletion=true --x "'
same "$("$CSS" export first)" "$wanted" "export"
same "$(cat "$WORK/out")" "$wanted" "the copy of the options"
same "$(cat /var/lib/container-storage-setup/first/status)" active status
cmp "$WORK/in" /var/lib/container-storage-setup/first/infile
grep -qx '_M_VG_CREATED=yes' /var/lib/container-storage-setup/first/metadata
same "$("$CSS" list | tail -n 1 | tr -s ' ')" "first devicemapper active" "list"
"$CSS" list first | grep -x 'Thin pool: pool' >/dev/null
same "$(field box/pool lv_skip_activation)" skipactivation "what happens at boot"
[ ! -e "$OUT" ] || fail "docker's options were written"
refused "there is a storage called first already" create first "$WORK/in"
refused "the volume box/pool is there already" create second "$WORK/in"
setup deactivate first
[ ! -e /dev/mapper/box-pool ] || fail "the pool is active"
same "$(cat /var/lib/container-storage-setup/first/status)" inactive status
setup activate first
test -b /dev/mapper/box-pool
setup add-dev first "$b"
same "$(pvs --noheadings -o pv_name -S vg_name=box | wc -l)" 2 "the number of disks"
refused "is in the volume group box already" add-dev first "$b"
setup remove first
! vgs box 2>/dev/null || fail "the volume group is still there"
for disk in "$a" "$b"; do [ -z "$(blkid -p "$disk")" ] || fail "$disk still has $(blkid -p "$disk")"; done
[ ! -e /var/lib/container-storage-setup/first ] || fail "its directory is still there"
refused "there is no storage called first" export first

## overlay2 with a root volume under a name, in a volume group of others
a=$(disk a 3G)
vgcreate -q others "$a"
lvcreate -qy -L 100M -n theirs others
printf 'STORAGE_DRIVER=overlay2\nVG=others\nCONTAINER_ROOT_LV_NAME=mine\nCONTAINER_ROOT_LV_MOUNT_PATH=/mnt/mine\nCONTAINER_ROOT_LV_SIZE=1G\n' >"$WORK/in"
setup create box "$WORK/in"
same "$("$CSS" export box)" 'STORAGE_OPTIONS="--storage-driver overlay2 "' "export"
touch /mnt/mine/file
setup deactivate box
! findmnt /mnt/mine >/dev/null || fail "still mounted"
setup activate box
test -e /mnt/mine/file
setup remove box
same "$(lvs --noheadings -o lv_name others | xargs)" theirs "volumes"

## a storage that could not be made says so, and can be taken away
a=$(disk a 1G)
printf 'STORAGE_DRIVER=devicemapper\nDEVS=%s\nVG=box\nCONTAINER_THINPOOL=pool\n' "$a" >"$WORK/in"
refused "the disks are too small" create box "$WORK/in"
said "the storage box is not complete"
same "$("$CSS" list | tail -n 1 | tr -s ' ')" "box devicemapper failed" "list"
refused "was never complete" activate box
setup remove box
printf 'STORAGE_DRIVER=devicemapper\nVG=box\n' >"$WORK/in"
refused "CONTAINER_THINPOOL is not set" create box "$WORK/in"
printf 'STORAGE_DRIVER=overlay2\nDOCKER_ROOT_VOLUME=yes\nVG=box\n' >"$WORK/in"
refused "DOCKER_ROOT_VOLUME is for docker" create box "$WORK/in"
refused "is no name for a storage" create ../x "$WORK/in"
