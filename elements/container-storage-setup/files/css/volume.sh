# shellcheck shell=bash
# The root volume: an xfs that is mounted where containers live (docker-root-lv on /var/lib/docker), and overlay's needs.

# setup_root_volume: the volume exists, has its xfs, is mounted now and at later boots.
setup_root_volume() {
    local path found where=$CONTAINER_ROOT_LV_MOUNT_PATH volume=$VG/$CONTAINER_ROOT_LV_NAME
    [ -n "$CONTAINER_ROOT_LV_NAME" ] || return 0
    need mkfs.xfs xfsprogs
    path=$(mapper_path "$VG" "$CONTAINER_ROOT_LV_NAME")
    if ! volume_exists "$VG" "$CONTAINER_ROOT_LV_NAME"; then make_root_volume; fi
    run "activate $volume" lvchange --activate y --ignoreactivationskip "$volume"
    until_ready 10 block_device "$path" || fatal "$volume is active, but $path did not appear" "see: dmsetup ls"
    found=$(signature "$path")
    case $found in
        '')
            run "make an xfs on $volume" mkfs.xfs -q -n ftype=1 "$path"
            info "made an xfs on $volume"
            ;;
        xfs) ;;
        *) fatal "Found $found signature on $volume, which should have an xfs" "remove it (lvremove $volume) or wipe it" ;;
    esac
    mount_root_volume "$path" "$where"
    if [ "$SKIP_ACTIVATION" = false ]; then mount_at_boot "$path" "$where"; fi
}

make_root_volume() {
    local size=(-L "$CONTAINER_ROOT_LV_SIZE") want free
    free=$(group_number "$VG" vg_free)
    if [[ $CONTAINER_ROOT_LV_SIZE = *%* ]]; then
        size=(-l "$CONTAINER_ROOT_LV_SIZE")
        want=$(share "$VG" "$CONTAINER_ROOT_LV_SIZE")
    else
        want=$(bytes "$CONTAINER_ROOT_LV_SIZE")
    fi
    # mkfs.xfs refuses what is smaller than 300 MiB.
    ((want >= 314572800)) ||
        fatal "the volume $VG/$CONTAINER_ROOT_LV_NAME would have $(human "$want"), and an xfs needs 300M" \
            "add a disk to DEVS, or ask for more in CONTAINER_ROOT_LV_SIZE, in $INPUT"
    ((free >= want)) ||
        fatal "the volume group $VG has $(human "$free") free, and CONTAINER_ROOT_LV_SIZE asks for $CONTAINER_ROOT_LV_SIZE" \
            "add a disk to DEVS, or lower it, in $INPUT"
    run "make the volume $VG/$CONTAINER_ROOT_LV_NAME" lvcreate --yes --wipesignatures y "${size[@]}" \
        --name "$CONTAINER_ROOT_LV_NAME" "$VG"
    if [ "$SKIP_ACTIVATION" = true ]; then
        run "keep $VG/$CONTAINER_ROOT_LV_NAME from being activated at boot" \
            lvchange --setactivationskip y "$VG/$CONTAINER_ROOT_LV_NAME"
    fi
    info "made the volume $VG/$CONTAINER_ROOT_LV_NAME"
}

# What is mounted on a directory itself; nothing if it is no mount point.
mounted_on() {
    findmnt --noheadings --nofsroot --output SOURCE --mountpoint "$1" | tail -n 1 || true
}

mount_root_volume() {
    local path=$1 where=$2 now
    now=$(mounted_on "$where")
    if [ -n "$now" ]; then
        [ "$(readlink -f "$now")" = "$(readlink -f "$path")" ] ||
            fatal "$now is mounted on $where, where $path belongs" "unmount it, or change CONTAINER_ROOT_LV_MOUNT_PATH"
        return
    fi
    mkdir -p "$where"
    if [ -n "$(ls -A "$where")" ]; then
        warn "$where has files; $path is mounted over them, and they will not be seen"
    fi
    run "mount $path on $where" mount -t xfs -o pquota "$path" "$where"
    if command -v restorecon >/dev/null; then restorecon -R "$where" || warn "restorecon failed on $where"; fi
    info "mounted $path on $where"
}

mount_unit() {
    systemd-escape --path --suffix=mount "$1"
}

