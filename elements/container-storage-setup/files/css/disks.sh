# shellcheck shell=bash
# The disks of DEVS: waiting for them, judging them, and giving each one partition that LVM takes.
#
# The partition carries the name below. A disk that has nothing but such a partition, with nothing in it, is one that an
# interrupted run began with: it is ours to finish. That is why the table is always a GPT.

PARTITION_NAME=container-storage
LVM_TYPE=E6D6D379-F507-44C2-A23C-238F2A3DF928

# until_true SECONDS COMMAND…: tries once a second; 0 seconds: just once.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 1
    done
}

# until_ready SECONDS COMMAND…: the same for what appears through udev.
until_ready() {
    udevadm settle --timeout=10 || true
    until_true "$@"
}

block_device() {
    [ -b "$1" ]
}

# A device that has a size: a node without one, like a loop device of nothing or an empty drive, is no disk yet.
disk_there() {
    local size
    [ -b "$1" ] && size=$(blockdev --getsize64 "$1" 2>/dev/null) && ((size > 0))
}

# A device's name in /sys/class/block.
block_name() {
    local real
    real=$(readlink -f "$1")
    printf '%s\n' "${real##*/}"
}

# The partitions of a disk, one device a line, in order.
partitions() {
    local name entry
    name=$(block_name "$1")
    for entry in "/sys/class/block/$name/$name"*; do
        [ ! -e "$entry/partition" ] || printf '%s /dev/%s\n' "$(<"$entry/partition")" "${entry##*/}"
    done | sort -n | cut -d ' ' -f 2
}

# What blkid finds on a device itself: a filesystem, a table, a physical volume; empty if there is nothing.
signature() {
    local found
    found=$(blkid -p -o value -s TYPE "$1" 2>/dev/null) || true
    [ -n "$found" ] || found=$(blkid -p -o value -s PTTYPE "$1" 2>/dev/null) || true
    # Two signatures at once make blkid say nothing at all.
    [ -n "$found" ] || found=$(wipefs --no-act --parsable "$1" 2>/dev/null | sed -n '2s/.*,//p') || true
    printf '%s\n' "$found"
}

# The volume group of a physical volume; empty if it is none, or in none.
group_of() {
    pvs --noheadings -o vg_name "$1" 2>/dev/null | tr -d ' ' || true
}

# Who uses a device now: mounts, swap, holders such as active volumes. Empty: nobody.
users() {
    local name numbers holder
    name=$(block_name "$1")
    numbers=$(<"/sys/class/block/$name/dev")
    awk -v numbers="$numbers" '$3 == numbers { print "it is mounted on " $5; exit }' /proc/self/mountinfo
    awk -v device="/dev/$name" '$1 == device { print "it is swap space" }' /proc/swaps
    for holder in "/sys/class/block/$name/holders/"*; do
        [ -e "$holder" ] || continue
        if [ -r "$holder/dm/name" ]; then
            echo "$(<"$holder/dm/name") is on it"
        else
            echo "${holder##*/} is on it"
        fi
    done
}

# judge DEVICE GROUP: `member` (it is in that group), `begun` (by an interrupted run), `free`, or it is refused.
judge() {
    local device=$1 group=$2 parts part found user real
    real=$(readlink -f "$device")
    mapfile -t parts < <(partitions "$real")
    for part in "$real" ${parts[@]+"${parts[@]}"}; do
        if [ "$(group_of "$part")" = "$group" ]; then
            echo member
            return
        fi
    done
    for part in "$real" ${parts[@]+"${parts[@]}"}; do
        user=$(users "$part")
        user=${user%%$'\n'*}
        [ -z "$user" ] || fatal "$device is in use: $user" "free it, or take it out of DEVS in $INPUT"
    done
    if [ ${#parts[@]} -eq 1 ] && [ "$(blkid -p -o value -s PART_ENTRY_NAME "${parts[0]}" 2>/dev/null)" = "$PARTITION_NAME" ]; then
        found=$(signature "${parts[0]}")
        if [ -z "$found" ] || { [ "$found" = LVM2_member ] && [ -z "$(group_of "${parts[0]}")" ]; }; then
            echo begun
            return
        fi
    fi
    found=$(signature "$real")
    if [ -n "$found" ] && [ "$WIPE_SIGNATURES" != true ]; then
        refuse_signature "$device" "$real" "$found" "${parts[@]+"${parts[@]}"}"
    fi
    echo free
}

refuse_signature() {
    local device=$1 real=$2 found=$3 parts='' part inside
    shift 3
    for part in "$@"; do
        inside=$(signature "$part")
        [ -z "$inside" ] || parts+=", ${part##*/} has $inside"
    done
    fatal "Found $found signature on $device: there may be data on it$parts" \
        "wipe it (wipefs --all $real*), or set WIPE_SIGNATURES=true in $INPUT to have that done, or name another disk"
}

# The devices of DEVS, resolved: one `DEVICE` a line; all are there, are whole disks and differ.
resolve_devices() {
    local word device real kind seen=' '
    for word in $DEVS; do
        device=$word
        if [ "${word#/}" = "$word" ]; then
            [ "$SKIP_ACTIVATION" = false ] ||
                fatal "DEVS names $word, which is no path" "write /dev/$word in $INPUT"
            device=/dev/$word
        fi
        wait_for_device "$device"
        real=$(readlink -f "$device")
        kind=$(lsblk --nodeps --noheadings --raw --output TYPE "$real" | head -n 1)
        case $kind in
            disk | loop | raid* | linear | md) ;;
            part) fatal "$device is a partition; only whole disks are taken" "name the disk it is on in $INPUT" ;;
            *) fatal "$device is no disk but $kind" "name a disk in $INPUT" ;;
        esac
        case $seen in *" $real "*) fatal "DEVS names $real twice" "name each disk once in $INPUT" ;; esac
        seen+="$real "
        printf '%s\n' "$device"
    done
}

wait_for_device() {
    disk_there "$1" && return
    if [ "$DEVICE_WAIT_TIMEOUT" -gt 0 ]; then info "waiting up to $DEVICE_WAIT_TIMEOUT s for $1"; fi
    until_ready "$DEVICE_WAIT_TIMEOUT" disk_there "$1" ||
        fatal "$1 did not appear within $DEVICE_WAIT_TIMEOUT s" \
            "attach the disk and start this service again, or name another in DEVS of $INPUT (now: $DEVS)"
}

# make_partition DEVICE: prints the partition.
make_partition() {
    local real parts
    real=$(readlink -f "$1")
    mapfile -t parts < <(partitions "$real")
    if [ "$WIPE_SIGNATURES" = true ]; then
        run "wipe the signatures of $1" wipefs --all ${parts[@]+"${parts[@]}"} "$real"
    fi
    if ! printf 'label: gpt\ntype=%s, name=%s\n' "$LVM_TYPE" "$PARTITION_NAME" |
        sfdisk --quiet --wipe always --wipe-partitions always "$real" >&2; then
        fatal "could not partition $1" "sfdisk's own words are above"
    fi
    until_ready 10 has_partition "$real" ||
        fatal "the partition of $1 did not appear" "see what the kernel says: dmesg"
    partitions "$real"
}

has_partition() {
    local part
    part=$(partitions "$1")
    [ -n "$part" ] && [ -b "$part" ]
}
