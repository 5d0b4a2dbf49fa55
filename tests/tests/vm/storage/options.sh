## DEVS: two disks, one by its bare name, one by a link; a third comes later; names with hyphens
a=$(disk a 3G)
b=$(disk b 3G)
c=$(disk c 1G)
ln -s "$b" /mnt/link
settings STORAGE_DRIVER=devicemapper DEVS="'${a#/dev/} /mnt/link'" VG=my-docker-vg CONTAINER_THINPOOL=my-pool DATA_SIZE=60%VG
setup
pool_options my--docker--vg-my--pool
same "$(pvs --noheadings -o pv_name -S vg_name=my-docker-vg | xargs)" "${a}p1 ${b}p1" "the disks"
near "$(field my-docker-vg/my-pool lv_size)" 3680 "size of the pool: 60 % of 6 GiB"
unchanged_by setup
settings STORAGE_DRIVER=devicemapper DEVS="'$a $b $c'" VG=my-docker-vg CONTAINER_THINPOOL=my-pool
setup
same "$(pvs --noheadings -o pv_name -S vg_name=my-docker-vg | wc -l)" 3 "the number of disks"
unchanged_by setup

## sectors of 4096 bytes
a=$(disk a 4G 4096)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DATA_SIZE=2G
setup
pool_options docker-docker--pool

## a disk beyond 2 TiB
a=$(disk a 3T)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DATA_SIZE=2G
setup
near "$(vgs --noheadings --units m --nosuffix -o vg_size docker | tr -d ' ' | sed 's/\..*//')" 3145724 "size of the volume group"