# A unit that docker requires, outside of local-fs.target: a disk that is gone stops docker, not the boot.
mount_at_boot() {
    local unit before=''
    unit=$(mount_unit "$2")
    mkdir -p /etc/systemd/system
    if [ -e "/etc/systemd/system/$unit" ]; then before=$(<"/etc/systemd/system/$unit"); fi
    write_file "/etc/systemd/system/$unit" <<UNIT
# Written by container-storage-setup.
[Unit]
Description=Storage of containers
DefaultDependencies=no
After=local-fs.target
Before=docker-storage-setup.service docker.service umount.target
Conflicts=umount.target

[Mount]
What=$1
Where=$2
Type=xfs
Options=pquota

[Install]
RequiredBy=docker.service
UNIT
    if [ "$before" != "$(<"/etc/systemd/system/$unit")" ] ||
        [ ! -e "/etc/systemd/system/docker.service.requires/$unit" ]; then
        tell_systemd enable "$unit"
    fi
}

# tell_systemd VERB UNIT: with a manager that runs, it reads its units anew.
tell_systemd() {
    run "$1 $2" systemctl --quiet "$1" "$2"
    if [ -d /run/systemd/system ]; then run "have systemd read its units" systemctl daemon-reload; fi
}

unmount_root_volume() {
    local path
    path=$(mapper_path "$VG" "$CONTAINER_ROOT_LV_NAME")
    while [ -n "$(mounted_on "$CONTAINER_ROOT_LV_MOUNT_PATH")" ] &&
        [ "$(readlink -f "$(mounted_on "$CONTAINER_ROOT_LV_MOUNT_PATH")")" = "$(readlink -f "$path")" ]; do
        run "unmount $CONTAINER_ROOT_LV_MOUNT_PATH (is docker still running?)" umount "$CONTAINER_ROOT_LV_MOUNT_PATH"
    done
}

# Docker no longer requires the root volume; also where its disk is gone.
forget_mount() {
    local unit
    [ -n "$CONTAINER_ROOT_LV_NAME" ] && [ "$SKIP_ACTIVATION" = false ] || return 0
    unit=$(mount_unit "$CONTAINER_ROOT_LV_MOUNT_PATH")
    [ -e "/etc/systemd/system/$unit" ] || return 0
    tell_systemd disable "$unit"
    rm -f "/etc/systemd/system/$unit"
    if [ -d /run/systemd/system ]; then run "have systemd read its units" systemctl daemon-reload; fi
}

remove_root_volume() {
    [ -n "$CONTAINER_ROOT_LV_NAME" ] || return 0
    unmount_root_volume
    forget_mount
    if volume_exists "$VG" "$CONTAINER_ROOT_LV_NAME"; then
        run "remove the volume $VG/$CONTAINER_ROOT_LV_NAME" lvremove --yes --force "$VG/$CONTAINER_ROOT_LV_NAME"
        info "removed the volume $VG/$CONTAINER_ROOT_LV_NAME"
    fi
}

# can_overlay: this kernel mounts an overlay of two lower directories, which is what overlay2 does.
can_overlay() {
    local dir output status=0
    modprobe -q overlay 2>/dev/null || true
    dir=$(mktemp -d /run/container-storage-setup.XXXXXX)
    mkdir "$dir/one" "$dir/two" "$dir/both"
    output=$(mount -t overlay overlay -o "lowerdir=$dir/one:$dir/two" "$dir/both" 2>&1) || status=1
    if [ "$status" -eq 0 ]; then umount "$dir/both"; fi
    rm -rf --one-file-system "$dir"
    [ "$status" -eq 0 ] ||
        fatal "this kernel mounts no overlay of two directories: $output" "set STORAGE_DRIVER to another driver in $INPUT"
}

# names_in_directories WHERE: an xfs made without ftype cannot carry overlay.
names_in_directories() {
    local where=$1 mount kind
    while [ ! -d "$where" ]; do where=$(dirname "$where"); done
    kind=$(findmnt --noheadings --output FSTYPE --target "$where" | tail -n 1)
    [ "$kind" = xfs ] || return 0
    mount=$(findmnt --noheadings --output TARGET --target "$where" | tail -n 1)
    if [[ $(xfs_info "$mount" 2>/dev/null) = *ftype=0* ]]; then
        fatal "the xfs on $mount was made with ftype=0, on which overlay does not work" \
            "make it anew (mkfs.xfs -n ftype=1), or set STORAGE_DRIVER to another driver in $INPUT"
    fi
}
