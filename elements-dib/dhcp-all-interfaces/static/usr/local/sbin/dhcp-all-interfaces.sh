#!/bin/bash
# dhcp-all-interfaces.sh [INTERFACE]: writes the configuration that gets a network card's address by DHCP, and sets the card up; without
# a name, for all cards.
set -eu -o pipefail

is_card() {
    local device=/sys/class/net/$1
    case $1 in
    lo | docker* | virbr* | veth* | br-* | tap* | tun* | ovs*) return 1 ;;
    esac
    # A card has a device; what is made by software has none, or has the address of another card.
    [ -e "$device/device" ] && [ "$(cat "$device/addr_assign_type" 2>/dev/null || echo 0)" -ne 2 ]
}
configured() {
    grep -qsE "^[[:space:]]*iface[[:space:]]+${1}[[:space:]]" /etc/network/interfaces /etc/network/interfaces.d/*
}
set_up() {
    local name=$1 config=/etc/sysconfig/network-scripts
    is_card "$name" || return 0
    if [ -d /etc/network ]; then
        configured "$name" || {
            mkdir -p /etc/network/interfaces.d
            printf 'auto %s\niface %s inet dhcp\n' "$name" "$name" >"/etc/network/interfaces.d/$name"
            grep -qs interfaces.d /etc/network/interfaces || echo 'source /etc/network/interfaces.d/*' >>/etc/network/interfaces
        }
    elif [ -d "$config" ] && [ ! -e "$config/ifcfg-$name" ]; then
        printf 'DEVICE=%s\nBOOTPROTO=dhcp\nONBOOT=yes\nTYPE=Ethernet\n' "$name" >"$config/ifcfg-$name"
    fi
    echo "$name is set up by DHCP"
    if command -v ifup >/dev/null; then
        ifup "$name"
    fi
}

if (($# > 0)); then
    set_up "$1"
else
    for device in /sys/class/net/*; do
        set_up "${device##*/}"
    done
fi