## DATA_SIZE as a size, POOL_META_SIZE, CHUNK_SIZE, AUTO_EXTEND_POOL=no
a=$(disk a 6G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DATA_SIZE=3GB POOL_META_SIZE=32M CHUNK_SIZE=128KiB AUTO_EXTEND_POOL=no
setup
same "$(field docker/docker-pool lv_size)" 3072 "size of the pool"
same "$(field docker/docker-pool lv_metadata_size)" 32 "size of its metadata"
same "$(lvs --noheadings --units k --nosuffix -o chunk_size docker/docker-pool | tr -d " ")" 128.00 "chunk size"
same "$(field docker/docker-pool lv_profile)" "" "profile"
unchanged_by setup

## DATA_SIZE=100%FREE leaves room for the metadata
a=$(disk a 4G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DATA_SIZE=100%FREE
setup
near "$(field docker/docker-pool lv_size)" 4070 "size of the pool"

## MIN_DATA_SIZE raises what DATA_SIZE would give, and POOL_META_SIZE is a thousandth of the volume group
a=$(disk a 20G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DATA_SIZE=5%FREE MIN_DATA_SIZE=3G
setup
said "MIN_DATA_SIZE=3G is taken"
same "$(field docker/docker-pool lv_size)" 3072 "size of the pool"
same "$(field docker/docker-pool lv_metadata_size)" 24 "size of its metadata: 20 GiB / 1000, in extents of 4 MiB"

## AUTO_EXTEND_POOL: a pool that fills up grows by itself; thresholds change; no takes it away
a=$(disk a 6G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DATA_SIZE=2G POOL_AUTOEXTEND_THRESHOLD=70 POOL_AUTOEXTEND_PERCENT=50
setup
grep -q 'threshold=70' /etc/lvm/profile/docker--docker-pool-extend.profile
grep -q 'percent=50' /etc/lvm/profile/docker--docker-pool-extend.profile
lvcreate -qy -V 1900M -T docker/docker-pool -n thin >/dev/null
dd if=/dev/zero of=/dev/docker/thin bs=1M count=1500 oflag=direct status=none
for _ in $(seq 60); do [ "$(field docker/docker-pool lv_size)" != 3072 ] || break; sleep 2; done
same "$(field docker/docker-pool lv_size)" 3072 "size of the pool after 1500 MiB were written: 2 GiB and a half of it"
lvremove -qy docker/thin
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker AUTO_EXTEND_POOL=no
setup
same "$(field docker/docker-pool lv_profile)" "" "profile"
[ ! -e /etc/lvm/profile/docker--docker-pool-extend.profile ] || fail "the profile is still there"

## EXTRA_STORAGE_OPTIONS: runs of blanks become one, dm.fs replaces ours, a change reaches the file
a=$(disk a 5G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker \
    EXTRA_STORAGE_OPTIONS="'  --storage-opt   dm.fs=ext4 --storage-opt  dm.basesize=3G '"
setup
options "--storage-driver devicemapper --storage-opt dm.thinpooldev=/dev/mapper/docker-docker--pool --storage-opt dm.use_deferred_removal=true --storage-opt dm.use_deferred_deletion=true --storage-opt dm.fs=ext4 --storage-opt dm.basesize=3G "
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker
setup
pool_options docker-docker--pool

## EXTRA_DOCKER_STORAGE_OPTIONS is the older name
settings STORAGE_DRIVER=overlay2 EXTRA_DOCKER_STORAGE_OPTIONS="'--storage-opt overlay2.override_kernel_check=true'"
setup
said "EXTRA_DOCKER_STORAGE_OPTIONS is called EXTRA_STORAGE_OPTIONS now"
options "--storage-driver overlay2 --storage-opt overlay2.override_kernel_check=true "

## shipped defaults come first, the settings after, the environment not at all
# /usr cannot be written to in a deployment: a layer lies over its part.
mkdir -p "$WORK/upper/container-storage-setup" "$WORK/work"
printf 'STORAGE_DRIVER=overlay\nEXTRA_STORAGE_OPTIONS="--shipped"\n' >"$WORK/upper/container-storage-setup/container-storage-setup"
settings STORAGE_DRIVER=overlay2
export EXTRA_STORAGE_OPTIONS=--environment VG=environment DEVS=/dev/environment
privately '
    mount -t overlay overlay -o "lowerdir=/usr/share,upperdir=$WORK/upper,workdir=$WORK/work" /usr/share
    setup
    options "--storage-driver overlay2 --shipped "
    rm "$IN"
    setup
    options "--storage-driver overlay2 --shipped "
    said "is kept"
'

## core: WIPE_SIGNATURES: a filesystem, a foreign table and an old volume group are wiped only when told to
a=$(disk a 3G)
b=$(disk b 3G)
c=$(disk c 3G)
mkfs.ext4 -q "$a"
printf 'label: dos\nsize=1G\n' | sfdisk -q "$b"
udevadm settle
mkfs.xfs -q "${b}p1"
vgcreate -q old "$c"
settings STORAGE_DRIVER=devicemapper VG=docker DEVS="'$a $b $c'"
refused "Found ext4 signature on $a"
settings STORAGE_DRIVER=devicemapper VG=docker DEVS="$b"
refused "Found dos signature on $b"
refused "xfs"
settings STORAGE_DRIVER=devicemapper VG=docker DEVS="$c"
refused "Found LVM2_member signature on $c"
blkid -p "$a" "${b}p1" "$c" >/dev/null || fail "a refusal destroyed something"
settings STORAGE_DRIVER=devicemapper VG=docker DEVS="'$a $b $c'" WIPE_SIGNATURES=true
setup
same "$(vgs --noheadings -o vg_name,pv_count | xargs)" "docker 3" "volume groups and their disks"
unchanged_by setup

## DEVICE_WAIT_TIMEOUT: a disk that is late
a=$(disk a 5G)
settings STORAGE_DRIVER=devicemapper DEVS=/mnt/late VG=docker DEVICE_WAIT_TIMEOUT=120
(sleep 12; ln -s "$a" /mnt/late) &
setup
wait
said "waiting up to 120 s for /mnt/late"
pool_options docker-docker--pool

## DEVICE_WAIT_TIMEOUT: 0 does not wait
settings STORAGE_DRIVER=devicemapper DEVS=/mnt/late VG=docker DEVICE_WAIT_TIMEOUT=0
refused "/mnt/late did not appear within 0 s"
! grep -q waiting "$SAID" || fail "it waited"

## values that make no sense are named, before anything is touched
a=$(disk a 5G)
wrong() {
    local text=$1
    shift
    settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker "$@"
    refused "$text"
    said "$IN"
}
wrong 'STORAGE_DRIVER="btrfs" is not devicemapper, overlay, overlay2 or empty' STORAGE_DRIVER=btrfs
wrong 'DATA_SIZE="40%" is not a size' DATA_SIZE=40%
wrong 'DATA_SIZE="40%PVS" is not a size' DATA_SIZE=40%PVS
wrong 'MIN_DATA_SIZE="40%FREE" is not a size' MIN_DATA_SIZE=40%FREE
wrong 'POOL_META_SIZE="big" is not a size' POOL_META_SIZE=big
wrong 'CHUNK_SIZE="100K" is not a multiple of 64K' CHUNK_SIZE=100K
wrong 'POOL_AUTOEXTEND_THRESHOLD="40" is not between 50 and 100' POOL_AUTOEXTEND_THRESHOLD=40
wrong 'POOL_AUTOEXTEND_PERCENT="x" is not a whole number' POOL_AUTOEXTEND_PERCENT=x
wrong 'DEVICE_WAIT_TIMEOUT="1m" is not a whole number of seconds' DEVICE_WAIT_TIMEOUT=1m
wrong 'GROWPART="maybe" is not yes or no' GROWPART=maybe
wrong 'ROOT_SIZE="half" is not a size' ROOT_SIZE=half
wrong 'VG="a b" is not a name' "VG='a b'"
wrong 'CONTAINER_ROOT_LV_NAME is set and CONTAINER_ROOT_LV_MOUNT_PATH is not' CONTAINER_ROOT_LV_NAME=x
wrong 'CONTAINER_ROOT_LV_MOUNT_PATH is set and CONTAINER_ROOT_LV_NAME is not' CONTAINER_ROOT_LV_MOUNT_PATH=/x
wrong 'DOCKER_ROOT_VOLUME and CONTAINER_ROOT_LV_NAME exclude each other' DOCKER_ROOT_VOLUME=yes CONTAINER_ROOT_LV_NAME=x
wrong 'are the same, and' EXTRA_STORAGE_OPTIONS=--a EXTRA_DOCKER_STORAGE_OPTIONS=--b
wrong 'EXTRA_STORAGE_OPTIONS="--storage-opt dm.datadev=/dev/x" is not possible' "EXTRA_STORAGE_OPTIONS='--storage-opt dm.datadev=/dev/x'"
wrong 'is not free of quotes' "EXTRA_STORAGE_OPTIONS='a\"b'"
wrong 'the pool and the root volume are both called docker-pool' CONTAINER_ROOT_LV_NAME=docker-pool CONTAINER_ROOT_LV_MOUNT_PATH=/x
wrong 'the settings are no shell' 'VG=(('
untouched a
