# The layout, for the boot loader.
case ${ARCH:-} in
ppc*)
    echo "block-device-efi-lvm does not work on $ARCH: use block-device-gpt." >&2
    return 1
    ;;
esac
export DIB_BLOCK_DEVICE=efi
