# shellcheck shell=bash
# The options that docker starts with: reading the file that is there, and writing it.

# The value of OUTPUT_VARIABLE in the file that is there.
present_options() {
    [ -r "$OUTPUT" ] || return 0
    (
        set +eu
        unset "$OUTPUT_VARIABLE"
        # shellcheck disable=SC1090
        . "$OUTPUT" </dev/null >/dev/null 2>&1
        printf '%s' "${!OUTPUT_VARIABLE}"
    )
}

# option_of NAMES OPTIONS: the value of the last of these options; NAMES are separated by `|`.
option_of() {
    local names=$1 word words previous='' found=''
    read -ra words <<<"$2"
    for word in ${words[@]+"${words[@]}"}; do
        if [[ $previous =~ ^($names)$ ]]; then found=$word; fi
        if [[ $word =~ ^($names)=(.*)$ ]]; then found=${BASH_REMATCH[2]}; fi
        previous=$word
    done
    printf '%s\n' "$found"
}

# The driver that options name; options of a pool are devicemapper's.
driver_of() {
    local driver
    driver=$(option_of '-s|--storage-driver' "$1")
    if [ -z "$driver" ] && [[ $1 = *dm.* ]]; then driver=devicemapper; fi
    printf '%s\n' "$driver"
}

# The pool that options name.
pool_of() {
    local word words
    read -ra words <<<"$1"
    for word in ${words[@]+"${words[@]}"}; do
        case $word in *dm.thinpooldev=*) printf '%s\n' "${word#*dm.thinpooldev=}" ;; esac
    done
}

# docker's version as one number, 20.10 is 2010; 9999 where there is no docker.
docker_version() {
    local text
    text=$(dockerd --version 2>/dev/null || docker --version 2>/dev/null) || true
    if [[ $text =~ ([0-9]+)\.([0-9]+) ]]; then
        echo $((10#${BASH_REMATCH[1]} * 100 + 10#${BASH_REMATCH[2]}))
    else
        echo 9999
    fi
}

# docker_knows DRIVER: refuses drivers that this docker has no more.
docker_knows() {
    local version gone
    [ "$OUTPUT_VARIABLE" = DOCKER_STORAGE_OPTIONS ] || return 0
    case $1 in
        devicemapper) gone=2500 ;;
        overlay) gone=2400 ;;
        *) return 0 ;;
    esac
    version=$(docker_version)
    if ((version >= gone && version != 9999)); then
        fatal "docker $((version / 100)).$((version % 100)) has no driver $1: it went with $((gone / 100)).0" \
            "set STORAGE_DRIVER=overlay2 in $INPUT"
    fi
}

# The device mapper removes and deletes later what is still in use: Linux 3.18 and its driver 4.27.
mapper_defers() {
    local version
    version=$(dmsetup version 2>/dev/null | sed -n 's/^Driver version: *//p')
    [[ $version =~ ^([0-9]+)\.([0-9]+) ]] || return 1
    ((BASH_REMATCH[1] > 4 || (BASH_REMATCH[1] == 4 && BASH_REMATCH[2] >= 27)))
}

pool_options() {
    local options="--storage-driver devicemapper" version
    [[ $EXTRA_STORAGE_OPTIONS = *dm.fs=* ]] || options+=" --storage-opt dm.fs=xfs"
    options+=" --storage-opt dm.thinpooldev=$(mapper_path "$VG" "$CONTAINER_THINPOOL")"
    if mapper_defers; then
        version=$(docker_version)
        ((version < 107)) || options+=" --storage-opt dm.use_deferred_removal=true"
        ((version < 109)) || options+=" --storage-opt dm.use_deferred_deletion=true"
    fi
    printf '%s\n' "$options"
}

# write_options OPTIONS: one line; runs of blanks become one, and one stands at the end.
write_options() {
    local words
    read -ra words <<<"$1 $EXTRA_STORAGE_OPTIONS"
    mkdir -p "${OUTPUT%/*}"
    printf '%s="%s "\n' "$OUTPUT_VARIABLE" "${words[*]}" | write_file "$OUTPUT"
}
