## a disk that is missing
settings STORAGE_DRIVER=devicemapper DEVS=/dev/vdz VG=docker DEVICE_WAIT_TIMEOUT=3
refused "/dev/vdz did not appear within 3 s"
# A node of nothing is no disk either.
a=$(disk a 1G)
losetup -d "$a"
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DEVICE_WAIT_TIMEOUT=1
refused "$a did not appear within 1 s"

## a disk that is too small stays as it is
a=$(disk a 1G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker
refused "the disks are too small: 1.0G"
untouched a
settings STORAGE_DRIVER=overlay2 DEVS="$a" VG=docker DOCKER_ROOT_VOLUME=yes DOCKER_ROOT_VOLUME_SIZE=5G
refused "at least 5.0G are needed"
untouched a
losetup -d "$a"
truncate -s 5G "$WORK/a"
losetup -P "$a" "$WORK/a"
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker
setup
pool_options docker-docker--pool

## a volume group without room for the pool, or for the root volume
a=$(disk a 3G)
vgcreate -q docker "$a"
lvcreate -qy -L 1500M -n other docker
settings STORAGE_DRIVER=devicemapper VG=docker
refused "the volume group docker has 1.5G free, and MIN_DATA_SIZE=2G are needed"
settings STORAGE_DRIVER=devicemapper VG=docker MIN_DATA_SIZE=1G DATA_SIZE=2G
refused "DATA_SIZE asks for 2G"
settings STORAGE_DRIVER=overlay2 VG=docker CONTAINER_ROOT_LV_NAME=c CONTAINER_ROOT_LV_MOUNT_PATH=/mnt/c CONTAINER_ROOT_LV_SIZE=2G
refused "CONTAINER_ROOT_LV_SIZE asks for 2G"
settings STORAGE_DRIVER=overlay2 VG=docker CONTAINER_ROOT_LV_NAME=c CONTAINER_ROOT_LV_MOUNT_PATH=/mnt/c CONTAINER_ROOT_LV_SIZE=10%FREE
refused "an xfs needs 300M"
same "$(lvs --noheadings -o lv_name docker | xargs)" other "volumes"

## a disk in use is refused, also with WIPE_SIGNATURES: mounted, swap, below volumes
a=$(disk a 3G)
b=$(disk b 3G)
c=$(disk c 3G)
mkfs.ext4 -q "$a"
mkdir /mnt/a
mount "$a" /mnt/a
mkswap -q "$b"
swapon "$b"
vgcreate -q other "$c"
lvcreate -qy -L 1G -n data other
for case in "$a: it is mounted on $(readlink -f /mnt/a)" "$b: it is swap space" "$c: other-data is on it"; do
    settings STORAGE_DRIVER=devicemapper DEVS="${case%%:*}" VG=docker WIPE_SIGNATURES=true
    refused "${case%%:*} is in use: ${case#*: }"
done
settings STORAGE_DRIVER=devicemapper DEVS=/dev/vda VG=docker WIPE_SIGNATURES=true
refused "/dev/vda is in use: it is mounted on /"
findmnt /mnt/a >/dev/null
vgs other >/dev/null

## what is no whole disk is refused: a partition, a volume, the same disk twice
a=$(disk a 5G)
b=$(disk b 5G)
printf 'label: gpt\nsize=1G\n' | sfdisk -q "$a"
udevadm settle
vgcreate -q other "$b"
lvcreate -qy -L 3G -n data other
settings STORAGE_DRIVER=devicemapper DEVS="${a}p1" VG=docker
refused "${a}p1 is a partition"
settings STORAGE_DRIVER=devicemapper DEVS=/dev/other/data VG=docker
refused "/dev/other/data is no disk but lvm"
settings STORAGE_DRIVER=devicemapper DEVS="'$a ${a#/dev/}'" VG=docker WIPE_SIGNATURES=true
refused "DEVS names $a twice"

## no volume group: VG missing, VG of nothing, a disk of it missing
settings STORAGE_DRIVER=devicemapper
refused "VG is not set, and / is on no volume group"
a=$(disk a 3G)
settings STORAGE_DRIVER=devicemapper DEVS="$a"
refused "DEVS is set and VG is not"
settings STORAGE_DRIVER=devicemapper VG=nothing DEVICE_WAIT_TIMEOUT=2
refused "there is no volume group nothing"
b=$(disk b 3G)
vgcreate -q docker "$a" "$b"
vgchange -qan docker
losetup -d "$b"
settings STORAGE_DRIVER=devicemapper VG=docker DEVICE_WAIT_TIMEOUT=2
refused "disks of the volume group docker are missing"
losetup -P "$b" "$WORK/b"
udevadm settle
setup
pool_options docker-docker--pool

## a run that was interrupted is finished: after the partition, after the physical volume, after the volume group
for step in partition physical group; do
    clean
    a=$(disk a 5G)
    printf 'label: gpt\ntype=E6D6D379-F507-44C2-A23C-238F2A3DF928, name=container-storage\n' | sfdisk -q "$a"
    udevadm settle
    case $step in
        physical) pvcreate -q "${a}p1" ;;
        group) vgcreate -q docker "${a}p1" ;;
    esac
    settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker
    setup
    pool_options docker-docker--pool
    unchanged_by setup
