# shellcheck shell=bash
# Which values make sense, alone and together. Everything is judged before anything is touched.

# wrong SETTING EXPECTED: names the value, what it should be, and the file.
wrong() {
    fatal "$1=\"${!1}\" is not $2" "change $1 in $INPUT"
}

# truth SETTING: whatever says yes becomes true, whatever says no becomes false.
truth() {
    case ${!1,,} in
        yes | true | on | 1) printf -v "$1" true ;;
        no | false | off | 0 | '') printf -v "$1" false ;;
        *) wrong "$1" "yes or no" ;;
    esac
}

# matches SETTING PATTERN EXPECTED
matches() {
    [[ ${!1} =~ ^($2)$ ]] || wrong "$1" "$3"
}

NUMBER='[0-9]+'
SIZE='[0-9]+(\.[0-9]+)?([bBsS]|[kKmMgGtTpPeE]([iI]?[bB])?)?'
SHARE='([1-9][0-9]?|100)%(FREE|VG)'

# plain SETTING: 5GB and 5GiB, as people write them, become LVM's 5G.
plain() {
    if [[ ${!1} =~ ^(.*[kKmMgGtTpPeE])[iI]?[bB]$ ]]; then printf -v "$1" %s "${BASH_REMATCH[1]}"; fi
}

# bytes SIZE: LVM's units, which are powers of 1024 in either case; a bare number is mebibytes.
bytes() {
    local number=${1%[a-zA-Z]} unit=${1##*[0-9.]} factor
    case ${unit,,} in
        b) factor=1 ;;
        s) factor=512 ;;
        k) factor=1024 ;;
        '' | m) factor=1048576 ;;
        g) factor=1073741824 ;;
        t) factor=1099511627776 ;;
        p) factor=1125899906842624 ;;
        e) factor=1152921504606846976 ;;
    esac
    awk -v number="$number" -v factor="$factor" 'BEGIN { printf "%.0f\n", number * factor }'
}

# For people: 1610612736 is 1.5G.
human() {
    numfmt --to=iec --round=nearest --format=%.1f "$1"
}

check_settings() {
    local size="a size like 10G" share="a size like 10G, or a share like 40%FREE or 20%VG" name="a name that LVM takes"
    case $STORAGE_DRIVER in
        devicemapper | overlay | overlay2 | '') ;;
        *) wrong STORAGE_DRIVER "devicemapper, overlay, overlay2 or empty" ;;
    esac
    truth GROWPART
    truth AUTO_EXTEND_POOL
    truth WIPE_SIGNATURES
    matches VG '[A-Za-z0-9_+.][A-Za-z0-9_+.-]*|' "$name"
    matches CONTAINER_THINPOOL '[A-Za-z0-9_+.][A-Za-z0-9_+.-]*|' "$name"
    matches CONTAINER_ROOT_LV_NAME '[A-Za-z0-9_+.][A-Za-z0-9_+.-]*|' "$name"
    matches CONTAINER_ROOT_LV_MOUNT_PATH '/[A-Za-z0-9_.+/-]*|' "an absolute path"
    matches DATA_SIZE "$SHARE|$SIZE" "$share"
    matches CONTAINER_ROOT_LV_SIZE "$SHARE|$SIZE" "$share"
    matches ROOT_SIZE "[+]?([0-9]+%(FREE|VG|ORIGIN|PVS|LV)|$SIZE)|" "$share"
    matches MIN_DATA_SIZE "$SIZE" "$size"
    matches POOL_META_SIZE "$SIZE|" "$size"
    matches CHUNK_SIZE '[0-9]+([kKmMgG]([iI]?[bB])?)?' "a size like 512K"
    matches POOL_AUTOEXTEND_THRESHOLD "$NUMBER" "a whole number"
    matches POOL_AUTOEXTEND_PERCENT "$NUMBER" "a whole number"
    matches DEVICE_WAIT_TIMEOUT "$NUMBER" "a whole number of seconds"
    for size in DATA_SIZE CONTAINER_ROOT_LV_SIZE ROOT_SIZE MIN_DATA_SIZE POOL_META_SIZE CHUNK_SIZE; do plain "$size"; done
    if ((POOL_AUTOEXTEND_THRESHOLD < 50 || POOL_AUTOEXTEND_THRESHOLD > 100)); then
        wrong POOL_AUTOEXTEND_THRESHOLD "between 50 and 100"
    fi
    check_chunk
    check_together
}

# A bare number is kibibytes here, as lvcreate takes it.
check_chunk() {
    local chunk=$CHUNK_SIZE size
    case $chunk in *[0-9]) chunk=${chunk}K ;; esac
    size=$(bytes "$chunk")
    ((size >= 65536 && size <= 1073741824 && size % 65536 == 0)) ||
        wrong CHUNK_SIZE "a multiple of 64K between 64K and 1G"
}

check_together() {
    if [ -n "$CONTAINER_ROOT_LV_NAME" ] && [ -z "$CONTAINER_ROOT_LV_MOUNT_PATH" ]; then
        fatal "CONTAINER_ROOT_LV_NAME is set and CONTAINER_ROOT_LV_MOUNT_PATH is not" "set both in $INPUT, or neither"
    elif [ -z "$CONTAINER_ROOT_LV_NAME" ] && [ -n "$CONTAINER_ROOT_LV_MOUNT_PATH" ]; then
        fatal "CONTAINER_ROOT_LV_MOUNT_PATH is set and CONTAINER_ROOT_LV_NAME is not" "set both in $INPUT, or neither"
    elif [ "$CONTAINER_ROOT_LV_MOUNT_PATH" = / ]; then
        wrong CONTAINER_ROOT_LV_MOUNT_PATH "a place below /"
    fi
    if [ "$STORAGE_DRIVER" = devicemapper ]; then
        [ -n "$CONTAINER_THINPOOL" ] ||
            fatal "CONTAINER_THINPOOL is not set, and the driver devicemapper needs it" "give the pool a name in $INPUT"
        [ "$CONTAINER_THINPOOL" != "$CONTAINER_ROOT_LV_NAME" ] ||
            fatal "the pool and the root volume are both called $CONTAINER_THINPOOL" "give them two names in $INPUT"
    fi
    case $EXTRA_STORAGE_OPTIONS in
        *[\"\\\$\`]* | *$'\n'*)
            wrong EXTRA_STORAGE_OPTIONS "free of quotes, \$, backslashes and line ends, which docker's unit could not read" ;;
        *dm.datadev=* | *dm.metadatadev=*)
            wrong EXTRA_STORAGE_OPTIONS "possible: dm.datadev and dm.metadatadev are of pools that docker makes itself" ;;
        *dm.thinpooldev=*)
            wrong EXTRA_STORAGE_OPTIONS "possible: the pool is named by VG and CONTAINER_THINPOOL" ;;
    esac
}
