#!/bin/sh
# Seen by maintainer scripts only (apt.conf). A new kernel asks for its initramfs, and the trigger at the end of the same run of dpkg
# makes it again: here the first is left to the second. Made in Isotope.
set -e
real=/usr/sbin/update-initramfs
list=/tmp/.isotope-initramfs
# Where there is none, nobody is to notice this one.
[ -x $real ] || exit 0
if [ -n "${DPKG_MAINTSCRIPT_PACKAGE-}" ]; then
    if [ "${1-}" = -c ] && dpkg-trigger --no-await update-initramfs; then
        echo "$*" >>$list
        echo "update-initramfs: deferring $* (trigger activated)"
        exit 0
    fi
    exec $real "$@"
fi
if [ -s $list ]; then
    mv $list $list.now
    made=0
    while read -r arguments; do
        # shellcheck disable=SC2086 # They are words.
        $real $arguments
        made=$((made + 1))
    done <$list.now
    rm $list.now
    all=0
    for image in /boot/initrd.img-*; do
        [ ! -e "$image" ] || all=$((all + 1))
    done
    # What is to be updated has just been made.
    if [ "$*" = -u ] && [ $all -le $made ]; then
        exit 0
    fi
fi
[ $# = 0 ] || exec $real "$@"