done
# The same name on a partition with something in it is not ours.
clean
a=$(disk a 5G)
printf 'label: gpt\nname=container-storage\n' | sfdisk -q "$a"
udevadm settle
mkfs.ext4 -q "${a}p1"
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker
refused "Found gpt signature on $a"

## killed at any moment, it is finished by the next run
a=$(disk a 5G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DOCKER_ROOT_VOLUME=yes
for seconds in 2 4 6 8 10 12 15 18 22; do
    setsid timeout --signal=KILL "$seconds" "$CSS" >"$SAID" 2>&1 || true
    sleep 1
done
setup
pool_options docker-docker--pool
findmnt /var/lib/docker >/dev/null
unchanged_by setup

## two runs at once: one after the other
a=$(disk a 5G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker
"$CSS" >/run/other.said 2>&1 &
setup
wait $! || { cat /run/other.said; fail "the other run failed"; }
pool_options docker-docker--pool

## a root volume that was made and not yet formatted, or that holds something else
a=$(disk a 3G)
vgcreate -q docker "$a"
lvcreate -qy -L 1G -n docker-root-lv docker
settings STORAGE_DRIVER=overlay2 VG=docker DOCKER_ROOT_VOLUME=yes
setup
same "$(findmnt -no FSTYPE /var/lib/docker)" xfs "filesystem"
clean
a=$(disk a 3G)
vgcreate -q docker "$a"
lvcreate -qy -L 1G -n docker-root-lv docker
mkfs.ext4 -q /dev/docker/docker-root-lv
settings STORAGE_DRIVER=overlay2 VG=docker DOCKER_ROOT_VOLUME=yes
refused "Found ext4 signature on docker/docker-root-lv"
wipefs -aq /dev/docker/docker-root-lv
mkdir -p /var/lib/docker
mount -t tmpfs tmpfs /var/lib/docker
refused "tmpfs is mounted on /var/lib/docker"

## a name in the volume group that is no pool
a=$(disk a 5G)
vgcreate -q docker "$a"
lvcreate -qy -L 1G -n docker-pool docker
settings STORAGE_DRIVER=devicemapper VG=docker
refused "docker/docker-pool exists and is no thin pool but linear"

## a pool that docker uses and that is gone is not made anew
a=$(disk a 5G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DEVICE_WAIT_TIMEOUT=2
setup
vgremove -qffy docker
wipefs -aq "$a"
b=$(disk b 5G)
settings STORAGE_DRIVER=devicemapper DEVS="$b" VG=docker DEVICE_WAIT_TIMEOUT=2
refused "names the pool /dev/mapper/docker-docker--pool"
untouched b
rm "$OUT"
mkdir -p /var/lib/docker/devicemapper/metadata
refused "docker has images of a pool that is gone"
untouched b
rm -r /var/lib/docker
setup
pool_options docker-docker--pool

## a pool that is named by hand is waited for, and left alone
a=$(disk a 5G)
vgcreate -q given "$a"
lvcreate -qy --type thin-pool -L 1G -n pool given
echo 'DOCKER_STORAGE_OPTIONS="--storage-opt dm.thinpooldev=/dev/mapper/given-pool"' >"$OUT"
settings STORAGE_DRIVER=devicemapper DEVICE_WAIT_TIMEOUT=2
unchanged_by setup
said "names the pool /dev/mapper/given-pool; it is left as it is"
vgchange -qan given
refused "names the pool /dev/mapper/given-pool, and it did not appear within 2 s"

## another driver than the one docker has is not forced on it
echo 'DOCKER_STORAGE_OPTIONS="--storage-driver overlay2 "' >"$OUT"
a=$(disk a 5G)
vgcreate -q docker "$a"
settings STORAGE_DRIVER=devicemapper VG=docker
setup
options "--storage-driver overlay2 "
said "overlay2 is kept"
same "$(lvs --noheadings docker)" "" "volumes"

## pools that docker made itself, and filesystems that overlay cannot use, are refused
echo 'DOCKER_STORAGE_OPTIONS="--storage-opt dm.datadev=/dev/a --storage-opt dm.metadatadev=/dev/b"' >"$OUT"
settings STORAGE_DRIVER=devicemapper VG=docker
refused "dm.datadev"
rm "$OUT"
a=$(disk a 1G)
mkfs.xfs -q -m crc=0 -n ftype=0 "$a"
mkdir -p /var/lib/docker
mount "$a" /var/lib/docker
settings STORAGE_DRIVER=overlay2
refused "was made with ftype=0"

## only root, and only known commands
settings STORAGE_DRIVER=overlay2
refused "is no command" --exprot
setup --help
said "add-dev"
setup --version
! setpriv --reuid=nobody --regid=nogroup --clear-groups "$CSS" >"$SAID" 2>&1 || fail "anybody may do this"
said "only root can do this"
