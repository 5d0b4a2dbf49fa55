# Before each case of the table: a clean system, and words to write cases with. Runs as root in the guest; bash.
set -euo pipefail
export LC_ALL=C LVM_SUPPRESS_FD_WARNINGS=1
CSS=/usr/local/libexec/isotope/container-storage-setup
IN=/etc/sysconfig/docker-storage-setup
OUT=/etc/sysconfig/docker-storage
WORK=/var/tmp/storage-cases
SAID=/run/storage-cases.said

fail() {
    echo "FAILED: $*"
    echo "--- the last run said:"
    cat "$SAID" 2>/dev/null || true
    exit 1
}

# Takes away whatever an earlier case made, also one that failed half way. The guest itself has no volume group.
clean() {
    local unit device
    systemctl stop docker.service docker.socket 2>/dev/null || true
    umount -R /var/lib/docker /mnt/* 2>/dev/null || true
    swapoff -a
    for unit in $(grep -ls container-storage-setup /etc/systemd/system/*.mount || true); do
        systemctl --quiet disable "${unit##*/}"
        rm -f "$unit"
    done
    for device in $(vgs --noheadings -o vg_name 2>/dev/null); do vgremove -ffy "$device" >/dev/null 2>&1 || true; done
    dmsetup remove_all --force >/dev/null 2>&1 || true
    for device in $(losetup --noheadings --output NAME); do
        wipefs -aq "$device"p* "$device" 2>/dev/null || true
        losetup -d "$device"
    done
    udevadm settle
    pvscan --cache >/dev/null 2>&1 || true
    rm -rf --one-file-system "$WORK" "$IN" "$OUT" /etc/sysconfig/docker /etc/lvm/profile/*-extend.profile /var/lib/docker /mnt/* \
        /usr/share/container-storage-setup /var/lib/container-storage-setup "$SAID"
    mkdir -p "$WORK" /etc/sysconfig /mnt
}

# disk NAME SIZE [SECTOR]: a disk made of a loop device; prints it.
disk() {
    truncate -s "$2" "$WORK/$1"
    losetup --find --show --partscan --sector-size "${3:-512}" "$WORK/$1"
}

# settings LINES…
settings() {
    printf '%s\n' "$@" >"$IN"
}

# setup [ARGUMENTS]: must succeed.
setup() {
    timeout 300 "$CSS" "$@" >"$SAID" 2>&1 || fail "container-storage-setup $* ended with $?"
}

# refused TEXT [ARGUMENTS]: must fail, saying the text, and leave no options for docker behind that were not there.
refused() {
    local text=$1 before after status=0
    shift
    before=$(cat "$OUT" 2>/dev/null || true)
    timeout 300 "$CSS" "$@" >"$SAID" 2>&1 || status=$?
    [ "$status" -eq 1 ] || fail "container-storage-setup $* should fail, and ended with $status"
    grep -qF -- "$text" "$SAID" || fail "it did not say: $text"
    grep -q '^  help: ' "$SAID" || fail "it did not say what to do"
    after=$(cat "$OUT" 2>/dev/null || true)
    [ "$before" = "$after" ] || fail "it failed, and changed $OUT to: $after"
}

said() {
    grep -qF -- "$1" "$SAID" || fail "it did not say: $1"
}

# options TEXT: the output file is exactly this line.
options() {
    [ "$(cat "$OUT")" = "DOCKER_STORAGE_OPTIONS=\"$1\"" ] || fail "options are $(cat "$OUT"), expected $1"
}

# pool_options DEVICE: what docker gets for a pool.
pool_options() {
    options "--storage-driver devicemapper --storage-opt dm.fs=xfs --storage-opt dm.thinpooldev=/dev/mapper/$1 --storage-opt dm.use_deferred_removal=true --storage-opt dm.use_deferred_deletion=true "
}

# field VOLUME FIELD: of lvs, sizes in MiB.
field() {
    lvs --noheadings --units m --nosuffix -o "$2" "$1" | tr -d ' ' | sed 's/\.00$//'
}

same() {
    [ "$1" = "$2" ] || fail "$3: $1, expected $2"
}

# near ACTUAL EXPECTED WHAT: within five parts in a hundred.
near() {
    local difference=$(($1 - $2))
    [ "${difference#-}" -le $(($2 / 20)) ] || fail "$3: $1, expected about $2"
}

# unchanged_by COMMAND…: leaves volumes, mounts and options as they are.
unchanged_by() {
    local before after
    before=$(state)
    "$@"
    after=$(state)
    [ "$before" = "$after" ] || fail "$* changed this:"$'\n'"$before"$'\n'"into this:"$'\n'"$after"
}

state() {
    cat "$OUT" 2>/dev/null || true
    stat -c '%Y %i' "$OUT" 2>/dev/null || true
    pvs --noheadings -o pv_name,vg_name,pv_uuid
    lvs -a --noheadings -o vg_name,lv_name,lv_uuid,lv_size,lv_profile,lv_attr
    findmnt --list --noheadings --types xfs || true
    ls /etc/systemd/system /etc/lvm/profile
}

# untouched DISK: nothing was written to it.
untouched() {
    cmp -s "$WORK/$1" /dev/zero -n "$(stat -c %s "$WORK/$1")" || fail "the disk $1 was written to"
}

# privately SCRIPT: with mounts of its own, which end with it.
privately() {
    unshare --mount --propagation private bash -euo pipefail -c "$(declare -p CSS IN OUT WORK SAID); $(declare -f); $1"
}

trap clean EXIT
clean
