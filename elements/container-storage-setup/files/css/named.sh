# shellcheck shell=bash
# Named storages, for programs beside docker: create, activate, deactivate, remove, add-dev, export, list.
#
# Each has a directory with the settings it was made of (infile), the options it gives (outfile), what was made (metadata, the
# variables below) and how it stands (status).

STATE=/var/lib/container-storage-setup
METADATA=(
    _M_METADATA_VERSION _M_STORAGE_DRIVER _M_VG _M_VG_CREATED _M_DEVS_RESOLVED _M_CONTAINER_THINPOOL _M_CONTAINER_ROOT_LV_NAME
    _M_CONTAINER_ROOT_LV_MOUNT_PATH _M_AUTO_EXTEND_POOL _M_DEVICE_WAIT_TIMEOUT
)

named() {
    local command=$1
    shift
    case $command in
        create) named_create "$@" ;;
        list) named_list "$@" ;;
        add-dev)
            [ $# -eq 2 ] || usage_error "add-dev takes a name and a device"
            named_open "$1"
            named_add_device "$2"
            ;;
        *)
            [ $# -eq 1 ] || usage_error "$command takes a name"
            named_open "$1"
            "named_$command"
            ;;
    esac
}

usage_error() {
    usage >&2
    fatal "$1" "the lines above are all commands"
}

good_name() {
    [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] ||
        fatal "\"$1\" is no name for a storage" "letters, digits, \`_\`, \`.\` and \`-\`, beginning with a letter or digit"
}

# named_open NAME: its directory and everything in its metadata.
named_open() {
    good_name "$1"
    NAME=$1
    DIR=$STATE/$1
    [ -r "$DIR/metadata" ] || fatal "there is no storage called $1" "see: $SELF list"
    default_settings
    unset "${METADATA[@]}"
    # shellcheck disable=SC1091
    . "$DIR/metadata"
    [ "${_M_METADATA_VERSION-}" = 1 ] ||
        fatal "$DIR/metadata has version ${_M_METADATA_VERSION-none}, and this program knows 1" "use the program that wrote it"
    STORAGE_DRIVER=$_M_STORAGE_DRIVER
    VG=$_M_VG
    CONTAINER_THINPOOL=$_M_CONTAINER_THINPOOL
    CONTAINER_ROOT_LV_NAME=$_M_CONTAINER_ROOT_LV_NAME
    CONTAINER_ROOT_LV_MOUNT_PATH=$_M_CONTAINER_ROOT_LV_MOUNT_PATH
    DEVICE_WAIT_TIMEOUT=$_M_DEVICE_WAIT_TIMEOUT
    AUTO_EXTEND_POOL=$_M_AUTO_EXTEND_POOL
    named_surroundings
}

named_surroundings() {
    SKIP_ACTIVATION=true
    INPUT=$DIR/infile
    OUTPUT=$DIR/outfile
    OUTPUT_VARIABLE=STORAGE_OPTIONS
}

named_save() {
    local name
    _M_METADATA_VERSION=1
    _M_STORAGE_DRIVER=$STORAGE_DRIVER
    _M_VG=$VG
    _M_CONTAINER_THINPOOL=$CONTAINER_THINPOOL
    _M_CONTAINER_ROOT_LV_NAME=$CONTAINER_ROOT_LV_NAME
    _M_CONTAINER_ROOT_LV_MOUNT_PATH=$CONTAINER_ROOT_LV_MOUNT_PATH
    _M_AUTO_EXTEND_POOL=$AUTO_EXTEND_POOL
    _M_DEVICE_WAIT_TIMEOUT=$DEVICE_WAIT_TIMEOUT
    for name in "${METADATA[@]}"; do printf '%s=%q\n' "$name" "${!name}"; done | write_file "$DIR/metadata"
}

named_status() {
    printf '%s\n' "$1" | write_file "$DIR/status"
}

