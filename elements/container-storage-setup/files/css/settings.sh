# shellcheck shell=bash
# The settings: their names, what they are without a file, and how files are read. css/values.sh judges them.

DEFAULTS_FILE=/usr/share/container-storage-setup/container-storage-setup
DOCKER_INPUT=/etc/sysconfig/docker-storage-setup
DOCKER_OUTPUT=/etc/sysconfig/docker-storage
DOCKER_SYSCONFIG=/etc/sysconfig/docker
DOCKER_POOL=docker-pool
DOCKER_ROOT_LV=docker-root-lv

# Every setting. What is in the environment under these names is not one.
SETTINGS=(
    STORAGE_DRIVER EXTRA_STORAGE_OPTIONS EXTRA_DOCKER_STORAGE_OPTIONS DEVS VG CONTAINER_THINPOOL ROOT_SIZE DATA_SIZE MIN_DATA_SIZE
    POOL_META_SIZE CHUNK_SIZE GROWPART AUTO_EXTEND_POOL POOL_AUTOEXTEND_THRESHOLD POOL_AUTOEXTEND_PERCENT DEVICE_WAIT_TIMEOUT
    WIPE_SIGNATURES CONTAINER_ROOT_LV_NAME CONTAINER_ROOT_LV_SIZE CONTAINER_ROOT_LV_MOUNT_PATH DOCKER_ROOT_VOLUME
    DOCKER_ROOT_VOLUME_SIZE
)

default_settings() {
    unset "${SETTINGS[@]}"
    STORAGE_DRIVER=devicemapper
    EXTRA_STORAGE_OPTIONS=''
    EXTRA_DOCKER_STORAGE_OPTIONS=''
    DEVS=''
    VG=''
    CONTAINER_THINPOOL=''
    ROOT_SIZE=''
    DATA_SIZE=40%FREE
    MIN_DATA_SIZE=2G
    POOL_META_SIZE=''
    CHUNK_SIZE=512K
    GROWPART=false
    AUTO_EXTEND_POOL=yes
    POOL_AUTOEXTEND_THRESHOLD=60
    POOL_AUTOEXTEND_PERCENT=20
    DEVICE_WAIT_TIMEOUT=60
    WIPE_SIGNATURES=false
    CONTAINER_ROOT_LV_NAME=''
    CONTAINER_ROOT_LV_SIZE=40%FREE
    CONTAINER_ROOT_LV_MOUNT_PATH=''
    DOCKER_ROOT_VOLUME=no
    DOCKER_ROOT_VOLUME_SIZE=40%FREE
}

# Reads a file of settings, which is shell, as its author wrote it: without our strictness.
read_settings() {
    local file=$1 output
    [ -r "$file" ] || fatal "cannot read the settings in $file" "write that file, or name another"
    if ! output=$(bash -n "$file" 2>&1); then
        fatal "the settings are no shell: $output" "write lines like VG=docker in $file"
    fi
    set +eu
    # shellcheck disable=SC1090
    . "$file" </dev/null >/dev/null
    set -eu
}

# load_settings FILE: what is shipped, then the file.
load_settings() {
    default_settings
    if [ -e "$DEFAULTS_FILE" ]; then read_settings "$DEFAULTS_FILE"; fi
    read_settings "$1"
    INPUT=$1
}

# What the settings of docker's own service mean beside those of a named storage.
docker_settings() {
    if [ -e "$DOCKER_INPUT" ]; then
        load_settings "$DOCKER_INPUT"
    else
        default_settings
        if [ -e "$DEFAULTS_FILE" ]; then read_settings "$DEFAULTS_FILE"; fi
        INPUT="$DOCKER_INPUT (which is not there)"
    fi
    : "${CONTAINER_THINPOOL:=$DOCKER_POOL}"
    OUTPUT=$DOCKER_OUTPUT
    OUTPUT_VARIABLE=DOCKER_STORAGE_OPTIONS
    SKIP_ACTIVATION=false
    if [ -n "$EXTRA_DOCKER_STORAGE_OPTIONS" ]; then
        [ -z "$EXTRA_STORAGE_OPTIONS" ] ||
            fatal "EXTRA_STORAGE_OPTIONS and EXTRA_DOCKER_STORAGE_OPTIONS are the same, and $INPUT has both" "keep the first"
        warn "EXTRA_DOCKER_STORAGE_OPTIONS is called EXTRA_STORAGE_OPTIONS now; change $INPUT"
        EXTRA_STORAGE_OPTIONS=$EXTRA_DOCKER_STORAGE_OPTIONS
    fi
    truth DOCKER_ROOT_VOLUME
    [ "$DOCKER_ROOT_VOLUME" = true ] || return 0
    if [ -n "$CONTAINER_ROOT_LV_NAME$CONTAINER_ROOT_LV_MOUNT_PATH" ]; then
        fatal "DOCKER_ROOT_VOLUME and CONTAINER_ROOT_LV_NAME exclude each other, and $INPUT has both" "keep the second"
    fi
    CONTAINER_ROOT_LV_NAME=$DOCKER_ROOT_LV
    CONTAINER_ROOT_LV_SIZE=$DOCKER_ROOT_VOLUME_SIZE
    CONTAINER_ROOT_LV_MOUNT_PATH=$(docker_directory)
}

# Where docker keeps its data: -g, --graph or --data-root of its OPTIONS.
docker_directory() {
    local words word previous='' found=/var/lib/docker OPTIONS=''
    if [ -r "$DOCKER_SYSCONFIG" ]; then
        # shellcheck disable=SC1090
        OPTIONS=$(set +eu; . "$DOCKER_SYSCONFIG" >/dev/null 2>&1; printf '%s' "$OPTIONS")
    fi
    read -ra words <<<"${OPTIONS//$'\n'/ }"
    for word in ${words[@]+"${words[@]}"}; do
        case $previous in -g | --graph | --data-root) found=$word ;; esac
        case $word in -g=* | --graph=* | --data-root=*) found=${word#*=} ;; esac
        previous=$word
    done
    printf '%s\n' "$found"
}
