#!/bin/bash
# install-packages [-u] [-e] [-m ELEMENT] PACKAGE…: what hooks call for packages, by the target's own apt or dnf.
set -eu -o pipefail
[ "${DIB_DEBUG_TRACE:-0}" -eq 0 ] || set -x

usage() { echo 'Usage: install-packages [-u] [-e] [-m ELEMENT] [PACKAGE...]'; }

action=install element=''
while getopts uem:h option; do
    case $option in
    u) action=upgrade ;;
    e) action=remove ;;
    m) element=$OPTARG ;;
    h)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 1
        ;;
    esac
done
shift $((OPTIND - 1))
packages=("$@")
if [ "$action" = upgrade ]; then
    packages=()
elif ((${#packages[@]} == 0)); then
    exit 0
elif [ -n "$element" ] && command -v pkg-map >/dev/null; then
    code=0
    mapped=$(pkg-map --missing-ok --element "$element" "${packages[@]}") || code=$?
    case $code in
    0) read -r -d '' -a packages <<<"$mapped" || : ;;
    2) ;;
    *) exit 1 ;;
    esac
    ((${#packages[@]} > 0)) || exit 0
fi

if command -v apt-get >/dev/null; then
    # The base came without lists of packages. /tmp is the build's own.
    if [ "$action" != remove ] && [ ! -e /tmp/.isotope-apt-updated ]; then
        apt-get --quiet=2 update
        touch /tmp/.isotope-apt-updated
    fi
    [ "$action" != upgrade ] || action=dist-upgrade
    DEBIAN_FRONTEND=noninteractive exec apt-get --quiet --assume-yes --no-install-recommends \
        --option Dpkg::Options::=--force-confold --option Dpkg::Options::=--force-confdef \
        "$action" ${packages[@]+"${packages[@]}"}
fi
exec dnf --quiet --assumeyes --setopt=install_weak_deps=False "$action" ${packages[@]+"${packages[@]}"}