# The disks that came in, remembered: `remove` gives them back.
named_members() {
    if [ "$GROUP_MADE" = true ]; then _M_VG_CREATED=yes; fi
    _M_DEVS_RESOLVED="${_M_DEVS_RESOLVED:+$_M_DEVS_RESOLVED }${MEMBERS[*]-}"
    _M_DEVS_RESOLVED=${_M_DEVS_RESOLVED% }
    named_save
}

named_create() {
    local copy='' input
    while [ $# -gt 0 ]; do
        case $1 in
            -o) [ $# -gt 1 ] || usage_error "-o takes a file"; copy=$2; shift 2 ;;
            -*) usage_error "create has no option $1" ;;
            *) break ;;
        esac
    done
    [ $# -eq 2 ] || usage_error "create takes a name and a file of settings"
    good_name "$1"
    NAME=$1
    input=$2
    DIR=$STATE/$NAME
    [ ! -e "$DIR" ] || fatal "there is a storage called $NAME already" "remove it first: $SELF remove $NAME"
    load_settings "$input"
    named_surroundings
    INPUT=$input
    named_check
    mkdir -p "$DIR"
    write_file "$DIR/infile" <"$input"
    _M_VG_CREATED=no
    _M_DEVS_RESOLVED=''
    named_save
    named_status failed
    trap 'warn "the storage $NAME is not complete; take it away with: $SELF remove $NAME"' EXIT
    add_devices
    named_members
    grow_root_partitions
    grow_root
    if [ "$STORAGE_DRIVER" = devicemapper ] || [ -n "$CONTAINER_ROOT_LV_NAME" ]; then need_group; fi
    provide_driver
    if [ -n "$copy" ] && [ -e "$OUTPUT" ]; then write_file "$copy" <"$OUTPUT"; fi
    named_status active
    trap - EXIT
    info "the storage $NAME is ready: $(storage_summary)"
}

named_check() {
    [ -z "$EXTRA_DOCKER_STORAGE_OPTIONS" ] || fatal "EXTRA_DOCKER_STORAGE_OPTIONS is for docker's own storage only" \
        "call it EXTRA_STORAGE_OPTIONS in $INPUT"
    truth DOCKER_ROOT_VOLUME
    [ "$DOCKER_ROOT_VOLUME" = false ] || fatal "DOCKER_ROOT_VOLUME is for docker's own storage only" \
        "set CONTAINER_ROOT_LV_NAME and CONTAINER_ROOT_LV_MOUNT_PATH in $INPUT"
    check_settings
    choose_group
    local volume
    for volume in "$CONTAINER_THINPOOL" "$CONTAINER_ROOT_LV_NAME"; do
        if [ -n "$volume" ] && [ -n "$VG" ] && volume_exists "$VG" "$volume"; then
            fatal "the volume $VG/$volume is there already, and belongs to somebody" "take another name in $INPUT"
        fi
    done
}

named_activate() {
    if [ "$(<"$DIR/status")" = failed ]; then
        fatal "the storage $NAME was never complete" "take it away: $SELF remove $NAME, and create it again"
    fi
    if [ "$STORAGE_DRIVER" = devicemapper ] || [ -n "$CONTAINER_ROOT_LV_NAME" ]; then need_group; fi
    if [ "$STORAGE_DRIVER" = devicemapper ]; then
        volume_exists "$VG" "$CONTAINER_THINPOOL" ||
            fatal "the thin pool $VG/$CONTAINER_THINPOOL is gone" "take the storage away: $SELF remove $NAME"
        activate_pool
        if [ "$AUTO_EXTEND_POOL" = true ]; then run "have the pool watched" lvchange --monitor y "$VG/$CONTAINER_THINPOOL"; fi
    fi
    if [ -n "$CONTAINER_ROOT_LV_NAME" ]; then
        volume_exists "$VG" "$CONTAINER_ROOT_LV_NAME" ||
            fatal "the volume $VG/$CONTAINER_ROOT_LV_NAME is gone" "take the storage away: $SELF remove $NAME"
        setup_root_volume
    fi
    named_status active
    info "the storage $NAME is active"
}

