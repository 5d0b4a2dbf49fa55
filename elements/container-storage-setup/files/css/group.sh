# shellcheck shell=bash
# The volume group: which one, made of which disks; and the volume group of /, which may grow.

# Name of the volume group that / is on, or nothing.
root_group() {
    local device
    device=$(findmnt --noheadings --nofsroot --first-only --output SOURCE /) || return 0
    [ -b "$device" ] || return 0
    lvs --noheadings -o vg_name "$device" 2>/dev/null | tr -d ' ' || true
}

root_device() {
    findmnt --noheadings --nofsroot --first-only --output SOURCE /
}

group_exists() {
    vgs "$1" >/dev/null 2>&1
}

# group_number NAME FIELD: bytes or a count.
group_number() {
    vgs --noheadings --units b --nosuffix -o "$2" "$1" 2>/dev/null | tr -d ' '
}

group_whole() {
    [ "$(group_number "$1" vg_missing_pv_count)" = 0 ]
}

# choose_group: VG, or the one of /.
choose_group() {
    ROOT_VG=$(root_group)
    : "${VG:=$ROOT_VG}"
}

# Everything about volumes needs a volume group.
need_group() {
    [ -n "$VG" ] || fatal "VG is not set, and / is on no volume group" "set VG, and DEVS for a new one, in $INPUT"
    if [ -z "$DEVS" ]; then
        until_ready "$DEVICE_WAIT_TIMEOUT" group_exists "$VG" ||
            fatal "there is no volume group $VG" "set DEVS in $INPUT to the disks that it shall be made of, or attach its disks"
    fi
    until_true "$DEVICE_WAIT_TIMEOUT" group_whole "$VG" ||
        fatal "disks of the volume group $VG are missing" "attach them; \`vgs -o +vg_missing_pv_count $VG\` and \`pvs\` tell more"
}

# Brings the disks of DEVS into the volume group. MEMBERS: the physical volumes that came in now.
add_devices() {
    local devices=() device verdict fresh=() begun=() volumes=() room=0 part
    MEMBERS=()
    GROUP_MADE=false
    [ -n "$DEVS" ] || return 0
    [ -n "$VG" ] || fatal "DEVS is set and VG is not, and / is on no volume group" "name the volume group in VG of $INPUT"
    # Not in a pipe: a fatal error there would end the pipe only.
    device=$(resolve_devices)
    mapfile -t devices <<<"$device"
    for device in ${devices[@]+"${devices[@]}"}; do
        verdict=$(judge "$device" "$VG")
        case $verdict in
            member) info "$device is part of the volume group $VG" ;;
            begun) begun+=("$device") ;;
            free) fresh+=("$device") ;;
        esac
        if [ "$verdict" != member ]; then room=$((room + $(blockdev --getsize64 "$device"))); fi
    done
    [ $((${#fresh[@]} + ${#begun[@]})) -gt 0 ] || return 0
    enough_disk "$room"
    pool_may_be_made
    for device in ${begun[@]+"${begun[@]}"}; do
        part=$(partitions "$device")
        info "$device was partitioned by a run that did not end; going on with $part"
        volumes+=("$part")
    done
    for device in ${fresh[@]+"${fresh[@]}"}; do
        part=$(make_partition "$device")
        volumes+=("$part")
    done
    if group_exists "$VG"; then
        run "add ${volumes[*]} to the volume group $VG" vgextend --yes "$VG" "${volumes[@]}"
        info "the volume group $VG has ${volumes[*]} now"
    else
        run "make the volume group $VG of ${volumes[*]}" vgcreate --yes "$VG" "${volumes[@]}"
        GROUP_MADE=true
        info "made the volume group $VG of ${volumes[*]}"
    fi
    MEMBERS=("${volumes[@]}")
}

# enough_disk BYTES: refuses disks that are too small before they are written to. Free space of a group that exists counts.
enough_disk() {
    local room=$1 least=0
    if group_exists "$VG"; then room=$((room + $(group_number "$VG" vg_free))); fi
    if [ "$STORAGE_DRIVER" = devicemapper ] && ! volume_exists "$VG" "$CONTAINER_THINPOOL"; then
        least=$(bytes "$MIN_DATA_SIZE")
    fi
    if [ -n "$CONTAINER_ROOT_LV_NAME" ] && [[ $CONTAINER_ROOT_LV_SIZE != *%* ]] &&
        ! volume_exists "$VG" "$CONTAINER_ROOT_LV_NAME"; then
        least=$((least + $(bytes "$CONTAINER_ROOT_LV_SIZE")))
    fi
    ((room >= least)) ||
        fatal "the disks are too small: $(human "$room") in $DEVS, and at least $(human "$least") are needed" \
            "give bigger disks, or lower MIN_DATA_SIZE=$MIN_DATA_SIZE in $INPUT"
}

# GROWPART: the partitions below the volume group of / grow to the ends of their disks, and the physical volumes with them.
grow_root_partitions() {
    local volume name disk number output
    [ "$GROWPART" = true ] || return 0
    if [ -z "$ROOT_VG" ]; then
        info "/ is on no volume group, so GROWPART has nothing to grow"
        return
    fi
    need growpart cloud-guest-utils
    while read -r volume; do
        name=$(block_name "$volume")
        if [ ! -e "/sys/class/block/$name/partition" ]; then
            info "$volume is no partition; only its physical volume is grown"
        else
            number=$(<"/sys/class/block/$name/partition")
            disk=/dev/$(basename "$(dirname "$(readlink -f "/sys/class/block/$name")")")
            # growpart ends with 1 where there is nothing to grow, and says NOCHANGE.
            if output=$(growpart "$disk" "$number" 2>&1); then
                info "grew $volume: $output"
                udevadm settle --timeout=10 || true
            elif [[ $output != *NOCHANGE* ]]; then
                fatal "could not grow the partition $volume: $output" "grow it by hand, or set GROWPART=false in $INPUT"
            fi
        fi
        run "grow the physical volume $volume" pvresize "$volume"
    done < <(pvs --noheadings -o pv_name -S "vg_name=$ROOT_VG" | tr -d ' ')
}

# ROOT_SIZE: the volume and the filesystem of / grow. What fails here is told and goes on, as docker does not need it.
grow_root() {
    local how=-L device before output
    [ -n "$ROOT_SIZE" ] || return 0
    if [ -z "$ROOT_VG" ]; then
        warn "/ is on no volume group, so ROOT_SIZE=$ROOT_SIZE has no effect"
        return
    fi
    case $ROOT_SIZE in *%*) how=-l ;; esac
    device=$(root_device)
    before=$(volume_size "$device")
    # A volume that has the size already is an error in some versions of LVM, in others it is not.
    if output=$(lvextend -r "$how" "$ROOT_SIZE" "$device" </dev/null 2>&1) && [ "$before" != "$(volume_size "$device")" ]; then
        info "/ has been grown to $ROOT_SIZE"
    elif [[ $output =~ (matches existing size|not larger than existing|No size change|resized|not changed) ]]; then
        info "/ is not smaller than ROOT_SIZE=$ROOT_SIZE"
    else
        warn "/ was not grown to $ROOT_SIZE: $output"
    fi
}

volume_size() {
    lvs --noheadings --units b --nosuffix -o lv_size "$1" | tr -d ' '
}
