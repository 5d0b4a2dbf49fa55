## plain overlay2
settings STORAGE_DRIVER=overlay2
setup
options "--storage-driver overlay2 "
unchanged_by setup

## plain overlay
settings STORAGE_DRIVER=overlay
setup
options "--storage-driver overlay "

## no driver: docker chooses
settings STORAGE_DRIVER=
setup
[ ! -e "$OUT" ] || fail "options were written"

## devicemapper: a pool on a new disk
a=$(disk a 5G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker
setup
pool_options docker-docker--pool
same "$(field docker/docker-pool segtype)" thin-pool "kind of volume"
near "$(field docker/docker-pool lv_size)" 2048 "size of the pool: 40 % of 5 GiB"
same "$(field docker/docker-pool chunk_size)" 0.50 "chunk size"
same "$(field docker/docker-pool zero)" "" "zeroing"
same "$(field docker/docker-pool lv_profile)" docker--docker-pool-extend "profile"
test -b /dev/mapper/docker-docker--pool
same "$(lsblk -nro PARTTYPENAME "${a}p1")" 'Linux\x20LVM' "type of the partition"
unchanged_by setup

## devicemapper is what no STORAGE_DRIVER means
a=$(disk a 5G)
settings DEVS="$a" VG=docker
setup
pool_options docker-docker--pool

## devicemapper: a pool in a volume group that is there
a=$(disk a 5G)
pvcreate -q "$a"
vgcreate -q docker "$a"
settings STORAGE_DRIVER=devicemapper VG=docker
setup
pool_options docker-docker--pool
unchanged_by setup

## devicemapper: the disk of DEVS is in the volume group as a whole
a=$(disk a 5G)
vgcreate -q docker "$a"
settings STORAGE_DRIVER=devicemapper VG=docker DEVS="$a"
setup
said "$a is part of the volume group docker"
unchanged_by setup

## overlay2 on a root volume
a=$(disk a 3G)
settings STORAGE_DRIVER=overlay2 DEVS="$a" VG=docker CONTAINER_ROOT_LV_NAME=containers CONTAINER_ROOT_LV_SIZE=50%FREE \
    CONTAINER_ROOT_LV_MOUNT_PATH=/var/lib/docker
setup
options "--storage-driver overlay2 "
near "$(field docker/containers lv_size)" 1530 "size of the root volume"
same "$(findmnt -no SOURCE,FSTYPE /var/lib/docker | tr -s ' ')" "/dev/mapper/docker-containers xfs" "the mount"
findmnt -no OPTIONS /var/lib/docker | grep -qw prjquota || fail "mounted without pquota"
test -L /etc/systemd/system/docker.service.requires/var-lib-docker.mount
systemctl is-active --quiet var-lib-docker.mount || fail "systemd does not know the mount"
unchanged_by setup
umount /var/lib/docker
systemctl start var-lib-docker.mount
findmnt /var/lib/docker >/dev/null || fail "the unit does not mount it"
unchanged_by setup

## overlay2 with DOCKER_ROOT_VOLUME, on the directory of docker's OPTIONS
a=$(disk a 3G)
echo "OPTIONS='--selinux-enabled=false --data-root /mnt/docker-data --log-driver=journald'" >/etc/sysconfig/docker
settings STORAGE_DRIVER=overlay2 DEVS="$a" VG=docker DOCKER_ROOT_VOLUME=yes DOCKER_ROOT_VOLUME_SIZE=1G
setup
options "--storage-driver overlay2 "
same "$(findmnt -no SOURCE /mnt/docker-data)" /dev/mapper/docker-docker--root--lv "the mount"
same "$(field docker/docker-root-lv lv_size)" 1024 "size of the root volume"
test -L '/etc/systemd/system/docker.service.requires/mnt-docker\x2ddata.mount'

## DOCKER_ROOT_VOLUME alone lies on /var/lib/docker
a=$(disk a 3G)
settings STORAGE_DRIVER=overlay2 DEVS="$a" VG=docker DOCKER_ROOT_VOLUME=yes
setup
same "$(findmnt -no SOURCE /var/lib/docker)" /dev/mapper/docker-docker--root--lv "the mount"
near "$(field docker/docker-root-lv lv_size)" 1228 "size of the root volume: 40 % of 3 GiB"

## core: a pool and a root volume share the volume group
a=$(disk a 6G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DOCKER_ROOT_VOLUME=yes DATA_SIZE=50%FREE DOCKER_ROOT_VOLUME_SIZE=50%FREE
setup
pool_options docker-docker--pool
near "$(field docker/docker-pool lv_size)" 3072 "size of the pool"
near "$(field docker/docker-root-lv lv_size)" 1530 "size of the root volume: half of what the pool leaves"
unchanged_by setup

## a root volume without a driver
a=$(disk a 2G)
settings STORAGE_DRIVER= DEVS="$a" VG=docker CONTAINER_ROOT_LV_NAME=c CONTAINER_ROOT_LV_MOUNT_PATH=/mnt/c
setup
[ ! -e "$OUT" ] || fail "options were written"
findmnt /mnt/c >/dev/null

## --reset gives everything back but the volume group
a=$(disk a 6G)
settings STORAGE_DRIVER=devicemapper DEVS="$a" VG=docker DOCKER_ROOT_VOLUME=yes
setup
setup --reset
[ ! -e "$OUT" ] || fail "the options are still there"
same "$(lvs --noheadings docker)" "" "volumes that are left"
vgs docker >/dev/null || fail "the volume group is gone"
! findmnt /var/lib/docker >/dev/null || fail "still mounted"
[ ! -e /etc/systemd/system/var-lib-docker.mount ] || fail "the unit is still there"
[ ! -e /etc/lvm/profile/docker--docker-pool-extend.profile ] || fail "the profile is still there"
setup --reset
setup
pool_options docker-docker--pool

## the volume group of the root filesystem: VG left out, ROOT_SIZE and GROWPART
# A root filesystem on a logical volume: the guest's own directories are bound below it, and the run happens inside.
a=$(disk a 8G)
printf 'label: gpt\nsize=5G, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n' | sfdisk -q "$a"
udevadm settle
vgcreate -q atomicos "${a}p1"
lvcreate -qy -L 1G -n root atomicos
mkfs.xfs -q /dev/atomicos/root
settings STORAGE_DRIVER=devicemapper ROOT_SIZE=2G GROWPART=true DATA_SIZE=3G
inside() { timeout 300 chroot "$WORK/root" "$CSS" >"$SAID" 2>&1 || fail "the run inside ended with $?"; }
privately '
    mkdir "$WORK/root"
    mount /dev/atomicos/root "$WORK/root"
    cd "$WORK/root"
    mkdir dev etc proc run sys usr var tmp
    for link in bin sbin lib lib64; do ln -s usr/$link $link; done
    for dir in dev etc proc run sys usr var; do mount --rbind /$dir $dir; done
    inside
    near "$(df --output=size -BM . | tail -n 1 | tr -dc 0-9)" 2038 "size of the root filesystem, MiB"
    same "$(field atomicos/root lv_size)" 2048 "size of the root volume"
    near "$(vgs --noheadings --units m --nosuffix -o vg_size atomicos | tr -dc 0-9. | sed "s/\..*//")" 8188 "size of the group"
    same "$(field atomicos/docker-pool lv_size)" 3072 "size of the pool"
    pool_options atomicos-docker--pool
    unchanged_by inside
    said "is not smaller than ROOT_SIZE=2G"
'

## GROWPART and ROOT_SIZE where / is on no volume group: told, and nothing more
a=$(disk a 5G)
settings STORAGE_DRIVER=devicemapper VG=docker DEVS="$a" GROWPART=true ROOT_SIZE=4G
setup
said "GROWPART has nothing to grow"
said "ROOT_SIZE=4G has no effect"
pool_options docker-docker--pool
