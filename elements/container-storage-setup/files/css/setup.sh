# shellcheck shell=bash
# The whole work in its order, for docker's own storage; named storages use the same parts (css/named.sh).

docker_setup() {
    docker_settings
    check_settings
    choose_group
    PRESENT=$(present_options)
    PRESENT_POOL=$(pool_of "$PRESENT")
    grow_and_add
    docker_driver
    info "docker's storage is ready: $(storage_summary)"
}

# Disks come first, then / grows, then what is left is shared out.
grow_and_add() {
    add_devices
    grow_root_partitions
    grow_root
}

storage_summary() {
    local text=${STORAGE_DRIVER:-"no driver chosen"}
    if [ "$STORAGE_DRIVER" = devicemapper ]; then text+=" on $(mapper_path "$VG" "$CONTAINER_THINPOOL")"; fi
    if [ -n "$CONTAINER_ROOT_LV_NAME" ]; then text+=", $VG/$CONTAINER_ROOT_LV_NAME on $CONTAINER_ROOT_LV_MOUNT_PATH"; fi
    printf '%s\n' "$text"
}

docker_driver() {
    local driver pool=$PRESENT_POOL
    driver=$(driver_of "$PRESENT")
    case $PRESENT in
        *dm.datadev=* | *dm.metadatadev=*)
            fatal "$OUTPUT has dm.datadev or dm.metadatadev, which are of pools that docker makes itself" \
                "save the images, remove docker's directory and $OUTPUT, and start again" ;;
    esac
    if [ -n "$STORAGE_DRIVER" ] && [ -n "$driver" ] && [ "$driver" != "$STORAGE_DRIVER" ]; then
        keep_driver "$driver" "$pool"
        return
    fi
    docker_knows "$STORAGE_DRIVER"
    if [ "$STORAGE_DRIVER" = devicemapper ] && [ -n "$pool" ] && ! is_our_pool "$pool"; then
        wait_for_pool "$pool"
        info "$OUTPUT names the pool $pool; it is left as it is"
        need_group_for_root_volume
        setup_root_volume
        return
    fi
    if [ "$STORAGE_DRIVER" = devicemapper ] || [ -n "$CONTAINER_ROOT_LV_NAME" ]; then need_group; fi
    pool_may_be_made
    provide_driver
}

# What a driver needs, the root volume, and the options last of all: docker finds them only when everything stands.
provide_driver() {
    case $STORAGE_DRIVER in
        '')
            info "STORAGE_DRIVER is empty: $OUTPUT is not written"
            setup_root_volume
            ;;
        devicemapper)
            setup_pool
            setup_root_volume
            write_options "$(pool_options)"
            ;;
        overlay | overlay2)
            can_overlay
            setup_root_volume
            names_in_directories "${CONTAINER_ROOT_LV_MOUNT_PATH:-$(overlay_directory)}"
            write_options "--storage-driver $STORAGE_DRIVER"
            ;;
    esac
}

# Where the driver's layers will lie without a root volume.
overlay_directory() {
    if [ "$OUTPUT_VARIABLE" = DOCKER_STORAGE_OPTIONS ]; then docker_directory; else echo /var/lib; fi
}

need_group_for_root_volume() {
    if [ -n "$CONTAINER_ROOT_LV_NAME" ]; then need_group; fi
}

is_our_pool() {
    [ -n "$VG" ] && [ "$1" = "$(mapper_path "$VG" "$CONTAINER_THINPOOL")" ]
}

# Docker's images belong to its driver: another one would not see them.
keep_driver() {
    local driver=$1 pool=$2
    info "$OUTPUT has the driver $driver, and $INPUT asks for $STORAGE_DRIVER: $driver is kept (for another, --reset first)"
    STORAGE_DRIVER=$driver
    if [ "$driver" = devicemapper ] && [ -n "$pool" ]; then
        wait_for_pool "$pool"
        if [[ $pool =~ ^/dev/mapper/(([^-]|--)+)-(([^-]|--)+)$ ]]; then
            VG=${BASH_REMATCH[1]//--/-}
            CONTAINER_THINPOOL=${BASH_REMATCH[3]//--/-}
        fi
    fi
    need_group_for_root_volume
    setup_root_volume
}

wait_for_pool() {
    local pool=$1
    [ -b "$pool" ] || info "waiting up to $DEVICE_WAIT_TIMEOUT s for the pool $pool"
    until_ready "$DEVICE_WAIT_TIMEOUT" block_device "$pool" ||
        fatal "$OUTPUT names the pool $pool, and it did not appear within $DEVICE_WAIT_TIMEOUT s" \
            "attach its disks, or take the pool out of $OUTPUT"
}

# A pool that docker has used and that is gone must not be made anew, empty: docker would go on without its images. Asked before
# disks are written to as well.
pool_may_be_made() {
    local metadata
    [ "$STORAGE_DRIVER" = devicemapper ] && [ "$OUTPUT_VARIABLE" = DOCKER_STORAGE_OPTIONS ] || return 0
    if volume_exists "$VG" "$CONTAINER_THINPOOL"; then return; fi
    metadata=$(docker_directory)/devicemapper/metadata
    if [ -n "$PRESENT_POOL" ]; then
        fatal "$OUTPUT names the pool $PRESENT_POOL, and there is no volume $VG/$CONTAINER_THINPOOL" \
            "bring it back, or give its content up: $SELF --reset"
    elif [ -d "$metadata" ]; then
        fatal "docker has images of a pool that is gone: $metadata exists, $VG/$CONTAINER_THINPOOL does not" \
            "bring the pool back, or give the images up: rm -r $(docker_directory)"
    fi
}

# What docker_setup made goes; the volume group, its disks and their partitions stay.
docker_reset() {
    docker_settings
    check_settings
    choose_group
    if [ -n "$VG" ] && group_exists "$VG"; then
        remove_root_volume
        if [ -n "$CONTAINER_THINPOOL" ]; then remove_pool; fi
    else
        forget_mount
    fi
    rm -f "$OUTPUT"
    info "docker's storage is reset; images that docker knows of are gone, so remove $(docker_directory) too"
}