named_deactivate() {
    if [ -n "$CONTAINER_ROOT_LV_NAME" ] && volume_exists "$VG" "$CONTAINER_ROOT_LV_NAME"; then
        unmount_root_volume
        run "deactivate $VG/$CONTAINER_ROOT_LV_NAME" lvchange --activate n "$VG/$CONTAINER_ROOT_LV_NAME"
    fi
    if [ "$STORAGE_DRIVER" = devicemapper ] && volume_exists "$VG" "$CONTAINER_THINPOOL"; then
        run "deactivate $VG/$CONTAINER_THINPOOL (is something using it?)" lvchange --activate n "$VG/$CONTAINER_THINPOOL"
    fi
    named_status inactive
    info "the storage $NAME is inactive"
}

named_remove() {
    local volume left
    if [ -n "$VG" ] && group_exists "$VG"; then
        # Nobody else has volumes of these names: create has seen to that.
        remove_root_volume
        if [ "$STORAGE_DRIVER" = devicemapper ]; then remove_pool; fi
        left=$(lvs --noheadings -o lv_name "$VG" | tr -d ' ')
        if [ "$_M_VG_CREATED" = yes ] && [ -z "$left" ]; then
            run "remove the volume group $VG" vgremove --yes "$VG"
            info "removed the volume group $VG"
            for volume in $_M_DEVS_RESOLVED; do give_back "$volume"; done
        elif [ "$_M_VG_CREATED" = yes ]; then
            warn "the volume group $VG has other volumes and stays: ${left//$'\n'/ }"
        fi
    fi
    rm -rf "$DIR"
    info "removed the storage $NAME"
}

# give_back PARTITION: the disk has no signature afterwards.
give_back() {
    local disk
    [ -b "$1" ] || return 0
    disk=/dev/$(basename "$(dirname "$(readlink -f "/sys/class/block/$(block_name "$1")")")")
    run "take the physical volume off $1" pvremove --yes "$1"
    run "take the partition table off $disk" wipefs --all "$disk"
    udevadm settle --timeout=10 || true
}

named_add_device() {
    DEVS=$1
    [ -n "$VG" ] || fatal "the storage $NAME has no volume group" "only a storage with one takes disks"
    group_exists "$VG" || fatal "there is no volume group $VG" "attach its disks"
    add_devices
    named_members
    [ ${#MEMBERS[@]} -gt 0 ] || fatal "$1 is in the volume group $VG already" "name another disk"
    info "the storage $NAME has $1 now"
}

named_export() {
    [ -r "$OUTPUT" ] || fatal "the storage $NAME has no options: its STORAGE_DRIVER is empty, or it was never complete" \
        "see: $SELF list $NAME"
    cat "$OUTPUT"
}

named_list() {
    local dir
    [ $# -le 1 ] || usage_error "list takes one name at most"
    if [ $# -eq 1 ]; then
        named_open "$1"
        printf '%s: %s\n' Name "$NAME" Status "$(<"$DIR/status")" Driver "$STORAGE_DRIVER" "Volume group" "$VG" \
            "Disks" "$_M_DEVS_RESOLVED" "Thin pool" "$CONTAINER_THINPOOL" "Root volume" "$CONTAINER_ROOT_LV_NAME" \
            "Mounted on" "$CONTAINER_ROOT_LV_MOUNT_PATH"
        return
    fi
    printf '%-24s %-16s %s\n' NAME DRIVER STATUS
    for dir in "$STATE"/*/; do
        [ -r "$dir/metadata" ] || continue
        named_open "$(basename "$dir")"
        printf '%-24s %-16s %s\n' "$NAME" "${STORAGE_DRIVER:--}" "$(<"$DIR/status")"
    done
}
