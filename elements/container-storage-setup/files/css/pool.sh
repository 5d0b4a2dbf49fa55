# shellcheck shell=bash
# The thin pool that docker's devicemapper driver lives on.

# volume_exists GROUP NAME
volume_exists() {
    lvs "$1/$2" >/dev/null 2>&1
}

# The device of a volume: a `-` within a name is doubled.
mapper_path() {
    printf '/dev/mapper/%s-%s\n' "${1//-/--}" "${2//-/--}"
}

segment_type() {
    lvs --noheadings -o segtype "$1/$2" 2>/dev/null | tr -d ' '
}

# setup_pool: makes it, or sees that what is there is one, and active.
setup_pool() {
    local kind
    if volume_exists "$VG" "$CONTAINER_THINPOOL"; then
        kind=$(segment_type "$VG" "$CONTAINER_THINPOOL")
        [ "$kind" = thin-pool ] ||
            fatal "$VG/$CONTAINER_THINPOOL exists and is no thin pool but $kind" \
                "remove it (lvremove $VG/$CONTAINER_THINPOOL), or set CONTAINER_THINPOOL in $INPUT"
        info "the thin pool $VG/$CONTAINER_THINPOOL is there"
    else
        make_pool
    fi
    activate_pool
    extend_by_itself
}

make_pool() {
    local free least size want metadata=$POOL_META_SIZE
    free=$(group_number "$VG" vg_free)
    least=$(bytes "$MIN_DATA_SIZE")
    ((free >= least)) ||
        fatal "the volume group $VG has $(human "$free") free, and MIN_DATA_SIZE=$MIN_DATA_SIZE are needed" \
            "add a disk to DEVS, or lower MIN_DATA_SIZE, in $INPUT"
    if [[ $DATA_SIZE = *%* ]]; then
        size=(-l "$DATA_SIZE")
        want=$(share "$VG" "$DATA_SIZE")
    else
        size=(-L "$DATA_SIZE")
        want=$(bytes "$DATA_SIZE")
        ((free >= want)) ||
            fatal "the volume group $VG has $(human "$free") free, and DATA_SIZE asks for $DATA_SIZE" \
                "add a disk to DEVS, or lower DATA_SIZE, in $INPUT"
    fi
    if ((want < least)); then
        info "DATA_SIZE=$DATA_SIZE would be $(human "$want"); MIN_DATA_SIZE=$MIN_DATA_SIZE is taken"
        size=(-L "$MIN_DATA_SIZE")
    fi
    if [ -z "$metadata" ]; then metadata=$(($(group_number "$VG" vg_size) / 512 / 1000 + 1))s; fi
    need thin_check thin-provisioning-tools
    run "make the thin pool $VG/$CONTAINER_THINPOOL" lvcreate --yes --type thin-pool --zero n --chunksize "$CHUNK_SIZE" \
        --poolmetadatasize "$metadata" "${size[@]}" --name "$CONTAINER_THINPOOL" "$VG"
    if [ "$SKIP_ACTIVATION" = true ]; then
        run "keep $VG/$CONTAINER_THINPOOL from being activated at boot" \
            lvchange --setactivationskip y "$VG/$CONTAINER_THINPOOL"
    fi
    info "made the thin pool $VG/$CONTAINER_THINPOOL"
}

# share GROUP 40%FREE: bytes.
share() {
    local of=vg_free
    case $2 in *%VG) of=vg_size ;; esac
    echo $(($(group_number "$1" "$of") * ${2%\%*} / 100))
}

activate_pool() {
    local path output part
    path=$(mapper_path "$VG" "$CONTAINER_THINPOOL")
    if ! output=$(switch_pool_on); then
        # A run that was killed may have left one half of the pool active, which nobody uses; in use it cannot be removed.
        for part in "${path}_tmeta" "${path}_tdata"; do
            [ ! -b "$part" ] || dmsetup remove --retry "$part" >/dev/null 2>&1 || true
        done
        output=$(switch_pool_on) ||
            fatal "cannot activate the thin pool $VG/$CONTAINER_THINPOOL: $output" \
                "if it wants a repair: lvconvert --repair $VG/$CONTAINER_THINPOOL"
    fi
    until_ready 10 block_device "$path" || fatal "the thin pool is active, but $path did not appear" "see: dmsetup ls"
}

switch_pool_on() {
    lvchange --activate y --ignoreactivationskip "$VG/$CONTAINER_THINPOOL" </dev/null 2>&1
}

# AUTO_EXTEND_POOL: a profile of LVM of its own for this pool, followed by dmeventd.
extend_by_itself() {
    local pool=$VG/$CONTAINER_THINPOOL profile=$VG--$CONTAINER_THINPOOL-extend file now
    file=/etc/lvm/profile/$profile.profile
    now=$(lvs --noheadings -o lv_profile "$pool" | tr -d ' ')
    if [ "$AUTO_EXTEND_POOL" != true ]; then
        if [ "$now" = "$profile" ]; then run "take the profile off $pool" lvchange --detachprofile "$pool"; fi
        rm -f "$file"
        return 0
    fi
    mkdir -p /etc/lvm/profile
    printf 'activation {\n\tthin_pool_autoextend_threshold=%s\n\tthin_pool_autoextend_percent=%s\n}\n' \
        "$POOL_AUTOEXTEND_THRESHOLD" "$POOL_AUTOEXTEND_PERCENT" | write_file "$file"
    if [ "$now" != "$profile" ]; then
        run "give $pool its profile" lvchange --metadataprofile "$profile" "$pool"
    fi
    run "have $pool watched" lvchange --monitor y "$pool"
}

# write_file FILE: standard input becomes the file, whole or not at all; not even touched if it is the same.
write_file() {
    local file=$1 new
    new=$(mktemp "$file.XXXXXX")
    cat >"$new"
    if cmp -s "$new" "$file"; then
        rm -f "$new"
        return
    fi
    chmod 0644 "$new"
    sync "$new"
    mv -f "$new" "$file"
}

# remove_pool: with everything in it.
remove_pool() {
    if volume_exists "$VG" "$CONTAINER_THINPOOL"; then
        run "remove the thin pool $VG/$CONTAINER_THINPOOL (is docker still running?)" \
            lvremove --yes --force "$VG/$CONTAINER_THINPOOL"
        info "removed the thin pool $VG/$CONTAINER_THINPOOL"
    fi
    rm -f "/etc/lvm/profile/$VG--$CONTAINER_THINPOOL-extend.profile"
}
